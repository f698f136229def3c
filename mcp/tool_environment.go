package mcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

func (t *tools) configureEnvironment() tool {
	return tool{
		name:        "configure_environment",
		title:       "Choose the Python environment",
		description: "Put a session into another environment. It is tried first; if it does not work, nothing changes. Unless the session is in it already, its kernel is ended, its variables are lost, and the next execute_code starts a kernel there. Refused while code runs, unless force is set.",
		arguments: []argument{
			{name: "type", kind: "string", required: true, enum: environmentTypes(), description: "venv-uv: a venv made by uv; managed: the server's own default."},
			{name: "conda_name", kind: "string", description: "With conda: name or path of the environment, or base."},
			{name: "venv_path", kind: "string", description: "With venv: directory of the environment or its project, a python, or a name that get_environment_config lists."},
			{name: "uv_venv_path", kind: "string", description: "With venv-uv: the same."},
			{name: "server", kind: "string", description: "A Jupyter server of the settings."},
			{name: "kernel_name", kind: "string", description: "Kernelspec to start there."},
			{name: "kernel_id", kind: "string", description: "Or one that runs there."},
			{name: "session", kind: "string", description: "Session to change. Default: the default session and those opened later."},
			{name: "force", kind: "boolean", description: "true: even while code runs; the run is ended. Default false."},
		},
		hints:  hints{destructive: true, idempotent: true},
		handle: t.handleConfigureEnvironment,
	}
}

// environmentTypes are what "type" can be; managed is for going back.
func environmentTypes() []string {
	return []string{"conda", "venv", "venv-uv", string(kinds.Jupyter), managedType}
}

const managedType = string(kinds.Managed)

// configureTime bounds the look at an environment that is to be configured.
const configureTime = 45 * time.Second

func (t *tools) handleConfigureEnvironment(ctx context.Context, a *call) *mcp.CallToolResult {
	c := pyenv.Config{
		Type:       a.String("type", arguments.Required, arguments.NonEmpty, arguments.OneOf(environmentTypes()...)),
		CondaName:  a.String("conda_name"),
		VenvPath:   a.String("venv_path"),
		UVVenvPath: a.String("uv_venv_path"),
		Server:     a.String("server"),
		Kernelspec: a.String("kernel_name"),
		KernelID:   a.String("kernel_id"),
	}
	if c.Type == string(kinds.Jupyter) {
		c.Server = t.sessions.Server(c.Server, c.Kernelspec, c.KernelID)
	}
	name := a.String("session")
	force := a.Bool("force", false)
	needs(a, c)
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	if c.Type == managedType {
		c = pyenv.Config{}
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return jsonError(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, configureTime, errEnvironmentNotReady)
	defer cancel()
	done, err := s.Configure(ctx, conversation(ctx), c, force)
	if notReady, ok := errors.AsType[*session.NotReadyError](err); ok {
		return jsonError(fmt.Errorf("session %q is not changed yet: %s", s.Name(), notReadyWords(notReady)))
	}
	if err != nil {
		return jsonError(fmt.Errorf("the environment was not changed: %w", err))
	}
	if name == "" {
		t.sessions.SetDefaultFor(conversation(ctx), c)
	}
	message := "Environment configured: " + done.Environment.Label()
	if version := done.Environment.Info.Version; version != "" {
		message += ", Python " + version
	}
	if done.Notice != "" {
		message += " (" + done.Notice + ")"
	}
	switch {
	case done.Lost:
		message += ". The session's kernel was ended: its variables and imports are gone"
	case done.Left:
		message += ". The session has left the kernel it was in, which goes on: it is somebody else's"
	case done.Kept:
		message += ". The session is in it already: its kernel, variables and imports are kept (stop_session with restart: true starts a new kernel)"
	}
	answer := object{
		"status":   "success",
		"message":  message,
		"previous": configObject(done.Previous),
		"current":  configObject(c),
		"session":  s.Name(),
	}
	if python := done.Environment.Python; python != "" {
		answer["python"] = python
	}
	if done.Lost {
		answer["lost"] = true
	}
	return jsonResult(withNotes(answer, a))
}

// needs asks for the argument that belongs to the type.
func needs(a *call, c pyenv.Config) {
	switch {
	case c.Type == "conda" && c.CondaName == "":
		a.Problem("conda_name", "is missing: type conda needs the environment's name or path.")
	case c.Type == "venv" && c.VenvPath == "":
		a.Problem("venv_path", "is missing: type venv needs the environment's directory.")
	case c.Type == "venv-uv" && c.UVVenvPath == "":
		a.Problem("uv_venv_path", "is missing: type venv-uv needs the environment's directory.")
	case c.Type == string(kinds.Jupyter) && c.Server == "" && c.Kernelspec+c.KernelID == "":
		a.Problem("kernel_name", "is missing, and so is kernel_id: which kernel of this machine?")
	case c.Type != string(kinds.Jupyter) && c.Server+c.KernelID != "":
		a.Problem("type", "is not jupyter: server and kernel_id belong to that.")
	}
}

// configObject is a configuration with the predecessor's keys, as far as they are set.
func configObject(c pyenv.Config) object {
	o := object{}
	for name, value := range map[string]string{"type": c.Type, "conda_name": c.CondaName, "venv_path": c.VenvPath, "uv_venv_path": c.UVVenvPath, "server": c.Server, "kernel_name": c.Kernelspec, "kernel_id": c.KernelID} {
		if value != "" {
			o[name] = value
		}
	}
	if len(o) == 0 {
		o["type"] = managedType
	}
	return o
}

func (t *tools) getEnvironmentConfig() tool {
	return tool{
		name:        "get_environment_config",
		title:       "Show the Python environment",
		description: "Show which Python environment a session uses and whether it works: kind, paths, Python and ipykernel versions, warnings, working directory, code storage and record directory. Starts no kernel.",
		arguments: []argument{
			{name: "session", kind: "string", description: "Session to show. Default \"default\"."},
			{name: "list", kind: "boolean", description: "true: list the environments and Pythons on this machine, near ones first, with the arguments for configure_environment."},
		},
		hints:  hints{readOnly: true, idempotent: true},
		handle: t.handleGetEnvironmentConfig,
	}
}

// configTime bounds the look at the environment for get_environment_config.
const configTime = 20 * time.Second

func (t *tools) handleGetEnvironmentConfig(ctx context.Context, a *call) *mcp.CallToolResult {
	name := a.String("session")
	list := a.Bool("list", false)
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return jsonError(err)
	}
	if list {
		return t.listEnvironments(ctx, a, s)
	}
	c := s.Config()
	answer := object{
		"status":         "success",
		"config":         configObject(c),
		"session":        s.Name(),
		"server_version": t.version,
		"state_dir":      t.sessions.StateDir(),
		"environment":    t.describeEnvironment(ctx, s),
		"storage":        t.describeStorage(),
		"work_dir":       t.describeWorkDir(),
		"records":        t.recordWords(),
		"limits":         t.limitsInForce(),
	}
	if words := s.Sandbox(); words != "" {
		answer["sandbox"] = words
	}
	if t.sessions.MayInstall() != nil {
		answer["install"] = "never (INSTALL): install_dependencies refuses, and nothing is installed or downloaded"
	}
	if path := t.sessions.Notebook(s.Name()); path != "" {
		answer["notebook"] = path
	}
	if !c.Configured() && t.sessions.MayInstall() == nil {
		answer["not_configured"] = "no environment is chosen (ENV_TYPE, CONDA_ENV_NAME, VENV_PATH and UV_VENV_PATH are unset): a managed environment in this program's data directory is used, made on first use with numpy, pandas, matplotlib and a few more. get_environment_config with list: true shows what else is on this machine"
	}
	return jsonResult(withNotes(answer, a))
}

