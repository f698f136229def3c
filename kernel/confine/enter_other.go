//go:build !linux

package confine

import (
	"errors"
	"os"
	"syscall"
)

var errSystem = errors.New("there is no sandbox for this system")

// Enter tries what must not work: the sandbox is around this process already.
func Enter(c Check) error { return c.Try() }

// Abstract refuses: only Linux has such sockets.
func Abstract() error { return errSystem }

// Seal does nothing: no sandbox was made.
func Seal() error { return nil }

// KeepProcessors does nothing: only Linux binds programs to processors.
func KeepProcessors() error { return nil }

// LandlockABI is 0: only Linux has Landlock.
func LandlockABI() int { return 0 }

func (Plan) landlockThread() (*Thread, error) { return nil, errSystem }

// Do calls f.
func (t *Thread) Do(f func()) { f() }

// reaches reports whether a process can be sent signals.
func reaches(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}
