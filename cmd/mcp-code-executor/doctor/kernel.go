package doctor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// checkKernel starts a kernel as the server does and lets it run, keep a
// variable, be interrupted, draw and stop.
func (d *doctor) checkKernel(ctx context.Context, env *pyenv.Environment) {
	begun := time.Now()
	if language := env.OtherLanguage(); language != "" {
		if _, err := d.run(ctx, " "); err != nil {
			d.report.fail("kernel", err, advice{})
			return
		}
		d.report.ok("kernel", "a kernel for %s started and answered within %.1f s", language, time.Since(begun).Seconds())
		d.checkStop(ctx)
		return
	}
	out, err := d.run(ctx, "mce_doctor = 41\nprint('ready')")
	if err == nil && strings.TrimSpace(out.text) != "ready" {
		err = fmt.Errorf("it printed %q instead of \"ready\"", out.text)
	}
	if err != nil {
		d.kernelFailed(env, err)
		return
	}
	which := "a kernel there"
	if env.Kind != kinds.Jupyter {
		which = "ipykernel " + d.parts.Sessions.KernelWords(env)
	}
	d.report.ok("kernel", "%s started and ran code within %.1f s", which, time.Since(begun).Seconds())
	if words := d.session.Sandbox(); words != "" {
		if d.parts.Sessions.FollowsClient() {
			d.report.ok("sandbox", "client: nothing runs without the client's policy. It was tried with one that lets code write in the working directory")
		}
		if d.session.Outside() {
			d.report.warn("sandbox", words, "unset CONNECTION_FILE, JUPYTER_SERVER_URL and KERNEL_NAME for a kernel in the sandbox")
		} else {
			d.report.ok("sandbox", "%s. What it is to stop was tried in the kernel's place, and failed", words)
		}
	}
	for _, notice := range out.notices {
		if strings.HasPrefix(notice, "sandbox ") {
			continue
		}
		d.report.ok("kernel", "%s", notice)
	}
	held := d.parts.Sessions.Held()
	for _, kind := range held.Set() {
		d.report.ok("limits", "%s: held %s", kind, held.Means()[kind])
	}
	d.checkState(ctx)
	d.checkInterrupt(ctx)
	d.checkPlot(ctx, env)
	d.checkStop(ctx)
}

func (d *doctor) kernelFailed(env *pyenv.Environment, err error) {
	var missing *provision.KernelMissingError
	var start *session.StartError
	switch {
	case errors.As(err, &missing) && d.firstCallInstalls(env):
		a := d.noKernel(env, missing)
		cause, command := explainFailure(err)
		d.report.warn("ipykernel", cmp.Or(a.cause, cause), cmp.Or(a.command, command))
	case errors.As(err, &missing):
		d.report.fail("ipykernel", err, d.noKernel(env, missing))
	case errors.As(err, new(*session.SandboxError)):
		d.report.fail("sandbox", err, advice{})
	case errors.Is(err, syscall.ENOSPC):
		d.report.fail("kernel", err, advice{command: "free some space on that disk (df -h), or set TMPDIR to a directory on another one"})
	case errors.As(err, &start) && start.Exit != nil && missingModule(string(start.Exit.Tail)) != "":
		module := missingModule(string(start.Exit.Tail))
		d.report.fail("kernel", err, advice{
			cause:   fmt.Sprintf("the kernel's process ended while starting (%s): ipykernel %s is installed, but its module %s is missing", start.Exit, env.Info.Dists["ipykernel"], module),
			command: reinstall(env),
		})
	case errors.As(err, &start):
		d.report.fail("kernel", err, advice{command: env.Python + " -m ipykernel_launcher --version shows it too; reinstall: " + reinstall(env)})
	default:
		d.report.fail("kernel", err, advice{})
	}
}

// output is what a run has put out.
type output struct {
	text    string
	png     []byte
	notices []string
}

// run executes code in the session and waits for it. A run that did not succeed
// is an error.
func (d *doctor) run(ctx context.Context, code string) (output, error) {
	e, err := d.session.Execute(session.Request{Code: code, Policy: d.parts.Sessions.TryPolicy()})
	if err != nil {
		return output{}, err
	}
	if err := d.wait(ctx, e); err != nil {
		return output{}, err
	}
	return readOutput(e)
}

// wait waits until e has finished and shows meanwhile what is being done.
func (d *doctor) wait(ctx context.Context, e *session.Execution) error {
	for !e.Finished() {
		if p := e.Progress(); p.Activity != "" {
			d.progress.Say(p.Activity)
		}
		step, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		e.Wait(step)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("it did not finish: %w", context.Cause(ctx))
		}
	}
	return nil
}

