package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// indexTime bounds the question to the package index.
const indexTime = 6 * time.Second

// indexAnswer is whether the package index can be reached.
type indexAnswer struct {
	tool string // that was asked with, "" when there is none
	off  string // why none is asked: a setting
	err  error
}

// askIndex lets the environment's installer look for a package, beside what else
// is done: only it knows its configuration files, proxies and certificates.
// Nothing is installed.
func (d *doctor) askIndex(ctx context.Context, env *pyenv.Environment) <-chan indexAnswer {
	answer := make(chan indexAnswer, 1) // has room, so the goroutine ends whoever listens
	if d.settings.Install == "never" {
		answer <- indexAnswer{off: "INSTALL=never: packages are not installed"}
		return answer
	}
	if v := d.getenv("PIP_NO_INDEX"); v != "" && v != "0" && !strings.EqualFold(v, "false") {
		answer <- indexAnswer{off: "PIP_NO_INDEX is set: packages come from elsewhere"}
		return answer
	}
	argv := d.indexQuestion(env)
	if argv == nil {
		answer <- indexAnswer{}
		return answer
	}
	vars := append(install.InstallVars(env.Vars), "PIP_RETRIES=0", "PIP_TIMEOUT=3", "UV_HTTP_RETRIES=0", "UV_HTTP_TIMEOUT=3", "UV_SYSTEM_CERTS=true", "UV_NATIVE_TLS=true")
	go func() { answer <- d.runQuestion(ctx, argv, vars) }()
	return answer
}

// indexQuestion is the command line, by the tool that installs into env; nil
// when there is none.
func (d *doctor) indexQuestion(env *pyenv.Environment) []string {
	dirs := server.FindPlaces(d.getenv)
	uv, haveUV := install.FindUV(d.getenv, dirs.Home, dirs.Data)
	prefersUV := env.Kind == kinds.UV || env.Kind == kinds.Managed
	switch {
	case haveUV && (prefersUV || !env.Info.HasPip):
		return []string{uv, "pip", "install", "--dry-run", "--no-deps", "--reinstall", "--refresh", "--no-progress", "--color", "never", "--python", env.Python, "six"}
	case env.Info.HasPip:
		return []string{env.Python, "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check", "--no-color", "--quiet", "--no-cache-dir", "six"}
	}
	return nil
}

// runQuestion runs the installer as an installation does, in a sandbox where one is set,
// with a directory that is removed afterwards.
func (d *doctor) runQuestion(ctx context.Context, argv, vars []string) indexAnswer {
	answer := indexAnswer{tool: strings.TrimSuffix(filepath.Base(argv[0]), ".exe")}
	if argv[1] == "-m" {
		answer.tool = argv[2]
		dir, err := d.questionDir()
		if err != nil {
			answer.err = err
			return answer
		}
		defer os.RemoveAll(dir)
		argv = append(argv, "--dest", dir)
	}
	limited, cancel := context.WithTimeoutCause(ctx, indexTime, fmt.Errorf("no answer within %v", indexTime))
	defer cancel()
	if tail, err := d.parts.Provisioner.Installer.Download(limited, vars, nil, argv...); err != nil {
		answer.err = fmt.Errorf("%w: %s", err, withoutPasswords(host.LastLines(tail, 8)))
	}
	return answer
}

// questionDir makes a directory for what pip downloads: in a sandbox, one in which
// installers may write.
func (d *doctor) questionDir() (string, error) {
	if !d.settings.Sandbox.Active() {
		return os.MkdirTemp("", "mce-doctor-")
	}
	data := d.parts.Provisioner.Installer.Finder.Host.DataDir
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(data, "doctor-")
}

// withoutPasswords hides the user's part of addresses.
func withoutPasswords(text string) string {
	return regexp.MustCompile(`://[^/@\s]+@`).ReplaceAllString(text, "://***@")
}

func (d *doctor) reportIndex(a indexAnswer) {
	switch {
	case a.off != "":
		d.report.ok("index", "%s", a.off)
	case a.tool == "":
		d.report.warn("index", "the environment has no pip, and there is no uv: packages cannot be installed", "install uv: https://docs.astral.sh/uv")
	case host.NotStarted(a.err):
		d.report.warn("index", fmt.Sprintf("the package index was not asked: %v\ncode runs, but packages cannot be installed", a.err), "follow what this says")
	case a.err != nil:
		d.report.warn("index", fmt.Sprintf("the package index was not reached by %s: %v\ncode runs, but packages cannot be installed", a.tool, a.err),
			"check the network and the variables HTTPS_PROXY, PIP_INDEX_URL and UV_DEFAULT_INDEX; without a network there is nothing to fix")
	default:
		d.report.ok("index", "%s reaches the package index: packages can be installed", a.tool)
	}
}
