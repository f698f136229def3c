package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
)

// transport knows how the kernels of this server can be reached. Unix sockets in
// a private directory come first: only they keep other users of the machine from
// reading iopub, which no key protects. TCP ports on the loopback interface are
// for where there are none: Windows, long paths, file systems without sockets, and
// sandboxes that refuse the address family (seccomp, as in editors and agents).
type transport struct {
	once sync.Once
	tcp  atomic.Bool // unix sockets are known not to work
}

// maxSocketPath is what sun_path holds on macOS (104 with the final NUL), the
// shorter of the two.
const maxSocketPath = 103

// connectionInfo chooses the connection of a kernel whose private directory is
// dir. With TCP the kernel chooses its own ports.
func (t *transport) connectionInfo(dir string, log *slog.Logger) jupyter.ConnectionInfo {
	prefix := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" || len(prefix)+len("-1") > maxSocketPath {
		return jupyter.NewTCPInfo()
	}
	t.once.Do(func() {
		// What refuses this process refuses the kernel, which inherits it.
		if err := tryUnixSocket(prefix + "-0"); err != nil {
			log.Warn("unix sockets cannot be used here: kernels get TCP ports on the loopback interface", "err", err)
			t.tcp.Store(true)
		}
	})
	if t.tcp.Load() {
		return jupyter.NewTCPInfo()
	}
	return jupyter.NewIPCInfo(prefix)
}

// tryUnixSocket makes a socket, listens on it and connects to it.
func tryUnixSocket(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	return c.Close()
}

// refused reports whether a start failed because the kernel, other than this
// process, cannot use unix sockets: its python may be confined more tightly. From
// then on kernels get TCP ports. It is true at most once.
func (t *transport) refused(err error) bool {
	var start *StartError
	if !errors.As(err, &start) || start.Exit == nil || start.Exit.Code != launch.ExitStart {
		return false
	}
	return bytes.Contains(start.Exit.Tail, []byte("ipc://")) && !t.tcp.Swap(true)
}

// ConnectionFile stands for the path of the connection file in [Spec.Command], as in
// a kernelspec's argv.
const ConnectionFile = "{connection_file}"

// connection chooses how the kernel is reached.
func (k *Kernel) connection(host *Host) (jupyter.ConnectionInfo, error) {
	if k.spec.Command == nil {
		return host.transport.connectionInfo(k.dir, k.log), nil
	}
	// Not every kernel knows unix sockets (IRkernel), and only ipykernel chooses ports
	// of its own and writes them into the file.
	info := jupyter.NewTCPInfo()
	for _, port := range []*int{&info.ShellPort, &info.IOPubPort, &info.StdinPort, &info.ControlPort, &info.HBPort} {
		l, err := net.Listen("tcp", net.JoinHostPort(info.IP, "0"))
		if err != nil {
			return info, fmt.Errorf("choosing its ports: %w", err)
		}
		defer l.Close() // all at once: no port is given twice
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return info, nil
}

// command is what the guard is to start: our launcher, or a kernelspec's own command.
func (k *Kernel) command(host *Host, file string) (guard.Spec, error) {
	spec := guard.Spec{Env: k.spec.Env, Dir: k.spec.Dir, Output: k.fromGuard, Limited: k.hit}
	if k.spec.Command != nil {
		spec.Argv = slices.Clone(k.spec.Command)
		for i := range spec.Argv {
			spec.Argv[i] = strings.ReplaceAll(spec.Argv[i], ConnectionFile, file)
		}
		return spec, nil
	}
	script, err := launch.Write(filepath.Join(filepath.Dir(k.dir), launchDir))
	if err != nil {
		return spec, &StartError{Phase: "writing its launcher", Err: err}
	}
	if host.BytecodeDir != "" && k.spec.Plan == nil {
		if err := keepBytecode(filepath.Dir(script), host.BytecodeDir); err != nil {
			k.log.Debug("the launcher's bytecode is not kept", "err", err)
		}
	}
	options := launch.Options{Sidecar: k.spec.Sidecar, Code: k.spec.Code, NoPrelude: host.PlainPython || k.spec.PlainPython, Shared: k.spec.Share.On(), Pipes: guard.Pipes, Unsent: filepath.Join(k.dir, "unsent")}
	if err := launch.MakeUnsent(options.Unsent); err != nil {
		k.log.Warn("what the kernel has not sent when it dies will be lost", "err", err)
		options.Unsent = ""
	}
	k.outside.file = options.Unsent
	if k.waits != nil {
		options.Sources, options.Preimport = k.sourcesFile(), k.waits.ahead.Imports
	}
	spec.Argv, spec.Progress = launch.Args(k.spec.Python, script, file, options), options.Unsent
	return spec, nil
}

// python reports whether the kernel runs Python. One that does not say is taken for it.
func (k *Kernel) python() bool { return k.info.Language == "" || k.info.Language == "python" }

// stoodStill says why output was read past the kernel.
func (k *Kernel) stoodStill() string {
	if k.spec.Command != nil {
		return "The kernel's process has written this to its own stdout or stderr, which Jupyter does not show: it is here, but late and not in its place."
	}
	return "The process printed more than its pipe holds while Python could not run (native code kept its lock, or the process was stopped). " +
		"That output was read past the kernel: all of it is here, but its place among the prints is not exact."
}

// keepBytecode lets the launcher's bytecode outlive the server, where nobody else can write.
func keepBytecode(launcher, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := rundir.Private(dir); err != nil {
		return err
	}
	return launch.KeepBytecode(launcher, dir)
}

// launchDir is the launcher's directory in the server's.
const launchDir = "launch"
