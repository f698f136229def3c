package render

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	maxTraceback = 4 << 20 // bytes that are read
	maxMessage   = 6000    // characters of an exception's message
	frontFrames  = 8       // frames kept at the beginning of a long traceback …
	backFrames   = 16      // … and at its end
)

// traceback shows an error as IPython reports it, without colours, without
// IPython's own frames, frames of libraries short, the last one whole.
func (r *renderer) traceback(o *jupyter.Output) string {
	b, err := o.Text.Bytes(maxTraceback)
	if err != nil {
		return r.unreadable(o.Text, err)
	}
	lines := r.cleanLines(b)
	if len(lines) == 0 {
		message := strings.TrimSuffix(o.Ename+": "+o.Evalue, ": ")
		if o.Ename == "" && o.Evalue != "" { // bash_kernel names none
			message = "error: " + o.Evalue
		}
		if r.text.endsWith(message) {
			return "" // it is in stderr, or within what rich has displayed
		}
		return r.shortMessage(message)
	}
	var shown []string
	parts := splitExceptions(lines)
	if !slices.ContainsFunc(parts, concernsUser) {
		parts = parts[len(parts)-1:] // what IPython stumbled over: the last word says it
		parts[0] = parts[0][messageAt(parts[0]):]
	}
	for i, part := range parts {
		shown = append(shown, r.exception(part, i == len(parts)-1)...)
	}
	for len(shown) > 0 && shown[len(shown)-1] == "" {
		shown = shown[:len(shown)-1]
	}
	return escapeTraceback(shown)
}

// escapeTraceback escapes lines that look like ours, but for our own.
func escapeTraceback(lines []string) string {
	var text strings.Builder
	for i, line := range lines {
		if i > 0 {
			text.WriteByte('\n')
		}
		if own, found := strings.CutPrefix(line, ownLine); found {
			text.WriteString(own)
		} else {
			text.WriteString(EscapeLine(line))
		}
	}
	return text.String()
}

// ownLine begins lines of ours inside a traceback that is not escaped yet. No
// cleaned text holds a NUL.
const ownLine = "\x00"

// cleanLines drops colours and shows controls.
func (r *renderer) cleanLines(b []byte) []string {
	var text strings.Builder
	screen := newTerminal(func(settled []byte) { text.Write(settled) })
	_, _ = screen.Write(b)
	screen.finish()
	s := strings.Trim(string(cellNames([]byte(text.String()), r.options.Cell, true)), "\n")
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// splitExceptions cuts the lines of a chained traceback before the sentences
// that join its exceptions.
func splitExceptions(lines []string) [][]string {
	var parts [][]string
	start := 0
	for i, line := range lines {
		if i > start && (line == "The above exception was the direct cause of the following exception:" ||
			line == "During handling of the above exception, another exception occurred:") {
			parts = append(parts, lines[start:i])
			start = i
		}
	}
	return append(parts, lines[start:])
}

// A frame's first line: IPython 8 and 9, IPython 7, plain Python, IPython for a
// SyntaxError.
var (
	frameLine   = regexp.MustCompile(`^(Cell In ?\[\d+\]|Input In \[\d+\]|File .*:\d+|<ipython-input-\S+> in|[~/.]\S*\.pyx? in |[A-Za-z]:\\\S* in |<[\w. ]+>(:\d+)? in |  File "[^"]+", line \d+|  File .+:\d+( in .*)?$|  Cell In ?\[\d+\](, line \d+)?( in .*)?$)`)
	contextLine = regexp.MustCompile(`^(-+>\s*)?\s*\d+( |$)`)
	gapLine     = regexp.MustCompile(`^ *\(\.\.\.\)`) // IPython leaves lines of a statement out
	arrowLine   = regexp.MustCompile(`^-+>`)
	headLine    = regexp.MustCompile(`^(\S+)\s+Traceback \(most recent call last\):?$`)
	rulerLine   = regexp.MustCompile(`^-{60,}$`)
	hiddenLine  = regexp.MustCompile(`^\s*\[\.\.\. skipping hidden \d+ frames?\]$`) // the launcher's, in a run of a file
)

const tracebackHead = "Traceback (most recent call last):"

// frame is one frame of a traceback with its source lines.
type frame struct{ lines []string }

func (f frame) header() string { return f.lines[0] }

// exception shows one exception of a chain.
func (r *renderer) exception(lines []string, last bool) []string {
	var before, after []string
	var frames []frame
	i := 0
	for ; i < len(lines) && !frameLine.MatchString(lines[i]); i++ {
		switch {
		case rulerLine.MatchString(lines[i]):
		case hiddenLine.MatchString(lines[i]) && len(before) > 0 && before[len(before)-1] == tracebackHead:
		case headLine.MatchString(lines[i]):
			before = append(before, tracebackHead)
		default:
			before = append(before, lines[i])
		}
	}
	if i == len(lines) { // a SyntaxError, an exception group, a message alone
		return slices.Concat(cutMessage(trimBlank(before), r.options.ReadOn), []string{""})
	}
	before = trimBlank(before)
	for i < len(lines) && frameLine.MatchString(lines[i]) {
		n := frameLength(lines[i:])
		frames = append(frames, frame{trimBlank(lines[i : i+n])})
		i += n
	}
	after = lines[i:]
	return slices.Concat(before, r.frames(frames, last), cutMessage(trimBlank(after), r.options.ReadOn), []string{""})
}

// concernsUser tells an exception that has a frame which is not IPython's or ours, or
// no traceback at all.
func concernsUser(lines []string) bool {
	traced := false
	for _, line := range lines {
		if frameLine.MatchString(line) && !hidden(line) {
			return true
		}
		traced = traced || headLine.MatchString(line) || frameLine.MatchString(line)
	}
	return !traced
}

// messageAt returns where the message of an exception begins, behind its head and its
// frames.
func messageAt(lines []string) int {
	i := slices.IndexFunc(lines, headLine.MatchString) + 1
	for i < len(lines)-1 && (frameLine.MatchString(lines[i]) || hiddenLine.MatchString(lines[i]) || lines[i] == "") {
		if frameLine.MatchString(lines[i]) {
			i += frameLength(lines[i:])
		} else {
			i++
		}
	}
	return i
}

// skippedFrames tells IPython's own remarks between frames.
func skippedFrames(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "[... skipping ") || strings.HasPrefix(line, "... last ") && strings.Contains(line, "repeated")
}

