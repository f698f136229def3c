package session

import (
	"encoding/binary"
	"strconv"
)

// maxCells bounds how many cells of a kernel a session can name.
const maxCells = 10_000

// cells tells which cell of a session's kernel a file is: ipykernel compiles a cell
// as DIR/ipykernel_PID/FILE.py, where FILE is a hash of its code, so that caches of
// joblib and numba know a cell that is run again. What Python itself writes of a
// cell names that file.
type cells struct {
	generation int
	counts     map[string]int // file: the execution count of its latest run
}

// addLocked notes that a run's code has been a cell. The caller must hold session.mu.
func (c *cells) addLocked(e *Execution, count int) {
	if count == 0 || e.request.File != "" || e.request.Script {
		return
	}
	if c.generation != e.generation || len(c.counts) >= maxCells {
		c.generation, c.counts = e.generation, map[string]int{}
	}
	c.counts[cellFile(e.request.Code)] = count
}

// Cell returns the execution count of the cell that ipykernel has compiled as
// FILE.py, 0 when it is none of the report's kernel.
func (r Report) Cell(file string) int {
	s := r.execution.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Count > 0 && file == cellFile(r.execution.request.Code):
		return r.Count
	case r.Generation == s.cells.generation:
		return s.cells.counts[file]
	}
	return 0
}

// cellFile is ipykernel's name for code: compiler.get_file_name, MurmurHash2.
func cellFile(code string) string {
	const m, seed = 0x5bd1e995, 0xc70f6907
	b := []byte(code)
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	if len(b) > 0 {
		var rest [4]byte
		copy(rest[:], b)
		h = (h ^ binary.LittleEndian.Uint32(rest[:])) * m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return strconv.FormatUint(uint64(h), 10)
}
