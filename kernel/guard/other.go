//go:build !linux && !darwin

package guard

import (
	"os"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// sandbox is always nil: there is none for this system.
type sandbox struct{}

func (p *Process) startConfined(_ confine.Plan, reports *os.File) error {
	p.commands.Close()
	reports.Close()
	return confine.Explain("there is no sandbox for this system", nil)
}

func (s *sandbox) refused(err error) error { return err }

func (s *sandbox) outside(_, inside int) (guard, kernel int) { return 0, inside }

func (s *sandbox) kill() {}

func try(string) int { return 1 }

// Collect does nothing: only Linux's containers make a server process 1.
func (r *Reaper) Collect() {}
