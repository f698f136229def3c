package render

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// An answer mixes lines of ours ("[ok …", "[stderr]", "[cut: …", "Out[3]: …")
// with text the code printed. The convention that keeps them apart:
//
//   - a line of ours begins with "[" and one of the words of [ourWord], or
//     with "Out[" and a digit;
//   - a line of the code's that begins so, after blanks, invisible characters
//     and backslashes, is shown with one more backslash before the bracket
//     (before "Out"): "\[ok | session=default]".
//
// So a line that looks like ours is ours, and taking one backslash away gives
// back what the code printed.

// ourWord tells the words that lines of ours begin with.
func ourWord(word string) bool {
	switch word {
	case "ok", "error", "running", "queued", "preparing", "installing", "starting", "waiting", // states
		"interrupted", "interrupting", "cancelled", "aborted", "died", "dead", "lost", "restarted", "killed", "done", "finished",
		"stdout", "stderr", "display", "image", "pager", "next", "input", "notice", "cleared", "updated", "cut", "repeated", // outputs
		"plotly", "vega", "bokeh", "html", "svg", "pdf", "audio", "video", "data", "json", "latex", "markdown", "traceback",
		"session", "execution", "cell", "notebook", "state", "failed", "new", "file", "files", "note", "warning", "unknown", "no", "late", "earlier", "output", "end", "not", "exit", "exited", "timeout":
		return true
	}
	return false
}

// markAt returns where in a line of the code's the backslash goes, or -1 when
// the line does not look like one of ours.
func markAt(line []byte) int {
	i := 0
	for i < len(line) {
		c := line[i]
		if c == '[' || c == 'O' {
			break
		}
		if c > ' ' && c < utf8.RuneSelf && c != '\\' {
			return -1
		}
		r, size := utf8.DecodeRune(line[i:])
		if r != '\\' && !invisible(r) {
			return -1
		}
		i += size
	}
	rest := line[i:]
	if after, found := bytes.CutPrefix(rest, []byte("Out[")); found {
		if len(after) > 0 && after[0] >= '0' && after[0] <= '9' {
			return i
		}
		return -1
	}
	if len(rest) == 0 || rest[0] != '[' {
		return -1
	}
	word := rest[1:]
	end := bytes.IndexFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !invisible(r) || r == ' ' })
	if end >= 0 {
		word = word[:end]
	}
	if len(word) > 64 {
		return -1
	}
	letters := strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, string(word))
	if ourWord(letters) {
		return i
	}
	return -1
}

// invisible tells runes a reader does not see before a bracket.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) || r == 0x3164 || r == 0x115f || r == 0x1160
}

// EscapeLine returns a line of the code's as it is shown.
func EscapeLine(line string) string {
	if len(line) == 0 || line[0] > ' ' && line[0] < utf8.RuneSelf && line[0] != '[' && line[0] != '\\' && line[0] != 'O' {
		return line
	}
	if i := markAt([]byte(line)); i >= 0 {
		return line[:i] + `\` + line[i:]
	}
	return line
}

// noteLine words a remark of the launcher's, "" when there is none: code cannot put words
// into our mouth.
func noteLine(v jupyter.Value) string {
	key, err := v.Bytes(100)
	if err != nil {
		return ""
	}
	switch string(key) {
	case "empty-figure":
		return "[note: this figure is new and empty: the one before was closed when it was shown. Draw a figure whole in one call, " +
			"or keep it (fig, ax = plt.subplots()), draw on ax and end with fig]"
	case "blank-file":
		return "[note: the saved figure is blank: the one before was closed when it was shown. Call savefig before plt.show(), or fig.savefig]"
	case "unseen-figure":
		return "[note: a figure was drawn and is not shown: this backend shows none by itself. plt.show() shows it; %matplotlib inline shows figures at the end of each run]"
	case "interactive-figures":
		return "[note: interactive figures cannot be shown here: figures are shown as pictures, as with %matplotlib inline]"
	case "loaded-ahead":
		return "[note: this library was loaded before its files, its dependencies or variables that it reads (such as OMP_NUM_THREADS) were changed. " +
			"To use it with the change, restart the session; set variables in the first run]"
	case "no-background":
		return "[note: IPython starts no background processes. subprocess.Popen does, and they go on after this run until the session ends: " +
			"p = subprocess.Popen(\"COMMAND\", shell=True); p.poll() is None while it runs, p.terminate() ends it]"
	case "no-window":
		return "[note: no window can be opened here: %matplotlib inline shows figures as pictures]"
	}
	return failedCommands(string(key))
}

// failedCommands words "failed-commands COUNT STATUS": the shell commands of a run that
// ended with a status other than 0, and that of the last.
func failedCommands(key string) string {
	var count, status int
	if n, _ := fmt.Sscanf(key, "failed-commands %d %d", &count, &status); n != 2 || count < 1 {
		return ""
	}
	if count == 1 {
		return fmt.Sprintf("[note: the shell command ended with status %d]", status)
	}
	return fmt.Sprintf("[note: %d shell commands ended with a status other than 0, the last of them with %d]", count, status)
}