// describeEnvironment tells of the session's environment, or why there is none.
func (t *tools) describeEnvironment(ctx context.Context, s *session.Session) object {
	if !s.Config().Configured() && !t.sessions.ManagedReady() && t.sessions.MayInstall() == nil {
		return object{"works": false, "error": "the managed environment is not made yet; the first execute_code makes it, in about a minute"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, configTime, errEnvironmentNotReady)
	defer cancel()
	env, err := s.Environment(ctx, conversation(ctx), nil)
	if err != nil {
		return object{"works": false, "error": explain(err)}
	}
	if env.Kind == kinds.Jupyter {
		return elsewhereObject(env, s)
	}
	o := object{
		"works":     true,
		"kind":      string(env.Kind),
		"name":      env.Name,
		"prefix":    env.Prefix,
		"python":    env.Python,
		"version":   env.Info.Version,
		"ipykernel": t.sessions.KernelWords(env),
		"writable":  env.Info.Writable,
	}
	if path := env.PythonPath(); path != "" {
		o["PYTHONPATH"] = path // goes before the environment's own packages
	}
	if len(env.Warnings) > 0 {
		o["warnings"] = env.Warnings
	}
	return o
}

// elsewhereObject tells of a kernel of a Jupyter server or a kernelspec, as far as it is
// known here.
func elsewhereObject(env *pyenv.Environment, s *session.Session) object {
	o := object{"works": true, "kind": string(env.Kind), "name": env.Name}
	if env.Info.Version != "" {
		o["version"] = env.Info.Version
	}
	if spec := env.Kernelspec; spec != nil {
		o["kernelspec"], o["language"], o["command"] = spec.Dir, env.Language, env.Command
	}
	if id := s.KernelID(); id != "" {
		o["kernel_id"] = id
	}
	return o
}

func (t *tools) recordWords() string {
	if dir := t.sessions.RecordDir(); dir != "" {
		return dir
	}
	return "off (HISTORY): records are removed when the server ends"
}

// describeStorage tells where code files are kept, or why they cannot be.
func (t *tools) describeStorage() object {
	storage, err := t.sessions.Storage()
	if err != nil {
		return object{"works": false, "error": explain(err)}
	}
	return object{"works": true, "directory": storage.Dir()}
}

// describeWorkDir tells where code runs and what decided it, or why it cannot.
func (t *tools) describeWorkDir() object {
	work, err := t.sessions.WorkDir()
	if err != nil {
		return object{"works": false, "error": explain(err)}
	}
	return object{"directory": work.Path, "chosen_by": work.By}
}
