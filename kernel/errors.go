package kernel

import (
	"errors"
	"fmt"
)

// Errors of a kernel's life.
var (
	// ErrDead says that the kernel's process is gone.
	ErrDead = errors.New("kernel is dead")
	// ErrBusy says that another execution is in flight.
	ErrBusy = errors.New("kernel is busy")
	// ErrNotWaiting says that no execution waits for input.
	ErrNotWaiting = errors.New("kernel does not wait for input")
)

// StartError says why a kernel did not start.
type StartError struct {
	// Phase is what was being done: "launching", "connecting", "waiting for an answer".
	Phase string
	// Exit is how the process ended, nil when it was still running.
	Exit *Exit
	// Err is the cause when the process did not end by itself.
	Err error
}

func (e *StartError) Error() string {
	if e.Exit != nil {
		return fmt.Sprintf("starting kernel: %s: process ended: %s", e.Phase, e.Exit)
	}
	return fmt.Sprintf("starting kernel: %s: %v", e.Phase, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }
