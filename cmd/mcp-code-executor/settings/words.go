package settings

import (
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
)

// Words with a meaning in more than one setting.
const (
	auto  = "auto"
	never = "never"
)

// off is the level above all that is logged.
const off = slog.Level(math.MaxInt)

// isOff reports whether a word means off, in any of the usual ways.
func isOff(value string) bool {
	return slices.Contains([]string{"off", "no", "false", "0", never, "none", "disabled", "disable", "n", "f"}, strings.ToLower(value))
}

// isOn reports whether a word means on.
func isOn(value string) bool {
	return slices.Contains([]string{"on", "yes", "true", "1", "always", "enabled", "enable", "y", "t"}, strings.ToLower(value))
}

// readWorkDir takes any path but one whose variable the client has not filled in,
// as some do where no folder is open.
func readWorkDir(s *Settings, value string) *Problem {
	if strings.Contains(value, "${") { // those that are set have been replaced
		return &Problem{Reason: "holds a variable that the client has not filled in", Effect: "it is ignored",
			Fix: "open a folder in the client, or set WORK_DIR to the project's path"}
	}
	s.WorkDir = value
	return nil
}

func readInstall(s *Settings, value string) *Problem {
	if word := strings.ToLower(value); word == auto || isOn(word) {
		return nil
	}
	s.Install = never
	if isOff(value) {
		return nil
	}
	return &Problem{Reason: "is neither auto nor never", Effect: "nothing is installed, as with never", Fix: "INSTALL=auto or INSTALL=never"}
}

func readKernelInstall(s *Settings, value string) *Problem {
	switch word := strings.ToLower(value); {
	case slices.Contains([]string{auto, "env", "sidecar"}, word):
		s.KernelInstall = word
	case isOn(word):
		s.KernelInstall = auto
	default:
		s.KernelInstall = never
		if !isOff(word) {
			return &Problem{Reason: "is not one of auto, env, sidecar and never", Effect: "no ipykernel is installed, as with never",
				Fix: "KERNEL_INSTALL=auto, env, sidecar or never"}
		}
	}
	return nil
}

func readUVInstall(s *Settings, value string) *Problem {
	if word := strings.ToLower(value); word == auto || isOn(word) {
		return nil
	}
	s.UVInstall = never
	if isOff(value) {
		return nil
	}
	return &Problem{Reason: "is neither auto nor never", Effect: "uv is not fetched, as with never", Fix: "UV_INSTALL=auto or UV_INSTALL=never"}
}

func readHistory(s *Settings, value string) *Problem {
	s.History = isOn(value)
	if s.History || isOff(value) {
		return nil
	}
	return &Problem{Reason: "is neither on nor off", Effect: "no record is kept after the server's end, as with off", Fix: "HISTORY=on or HISTORY=off"}
}

