//go:build unix

package keep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// readyFD is the descriptor on which a background server says that it is ready.
const readyFD = 3

// ready is what it says; anything else is why it has not started.
const ready = "ready\n"

// startPatience bounds a server's start on a slow machine.
const startPatience = 10 * time.Second

// start starts the server of that key and waits until it is ready. It gets a session
// of its own, without a terminal, and none of our pipes. A shell that ends at once
// stands between: some clients end all descendants of what they have started, by the
// parents that the process table shows.
func (p *place) start(key string, o Options) error {
	program, err := ownProgram()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.file(key, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	says, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer says.Close()
	defer tell.Close()
	argv := append([]string{program, BackgroundCommand}, o.Args...)
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Env, cmd.Stderr, cmd.ExtraFiles = o.Environ, log, []*os.File{tell}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return cmd
	}
	if err = command("/bin/sh", append([]string{"-c", `"$@" &`, "sh"}, argv...)...).Run(); err != nil {
		err = command(argv[0], argv[1:]...).Start()
	}
	if err != nil {
		return fmt.Errorf("starting the background server: %w", err)
	}
	tell.Close()
	if err := says.SetReadDeadline(time.Now().Add(startPatience)); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(says, 4096))
	switch {
	case string(text) == ready:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the background server was not ready within %s; its log is %s", startPatience, log.Name())
	case len(text) > 0:
		return errors.New(strings.TrimSpace(string(text)))
	}
	return fmt.Errorf("the background server ended while it started; its log is %s", log.Name())
}
