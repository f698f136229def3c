package doctor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/terminal"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Options are what the doctor is asked.
type Options struct {
	Getenv func(string) string // the server's settings, as examined
	Fix    bool                // install ipykernel where it is missing and allowed
	JSON   bool                // print the report as JSON
	// Version is the server's; VersionLine tells the build as well.
	Version, VersionLine string
}

// doctorTime bounds an examination in which nothing is made or installed.
const doctorTime = 90 * time.Second

// doctor is one examination.
type doctor struct {
	getenv   func(string) string
	settings settings.Settings
	fix      bool
	version  string
	report   *Report
	progress *terminal.Progress
	parts    *server.Parts
	session  *session.Session
}

// Run examines and prints the report to stdout, and what it is doing to stderr.
// It returns the exit status: 1 when something does not work.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := terminal.NewProgress(stderr)
	defer progress.Close()
	d := &doctor{getenv: o.Getenv, settings: settings.Read(o.Getenv), fix: o.Fix, version: o.Version,
		progress: progress, report: &Report{Version: o.VersionLine, begun: time.Now()}}
	if !o.JSON {
		d.report.print = func(text string) {
			progress.Clear()
			fmt.Fprint(stdout, text)
		}
	}
	d.report.begin()
	d.examine(ctx)
	progress.Clear()
	return d.report.end(o.JSON, stdout)
}

// WithEnvironment returns settings with another environment in them, chosen by
// TYPE=VALUE.
func WithEnvironment(getenv func(string) string, choice string) (func(string) string, error) {
	variables := map[string]string{"conda": "CONDA_ENV_NAME", "venv": "VENV_PATH", "venv-uv": "UV_VENV_PATH"}
	typ, value, _ := strings.Cut(choice, "=")
	variable := variables[typ]
	if variable == "" || value == "" {
		return nil, fmt.Errorf("--env %q: give conda=NAME, venv=PATH or venv-uv=PATH", choice)
	}
	return settings.With(map[string]string{"ENV_TYPE": typ, variable: value}, getenv), nil
}

// checkElsewhere goes through what can be tried with a kernel of a Jupyter server.
// Nothing of the rest depends on this machine.
func (d *doctor) checkElsewhere(ctx context.Context, env *pyenv.Environment) {
	bounded, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	d.checkKernel(bounded, env)
	d.checkKept()
	d.checkClientFiles(ctx)
}

// examine goes through everything. What a failed step makes impossible is named
// as left out.
func (d *doctor) examine(ctx context.Context) {
	d.checkSettings()
	d.checkTemporary()
	// What the doctor runs is nothing to watch.
	p, err := server.Assemble(settings.With(map[string]string{"NOTEBOOK": "off", "SPARE_KERNEL": "off"}, d.getenv), d.version, slog.New(slog.DiscardHandler))
	if err != nil {
		d.report.fail("server", err, advice{})
		return
	}
	d.parts = p
	defer p.Close(context.Background())
	p.Host.RecordDir = "" // what the doctor runs is no history
	p.Provisioner.NoKernelInstall = !d.fix
	if d.session, err = p.Sessions.Open(session.DefaultName); err != nil {
		d.report.fail("server", err, advice{})
		return
	}
	storage := d.checkStorage()
	env := d.checkEnvironment(ctx)
	if env == nil {
		d.report.skip("kernel", "needs the environment")
		d.checkClient(ctx, nil)
		d.checkClientFiles(ctx)
		return
	}
	if env.Kind == kinds.Jupyter {
		d.checkElsewhere(ctx, env)
		return
	}
	index := d.askIndex(ctx, env) // answers while the kernel works
	switch {
	case !storage:
		d.report.skip("kernel", "needs the code storage and the working directory")
	case d.settings.Unusable() != nil:
		d.report.skip("kernel", "needs right settings")
	default:
		bounded, cancel := context.WithTimeout(ctx, doctorTime)
		d.checkKernel(bounded, env)
		cancel()
	}
	d.reportIndex(<-index)
	d.checkKept()
	d.checkClient(ctx, env)
	d.checkClientFiles(ctx)
}
