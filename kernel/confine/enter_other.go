//go:build !linux

package confine

import "errors"

var errSystem = errors.New("there is no sandbox for this system")

// Enter refuses: only Linux has the sandbox.
func Enter(Check) error { return errSystem }

// Abstract refuses: only Linux has such sockets.
func Abstract() error { return errSystem }

// Seal does nothing: no sandbox was made.
func Seal() error { return nil }

// LandlockABI is 0: only Linux has Landlock.
func LandlockABI() int { return 0 }

// Thread is never made: only Linux has Landlock.
type Thread struct{}

// Confine refuses: only Linux has Landlock.
func (Plan) Confine() (*Thread, error) { return nil, errSystem }

// Do calls f.
func (t *Thread) Do(f func()) { f() }

func reaches(int) bool { return false }
