package settings

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// noPython is the effect of a wrong setting about the sandbox: never a weaker one.
const noPython = "no Python is started"

func readSandbox(s *Settings, value string) *Problem {
	switch word := sandbox.Level(strings.ToLower(value)); {
	case isOff(value):
	case word == sandbox.Workspace, word == sandbox.ReadOnly, word == sandbox.Client:
		s.Sandbox.Level = word
	default:
		return &Problem{Reason: "is not one of off, workspace, read-only and client", Effect: noPython, Refused: true, Fix: "SANDBOX=off, workspace, read-only or client"}
	}
	return nil
}

func readSandboxNetwork(s *Settings, value string) *Problem {
	switch {
	case isOff(value):
	case isOn(value):
		s.Sandbox.Network = sandbox.NetworkOn
	case strings.EqualFold(value, string(sandbox.NetworkLoopback)):
		s.Sandbox.Network = sandbox.NetworkLoopback
	default:
		return &Problem{Reason: "is not one of off, on and loopback", Effect: noPython, Refused: true, Fix: "SANDBOX_NETWORK=off, on or loopback"}
	}
	return nil
}

// readPaths reads paths that are absolute or begin with "~".
func readPaths(list *[]string, value string) *Problem {
	for _, p := range filepath.SplitList(value) {
		p = strings.TrimSpace(p)
		switch {
		case p == "":
		case !filepath.IsAbs(p) && p != "~" && !strings.HasPrefix(p, "~/"):
			return &Problem{Reason: "holds " + shortened(p) + ", which is no absolute path", Effect: noPython, Refused: true,
				Fix: "give absolute paths, divided by " + string(filepath.ListSeparator)}
		default:
			*list = append(*list, p)
		}
	}
	return nil
}

func readSandboxEnv(s *Settings, value string) *Problem {
	s.Sandbox.Env = names(value)
	for _, pattern := range s.Sandbox.Env {
		if _, err := path.Match(pattern, ""); err != nil {
			return &Problem{Reason: "holds " + shortened(pattern) + ", which is not a pattern", Effect: noPython, Refused: true,
				Fix: "give names and patterns such as OPENAI_API_KEY, AWS_*"}
		}
	}
	return nil
}

func readSandboxInstall(s *Settings, value string) *Problem {
	switch word := strings.ToLower(value); {
	case word == "index", isOff(word):
	case word == "any":
		s.Sandbox.AnySource = true
	default:
		return &Problem{Reason: "is neither index nor any", Effect: noPython, Refused: true, Fix: "SANDBOX_INSTALL=index or any"}
	}
	return nil
}

func readSandboxPartial(s *Settings, value string) *Problem {
	if s.Sandbox.Partial = isOn(value); s.Sandbox.Partial || isOff(value) {
		return nil
	}
	return &Problem{Reason: "is neither on nor off", Effect: noPython, Refused: true, Fix: "SANDBOX_ALLOW_PARTIAL=on or off"}
}

// judgeSandbox has nothing run where a setting about the sandbox is wrong, and tells of
// those that do nothing: somebody counts on them.
func (s *Settings) judgeSandbox() {
	for _, p := range s.Problems {
		if strings.HasPrefix(p.Name, "SANDBOX") {
			s.Sandbox.Wrong = p.Name + "=" + shortened(p.Value) + " " + p.Reason
			return
		}
	}
	if s.Sandbox.Level == sandbox.Client && (s.Sandbox.Network != sandbox.NetworkOff || len(s.Sandbox.Write) > 0) {
		s.Problems = append(s.Problems, Problem{Name: "SANDBOX", Value: "client", Reason: "leaves what code may write and reach to the client, and SANDBOX_WRITE or SANDBOX_NETWORK is set",
			Effect: "these do nothing", Fix: "remove them, or set SANDBOX=workspace"})
	}
	if s.Sandbox.Level == sandbox.Off && s.sandboxMore {
		s.Problems = append(s.Problems, Problem{Name: "SANDBOX", Reason: "is off, and settings that begin with SANDBOX_ are set", Effect: "they do nothing", Fix: "SANDBOX=workspace or read-only"})
	}
}
