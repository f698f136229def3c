package provision

import "fmt"

// KernelMissingError says that an environment has no usable ipykernel and that
// we could not or may not install one.
type KernelMissingError struct {
	Env       string // its label
	Prefix    string
	Installed string // version that is too old, "" if there is none
	Reason    string // why it was not installed
	Command   string // the exact command that fixes it
	Err       error  // the installer's failure, or nil
}

func (e *KernelMissingError) Error() string {
	what := "ipykernel is not installed"
	if e.Installed != "" {
		what = "ipykernel " + e.Installed + " is too old"
	}
	s := fmt.Sprintf("%s in %s (%s)", what, e.Env, e.Prefix)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s + "; run: " + e.Command
}

// Unwrap gives the installer's failure.
func (e *KernelMissingError) Unwrap() error { return e.Err }