func readOutput(e *session.Execution) (output, error) {
	var out output
	report := e.Report(0)
	out.notices = report.Notices
	for o, err := range report.Outputs {
		if err != nil {
			return out, err
		}
		text, err := valueBytes(o.Text)
		if err != nil {
			return out, err
		}
		out.text += string(text)
		if image, ok := o.Data["image/png"]; ok {
			if out.png, err = valueBytes(image); err != nil {
				return out, err
			}
		}
	}
	switch {
	case report.Err != nil:
		return out, report.Err
	case report.Exit != nil:
		return out, fmt.Errorf("the kernel died (%s):\n%s", report.Exit, host.LastLines(string(report.Exit.Tail), 4))
	case report.Outcome != session.OutcomeOK:
		return out, fmt.Errorf("the run ended with %s:\n%s", report.Outcome, host.LastLines(out.text, 4))
	}
	return out, nil
}

// valueBytes reads a value, which may lie in a file of the record.
func valueBytes(v interface{ Open() (io.ReadCloser, error) }) ([]byte, error) {
	r, err := v.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (d *doctor) checkState(ctx context.Context) {
	d.progress.Say("running code")
	out, err := d.run(ctx, "print(mce_doctor + 1)")
	if err == nil && strings.TrimSpace(out.text) != "42" {
		err = fmt.Errorf("a second run printed %q instead of 42", out.text)
	}
	if err != nil {
		d.report.fail("run", err, advice{command: "check what the start-up files of IPython do (~/.ipython/profile_default/startup)"})
		return
	}
	d.report.ok("run", "a second run found the first one's variable")
}

// checkInterrupt stops code that would go on for a minute.
func (d *doctor) checkInterrupt(ctx context.Context) {
	d.progress.Say("interrupting code")
	fail := func(err error) {
		d.report.fail("interrupt", err, advice{command: "upgrade ipykernel in the environment; code that cannot be interrupted still ends with its session"})
	}
	e, err := d.session.Execute(session.Request{Code: "import time\nprint('sleeping', flush=True)\ntime.sleep(60)", Policy: d.parts.Sessions.TryPolicy()})
	if err != nil {
		fail(err)
		return
	}
	for e.Progress().LastLine != "sleeping" && !e.Finished() && ctx.Err() == nil {
		step, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		e.Wait(step)
		cancel()
	}
	begun := time.Now()
	stopped, err := d.session.Interrupt(ctx, e, session.Stop{By: session.ByCall})
	if err == nil && !stopped {
		err = errors.New("running code was not stopped by an interrupt")
	}
	if err != nil {
		fail(err)
		return
	}
	d.report.ok("interrupt", "running code was stopped in %d ms, variables kept", time.Since(begun).Milliseconds())
}

func (d *doctor) checkPlot(ctx context.Context, env *pyenv.Environment) {
	d.progress.Say("drawing a plot")
	out, err := d.run(ctx, `try:
    import matplotlib.pyplot as plt
except ImportError as e:
    print("absent", e)
else:
    plt.plot([1, 3, 2])
    plt.show()`)
	switch {
	case err != nil:
		d.report.fail("plot", err, advice{command: "reinstall matplotlib in " + env.Prefix})
		return
	case strings.HasPrefix(out.text, "absent"):
		d.report.warn("plot", "matplotlib cannot be imported, so there are no plots: "+strings.TrimSpace(strings.TrimPrefix(out.text, "absent")), installCommand(env, "matplotlib"))
		return
	}
	picture, err := png.DecodeConfig(bytes.NewReader(out.png))
	if err != nil {
		d.report.fail("plot", fmt.Errorf("the plot came back as no picture (%w): %s", err, host.LastLines(out.text, 2)), advice{command: "unset MPLBACKEND; reinstall matplotlib and matplotlib-inline in " + env.Prefix})
		return
	}
	d.report.ok("plot", "matplotlib drew a picture of %d x %d", picture.Width, picture.Height)
}

// installCommand installs a package into env.
func installCommand(env *pyenv.Environment, name string) string {
	switch {
	case env.Kind == kinds.Jupyter:
		return "install " + name + " for the kernel's Python on that server"
	case env.Kind == kinds.Conda:
		return "conda install -p " + env.Prefix + " " + name
	case env.Info.HasPip:
		return env.Python + " -m pip install " + name
	}
	return "uv pip install --python " + env.Python + " " + name
}

func (d *doctor) checkStop(ctx context.Context) {
	d.progress.Say("stopping the kernel")
	begun := time.Now()
	had, err := d.parts.Sessions.Stop(ctx, session.DefaultName, false)
	if err == nil && !had {
		err = errors.New("the kernel had died before")
	}
	if err != nil {
		d.report.fail("stop", err, advice{})
		return
	}
	d.report.ok("stop", "the kernel ended in %d ms", time.Since(begun).Milliseconds())
}
