// Package keep lets sessions outlive the client's process. With KEEP set, the process
// that a client starts is a line front ([Front]): it finds or starts a background
// server of the same program and copies JSON-RPC lines between its stdin and stdout
// and that server's unix socket. It parses none of them. Fronts and servers find each
// other in a private directory below the state directory.
//
// The files there, for each key (see key.go): KEY.alive, locked as long as the server
// lives; KEY.json, where its socket is; KEY.log, what it logs; KEY.over, the sessions that
// ended since a client was told such things. One file, lock, is held
// by who starts or ends a server.
package keep

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// protocol is the version of what a front and a background server say to each other:
// the hello, the greeting, frames one way and bytes the other.
const protocol = 1

// BackgroundCommand is the command line's word for a background server.
const BackgroundCommand = "background"

// Options are what a front and a background server have from their process.
type Options struct {
	Args    []string // the command line: settings alone, which both understand
	Getenv  func(string) string
	Environ []string
	Version string
	Stdin   *os.File // of a front, as is Stdout
	Stdout  *os.File
	Stderr  io.Writer
}

// Address is what a background server's file tells of it.
type Address struct {
	Key      string    `json:"key"`
	Protocol int       `json:"protocol"`
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Socket   string    `json:"socket"`
	Started  time.Time `json:"started"`
	WorkDir  string    `json:"work_dir"`
	Storage  string    `json:"storage"`
	Log      string    `json:"log"`
}

// Kinds of hello. Those but "front" are understood whatever the protocol's version.
const (
	kindFront  = "front"
	kindStatus = "status"
	kindStop   = "stop"
)

// hello is the first line of a connection.
type hello struct {
	Protocol int      `json:"protocol"`
	Kind     string   `json:"kind"`
	Version  string   `json:"version"`
	Args     []string `json:"args,omitempty"`
	Environ  []string `json:"environ,omitempty"`
	// Others are working directories of the user's other background servers.
	Others []string `json:"others,omitempty"`
}

// greeting is the server's answer to a hello.
type greeting struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	// Refused says why the connection is of no use, "" when it is.
	Refused string  `json:"refused,omitempty"`
	Status  *Status `json:"status,omitempty"`
}

// Status is what a background server tells of itself.
type Status struct {
	Address
	Clients  []ClientStatus  `json:"clients"`
	Sessions []SessionStatus `json:"sessions"`
	// Problem says why the rest is not known.
	Problem string `json:"problem,omitempty"`
}

// ClientStatus is one front.
type ClientStatus struct {
	Name  string    `json:"name"` // what the client calls itself
	PID   int       `json:"pid"`  // of the front
	Since time.Time `json:"since"`
}

// SessionStatus is one session.
type SessionStatus struct {
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Running     string  `json:"running,omitempty"` // id
	Seconds     float64 `json:"seconds"`           // of running, or idle
	Queued      int     `json:"queued,omitempty"`
	Environment string  `json:"environment,omitempty"`
	Generation  int     `json:"generation"`
	Memory      int64   `json:"memory"` // bytes, with all it has started
	Clients     int     `json:"clients"`
	// Ends is when it will be ended, absent while it is used or runs something.
	Ends *time.Time `json:"ends,omitempty"`
}

// Busy reports whether something runs in the server.
func (s Status) Busy() bool {
	for _, one := range s.Sessions {
		if one.Running != "" {
			return true
		}
	}
	return false
}

// Memory is what the sessions take, in bytes.
func (s Status) Memory() (bytes int64) {
	for _, one := range s.Sessions {
		bytes += one.Memory
	}
	return bytes
}

// NoAnswerError says that a background server is there and does not answer.
type NoAnswerError struct {
	PID int // 0 when nobody knows
	Log string
}

func (e *NoAnswerError) Error() string {
	if e.PID == 0 { // kill -9 0 would end who types it
		return fmt.Sprintf("a background server is there that has not said where it can be reached; it may be stopped, or hang (\"ps -e -o pid,stat,args\" shows its process, \"mcp-code-executor %s\", which can be ended with its sessions); its log is %s", BackgroundCommand, e.Log)
	}
	return fmt.Sprintf("the background server with the kept sessions (process %d) does not answer; it may be stopped (kill -CONT %d lets it go on), or hang (kill -9 %d ends it, with its sessions); its log is %s", e.PID, e.PID, e.PID, e.Log)
}

// ProtocolError says that a background server of another version is there.
type ProtocolError struct {
	PID     int
	Version string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("the background server with the kept sessions (process %d) is of version %s, which this one cannot talk to; \"mcp-code-executor stop\" ends it, with its sessions; then restart this server", e.PID, e.Version)
}

// variable looks a name up in KEY=VALUE entries; the last one counts.
func variable(environ []string) func(string) string {
	return func(name string) string {
		for i := len(environ) - 1; i >= 0; i-- {
			if value, ok := strings.CutPrefix(environ[i], name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// ownProgram is a path by which another process can start this program. When its file
// was replaced, it is one that leads to the running program as long as that runs.
func ownProgram() (string, error) {
	path, err := os.Executable()
	running := fmt.Sprintf("/proc/%d/exe", os.Getpid())
	now, runningErr := os.Stat(running)
	// In a sandbox /proc may have other numbers: that one is another program's there.
	if self, _ := os.Readlink("/proc/self"); runningErr != nil || self != strconv.Itoa(os.Getpid()) {
		return path, err
	}
	if file, fileErr := os.Stat(path); err == nil && fileErr == nil && os.SameFile(file, now) {
		return path, nil
	}
	return running, nil
}
