//go:build unix

package keep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
)

// peer tells who is at the other end; another user is an error.
func peer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	uid, failed := -1, error(nil)
	if err := raw.Control(func(fd uintptr) { uid, pid, failed = credentials(int(fd)) }); err != nil {
		return 0, err
	}
	if failed == nil && uid != os.Getuid() {
		failed = fmt.Errorf("the process at the other end of the socket is user %d's", uid)
	}
	return pid, failed
}

// errGone says that nobody is at an address: whoever was there has ended, or has
// another address by now.
var errGone = errors.New("nobody is at this address")

// A server may take answerPatience to greet, or to be found at another address, on a
// machine that is very busy; one that was stopped by a signal, stoppedPatience.
const (
	answerPatience  = 15 * time.Second
	stoppedPatience = 3 * time.Second
)

// given reports whether waiting since begun for the process is of no more use.
func given(begun time.Time, pid int, patience time.Duration) bool {
	waited := time.Since(begun)
	return waited >= patience || waited >= stoppedPatience && stopped(pid)
}

// line is a connection to a background server, after its greeting.
type line struct {
	conn *net.UnixConn
	r    *bufio.Reader // what came behind the greeting comes first
	greeting
}

// dial connects to a server and says hello. errGone means that it is not there.
func dial(a Address, h hello, patience time.Duration) (*line, error) {
	if err := rundir.Private(filepath.Dir(a.Socket)); err != nil {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if info, err := os.Lstat(a.Socket); err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%w: %s is no socket (%v)", errGone, a.Socket, err)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: a.Socket, Net: "unix"})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", errGone, err)
	case errors.Is(err, syscall.EAGAIN):
		return nil, &NoAnswerError{a.PID, a.Log} // as many wait as can
	case err != nil:
		return nil, err
	}
	l, err := ask(conn, a, h, patience)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// ask says hello and reads the greeting.
func ask(conn *net.UnixConn, a Address, h hello, patience time.Duration) (*line, error) {
	pid, err := peer(conn)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := conn.SetDeadline(begun.Add(stoppedPatience)); err != nil {
		return nil, err
	}
	l := &line{conn: conn, r: bufio.NewReaderSize(conn, 32<<10)}
	_, err = conn.Write(append(text, '\n'))
	var answer, part []byte
	for err == nil && !bytes.HasSuffix(answer, []byte("\n")) {
		part, err = l.r.ReadBytes('\n')
		answer = append(answer, part...)
		if errors.Is(err, os.ErrDeadlineExceeded) && !given(begun, pid, patience) {
			err = conn.SetDeadline(time.Now().Add(time.Second / 4))
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &NoAnswerError{pid, a.Log}
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return nil, fmt.Errorf("%w: %w", errGone, err) // it was ending
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(answer, &l.greeting); err != nil {
		return nil, fmt.Errorf("reading the background server's greeting: %w", err)
	}
	if h.Kind == kindFront && l.greeting.Protocol != protocol {
		return nil, &ProtocolError{pid, l.greeting.Version}
	}
	if l.greeting.Refused != "" {
		return nil, errors.New(l.greeting.Refused)
	}
	return l, conn.SetDeadline(time.Time{})
}
