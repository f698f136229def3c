package history

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// Over is a session of a server that outlives its clients, which has ended while no
// client was there.
type Over struct {
	Session string    `json:"session"`
	At      time.Time `json:"at"`
	// Keep is for how long it was kept after its last use, 0 when it ended with its
	// server, which was stopped.
	Keep time.Duration `json:"keep,omitempty"`
	Last string        `json:"last,omitempty"` // id of its last run
}

// Overs are the sessions of which no client was told so far that they are over. Their
// file outlives the server. They are safe for concurrent use; nil is none for ever.
type Overs struct {
	path string

	mu  sync.Mutex // protects the fields below, and the file
	all []Over     // oldest first
}

const (
	// maxOvers bounds how many are remembered.
	maxOvers = 16
	// maxOversFile bounds what is read of the file, in bytes.
	maxOversFile = 64 << 10
)

// ReadOvers reads what another server has left at path. What cannot be read is none.
func ReadOvers(path string) *Overs {
	o := &Overs{path: path}
	file, err := os.Open(path)
	if err != nil {
		return o
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxOversFile))
	if err != nil || json.Unmarshal(text, &o.all) != nil {
		o.all = nil
	}
	return o
}

// Add remembers one.
func (o *Overs) Add(one Over) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(slices.DeleteFunc(o.all, func(old Over) bool { return old.Session == one.Session }), one)
	o.all = o.all[max(0, len(o.all)-maxOvers):]
	o.writeLocked()
}

// All are those that nobody was told of, oldest first.
func (o *Overs) All() []Over {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all)
}

// Told forgets those that a client was told of.
func (o *Overs) Told(told []Over) {
	if o == nil || len(told) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = slices.DeleteFunc(o.all, func(one Over) bool {
		return slices.ContainsFunc(told, func(t Over) bool { return t.Session == one.Session && t.At.Equal(one.At) })
	})
	o.writeLocked()
}

// writeLocked writes the file, or removes it. When it cannot, only this server knows.
func (o *Overs) writeLocked() {
	if len(o.all) == 0 {
		_ = os.Remove(o.path)
		return
	}
	text, err := json.Marshal(o.all)
	if err == nil && os.WriteFile(o.path+".new", append(text, '\n'), 0o600) == nil {
		_ = os.Rename(o.path+".new", o.path)
	}
}
