package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// exitUsage is the exit status of a wrong command line.
const exitUsage = 2

// exitStatus is the error of a command that has said what there is to say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// asError is the status as a command returns it: nil for success.
func asError(status int) error {
	if status == 0 {
		return nil
	}
	return exitStatus(status)
}

// runNoting is the program without its globals. It returns the exit status. A server's
// first answer, and its log, tell the notice.
func runNoting(ctx context.Context, notice string, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := (&app{notice: notice, getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}).root()
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(stderr, "%s: %s (see %s --help)\n", c.CommandPath(), strings.TrimSpace(err.Error()), c.CommandPath())
	return exitUsage
}

// didYouMean ends an error about a word that is like one of the known ones.
func didYouMean(word string, known []string) string {
	// The library's own measure of likeness works on commands.
	all := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, name := range known {
		all.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	if near := all.SuggestionsFor(word); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
