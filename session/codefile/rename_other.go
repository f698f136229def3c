//go:build !linux && !darwin

package codefile

import (
	"errors"
	"os"
)

// renameNoReplace is not to be had here; the caller makes a link instead.
func renameNoReplace(_ *os.File, _, _ string) error { return errors.ErrUnsupported }
