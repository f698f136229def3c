package record

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Large pieces of a stream lie one behind the other in a file of their execution, a pack:
// a file for each took most of the time of a gigabyte. All other large values are files of
// their own, whose paths people are shown.

// packMax is after how many bytes the next piece begins another pack.
const packMax = 16 << 20

// pack is the file that takes pieces. Record.writeMu protects it.
type pack struct {
	exec string
	name string
	file journal
	size int64 // of the pieces in it
}

// putPiece appends a piece to the pack of an execution. Nothing comes behind one that was
// written in part: the next begins another pack. The caller must hold writeMu.
func (r *Record) putPiece(exec string, b []byte) (*value, error) {
	p, err := r.packOf(exec)
	if err != nil {
		return nil, &diskError{"writing value", err}
	}
	if _, err := p.file.Write(b); err != nil {
		p.file.Truncate(p.size) // it holds the space that others need
		r.endPack()
		if p.size == 0 {
			os.Remove(filepath.Join(r.dir, filesDir, p.name))
		}
		return nil, &diskError{"writing value", err}
	}
	v := &value{File: placed(p.name, p.size), Size: int64(len(b))}
	p.size += v.Size
	return v, nil
}

// packOf returns the pack that takes the next piece of an execution.
func (r *Record) packOf(exec string) (*pack, error) {
	if p := r.pack; p != nil && p.exec == exec && p.size < packMax {
		// What is written to a file that somebody has removed nobody reads.
		if _, err := os.Lstat(filepath.Join(r.dir, filesDir, p.name)); err == nil {
			return p, nil
		}
	}
	r.endPack()
	name := fileName(exec, r.files.Add(1), "")
	f, err := os.OpenFile(filepath.Join(r.dir, filesDir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r.pack = &pack{exec: exec, name: name, file: f}
	return r.pack, nil
}

// endPack has the next piece begin another pack. The caller must hold writeMu.
func (r *Record) endPack() {
	if r.pack == nil {
		return
	}
	if err := r.pack.file.Close(); err != nil {
		r.fail(&diskError{"writing values", err}, false) // a network disk may tell only now that it is full
	}
	r.pack = nil
}

// placed is how a line names a value that begins at offset in a file. A program that
// knows no packs takes it for a damaged name, and not the whole file for the value.
func placed(name string, offset int64) string {
	return name + "@" + strconv.FormatInt(offset, 10)
}

// place returns the file that a line names, and where in it the value begins.
func place(s string) (name string, offset int64, err error) {
	name, at, packed := strings.Cut(s, "@")
	if packed {
		n, err := strconv.ParseUint(at, 10, 63)
		if err != nil {
			return "", 0, errFileName
		}
		offset = int64(n)
	}
	if !isFileName(name) {
		return "", 0, errFileName
	}
	return name, offset, nil
}
