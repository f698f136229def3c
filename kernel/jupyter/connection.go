package jupyter

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// Transports of a connection file.
const (
	TransportIPC = "ipc"
	TransportTCP = "tcp"
)

// SignatureScheme is the only one in use.
const SignatureScheme = "hmac-sha256"

// maxSocketPath is what fits sun_path everywhere (darwin has 104 bytes with the NUL).
const maxSocketPath = 103

// maxConnectionFile bounds a connection file, in bytes.
const maxConnectionFile = 64 << 10

// ErrNoPorts means that a connection file still has ports of 0: the kernel has
// not yet written the ones it chose.
var ErrNoPorts = errors.New("connection file has no ports yet")

// ConnectionInfo is a connection file: where a kernel's channels are, and its key.
type ConnectionInfo struct {
	Transport string `json:"transport"`
	// IP is a host for tcp, and for ipc the path the sockets' names begin with.
	IP              string `json:"ip"`
	ShellPort       int    `json:"shell_port"`
	IOPubPort       int    `json:"iopub_port"`
	StdinPort       int    `json:"stdin_port"`
	ControlPort     int    `json:"control_port"`
	HBPort          int    `json:"hb_port"`
	Key             string `json:"key"`
	SignatureScheme string `json:"signature_scheme"`
	KernelName      string `json:"kernel_name,omitempty"`
	// CurvePublicKey is set for a kernel that encrypts, which ours cannot.
	CurvePublicKey string `json:"curve_publickey,omitempty"`
}

// NewKey returns a signing key of 256 random bits, in hex.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return hex.EncodeToString(b[:])
}

// NewIPCInfo returns the connection of a kernel on unix sockets named prefix-1
// to prefix-5, with a new key.
func NewIPCInfo(prefix string) ConnectionInfo {
	return ConnectionInfo{
		Transport: TransportIPC, IP: prefix,
		ShellPort: 1, IOPubPort: 2, StdinPort: 3, ControlPort: 4, HBPort: 5,
		Key: NewKey(), SignatureScheme: SignatureScheme,
	}
}

// NewTCPInfo returns the connection of a kernel that chooses its own free ports
// on the loopback interface, with a new key: all ports are 0 until the kernel
// has rewritten the file.
func NewTCPInfo() ConnectionInfo {
	return ConnectionInfo{Transport: TransportTCP, IP: "127.0.0.1", Key: NewKey(), SignatureScheme: SignatureScheme}
}

// Port returns a channel's port, 0 for an unknown channel.
func (c ConnectionInfo) Port(ch Channel) int {
	switch ch {
	case Shell:
		return c.ShellPort
	case IOPub:
		return c.IOPubPort
	case Stdin:
		return c.StdinPort
	case Control:
		return c.ControlPort
	case Heartbeat:
		return c.HBPort
	}
	return 0
}

// Address returns a channel's network and address as [net.Dial] takes them.
func (c ConnectionInfo) Address(ch Channel) (network, address string) {
	port := strconv.Itoa(c.Port(ch))
	if c.Transport == TransportIPC {
		return "unix", c.IP + "-" + port
	}
	return "tcp", net.JoinHostPort(c.IP, port)
}

// Validate checks every field. Ports that are all 0 give ErrNoPorts.
func (c ConnectionInfo) Validate() error {
	if c.Transport != TransportIPC && c.Transport != TransportTCP {
		return fmt.Errorf("transport is %q, not %q or %q", clip(c.Transport), TransportIPC, TransportTCP)
	}
	if c.IP == "" {
		return errors.New("ip is empty")
	}
	if c.SignatureScheme != SignatureScheme {
		return fmt.Errorf("signature_scheme is %q, not %q", clip(c.SignatureScheme), SignatureScheme)
	}
	if c.Key == "" {
		return errors.New("key is empty")
	}
	return c.validatePorts()
}

func (c ConnectionInfo) validatePorts() error {
	zeros := 0
	seen := map[int]Channel{}
	for _, ch := range []Channel{Shell, IOPub, Stdin, Control, Heartbeat} {
		port := c.Port(ch)
		if port == 0 {
			zeros++
			continue
		}
		if port < 0 || port > 65535 {
			return fmt.Errorf("%s_port is %d, not a port", ch, port)
		}
		if other, ok := seen[port]; ok {
			return fmt.Errorf("%s_port and %s_port are both %d", other, ch, port)
		}
		seen[port] = ch
		if _, path := c.Address(ch); c.Transport == TransportIPC && len(path) > maxSocketPath {
			return fmt.Errorf("socket path has %d bytes, more than %d: %s", len(path), maxSocketPath, path)
		}
	}
	if zeros > 0 {
		return ErrNoPorts
	}
	return nil
}

// WriteConnectionFile writes c to a new file that only its owner can read. It
// never touches a file that is there already. Ports may be 0.
func WriteConnectionFile(path string, c ConnectionInfo) error {
	if err := c.Validate(); err != nil && !errors.Is(err, ErrNoPorts) {
		return fmt.Errorf("writing connection file: %w", err)
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("writing connection file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing connection file: %w", err)
	}
	_, werr := f.Write(append(raw, '\n'))
	if err := errors.Join(werr, f.Close()); err != nil {
		return fmt.Errorf("writing connection file: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// ReadConnectionFile reads and validates a connection file. A kernel rewrites
// the file in place, so an error may be gone a moment later; ErrNoPorts says
// that it has not begun to.
func ReadConnectionFile(path string) (ConnectionInfo, error) {
	var c ConnectionInfo
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("reading connection file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConnectionFile+1))
	if err == nil && len(raw) > maxConnectionFile {
		err = fmt.Errorf("larger than %d bytes", maxConnectionFile)
	}
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return ConnectionInfo{}, fmt.Errorf("reading connection file %s: %w", path, err)
	}
	return c, nil
}
