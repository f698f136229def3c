package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// bareVariables are all that some clients pass on from their own environment.
func bareVariables() []string { return []string{"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"} }

// barePath is the PATH of an application started from a desktop.
const barePath = "/usr/bin:/bin:/usr/sbin:/sbin"

// checkClient tells what would be different when a client starts the server: it
// has another working directory, almost no variables, and no shell.
func (d *doctor) checkClient(ctx context.Context, env *pyenv.Environment) {
	if os.Getpid() == 1 {
		d.report.skip("client", "this is a container: what a client passes on does not reach it")
		return
	}
	home := server.HomeDir(d.getenv)
	relative := false
	configured := map[string]string{}
	for _, row := range settings.Table() {
		value := strings.TrimSpace(d.getenv(row.Name))
		if value == "" {
			continue
		}
		configured[row.Name] = row.Absolute(value, home)
		if row.IsRelative(value, home) {
			relative = true
			d.report.warn("client", fmt.Sprintf("%s=%s is relative, and a client starts the server in a directory of its own", row.Name, value), row.Name+"="+configured[row.Name])
		}
	}
	if hidden := d.notPassedOn(); len(hidden) > 0 {
		d.report.warn("client", "set here, and not passed on by every client: "+strings.Join(hidden, ", "), "put those the server needs into \"env\" of the client's configuration")
	}
	if env == nil {
		d.report.skip("client", "a client's bare environment: needs the environment")
		return
	}
	found, err := d.tryBare(ctx, configured)
	switch {
	case errors.Is(err, errNotMade):
		d.report.warn("client", "with a client's bare environment the managed environment lies elsewhere and has yet to be made", "set XDG_DATA_HOME in the client's configuration as here, or nowhere")
	case err != nil:
		d.report.fail("client", fmt.Errorf("with a client's bare environment (%s) the environment is not found: %w", strings.Join(bareVariables(), " "), err), advice{command: byPath(env)})
	case found.Python != env.Python:
		d.report.fail("client", fmt.Errorf("with a client's bare environment another one is found: %s instead of %s", found.Python, env.Python), advice{command: byPath(env)})
	case !relative:
		d.report.ok("client", "a client's bare environment suffices: mcp-code-executor config CLIENT prints what to put where")
	}
}

func (d *doctor) notPassedOn() []string {
	return slices.DeleteFunc(settings.Foreign(), func(name string) bool { return d.getenv(name) == "" })
}

// byPath is the setting that needs no searching.
func byPath(env *pyenv.Environment) string {
	switch env.Kind {
	case kinds.Conda:
		return "CONDA_ENV_NAME=" + env.Prefix
	case kinds.UV:
		return "UV_VENV_PATH=" + env.Prefix
	case kinds.System:
		return "VENV_PATH=" + env.Python
	}
	return "VENV_PATH=" + env.Prefix
}

// errNotMade says that the managed environment would have to be made.
var errNotMade = errors.New("the managed environment has yet to be made")

// tryBare finds the environment as a server would that is started with these
// settings and a client's bare environment.
func (d *doctor) tryBare(ctx context.Context, configured map[string]string) (*pyenv.Environment, error) {
	variables := map[string]string{}
	for _, name := range bareVariables() {
		if value := d.getenv(name); value != "" {
			variables[name] = value
		}
	}
	variables["PATH"] = barePath
	for name, value := range configured {
		variables[name] = value
	}
	getenv := func(name string) string { return variables[name] }
	provisioner := server.NewProvisioner(getenv, func() []string {
		var entries []string
		for name, value := range variables {
			entries = append(entries, name+"="+value)
		}
		return entries
	}, d.parts.Reaper, d.parts.Log)
	defer server.Release(provisioner)
	c := settings.Read(getenv).Environment
	if !c.Configured() && !provisioner.ManagedReady() {
		return nil, errNotMade
	}
	return provisioner.Resolve(ctx, c)
}

// checkClientFiles looks into the configuration files of the clients that are on
// this machine, for entries of this program.
func (d *doctor) checkClientFiles(ctx context.Context) {
	machine := config.Here(d.getenv)
	for _, c := range config.Clients() {
		file := c.Files(machine)[0]
		data, err := os.ReadFile(file)
		if err != nil || !c.Plain {
			continue // the client is not here, or its entries are others
		}
		var content map[string]json.RawMessage
		var servers map[string]config.Entry
		if err := json.Unmarshal(data, &content); err != nil {
			if strings.Contains(string(data), "mcp-code-executor") && c.Name != "vscode" { // which allows comments
				d.report.fail(c.Name, fmt.Errorf("%s is not JSON, so the client reads nothing of it: %w", file, err), advice{command: "fix " + file + " (a comma too many or too few?)"})
			}
			continue
		}
		if json.Unmarshal(content[c.Table], &servers) != nil {
			continue
		}
		for name, e := range servers {
			switch {
			case isOverSSH(e):
				d.checkSSH(ctx, c.Name, fmt.Sprintf("%s, server %q: ", file, name), e)
			case strings.Contains(filepath.Base(e.Command), "mcp-code-executor"):
				d.checkEntry(ctx, c, file, name, e)
			}
		}
	}
}

// ownFile is where this program lies.
func ownFile() string {
	exe, err := os.Executable()
	if err != nil { // Linux without /proc
		return os.Args[0]
	}
	return exe
}

// checkEntry judges one entry of a client's file, and tries it.
func (d *doctor) checkEntry(ctx context.Context, c config.Client, file, name string, e config.Entry) {
	where := fmt.Sprintf("%s, server %q: ", file, name)
	good := true
	bad := func(cause, fix string) {
		good = false
		d.report.warn(c.Name, where+cause, fix)
	}
	if info, err := os.Stat(e.Command); !filepath.IsAbs(e.Command) {
		bad(fmt.Sprintf("command %q is not an absolute path, and clients have almost no PATH", e.Command), `"command": `+config.Quote(ownFile()))
	} else if err != nil || info.IsDir() {
		bad(fmt.Sprintf("there is no program %s", e.Command), `"command": `+config.Quote(ownFile()))
	}
	get := settings.WithArgs(e.Args, func(name string) string { return e.Env[name] })
	filledIn, variables := false, maps.Clone(e.Env)
	if variables == nil {
		variables = map[string]string{}
	}
	for _, row := range settings.Table() {
		value := get(row.Name)
		variables[row.Name] = value
		if row.IsRelative(value, server.HomeDir(d.getenv)) {
			bad(fmt.Sprintf("%s=%s is relative, and a client starts the server in a directory of its own", row.Name, value), "write it as an absolute path")
		}
		filledIn = filledIn || strings.Contains(value, "${")
	}
	if filledIn {
		return // by the client
	}
	for _, p := range settings.Read(get).Problems {
		if !p.Refused {
			bad(p.Cause(), p.Fix)
		}
	}
	if _, err := d.tryBare(ctx, variables); err != nil && !errors.Is(err, errNotMade) {
		cause, fix := explainFailure(err)
		bad(cause, fix)
	}
	if good {
		d.report.ok(c.Name, "%s%s", where, "right")
	}
}