// frameLength returns how many lines the frame takes that lines begin with. One
// that IPython wrote ends in a blank line, whatever lies before it.
func frameLength(lines []string) int {
	indented := strings.HasPrefix(lines[0], "  ") // source lines have no numbers
	blank := false
	for i := 1; i < len(lines); i++ {
		line := lines[i]
		switch {
		case frameLine.MatchString(line):
			return i
		case line == "":
			blank = true
		case indented && (strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "  [Previous line repeated")):
		case indented:
			return i
		case !blank && i > 1:
		case contextLine.MatchString(line) || gapLine.MatchString(line) || skippedFrames(line) || !blank && line[0] == ' ':
		default:
			return i
		}
	}
	return len(lines)
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// frames shows the frames of one exception.
func (r *renderer) frames(frames []frame, last bool) []string {
	frames = slices.DeleteFunc(slices.Clone(frames), func(f frame) bool { return hidden(f.header()) })
	var shown []string
	gap, kept := 0, keptFrames(frames)
	for i := 0; i < len(frames); i++ {
		if period, times := repeats(frames[i:]); times > 2 {
			for _, f := range frames[i : i+period] {
				shown = append(shown, f.shown(false)...)
			}
			shown = append(shown, fmt.Sprintf("%s[repeated %s more: %s]", ownLine, plural(times-1, "time"), "the "+plural(period, "frame")+" above"), "")
			i += period*times - 1
			continue
		}
		if !kept[i] {
			if gap++; kept[i+1] {
				shown = append(shown, fmt.Sprintf("%s[cut: %s not shown]", ownLine, plural(gap, "frame")), "")
				gap = 0
			}
			continue
		}
		whole := !library(frames[i].header()) || i == len(frames)-1 && last
		shown = append(shown, frames[i].shown(whole)...)
	}
	return shown
}

