// Package cells tells which cell of a kernel a file is. ipykernel compiles a cell as
// DIR/ipykernel_PID/FILE.py, where FILE is a hash of its code, so that caches of
// joblib and numba know a cell that is run again. What Python itself writes of a cell
// names that file. The package knows code and counts, no session and no kernel.
package cells

import (
	"encoding/binary"
	"strconv"
)

// most bounds how many cells of a kernel are known.
const most = 10_000

// Cells are those of a session's newest kernel. The zero value knows none. They are
// not safe for concurrent use.
type Cells struct {
	generation int
	counts     map[string]int // file: the execution count of its latest run
}

// Add notes that a kernel has run code as a cell.
func (c *Cells) Add(generation, count int, code string) {
	if c.generation != generation || len(c.counts) >= most {
		c.generation, c.counts = generation, map[string]int{}
	}
	c.counts[File(code)] = count
}

// Count returns the execution count of the cell that ipykernel has compiled as
// FILE.py, 0 when it is none of that generation's kernel.
func (c *Cells) Count(generation int, file string) int {
	if c.generation != generation {
		return 0
	}
	return c.counts[file]
}

// File is ipykernel's name for code: compiler.get_file_name, MurmurHash2.
func File(code string) string {
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
