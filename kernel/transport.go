package kernel

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
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
