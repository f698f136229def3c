package codefile

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// A kill can end a write(2) between two pages. So what is about to be appended lies in
// a hidden file meanwhile, and whoever has the file's lock next, or opens the storage,
// takes a torn part of it back. No sync is needed: after a power cut nothing is known of
// a write that was not acknowledged.
const intentSuffix = ".append"

// intent is the first line of such a file; what is appended follows.
type intent struct {
	Name string `json:"name"` // relative to the storage directory
	Size int64  `json:"size"` // before
}

func intentName(rel string) string {
	h := fnv.New64a()
	h.Write([]byte(rel))
	return tempPrefix + hex.EncodeToString(h.Sum(nil)) + intentSuffix
}

func isIntent(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, intentSuffix)
}

// intend notes an append; done takes the note back. The caller has the file's lock.
func (s *Store) intend(f *os.File, rel, content string) (done func(), err error) {
	name := intentName(rel)
	done = func() { s.root.Remove(name) }
	if err := s.untear(f, rel); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	note, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(intent{Name: rel, Size: info.Size()})
	if err == nil {
		_, err = note.WriteString(string(head) + "\n" + content)
	}
	if err = errors.Join(err, note.Close()); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// readIntent reads a note. One that was not written whole is of an append that had not
// begun: its content is "".
func (s *Store) readIntent(name string) (i intent, content []byte, err error) {
	note, err := s.root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return i, nil, err
	}
	defer note.Close()
	in := bufio.NewReader(io.LimitReader(note, MaxContent+64<<10))
	head, err := in.ReadBytes('\n')
	if err != nil || json.Unmarshal(head, &i) != nil {
		return intent{}, nil, nil
	}
	content, err = io.ReadAll(in)
	return i, content, err
}

// untear takes back a part of an append whose writer died, if a note tells of one. What
// is not the beginning of that is somebody else's and stays. The caller has the lock.
func (s *Store) untear(f *os.File, rel string) error {
	name := intentName(rel)
	i, content, err := s.readIntent(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if n := info.Size() - i.Size; i.Name == rel && n > 0 && n < int64(len(content)) {
		file, err := s.root.Open(rel) // f only appends
		if err != nil {
			return err
		}
		defer file.Close()
		there := make([]byte, n)
		if _, err := file.ReadAt(there, i.Size); err != nil {
			return err
		}
		if bytes.Equal(there, content[:n]) {
			if err := f.Truncate(i.Size); err != nil {
				return err
			}
		}
	}
	return s.root.Remove(name)
}

// untearAll looks at the notes that are there. Those of writers that live stay.
func (s *Store) untearAll() {
	dir, err := s.root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if !isIntent(name) {
			continue
		}
		i, _, err := s.readIntent(name)
		if err != nil {
			continue
		}
		f, rel, err := s.open(i.Name, os.O_WRONLY|os.O_APPEND)
		if err != nil {
			continue // it has gone, or the note is being written: sweep removes old ones
		}
		if flock.Try(f.Fd(), true) == nil {
			_ = s.untear(f, rel) // what cannot be taken back now is at the next append
		}
		f.Close()
	}
}
