package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// Settings are the values in force.
type Settings struct {
	WorkDir     string       // WORK_DIR as given, "" for the default place
	Storage     string       // CODE_STORAGE_DIR as given, "" for the default place
	Environment pyenv.Config // ENV_TYPE, CONDA_ENV_NAME, VENV_PATH, UV_VENV_PATH, JUPYTER_SERVER_URL and KERNEL_NAME
	Jupyter     Jupyter
	// Install is "auto" or "never", which makes the next two never too.
	Install string
	// KernelInstall is "auto", "env", "sidecar" or "never".
	KernelInstall string
	// UVInstall is "auto" or "never".
	UVInstall string
	EnvDeny   string
	// Sandbox has its paths as given.
	Sandbox     sandbox.Rules
	sandboxMore bool // settings are set that say more about it
	History     bool
	// Notebook is the directory of live notebooks, as given; "." for on, "" for off.
	Notebook string
	// RecordLimit is of one run, in bytes; 0 is none.
	RecordLimit int64
	Prelude     bool
	Share       bool          // with other clients of this user
	IdleLimit   time.Duration // 0 is none
	Limits      limits.Limits // of each session
	// SpareKernel is "auto", "plain", "on" or "off".
	SpareKernel string
	Keep        time.Duration // 0 keeps nothing
	KeepSplit   []string      // names of variables, sorted
	LogLevel    slog.Level
	// Problems are the wrong values, in the order of the table.
	Problems []Problem
}

// Jupyter are the Jupyter servers that are set.
type Jupyter struct {
	URL, Token string
	CA         string // path of a PEM file
	More       []NamedURL
	Files      []string // connection files of kernels that run on this machine
}

// NamedURL is one of JUPYTER_SERVERS.
type NamedURL struct{ Name, URL string }

// Problem is a value that is none of the legal ones.
type Problem struct {
	Name, Value string
	Reason      string // "is neither on nor off"
	Effect      string // what is done instead
	Fix         string // what to set: "HISTORY=on or HISTORY=off"
	// Refused: no Python is started until it is right.
	Refused bool
	// NoKernel: no kernel is started in any environment until it is right.
	NoKernel bool
}

// Cause names the thing, the reason and what is done instead.
func (p Problem) Cause() string {
	thing := p.Name
	if p.Value != "" {
		thing += fmt.Sprintf("=%q", shortened(p.Value))
	}
	return thing + " " + p.Reason + ": " + p.Effect
}

// String is the problem in one sentence, with the next step.
func (p Problem) String() string { return "wrong setting: " + p.Cause() + "; fix: " + p.Fix }

// shortened bounds a value that goes into a sentence.
func shortened(value string) string {
	const most = 80
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return value
}

// Read reads all settings. Blanks around a value do not count, and one that is
// empty is the default.
func Read(getenv func(string) string) Settings {
	s := Settings{Install: auto, KernelInstall: auto, UVInstall: auto, SpareKernel: auto, History: true, RecordLimit: defaultRecordLimit, Prelude: true, LogLevel: slog.LevelWarn}
	for _, row := range Table() {
		value := strings.TrimSpace(getenv(row.Name))
		if value == "" {
			continue
		}
		if strings.HasPrefix(row.Name, "SANDBOX") && row.Name != "SANDBOX" {
			s.sandboxMore = true
		}
		if row.Expand {
			value = expandVariables(value, getenv)
		}
		if p := row.read(&s, value); p != nil {
			if p.Name = row.Name; !row.Secret {
				p.Value = value
			}
			s.Problems = append(s.Problems, *p)
		}
	}
	if s.Install == never {
		s.KernelInstall, s.UVInstall = never, never
	}
	s.chooseServer()
	s.judgeEnvironment()
	s.judgeSandbox()
	return s
}

// chooseServer makes the first Jupyter server the environment, where one is to be it.
// Without one, KERNEL_NAME is a kernelspec of this machine.
func (s *Settings) chooseServer() {
	c := &s.Environment
	switch {
	case s.Jupyter.URL != "":
		c.Server = elsewhere.Default
	case c.Type == string(kinds.Jupyter) && len(s.Jupyter.More) > 0:
		c.Server = s.Jupyter.More[0].Name
	}
	other := c.Type != "" && c.Type != string(kinds.Jupyter)
	if c.Server != "" && other {
		c.Server, c.Kernelspec = "", ""
	}
	if c.Server == "" && len(s.Jupyter.Files) > 0 && !other {
		c.KernelID, c.Kernelspec = elsewhere.NameOf(s.Jupyter.Files[0]), ""
	}
}

// judgeEnvironment adds what the finder of environments refuses to work with.
func (s *Settings) judgeEnvironment() {
	_, deny := host.ParseDenied(s.EnvDeny)
	for _, err := range []error{s.Environment.Check(), deny} {
		if wrong, ok := errors.AsType[*host.ConfigError](err); ok {
			s.Problems = append(s.Problems, Problem{Name: wrong.Variable, Value: wrong.Value, Reason: wrong.Reason,
				Effect: "no Python is started", Fix: wrong.Fix, Refused: true})
		}
	}
}

// Unusable is the first problem with which no kernel is started, or nil.
func (s Settings) Unusable() *Problem {
	for _, p := range s.Problems {
		if p.NoKernel {
			return &p
		}
	}
	return nil
}

// Sentences are the problems as a person or a model reads them.
func (s Settings) Sentences() []string {
	var all []string
	for _, p := range s.Problems {
		all = append(all, p.String())
	}
	return all
}