// keptFrames chooses the frames of a long traceback that are shown: those at its
// ends, and between them the user's own, up to as many.
func keptFrames(frames []frame) []bool {
	kept := make([]bool, len(frames))
	own, seen := 0, 0
	for _, f := range frames {
		if !library(f.header()) {
			own++
		}
	}
	for i, f := range frames {
		kept[i] = i < frontFrames || i >= len(frames)-backFrames
		if !library(f.header()) {
			kept[i] = kept[i] || seen < frontFrames || seen >= own-backFrames
			seen++
		}
	}
	return kept
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// repeats finds frames that recur right after each other, up to three at a
// time: a recursion.
func repeats(frames []frame) (period, times int) {
	for period = 1; period <= 3; period++ {
		times = 1
		for (times+1)*period <= len(frames) && slices.EqualFunc(frames[:period], frames[times*period:(times+1)*period],
			func(a, b frame) bool { return slices.Equal(a.lines, b.lines) }) {
			times++
		}
		if times > 2 {
			return period, times
		}
	}
	return 1, 1
}

// shown returns a frame's lines: all of them, or only those that say where
// it stood.
func (f frame) shown(whole bool) []string {
	var lines []string
	for i, line := range f.lines {
		hiddenNote := skippedFrames(line) && strings.Contains(line, "hidden")
		if strings.Contains(line, noSource) {
			continue
		}
		if !hiddenNote && (whole || i == 0 || arrowLine.MatchString(line) || skippedFrames(line) || strings.HasPrefix(f.lines[0], "  ")) {
			if i == 0 {
				line = shortSignature(line)
			}
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	if strings.HasPrefix(f.lines[0], "  ") { // Python's own format has no blank lines
		return lines
	}
	return append(trimBlank(lines), "")
}

// maxSignature bounds the arguments in a frame's first line, in bytes: those of
// pandas.read_csv are 900.
const maxSignature = 60

// shortSignature cuts them at a comma.
func shortSignature(header string) string {
	header = strings.Replace(header, "(***failed resolving arguments***)", "()", 1) // the code has deleted one
	at := strings.Index(header, "(")
	if at < 0 || !strings.HasSuffix(header, ")") || len(header)-at <= 2*maxSignature {
		return header
	}
	end := strings.LastIndex(header[:at+maxSignature+3], ", ")
	if end < at {
		return header
	}
	return header[:end] + ", …)"
}

// hidden tells frames that are not the user's business: IPython's, ours.
func hidden(header string) bool {
	path := strings.ReplaceAll(header, `\`, "/")
	for _, part := range []string{"/IPython/", "/ipykernel/", "/ipykernel_launcher.py", "/jupyter_client/", "/mce_launch/"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// noSource is IPython's source line for compiled code.
const noSource = "'Could not get source, probably due dynamically evaluated source code.'"

var libraryPath = regexp.MustCompile(`^File [^/~:]+\.(pyx|pxi):|/(site|dist)-packages/|/lib(64)?/python\d|/Lib/|^File <frozen |<__array_function__|python\d+\.zip/`)

// library tells frames of installed packages and the standard library.
func library(header string) bool {
	return libraryPath.MatchString(strings.ReplaceAll(header, `\`, "/"))
}

// cutMessage keeps the beginning and the end of a long message, and what it says of
// the user's own frames: some hold tracebacks of other processes, or of several
// fits.
func cutMessage(lines []string, readOn string) []string {
	text := strings.Join(lines, "\n")
	if len(text) <= maxMessage {
		return lines
	}
	if short := withoutLibraries(lines); len(short) < len(lines) {
		return cutMessage(short, readOn)
	}
	chars := []byte(text)
	front := prefix(chars, maxMessage*2/3)
	back := max(front, suffix(chars, maxMessage/3))
	if back == front {
		return lines
	}
	var gone size
	gone.add(chars[front:back])
	shown := strings.Split(text[:front], "\n")
	shown = append(shown, ownLine+cutNote(gone, readOn))
	shown = append(shown, ownFrames(text[front:back])...)
	return append(shown, strings.Split(text[back:], "\n")...)
}

// quotedFrame is a frame's first line in the text of a traceback, which may stand in
// the margin of an exception group.
var quotedFrame = regexp.MustCompile(`^([ |]*)  File "([^"]+)", line \d+`)

// withoutLibraries leaves out the marks below the source of libraries' frames, and of
// many such frames in a row all but two.
func withoutLibraries(lines []string) (shown []string) {
	var run [][]string // frames of libraries
	flush := func() {
		if n := len(run) - 2; n > 1 {
			run = [][]string{run[0], {ownLine + fmt.Sprintf("[cut: %d frames not shown]", n)}, run[n+1]}
		}
		for _, f := range run {
			shown = append(shown, f...)
		}
		run = nil
	}
	for i := 0; i < len(lines); {
		n := quotedLength(lines[i:])
		if n == 0 || !library(`"`+quotedFrame.FindStringSubmatch(lines[i])[2]) {
			flush()
			shown = append(shown, lines[i:i+max(n, 1)]...)
			i += max(n, 1)
			continue
		}
		run = append(run, lines[i:i+min(n, 2)])
		i += n
	}
	flush()
	return shown
}

// quotedLength returns how many lines the frame takes that lines begin with in the
// text of a traceback; 0 when there is none.
func quotedLength(lines []string) int {
	m := quotedFrame.FindStringSubmatch(lines[0])
	if m == nil {
		return 0
	}
	n := 1
	for n < len(lines) && strings.HasPrefix(lines[n], m[1]+"    ") {
		n++
	}
	return n
}

// maxOwn bounds what is kept of the user's frames in the middle of a message, in
// bytes.
const maxOwn = 3000

// ownFrames returns the frames of the user's in a text that is cut.
func ownFrames(text string) (shown []string) {
	lines, size := strings.Split(text, "\n"), 0
	for i := 1; i < len(lines); i++ { // the first line is not whole
		n := quotedLength(lines[i:])
		if n == 0 || library(`"`+quotedFrame.FindStringSubmatch(lines[i])[2]) {
			continue
		}
		own := lines[i : i+n]
		if size += len(strings.Join(own, "\n")); size > maxOwn {
			break
		}
		if !slices.Contains(shown, own[0]) {
			shown = append(shown, own...)
		}
		i += n - 1
	}
	return shown
}

// shortMessage is an error without a traceback: some errors come only in the
// kernel's reply (an exception group, an unknown magic).
func (r *renderer) shortMessage(message string) string {
	if strings.TrimSpace(message) == "" {
		return "[error without a message]"
	}
	lines := r.cleanLines([]byte(message))
	if len(lines) == 0 {
		lines = []string{strconv.Quote(message)}
	}
	return escapeTraceback(cutMessage(lines, r.options.ReadOn))
}
