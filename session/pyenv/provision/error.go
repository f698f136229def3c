package provision

import (
	"fmt"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
)

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

// nextStep is what to do when the managed environment could not be made or repaired, for
// what its installer said.
func nextStep(tail string) string {
	step := "fix that"
	switch install.Classify(tail) {
	case install.ReasonNetwork:
		step = "check the network, a proxy (HTTPS_PROXY) and the package index (PIP_INDEX_URL, UV_DEFAULT_INDEX)"
	case install.ReasonDiskFull:
		step = "free some space on that disk"
	}
	return step + " and call again, or choose an environment that has ipykernel, with VENV_PATH, UV_VENV_PATH, CONDA_ENV_NAME or configure_environment"
}
