package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

const doctorUsage = `usage: mcp-code-executor doctor [--fix] [--json] [--env TYPE=VALUE]

Tries everything the server does, with the same settings, and says what does not
work, why, and the command that mends it. The exit status is 0 when all works.

  --fix              install ipykernel where it is missing and allowed
  --json             print the findings as JSON
  --env TYPE=VALUE   try another environment: conda=NAME, venv=PATH or
                     venv-uv=PATH
`

// doctorTime bounds an examination in which nothing is made or installed.
const doctorTime = 90 * time.Second

// doctor is one examination.
type doctor struct {
	getenv  func(string) string // the server's settings, as examined
	fix     bool
	report  *findings
	line    *progressLine
	parts   *parts
	session *session.Session
}

// runDoctor is the subcommand. It returns the exit status.
func runDoctor(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, doctorUsage) }
	fix := flags.Bool("fix", false, "")
	asJSON := flags.Bool("json", false, "")
	other := flags.String("env", "", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "mcp-code-executor doctor: unknown argument %q\n\n%s", flags.Arg(0), doctorUsage)
		return exitUsage
	}
	if *other != "" {
		var err error
		if getenv, err = tryOther(getenv, *other); err != nil {
			fmt.Fprintln(stderr, "mcp-code-executor doctor:", err)
			return exitUsage
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	line := newProgressLine(stderr)
	defer line.close()
	d := &doctor{getenv: getenv, fix: *fix, line: line, report: &findings{Version: versionLine(), begun: time.Now()}}
	if !*asJSON {
		d.report.print = func(text string) {
			line.clear()
			fmt.Fprint(stdout, text)
		}
	}
	d.report.begin()
	d.examine(ctx)
	line.clear()
	return d.report.end(*asJSON, stdout)
}

// tryOther returns settings with another environment in them.
func tryOther(getenv func(string) string, choice string) (func(string) string, error) {
	variables := map[string]string{"conda": "CONDA_ENV_NAME", "venv": "VENV_PATH", "venv-uv": "UV_VENV_PATH"}
	typ, value, _ := strings.Cut(choice, "=")
	variable := variables[typ]
	if variable == "" || value == "" {
		return nil, fmt.Errorf("--env %q: give conda=NAME, venv=PATH or venv-uv=PATH", choice)
	}
	return func(name string) string {
		switch name {
		case "ENV_TYPE":
			return typ
		case variable:
			return value
		case "CONDA_ENV_NAME", "VENV_PATH", "UV_VENV_PATH":
			return ""
		}
		return getenv(name)
	}, nil
}

// examine goes through everything. What a failed step makes impossible is named
// as left out.
func (d *doctor) examine(ctx context.Context) {
	d.checkSettings()
	d.checkTemporary()
	p, err := assemble(d.getenv, newLogger("error", io.Discard))
	if err != nil {
		d.report.fail("server", err, mend{})
		return
	}
	d.parts = p
	defer p.close(context.Background())
	p.host.RecordDir = "" // what the doctor runs is no history
	p.provisioner.NoKernelInstall = !d.fix
	if d.session, err = p.sessions.Open(session.DefaultName); err != nil {
		d.report.fail("server", err, mend{})
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
	index := d.askIndex(ctx, env) // answers while the kernel works
	switch {
	case !storage:
		d.report.skip("kernel", "needs the code storage: it is the working directory")
	default:
		bounded, cancel := context.WithTimeout(ctx, doctorTime)
		d.checkKernel(bounded, env)
		cancel()
	}
	d.reportIndex(<-index)
	d.checkClient(ctx, env)
	d.checkClientFiles(ctx)
}
