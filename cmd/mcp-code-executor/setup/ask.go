package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// environmentSettings say in which environment code runs.
func environmentSettings() []string {
	return []string{"ENV_TYPE", "CONDA_ENV_NAME", "VENV_PATH", "UV_VENV_PATH"}
}

// environmentGiven reports whether this run was told an environment.
func (s *setup) environmentGiven() bool {
	return slices.ContainsFunc(environmentSettings(), func(name string) bool { return strings.TrimSpace(s.Getenv(name)) != "" })
}

// choice is an environment that can be chosen.
type choice struct{ words, variable, value string }

// choices are the environments that are likely meant, the likeliest first.
func (s *setup) choices() (all []choice) {
	add := func(words, variable, value string) {
		if !slices.ContainsFunc(all, func(c choice) bool { return c.value == value }) {
			all = append(all, choice{words, variable, value})
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if path := filepath.Join(wd, ".venv"); isVenv(path) {
			add("the project's "+path, "VENV_PATH", path)
		}
	}
	if path := s.Getenv("VIRTUAL_ENV"); filepath.IsAbs(path) && isVenv(path) {
		add("the active "+path, "VENV_PATH", path)
	}
	if path := s.Getenv("CONDA_PREFIX"); filepath.IsAbs(path) {
		if info, err := os.Stat(filepath.Join(path, "conda-meta")); err == nil && info.IsDir() {
			add("the active conda environment "+path, "CONDA_ENV_NAME", path)
		}
	}
	return append(all, choice{words: "one that the server makes, with numpy, pandas, matplotlib, pyarrow, jinja2 and tqdm"})
}

func isVenv(path string) bool {
	_, err := os.Stat(filepath.Join(path, "pyvenv.cfg"))
	return err == nil
}

// choose decides in which environment code runs and where code files lie, where that
// is not said yet: a person is asked, else the likeliest is taken, and told.
func (s *setup) choose(chosen []config.Client) {
	given := map[string]string{}
	if !s.environmentGiven() && !s.decidedBefore(chosen) {
		all := s.choices()
		taken := all[0]
		if s.answers != nil && len(all) > 1 {
			taken = all[s.pick("Which Python environment is code to run in?", all)]
		}
		fmt.Fprintf(s.out, "Environment: %s\n", taken.words)
		if taken.variable != "" {
			given[taken.variable] = taken.value
		}
	}
	if s.answers != nil && s.Getenv("CODE_STORAGE_DIR") == "" && s.Getenv("WORK_DIR") == "" && !s.decidedBefore(chosen) {
		fmt.Fprint(s.out, "Directory for code and its files (empty: the client's project, or the server's data directory): ")
		if line := s.line(); line != "" {
			given["CODE_STORAGE_DIR"] = line
		}
	}
	if len(given) > 0 {
		s.Getenv = settings.With(given, s.Getenv)
	}
}

// warnOfMissing says which directory of an environment is not there, where no doctor
// will: the entry is written all the same, for it can be made later.
func (s *setup) warnOfMissing() {
	if !s.DryRun && !s.NoDoctor {
		return
	}
	for _, setting := range settings.Table() {
		value := strings.TrimSpace(s.Getenv(setting.Name))
		if value == "" || strings.Contains(value, "$") || setting.Name != "VENV_PATH" && setting.Name != "UV_VENV_PATH" {
			continue
		}
		path := setting.Absolute(value, server.HomeDir(s.Getenv))
		if _, err := os.Stat(path); filepath.IsAbs(path) && errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(s.errOut, "warning: %s=%s is not there: make the environment, or name another one; until then no code runs\n", setting.Name, path)
		}
	}
}

// decidedBefore reports whether each of the clients has our entry already: what it
// says stays.
func (s *setup) decidedBefore(chosen []config.Client) bool {
	return !slices.ContainsFunc(chosen, func(c config.Client) bool {
		f, err := readFile(s.file(c))
		if err != nil {
			return false
		}
		servers, err := edit.Table(c.Format, f.content, c.Table)
		return err == nil && ownName(servers) == ""
	})
}

// pick asks for one of the choices; an empty answer is the first.
func (s *setup) pick(question string, all []choice) int {
	fmt.Fprintln(s.out, question)
	for i, c := range all {
		fmt.Fprintf(s.out, "  %d  %s\n", i+1, c.words)
	}
	for {
		fmt.Fprintf(s.out, "Number (empty: 1): ")
		line := s.line()
		if line == "" {
			return 0
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(all) {
			return n - 1
		}
		fmt.Fprintf(s.out, "%q is none of 1 to %d.\n", line, len(all))
	}
}

// line is a line of the person's, "" at the end of input.
func (s *setup) line() string {
	line, _ := s.answers.ReadString('\n') // its end is an empty answer
	return strings.TrimSpace(line)
}

// ask asks whether to write a change that was shown.
func (s *setup) ask(c config.Client) error {
	switch {
	case s.Yes || s.DryRun:
		return nil
	case s.answers == nil:
		return fmt.Errorf("not written: nobody can be asked here; pass --yes to write what is shown above, or --dry-run only to see it")
	}
	fmt.Fprint(s.out, "Write this? [Y/n] ")
	if line := strings.ToLower(s.line()); line != "" && line != "y" && line != "yes" {
		fmt.Fprintf(s.out, "%s: not changed\n", c.Title)
		return errDeclined
	}
	return nil
}

// bare are the variables that every client passes on.
func bare() []string {
	return []string{"HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "SystemRoot", "TEMP"}
}

// doctor tries the entry as the client does: with its command, its variables and
// nothing else of this shell's. It returns the exit status.
func (s *setup) doctor(ctx context.Context, c config.Client) int {
	e, err := s.written(c)
	if err != nil {
		fmt.Fprintln(s.errOut, err)
		return 1
	}
	fmt.Fprintf(s.out, "\nTrying it as %s does:\n", c.Title)
	cmd := exec.CommandContext(ctx, e.Command, append(e.Args, "doctor")...)
	for _, name := range bare() {
		if value := s.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	for name, value := range e.Env {
		if !strings.Contains(value, "${") { // which the client fills in
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Dir = s.machine.Home
	cmd.Stdout, cmd.Stderr = s.out, s.errOut
	if err := cmd.Run(); err != nil {
		if _, said := err.(*exec.ExitError); !said {
			fmt.Fprintln(s.errOut, err)
		}
		return 1
	}
	return 0
}

// written is our entry as it stands in the client's file now.
func (s *setup) written(c config.Client) (config.Entry, error) {
	f, err := readFile(s.file(c))
	if err != nil {
		return config.Entry{}, err
	}
	servers, err := edit.Table(c.Format, f.content, c.Table)
	if err != nil {
		return config.Entry{}, err
	}
	entry, _ := servers[ownName(servers)].(map[string]any)
	var words []string
	for _, name := range []string{"command", "cmd", "args"} {
		switch v := entry[name].(type) {
		case string:
			words = append(words, v)
		case []any:
			for _, word := range v {
				words = append(words, fmt.Sprint(word))
			}
		}
	}
	if len(words) == 0 {
		return config.Entry{}, fmt.Errorf("%s: the entry in %s is gone", c.Title, f.path)
	}
	e := config.Entry{Command: words[0], Args: words[1:], Env: map[string]string{}}
	for name, value := range variablesOf(entry) {
		e.Env[name] = fmt.Sprint(value)
	}
	return e, nil
}
