package history

import (
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Lost is what a server that died has left of a session.
type Lost struct {
	Session string
	// First and Last are the ids of its runs; the records have them.
	First, Last string
	// Running is the id of the run that its server died during, "" for none.
	Running string
	// Variables are those of its last kernel.
	Variables record.Variables
	// Kept says that the kernel runs still, on a Jupyter server, with its variables.
	// Unknown says that it may: that server could not be asked.
	Kept, Unknown bool
}

// maxLooked bounds how much is read of one record to tell what was lost, in bytes: of a
// larger one only its end is looked at.
const maxLooked = 256 << 20

// Of a server that was just killed a child that it was about to start may hold the
// record's lock for a moment more than that of its mark.
const (
	lockPatience = time.Second
	lockPause    = 2 * time.Millisecond
)

// OpenLeft opens the record of a server that was killed. It waits for the record's lock,
// and does without it after lockPatience.
func OpenLeft(dir string) (*record.Reader, error) {
	for begun := time.Now(); ; time.Sleep(lockPause) {
		r, err := record.Open(dir)
		if err != nil || !r.Writing() || time.Since(begun) > lockPatience {
			return r, err
		}
		r.Close()
	}
}

// LostOf tells what the records of a server that died have of each session, in the
// order of their beginnings. Kernels of one run are left out unless they ran.
func LostOf(dirs []string) (all []Lost) {
	for _, dir := range dirs {
		r, err := OpenLeft(dir)
		if err != nil {
			continue // swept, or deleted
		}
		name, alone := notebook.FreshOf(r.Info().Session)
		i := slices.IndexFunc(all, func(l Lost) bool { return l.Session == name })
		if i < 0 {
			all, i = append(all, Lost{Session: name}), len(all)
		}
		all[i].read(r, alone)
		r.Close()
	}
	return slices.DeleteFunc(all, func(l Lost) bool { return l.Last == "" })
}

// read adds the runs of one record; alone says that its kernel was of one run.
func (l *Lost) read(r *record.Reader, alone bool) {
	from := max(0, r.Tail()-maxLooked)
	outline := r.Outline(from)
	for _, run := range outline.Runs {
		if l.First == "" {
			l.First = run.Exec
		}
		l.Last = run.Exec
		if !run.Ended {
			l.Running = run.Exec
		}
	}
	if !alone {
		l.Variables = outline.Variables
	}
}
