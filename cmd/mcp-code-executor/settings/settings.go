package settings

import (
	"path/filepath"
	"slices"
	"strings"
)

// Kind says what a setting's value names.
type Kind int

// Kinds of values.
const (
	Word       Kind = iota // one of a few words, a time, a list
	Path                   // a path
	PathOrName             // a path when it holds a separator, else a name
	PathList               // paths, divided as in PATH
)

// Setting is one row of the table.
type Setting struct {
	Name    string // of the variable
	Default string // as the page and the help print it
	Values  string // the legal ones, in one phrase
	Does    string // for `help settings`
	Page    string // its meaning in the table of docs/settings.md
	Kind    Kind
	// Expand: "$NAME" and "${NAME}" in the value are replaced here.
	Expand bool
	// InWorkDir: a relative path is relative to WORK_DIR, and stays so in a client's
	// configuration.
	InWorkDir bool
	// Secret: the value is shown to nobody.
	Secret bool
	// Rights: it decides which Python runs, what is installed, or what others may
	// see. A wrong value of such a setting means the side that allows less.
	Rights bool

	// read puts a value that is not empty into s. What it says about a wrong one
	// needs neither the name nor the value.
	read func(s *Settings, value string) *Problem
}

// Flag is the setting's flag, without the dashes.
func (s Setting) Flag() string { return strings.ToLower(strings.ReplaceAll(s.Name, "_", "-")) }

// Words are the words that the value may be, as far as they can be listed.
func (s Setting) Words() (words []string) {
	if s.Kind != Word {
		return nil
	}
	for _, word := range strings.FieldsFunc(strings.ReplaceAll(s.Values, " or ", ", "), func(r rune) bool { return r == ',' }) {
		if word = strings.TrimSpace(word); word != "" && !strings.ContainsAny(word, " :*_") {
			words = append(words, word)
		}
	}
	return words
}

