package doctor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/keep"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// checkKept tells about background servers, and tries a front when sessions are kept.
func (d *doctor) checkKept() {
	if _, err := os.Stat(filepath.Join(server.FindPlaces(d.getenv).State, "keep")); err == nil {
		d.tellKept()
	}
	if d.settings.Keep <= 0 {
		return
	}
	d.progress.Say("starting a background server")
	if err := d.tryFront(); err != nil {
		d.report.fail("keep", fmt.Errorf("sessions are not kept: %w", err), advice{command: "see docs/remote.md; without KEEP, sessions end with the client"})
		return
	}
	d.report.ok("keep", "a front has started a background server and reached it")
}

// tellKept tells about the background servers that there are.
func (d *doctor) tellKept() {
	servers, err := keep.List(d.getenv)
	if err != nil {
		d.report.fail("kept", err, advice{})
		return
	}
	for _, s := range servers {
		if s.Problem != "" {
			d.report.warn("kept", s.Problem, "see mcp-code-executor ps")
			continue
		}
		d.report.ok("kept", "process %d keeps %s for %s, %.1f MB (mcp-code-executor ps); log: %s", s.PID, keep.Count(len(s.Sessions), "session"), keep.Count(len(s.Clients), "client"), float64(s.Memory())/1e6, s.Log)
	}
}

// initialize is what a client says first.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"doctor","version":"1"}}}` + "\n"

// tryFront starts a background server of its own, with an empty state directory, and
// has a front reach it. It ends with the front.
func (d *doctor) tryFront() error {
	state, err := os.MkdirTemp("", "mce-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	given := map[string]string{"XDG_STATE_HOME": state, "HOME": server.HomeDir(d.getenv)}
	for _, row := range settings.Table() {
		given[row.Name] = d.getenv(row.Name)
	}
	environ := os.Environ()
	for name, value := range given {
		environ = append(environ, name+"="+value)
	}
	stdin, say, inErr := os.Pipe()
	hear, stdout, outErr := os.Pipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return err
	}
	defer hear.Close()
	done := make(chan error, 1)
	go func() {
		_, err := keep.Front(keep.Options{Getenv: settings.With(given, d.getenv), Environ: environ, Version: d.version, Stdin: stdin, Stdout: stdout, Stderr: io.Discard})
		stdout.Close()
		stdin.Close()
		done <- err
	}()
	_, err = io.WriteString(say, initialize)
	var answer string
	if err == nil {
		answer, err = bufio.NewReader(hear).ReadString('\n')
	}
	say.Close()
	_, _ = io.Copy(io.Discard, hear)
	if frontErr := <-done; frontErr != nil {
		return frontErr
	}
	var reply struct {
		Result struct{ ServerInfo struct{ Name string } }
	}
	if err := errors.Join(err, json.Unmarshal([]byte(answer), &reply)); err != nil || reply.Result.ServerInfo.Name == "" {
		return fmt.Errorf("the background server answered %q (%v)", strings.TrimSpace(answer), err)
	}
	// It ends by itself: nobody needs it. Its files go with it.
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		if left, _ := filepath.Glob(filepath.Join(state, "mcp-code-executor", "keep", "*.alive")); len(left) == 0 {
			break
		}
	}
	return nil
}
