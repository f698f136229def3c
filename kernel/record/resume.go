package record

import (
	"bytes"
	"errors"
	"syscall"
	"time"
)

// retryPause is how long after a failure it is tried again whether a full disk has
// space.
const retryPause = time.Second

// isFull reports whether a disk refused to write for want of space: that may pass.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// resumed reports whether the disk takes entries again. What was kept in memory is
// written first, each entry where its position says; holes are left for the others.
func (r *Record) resumed(now bool) bool {
	r.writeMu.Lock()
	defer r.writeMu.Unlock()
	r.mu.Lock()
	m := r.memory
	try := m != nil && r.full && r.file != nil && !r.closed.Load() && (now || time.Since(r.tried) >= retryPause)
	if try {
		r.tried = time.Now()
	}
	r.mu.Unlock()
	if !try || r.rewrite(m) != nil {
		return m == nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory, r.full, r.failure = nil, false, r.syncFailure
	return true
}

// rewrite brings the file to where the entries in memory end, or leaves it as it was.
// The caller must hold writeMu, under which the memory does not change.
func (r *Record) rewrite(m *memory) error {
	if err := r.file.Truncate(int64(m.start)); err != nil {
		return err
	}
	at, err := m.start, error(nil)
	each := func(entries []Entry) {
		for _, e := range entries {
			if err == nil {
				err = r.put(e)
				at = e.Next
			}
		}
	}
	each(m.head)
	if d := m.dropped; d != nil && err == nil {
		err = r.hole(d.To)
		at = d.To
	}
	each(m.tail)
	if err == nil && at != r.Tail() {
		err = errors.New("entries in memory do not reach the record's end")
	}
	if err != nil {
		r.file.Truncate(int64(m.start))
	}
	return err
}

// put writes an entry from memory at the file's end, which is its place.
func (r *Record) put(e Entry) error {
	var buf bytes.Buffer
	l, err := r.line(e, wholeLine)
	if err == nil {
		err = encode(&buf, l)
	}
	if err != nil || Position(buf.Len()) != e.Next-e.Pos {
		return r.hole(e.Next)
	}
	_, err = r.file.Write(buf.Bytes())
	return err
}

// hole makes one line of zeros up to a position. It takes no space.
func (r *Record) hole(to Position) error {
	if err := r.file.Truncate(int64(to) - 1); err != nil {
		return err
	}
	_, err := r.file.Write([]byte{'\n'})
	return err
}

// encodedSize is what an entry's line takes with all its values in it, 0 when it is too
// long for a line.
func (r *Record) encodedSize(e Entry) int {
	var buf bytes.Buffer
	l, err := r.line(e, wholeLine)
	if err != nil || encode(&buf, l) != nil || buf.Len() > lineMax {
		return 0
	}
	return buf.Len()
}
