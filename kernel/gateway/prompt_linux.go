package gateway

import (
	"net"
	"syscall"
)

// prompt acknowledges what it has read at once. A Jupyter server leaves Nagle's algorithm
// on: a small message of its waits until the one before is acknowledged, which Linux puts
// off for 40 ms where nothing is sent back, in each run. The option holds for a while only.
type prompt struct {
	net.Conn
	raw syscall.RawConn
}

func acknowledging(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return prompt{conn, raw}
}

func (p prompt) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	_ = p.raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
	return n, err
}
