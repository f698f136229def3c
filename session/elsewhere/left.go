package elsewhere

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
)

// Place is where the runs of a kernel belong on this machine, and whose they are: who
// has others is not told of the kernel.
type Place struct {
	Storage string `json:"storage"`
	WorkDir string `json:"work_dir"`
	Owner   string `json:"owner,omitempty"`
}

// Left is a kernel that a server of ours has started on a Jupyter server, and not ended.
type Left struct {
	ID string `json:"kernel_id"`
	// Address is the Jupyter server's, without what is secret; Server is what the settings
	// call it now.
	Address string `json:"address"`
	Server  string `json:"-"`
	// Session is the session that it was started for, Prefix the first half of the ids of
	// the server that the session was of.
	Session string    `json:"session"`
	Prefix  string    `json:"prefix"`
	Started time.Time `json:"started"`
	// Asked says that its server had asked for it and had no answer: the id is what it had
	// asked for. Kernelspec is of what, "" for the Jupyter server's default.
	Asked      bool   `json:"asked,omitempty"`
	Kernelspec string `json:"kernelspec,omitempty"`
	// Maybe are the kernels of which one may be it, where there is none of that id: nil for
	// one that is there.
	Maybe []string `json:"-"`
	// Unknown says that its Jupyter server could not be asked for it.
	Unknown bool `json:"-"`
	Place
}

// Ledger is a directory with a file for each kernel that servers of ours have started on
// Jupyter servers. It is locked while its server lives, and removed when the kernel has
// been ended: one that is there without a lock is of a kernel that was left, because its
// server was killed, or could not reach the Jupyter server at its end.
type Ledger string

const (
	// ledgerMemory is for how long a kernel is remembered that nobody can ask for.
	ledgerMemory = 30 * 24 * time.Hour
	// maxEntry bounds a file, in bytes, maxAsked the kernels that are asked for at once.
	maxEntry = 16 << 10
	maxAsked = 32
)

// Begin notes a kernel that is asked for, before it is. started notes that it has been
// started, with its id; ended takes the note back, and is safe twice.
func (l Ledger) Begin(k Left) (started func(id string) error, ended func(), err error) {
	if err := os.MkdirAll(string(l), 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(filepath.Join(string(l), rand.Text()), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	note := func() error { // each after the ones before: the last whole one counts
		text, err := json.Marshal(k)
		if err == nil {
			_, err = file.Write(append(text, '\n'))
		}
		return err
	}
	started = func(id string) error {
		k.ID, k.Asked = id, false
		return note()
	}
	ended = sync.OnceFunc(func() {
		err := os.Remove(file.Name())
		file.Close()
		if err != nil {
			_ = os.Remove(file.Name()) // Windows removes no open file
		}
	})
	err = flock.Try(file.Fd(), true)
	for tries := 0; flock.Held(err) && tries < 100; tries++ { // by one who looks, for a moment
		time.Sleep(time.Millisecond)
		err = flock.Try(file.Fd(), true)
	}
	if err == nil {
		k.Asked = true
		err = note()
	}
	if err != nil {
		ended()
		return nil, nil, err
	}
	return started, ended, nil
}

// entry is a kernel that was left, and its file.
type entry struct {
	Left
	path string
}

// left are the kernels of a place that were left, the last one first. The place is asked
// for when there is one.
func (l Ledger) left(place func() Place) (all []entry) {
	files, err := os.ReadDir(string(l))
	if err != nil {
		return nil // none was ever started
	}
	for _, f := range files {
		path := filepath.Join(string(l), f.Name())
		k, changed, err := readLeft(path)
		switch {
		case errors.Is(err, errLives):
		case time.Since(changed) > ledgerMemory:
			_ = os.Remove(path)
		case err == nil:
			all = append(all, entry{k, path})
		}
	}
	if len(all) == 0 {
		return nil
	}
	of := place()
	all = slices.DeleteFunc(all, func(e entry) bool { return e.Place != of })
	slices.SortFunc(all, func(a, b entry) int { return b.Started.Compare(a.Started) })
	return all
}

var errLives = errors.New("its server lives, or nobody can tell")

func readLeft(path string) (k Left, changed time.Time, err error) {
	file, err := os.Open(path)
	if err != nil {
		return k, changed, errLives
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || flock.Try(file.Fd(), false) != nil {
		return k, changed, errLives
	}
	for notes, read := json.NewDecoder(io.LimitReader(file, maxEntry)), 0; ; read++ {
		var next Left
		if err := notes.Decode(&next); err != nil {
			if read > 0 {
				err = nil // the next one was cut off
			}
			return k, info.ModTime(), err
		}
		k = next
	}
}

// StillThere asks the Jupyter servers for the kernels of a place that were left, and
// returns those that run, the last one first, and those that may, as all of a server do
// that does not answer before the end of ctx. What has ended is forgotten. Of a server that
// the settings do not name nothing is known.
func (s *Servers) StillThere(ctx context.Context, l Ledger, place func() Place) []Left {
	left := l.left(place)
	left = left[:min(len(left), maxAsked)]
	runs, known := make([]bool, len(left)), make([]string, len(left))
	for i := range left {
		known[i] = left[i].ID
	}
	var wg sync.WaitGroup
	for i := range left {
		server := s.at(left[i].Address, &left[i].Server)
		if server == nil {
			continue
		}
		wg.Go(func() {
			has, err := server.Has(ctx, left[i].ID)
			switch {
			case err != nil || !left[i].Asked:
			case has:
				left[i].found()
			default:
				has, err = left[i].mayRun(ctx, server, known)
			}
			left[i].Unknown = err != nil
			if runs[i] = has || err != nil; !runs[i] {
				_ = os.Remove(left[i].path)
			}
		})
	}
	wg.Wait()
	var there []Left
	for i, k := range left {
		if runs[i] {
			there = append(there, k.Left)
		}
	}
	return there
}

// at is the server with that address, nil for none; name gets what it is called.
func (s *Servers) at(address string, name *string) *gateway.Server {
	for _, n := range s.all {
		if n.err == nil && n.server.String() == address {
			*name = n.name
			return n.server
		}
	}
	return nil
}
