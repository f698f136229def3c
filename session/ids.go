package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// ids makes execution ids `<server start, 4 characters>-<n>`. The four
// characters are claimed by a file in the state directory, so that ids stay
// unique there for ever, over restarts and servers side by side.
type ids struct {
	dir    string
	prefix string
	n      atomic.Int64
}

// letters leaves out what is easily misread.
const letters = "abcdefghjkmnpqrstuvwxyz23456789"

func newIDs(stateDir string) (*ids, error) {
	dir := filepath.Join(stateDir, "starts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &ids{dir: dir, prefix: randomPrefix()}, fmt.Errorf("claiming an id: %w", err)
	}
	for {
		prefix := randomPrefix()
		f, err := os.OpenFile(filepath.Join(dir, prefix), os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return &ids{dir: dir, prefix: prefix}, fmt.Errorf("claiming an id: %w", err)
		}
		return &ids{dir: dir, prefix: prefix}, f.Close()
	}
}

// elsewhere reports whether an id is of another server with the same state
// directory, an earlier one as a rule.
func (i *ids) elsewhere(id string) bool {
	prefix, _, ok := strings.Cut(id, "-")
	if !ok || len(prefix) != len(i.prefix) || strings.Trim(prefix, letters) != "" || prefix == i.prefix {
		return false
	}
	_, err := os.Stat(filepath.Join(i.dir, prefix))
	return err == nil
}

func randomPrefix() string {
	b := make([]byte, 4)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

func (i *ids) next() string { return fmt.Sprintf("%s-%d", i.prefix, i.n.Add(1)) }