// readNotebook takes a word for on or off, or a path with a separator: another word may
// be a slip, and is no name of a directory.
func readNotebook(s *Settings, value string) *Problem {
	switch {
	case isOff(value):
	case isOn(value) || value == ".":
		s.Notebook = "."
	case strings.ContainsAny(value, `/\`) && !strings.Contains(value, "${"):
		s.Notebook = value
	default:
		return &Problem{Reason: "is neither on nor off, nor the path of a directory", Effect: "no notebook is kept",
			Fix: "NOTEBOOK=on, off or /path/of/a/directory"}
	}
	return nil
}

const (
	defaultRecordLimit = 512 << 20
	minRecordLimit     = 1 << 20
)

func readRecordLimit(s *Settings, value string) *Problem {
	if isOff(value) {
		s.RecordLimit = 0
		return nil
	}
	n, reason := readSize(value)
	if reason == "" && n < minRecordLimit {
		reason = "is less than 1MiB"
	}
	if reason != "" {
		p := &Problem{Reason: reason, Effect: "512MiB is used", Fix: "RECORD_LIMIT=512MiB, 2GiB or none"}
		if strings.Trim(value, "0123456789") == "" {
			p.Fix = "RECORD_LIMIT=" + value + "MiB"
		}
		return p
	}
	s.RecordLimit = n
	return nil
}

func readPrelude(s *Settings, value string) *Problem {
	s.Prelude = !isOff(value)
	if !s.Prelude || isOn(value) {
		return nil
	}
	return &Problem{Reason: "is neither on nor off", Effect: "it is ignored", Fix: "PRELUDE=on or PRELUDE=off"}
}

func readSpareKernel(s *Settings, value string) *Problem {
	switch {
	case strings.ToLower(value) == auto:
	case isOn(value):
		s.SpareKernel = "on"
	case isOff(value):
		s.SpareKernel = "off"
	case strings.ToLower(value) == "plain":
		s.SpareKernel = "plain"
	default:
		return &Problem{Reason: "is not one of auto, plain, on and off", Effect: "auto is used", Fix: "SPARE_KERNEL=auto, plain, on or off"}
	}
	return nil
}

func readShare(s *Settings, value string) *Problem {
	s.Share = isOn(value)
	if s.Share || isOff(value) {
		return nil
	}
	return &Problem{Reason: "is neither on nor off", Effect: "kernels are not shared, as with off", Fix: "SHARE=on or SHARE=off"}
}

func readIdleLimit(s *Settings, value string) *Problem {
	if isOff(value) {
		return nil
	}
	var p *Problem
	s.IdleLimit, p = readTime("SESSION_IDLE_LIMIT", value, "never")
	if p != nil {
		p.Effect = "it is ignored, and idle sessions keep their kernel"
	}
	return p
}

func readKeep(s *Settings, value string) *Problem {
	if isOff(value) {
		return nil
	}
	var p *Problem
	s.Keep, p = readTime("KEEP", value, "off")
	if p != nil {
		p.Effect = "it is ignored, and sessions end with the client"
	}
	return p
}

// readTime reads a time, 0 for a wrong one. The problem lacks its effect.
func readTime(name, value, none string) (time.Duration, *Problem) {
	d, err := time.ParseDuration(strings.ToLower(value))
	if err == nil && d >= 0 {
		return d, nil
	}
	p := &Problem{Reason: "is not a duration", Fix: name + "=2h, 30m or " + none}
	if strings.Trim(value, "0123456789") == "" {
		p.Reason = "is a number without a unit"
		p.Fix = name + "=" + value + "m for minutes, or " + value + "s for seconds"
	}
	return 0, p
}

// names reads a list of names with commas or blanks between them.
func names(value string) []string {
	list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) })
	slices.Sort(list)
	return slices.Compact(list)
}

func readLogLevel(s *Settings, value string) *Problem {
	switch word := strings.ToLower(value); {
	case isOff(word):
		s.LogLevel = off
	case word == "debug":
		s.LogLevel = slog.LevelDebug
	case word == "info":
		s.LogLevel = slog.LevelInfo
	case word == "warn", word == "warning":
		s.LogLevel = slog.LevelWarn
	case word == "error":
		s.LogLevel = slog.LevelError
	default:
		return &Problem{Reason: "is not a log level", Effect: "warn is used", Fix: "LOG_LEVEL=debug, info, warn, error or off"}
	}
	return nil
}

// readJupyterURL takes an address that gateway.New takes.
func readJupyterURL(s *Settings, value string) *Problem {
	if reason := wrongURL(value); reason != "" {
		return &Problem{Reason: reason, Effect: "no Python is started", Fix: "JUPYTER_SERVER_URL=http://localhost:8888, as `jupyter server list` prints it", Refused: true}
	}
	s.Jupyter.URL = value
	return nil
}

// readJupyterServers reads NAME=URL, separated by blanks.
func readJupyterServers(s *Settings, value string) *Problem {
	for _, entry := range strings.Fields(value) {
		name, url, found := strings.Cut(entry, "=")
		reason := wrongURL(url)
		if !found || name == "" || strings.Contains(name, ":") {
			reason = "has an entry that is not NAME=URL"
		}
		if reason != "" {
			return &Problem{Reason: reason, Effect: "it is left out, and what follows it", Fix: "JUPYTER_SERVERS=\"lab=http://localhost:8888 hub=https://hub.example/user/me\""}
		}
		s.Jupyter.More = append(s.Jupyter.More, NamedURL{name, strings.Trim(url, ",;")})
	}
	return nil
}

func wrongURL(value string) string {
	if err := elsewhere.CheckURL(value); err != nil {
		return "is no address of a server: " + err.Error()
	}
	return ""
}
