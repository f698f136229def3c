package history

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// Starts claims ids, and knows which records belong to which server. It is safe for
// concurrent use.
type Starts struct {
	dir    string // starts of the state directory
	prefix string
	n      atomic.Int64

	mu sync.Mutex // held during a write of the own file
}

// Kernel is a line of a server's file: a kernel process of its own, and its record.
type Kernel struct {
	Record     string `json:"record"` // the name of its directory
	Session    string `json:"session"`
	Generation int    `json:"generation"`
	// Storage and WorkDir are where the server's code files lie and where its code
	// runs: who has others does not see this one.
	Storage string `json:"storage"`
	WorkDir string `json:"work_dir"`
	// Owner is whose session it was where a server has several owners, else "": nobody
	// else sees this one.
	Owner string `json:"owner,omitempty"`
}

// letters leaves out what is easily misread.
const letters = "abcdefghjkmnpqrstuvwxyz23456789"

// maxStart bounds what is read of one file.
const maxStart = 4 << 20

// Claim claims the first half of the ids of one server, four characters: ids stay
// unique in the state directory for ever, over restarts and servers side by side. When
// that fails the ids are likely unique all the same.
func Claim(stateDir string) (*Starts, error) {
	s := &Starts{dir: filepath.Join(stateDir, "starts"), prefix: randomPrefix()}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return s, fmt.Errorf("claiming an id: %w", err)
	}
	for {
		f, err := os.OpenFile(s.file(s.prefix), os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case errors.Is(err, fs.ErrExist):
			s.prefix = randomPrefix()
			continue
		case err != nil:
			return s, fmt.Errorf("claiming an id: %w", err)
		}
		return s, f.Close()
	}
}

func randomPrefix() string {
	b := make([]byte, 4)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

func (s *Starts) file(prefix string) string { return filepath.Join(s.dir, prefix) }

// Prefix is the half of the ids that was claimed.
func (s *Starts) Prefix() string { return s.prefix }

// Next is a new id.
func (s *Starts) Next() string { return fmt.Sprintf("%s-%d", s.prefix, s.n.Add(1)) }

// Elsewhere reports whether an id is of another server with the same state directory,
// an earlier one as a rule.
func (s *Starts) Elsewhere(id string) bool {
	prefix, _, ok := strings.Cut(id, "-")
	if !ok || !isPrefix(prefix) || prefix == s.prefix {
		return false
	}
	_, err := os.Stat(s.file(prefix))
	return err == nil
}

func isPrefix(s string) bool { return len(s) == 4 && strings.Trim(s, letters) == "" }

// Started notes a kernel of this server. The line is whole or not there.
func (s *Starts) Started(k Kernel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("noting a kernel: %w", err)
	}
	f, err := os.OpenFile(s.file(s.prefix), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("noting a kernel: %w", err)
	}
	for tries := 0; flock.Try(f.Fd(), true) != nil && tries < 100; tries++ {
		time.Sleep(time.Millisecond) // somebody deletes records: see rewrite
	}
	_, err = f.Write(append(line, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("noting a kernel: %w", err)
	}
	return nil
}

// Kernels are those of the server that has claimed prefix, oldest first. Lines that
// cannot be read are left out.
func (s *Starts) Kernels(prefix string) []Kernel {
	if !isPrefix(prefix) {
		return nil
	}
	return kernelsOf(s.file(prefix))
}

func kernelsOf(file string) (kernels []Kernel) {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(f, maxStart))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(b) {
		var k Kernel
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &k) == nil && filepath.IsLocal(k.Record) && filepath.Base(k.Record) == k.Record {
			kernels = append(kernels, k)
		}
	}
	return kernels
}

// Servers are the prefixes that were claimed.
func (s *Starts) Servers() (prefixes []string) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if isPrefix(e.Name()) && e.Type().IsRegular() {
			prefixes = append(prefixes, e.Name())
		}
	}
	return prefixes
}

// forget takes records out of the files of servers that have named them.
func forget(stateDir string, records map[string]bool) error {
	s := &Starts{dir: filepath.Join(stateDir, "starts")}
	var errs []error
	for _, prefix := range s.Servers() {
		var kept []byte
		found := false
		for _, k := range s.Kernels(prefix) {
			if records[k.Record] {
				found = true
				continue
			}
			line, _ := json.Marshal(k) // it was read from JSON
			kept = append(append(kept, line...), '\n')
		}
		if found {
			errs = append(errs, rewrite(s.file(prefix), kept))
		}
	}
	return errors.Join(errs...)
}

// rewrite gives a claimed file new lines. The file itself stays: it is the claim.
func rewrite(file string, lines []byte) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flock.Try(f.Fd(), true); err != nil {
		return fmt.Errorf("%s is in use", file)
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(lines, 0)
	return err
}