// IsPath reports whether value names a place in the file system.
func (s Setting) IsPath(value string) bool {
	return s.Kind == Path || s.Kind == PathOrName && strings.ContainsAny(value, `/\`)
}

// Table is all settings, in the order people read them.
func Table() []Setting {
	return slices.Concat(firstRows(), limitRows(), lastRows())
}

func firstRows() []Setting {
	return []Setting{
		{
			Name: "WORK_DIR", Kind: Path, Expand: true, Default: "the project in which the client started the server", Values: "a path",
			Does: "the working directory of code: files are relative to it",
			Page: "the working directory of code: files are relative to it ([how the default is found](clients.md#where-code-runs))",
			read: readWorkDir,
		},
		{
			Name: "CODE_STORAGE_DIR", Kind: Path, Expand: true, Default: "`code` in the data directory", Values: "a path",
			Does: "the directory for code files; if you set it, code runs there too, unless WORK_DIR is set",
			Page: "the directory for code files; created if it does not exist. If you set it, code runs there too, unless `WORK_DIR` is set",
			read: func(s *Settings, value string) *Problem { s.Storage = value; return nil },
		},
		{
			Name: "ENV_TYPE", Rights: true, Default: "follows from which of the next four is set", Values: "conda, venv, venv-uv or jupyter",
			Does: "which of the next four to use, if more than one is set",
			Page: "which of the next four to use: `conda`, `venv`, `venv-uv` or `jupyter`",
			read: func(s *Settings, value string) *Problem { s.Environment.Type = strings.ToLower(value); return nil },
		},
		{
			Name: "CONDA_ENV_NAME", Kind: PathOrName, Rights: true, Default: "none", Values: "a name or a path",
			Does: "the conda environment in which code runs",
			Page: "a conda environment: its name or path, or `base`",
			read: func(s *Settings, value string) *Problem { s.Environment.CondaName = value; return nil },
		},
		{
			Name: "VENV_PATH", Kind: Path, Rights: true, Default: "none", Values: "a path",
			Does: "the virtual environment in which code runs",
			Page: "a virtual environment: its directory. You may also give its `bin`, its `python`, its project, or a name from `get_environment_config` with `list`",
			read: func(s *Settings, value string) *Problem { s.Environment.VenvPath = value; return nil },
		},
		{
			Name: "UV_VENV_PATH", Kind: Path, Rights: true, Default: "none", Values: "a path",
			Does: "the same for an environment made by uv",
			Page: "the same, for an environment made by uv",
			read: func(s *Settings, value string) *Problem { s.Environment.UVVenvPath = value; return nil },
		},
		{
			Name: "JUPYTER_SERVER_URL", Rights: true, Secret: true, Default: "none", Values: "a URL: https://hub.example/user/me",
			Does: "the Jupyter server or gateway whose kernels run the code",
			Page: "a Jupyter server or gateway, whose kernels run the code ([docs/elsewhere.md](elsewhere.md))",
			read: readJupyterURL,
		},
		{
			Name: "JUPYTER_TOKEN", Secret: true, Default: "none", Values: "a token",
			Does: "the token for JUPYTER_SERVER_URL, sent to no other host",
			Page: "the token for `JUPYTER_SERVER_URL`; sent to no other host",
			read: func(s *Settings, value string) *Problem { s.Jupyter.Token = value; return nil },
		},
		{
			Name: "JUPYTER_CA", Kind: Path, Expand: true, Default: "none", Values: "a path",
			Does: "a file of certificates to trust besides the system's, for Jupyter servers",
			Page: "a file of certificates (PEM) to trust besides the system's, for Jupyter servers",
			read: func(s *Settings, value string) *Problem { s.Jupyter.CA = value; return nil },
		},
		{
			Name: "JUPYTER_SERVERS", Rights: true, Secret: true, Default: "none", Values: "names with URLs: lab=http://localhost:8888 hub=https://hub.example/user/me",
			Does: "more Jupyter servers, for configure_environment; the token of each is in its URL (?token=)",
			Page: "more Jupyter servers, for `configure_environment`: `NAME=URL`, separated by spaces. The token of each is in its URL (`?token=`)",
			read: readJupyterServers,
		},
		{
			Name: "CONNECTION_FILE", Kind: PathOrName, Rights: true, Default: "none", Values: "a path or a name: kernel-1234.json",
			Does: "the kernel of this machine to join, by its connection file; it is never ended",
			Page: "a kernel that runs on this machine already, by its connection file or the file's name in Jupyter's runtime directory; several are separated as in `PATH` ([docs/elsewhere.md](elsewhere.md#a-kernel-that-runs-here))",
			read: func(s *Settings, value string) *Problem { s.Jupyter.Files = filepath.SplitList(value); return nil },
		},
		{
			Name: "KERNEL_NAME", Rights: true, Default: "the server's default", Values: "a name: python3",
			Does: "the kernelspec to start on a Jupyter server; if none is set, on this machine, in any language",
			Page: "the kernelspec to start on a Jupyter server; if none is set, on this machine, in any language ([docs/elsewhere.md](elsewhere.md#other-kernels-of-this-machine))",
			read: func(s *Settings, value string) *Problem { s.Environment.Kernelspec = value; return nil },
		},
		{
			Name: "INSTALL", Rights: true, Default: "`auto`", Values: "auto or never",
			Does: "never: install and download nothing, whatever KERNEL_INSTALL and UV_INSTALL say",
			Page: "`never`: install and download nothing: `install_dependencies` refuses, the managed environment is not made, and `KERNEL_INSTALL` and `UV_INSTALL` are `never` too. Code can still start pip itself, unless a [sandbox](sandbox.md) stops it",
			read: readInstall,
		},
		{
			Name: "KERNEL_INSTALL", Rights: true, Default: "`auto`", Values: "auto, env, sidecar or never",
			Does: "if ipykernel is missing, install it into the environment (env), beside it (sidecar), or into it if possible (auto)",
			Page: "what to do if ipykernel is missing: `env` installs it into the environment, `sidecar` beside it, `auto` into it if possible, else beside it; `never` installs nothing",
			read: readKernelInstall,
		},
		{
			Name: "UV_INSTALL", Rights: true, Default: "`auto`", Values: "auto or never",
			Does: "never: do not download uv if it is needed and missing",
			Page: "`never`: do not download uv from the package index if it is needed and missing",
			read: readUVInstall,
		},
		{
			Name: "ENV_DENY", Rights: true, Default: "none", Values: "names and patterns: AWS_*, GITHUB_TOKEN",
			Does: "variables to hide from code and helper programs",
			Page: "variables to hide from code and from helper programs (pip, uv, conda, activation scripts): names or patterns, such as `AWS_*, GITHUB_TOKEN`",
			read: func(s *Settings, value string) *Problem { s.EnvDeny = value; return nil },
		},
		{
			Name: "SANDBOX", Rights: true, Default: "`off`", Values: "off, workspace, read-only or client",
			Does: "confine code (Linux, with bubblewrap): it writes only in the working directory (workspace) or nowhere (read-only), reads no secrets, and has no network; or as Codex's policy says in each call (client)",
			Page: "confine code, on Linux with bubblewrap: `workspace` lets it write only in the working directory and the code storage, `read-only` nowhere; it reads no keys and passwords, and has no network ([what is stopped](sandbox.md)). `client`: as [Codex's policy](sandbox.md#the-clients-policy) says in each call; without one nothing runs",
			read: readSandbox,
		},
		{
			Name: "SANDBOX_NETWORK", Rights: true, Default: "`off`", Values: "off, on or loopback",
			Does: "with SANDBOX: the network that code has; loopback is one of the sandbox's own",
			Page: "with `SANDBOX`: the network that code has. `off` and `loopback` leave it a loopback interface of its own, which reaches nobody else",
			read: readSandboxNetwork,
		},
		{
			Name: "SANDBOX_WRITE", Kind: PathList, Expand: true, Rights: true, Default: "none", Values: "paths",
			Does: "with SANDBOX=workspace: more directories in which code may write",
			Page: "with `SANDBOX=workspace`: more directories in which code may write, divided by `:`",
			read: func(s *Settings, value string) *Problem { return readPaths(&s.Sandbox.Write, value) },
		},
		{
			Name: "SANDBOX_READ", Kind: PathList, Expand: true, Rights: true, Default: "none", Values: "paths",
			Does: "with SANDBOX: paths that code may read although they are taken for secrets",
			Page: "with `SANDBOX`: paths that code may read although they are taken for secrets or lie in a place that is hidden, divided by `:`",
			read: func(s *Settings, value string) *Problem { return readPaths(&s.Sandbox.Read, value) },
		},
		{
			Name: "SANDBOX_DENY", Kind: PathList, Expand: true, Rights: true, Default: "none", Values: "paths",
			Does: "with SANDBOX: more paths that code may not read",
			Page: "with `SANDBOX`: more paths that code may not read, divided by `:`",
			read: func(s *Settings, value string) *Problem { return readPaths(&s.Sandbox.Deny, value) },
		},
		{
			Name: "SANDBOX_ENV", Rights: true, Default: "none", Values: "names and patterns: OPENAI_API_KEY, AWS_*",
			Does: "with SANDBOX: variables that code gets although they are named like credentials",
			Page: "with `SANDBOX`: variables that code gets although they are named like credentials (`*TOKEN*`, `*_KEY`, `AWS_*` and others)",
			read: readSandboxEnv,
		},
		{
			Name: "SANDBOX_INSTALL", Rights: true, Default: "`index`", Values: "index or any",
			Does: "with SANDBOX: what install_dependencies takes: only wheels of the package index (index), or also paths, URLs and what must be built (any)",
			Page: "with `SANDBOX`: what `install_dependencies` takes. `index`: only wheels of the package index. `any`: also paths, URLs, VCS requirements and packages that must be built, whose code then runs in the [installer's sandbox](sandbox.md#environments-and-packages), with the network",
			read: readSandboxInstall,
		},
		{
			Name: "SANDBOX_ALLOW_PARTIAL", Rights: true, Default: "`off`", Values: "on or off",
			Does: "with SANDBOX: run even if this system cannot stop all of it; the first answer says what",
			Page: "with `SANDBOX`: run even if this system cannot stop everything; the first answer says what it does not stop. `off` runs nothing then",
			read: readSandboxPartial,
		},
		{
			Name: "HISTORY", Rights: true, Default: "`on`", Values: "on or off",
			Does: "off: remove the record of what ran when the server ends",
			Page: "`off`: remove the record of what ran when the server ends",
			read: readHistory,
		},
		{
			Name: "NOTEBOOK", Kind: PathOrName, Expand: true, InWorkDir: true, Default: "`off`", Values: "on, off or a directory",
			Does: "keep a notebook of each session up to date while it runs: in WORK_DIR (on), or in a directory",
			Page: "keep a notebook of each session up to date while it runs, for you to watch: `on` in the working directory, or give a directory ([details](record.md#a-notebook-to-watch))",
			read: readNotebook,
		},
		{
			Name: "RECORD_LIMIT", Default: "`512MiB`", Values: "a size such as 512MiB or 2GiB, or none",
			Does: "how much of one run's output is recorded; of more, the last 16 MiB are",
			Page: "how much of one run's output is recorded, and so can be read; of more, the last 16 MiB are (`2GiB`, `none`)",
			read: readRecordLimit,
		},
		{
			Name: "SHARE", Rights: true, Default: "`off`", Values: "on or off",
			Does: "on: you can join a session's kernel with jupyter console or JupyterLab",
			Page: "`on`: you can join a session's kernel with `jupyter console` or JupyterLab ([docs/elsewhere.md](elsewhere.md#join-the-models-kernel))",
			read: readShare,
		},
		{
			Name: "PRELUDE", Default: "`on`", Values: "on or off",
			Does: "off: do not change the display settings of IPython, pandas and others",
			Page: "`off`: do not change the display settings of IPython, pandas, numpy and others, nor the size of `Out` ([what is changed](results.md#what-is-set-in-the-kernel))",
			read: readPrelude,
		},
		{
			Name: "SESSION_IDLE_LIMIT", Default: "`never`", Values: "a time such as 30m or 2h, or never",
			Does: "end the kernel of a session after so much idle time",
			Page: "end the kernel of a session after so much idle time (`30m`, `2h`)",
			read: readIdleLimit,
		},
	}
}

func lastRows() []Setting {
	return []Setting{
		{
			Name: "SPARE_KERNEL", Default: "`auto`", Values: "auto, plain, on or off",
			Does: "keep one started kernel ready for the next session, restart or fresh run; auto: not on battery, nor on one processor; plain: as auto, without imports",
			Page: "keep one started kernel ready for the next session, restart or fresh run: `auto` on Linux, except on battery or with one processor; `plain` the same, but no libraries are imported ahead in it; `on` always, unless memory is short; `off` never ([details](behaviour.md#the-spare-kernel))",
			read: readSpareKernel,
		},
		{
			Name: "KEEP", Default: "`off`", Values: "a time such as 30m or 8h, or off",
			Does: "keep sessions after the client has ended, in a background server, each for so long after its last use",
			Page: "keep sessions after the client has ended, in a background server, each for so long after its last use (`30m`, `8h`): [what stays running](remote.md)",
			read: readKeep,
		},
		{
			Name: "KEEP_SPLIT", Default: "none", Values: "names of variables: AWS_PROFILE, TOKEN",
			Does: "with KEEP: variables, such as credentials, whose values are not to share sessions: another value gets another background server",
			Page: "with `KEEP`: names of variables, such as credentials, whose values are not to share sessions: another value gets another background server",
			read: func(s *Settings, value string) *Problem { s.KeepSplit = names(value); return nil },
		},
		{
			Name: "LOG_LEVEL", Default: "`warn`", Values: "debug, info, warn, error or off",
			Does: "what to log to stderr",
			Page: "what to log to stderr: `debug`, `info`, `warn`, `error` or `off`",
			read: readLogLevel,
		},
	}
}

// Foreign are variables of other programs that a person's shell often has and a
// client does not pass on: without them packages come from elsewhere or not at
// all, and conda is not found.
func Foreign() []string {
	return []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT",
		"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "XDG_DATA_HOME", "XDG_STATE_HOME"}
}
