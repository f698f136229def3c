package mcp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// atExit is the kind of a callback that was registered with atexit.
const atExit = "atexit"

// maxNamed bounds how many threads and processes a line names.
const maxNamed = 5

// leftoverLines say what a run has left behind that changes what comes: streams
// that are not the kernel's, and what a script left running.
func leftoverLines(r session.Report) []string {
	if r.Fresh { // its kernel has ended
		if len(r.LeftOver) == 0 {
			return nil
		}
		return []string{"[note: the script has ended, and with its kernel ended what it had left running: " + named(r.LeftOver, func(l session.Running) string { return fileName(l.Name) }) +
			". Wait for it in the script; or run the script without fresh: then it goes on until the session ends]"}
	}
	var lines []string
	if words := replacedWords(r.Replaced); words != "" {
		lines = append(lines, "[note: "+words+"]")
	}
	if len(r.Restored) > 0 {
		lines = append(lines, "[note: the code had taken from Python what nothing works without ("+named(r.Restored, fileName)+"): it was put back]")
	}
	if r.DirectoryGone {
		lines = append(lines, "[note: the working directory is not there any more: relative paths fail until os.chdir(…) goes to another one]")
	}
	callbacks := slices.DeleteFunc(slices.Clone(r.LeftOver), func(l session.Running) bool { return l.Kind != atExit })
	running := slices.DeleteFunc(slices.Clone(r.LeftOver), func(l session.Running) bool { return l.Kind == atExit })
	if words := runningWords(running); words != "" {
		lines = append(lines, "[note: "+words+"]")
	}
	if len(callbacks) > 0 {
		lines = append(lines, fmt.Sprintf("[note: the script has ended, but its atexit callbacks have not run: %s. They run when the session's kernel ends; "+
			"with fresh: true they run at the script's end, as in Python]", named(callbacks, func(l session.Running) string { return fileName(l.Name) })))
	}
	return lines
}

// replacedWords says where the output of later runs goes.
func replacedWords(replaced []session.Replaced) string {
	var words, restore, places []string
	sure := true
	for i, s := range replaced {
		by := fileName(s.By)
		sure = sure && s.Sure
		switch s.Stream {
		case "stdout", "stderr":
			places = append(places, s.Stream)
			restore = append(restore, fmt.Sprintf("sys.%s = sys.__%s__", s.Stream, s.Stream))
			if s.Stream == "stderr" && i > 0 && replaced[i-1].By == s.By { // both in one place
				words[i-1] = fmt.Sprintf("sys.stdout and sys.stderr are %s", by)
				continue
			}
			words = append(words, fmt.Sprintf("sys.%s is %s", s.Stream, by))
		case "fd1", "fd2":
			n := strings.TrimPrefix(s.Stream, "fd")
			name := map[string]string{"1": "stdout", "2": "stderr"}[n]
			places = append(places, "descriptor "+n)
			restore = append(restore, fmt.Sprintf("os.dup2(COPY, %s), if the code kept a copy of it,", n))
			if by == "nothing" {
				by = "nothing, for the code has closed it"
			}
			words = append(words, fmt.Sprintf("file descriptor %s (%s) leads to %s", n, name, by))
		case "displays":
			places = append(places, "displays")
			restore = append(restore, "the __exit__ of what captures them")
			words = append(words, "displays go to "+by)
		}
	}
	if len(words) == 0 {
		return ""
	}
	where := "goes there and is not shown"
	if !sure {
		where += " unless it is passed on"
	}
	who := ", put there by the code"
	if strings.HasSuffix(words[len(words)-1], "closed it") {
		who = ""
	}
	return fmt.Sprintf("%s%s: what is written to %s %s. %s puts it back", strings.Join(words, ", "), who, strings.Join(places, " and "), where, strings.Join(restore, "; "))
}

// runningWords says what a script has left running, and how to wait for it.
func runningWords(left []session.Running) string {
	if len(left) == 0 {
		return ""
	}
	waits := false
	words := named(left, func(l session.Running) string {
		waits = waits || l.Kind != "daemon"
		if l.Kind == "daemon" {
			return "daemon thread " + fileName(l.Name)
		}
		return l.Kind + " " + fileName(l.Name)
	})
	advice := "fresh: true ends them with the script, as Python does"
	if waits {
		advice = "with fresh: true the run waits for them, as Python does"
	}
	return fmt.Sprintf("the script has ended, but it left running: %s. Later answers show what they print; %s", words, advice)
}

// named lists the first of what a run has left.
func named[T any](left []T, name func(T) string) string {
	var words []string
	for i, l := range left {
		if i == maxNamed {
			words = append(words, fmt.Sprintf("%d more", len(left)-i))
			break
		}
		words = append(words, name(l))
	}
	return strings.Join(words, ", ")
}

// filesLine names the files a run made or changed, or is "".
func filesLine(r session.Report) string {
	if len(r.Files) == 0 {
		return ""
	}
	words := make([]string, len(r.Files))
	for i, f := range r.Files {
		state := ""
		if f.New {
			state = "new, "
		}
		words[i] = fmt.Sprintf("%s (%s%s)", fileName(f.Name), state, render.ByteSize(f.Size))
	}
	line := "[files changed meanwhile: " + strings.Join(words, ", ")
	if more := r.FilesTotal - len(r.Files); more > 0 {
		line += fmt.Sprintf(", and %d more", more)
	}
	return line + "]"
}

// fileName quotes a name that could be taken for something else.
func fileName(name string) string {
	for _, c := range name {
		if !strconv.IsPrint(c) || strings.ContainsRune(`[]"\,`, c) || c == '�' {
			return render.FirstRunes(strconv.Quote(name), 200)
		}
	}
	return render.FirstRunes(name, 200)
}
