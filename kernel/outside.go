package kernel

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
)

// outside is what is known of a kernel's output beside its messages: what the
// guard read in its place, and how far each stream has come, so that what a
// kernel had not sent when it died can be taken from its file. kernel.mu protects
// it.
type outside struct {
	file   string // see launch.ReadUnsent; "" for none
	stream [3]outsideStream
	noted  string // id of the execution that has been told of a stall
	early  []byte // what came before the first execution, its end
	kept   bool   // early has what the file held
}

// outsideStream is one of the streams, 1 stdout and 2 stderr.
type outsideStream struct {
	seen  int64  // characters that have come in messages, or been read in the file
	taken int64  // the part of them that was read in the file: messages bring it again
	part  []byte // the start of a character that the next text completes
	rest  []byte // what the guard read after the kernel's death

	// Of a shared kernel, in characters:
	come  int64 // in messages
	begun int64 // that it had taken when the latest run began
	late  int64 // of those, what had not come then: lost, or on its way
}

var streamNames = [3]string{1: "stdout", 2: "stderr"}

// fromGuard is given what the guard read in the kernel's place.
func (k *Kernel) fromGuard(stream int, text []byte, dead bool) {
	if stream < 1 || stream > 2 {
		return
	}
	k.mu.Lock()
	s := &k.outside.stream[stream]
	if dead {
		s.rest = append(s.rest, text...) // its messages may still be on their way
		k.mu.Unlock()
		return
	}
	e := k.current
	if e == nil {
		e = k.latest // a child in the background
	}
	if e == nil {
		k.keepEarlyLocked(text)
		k.mu.Unlock()
		return
	}
	noted := k.outside.noted == e.id
	k.outside.noted = e.id
	text = s.whole(text)
	k.mu.Unlock()
	// What Python printed before it stood still comes first.
	k.appendUnsent(e, 1, false)
	k.appendUnsent(e, 2, false)
	if !noted {
		k.append(e, notice(k.stoodStill()))
	}
	k.append(e, streamOutput(stream, string(text)))
}

// awaitGuard waits for what the guard has read of the output of e, which is over, and for
// the signals that it was told to send.
func (k *Kernel) awaitGuard(e *Execution) {
	k.mu.Lock()
	read := k.outside.noted == e.id || e.signalled
	k.mu.Unlock()
	if read {
		k.process.AwaitOutput()
	}
}

// keepEarlyLocked keeps the end of what belongs to no execution, for the error of
// a start that fails. The caller must hold kernel.mu.
func (k *Kernel) keepEarlyLocked(text []byte) {
	early := append(k.outside.early, text...)
	k.outside.early = early[max(0, len(early)-guard.RingSize):]
}

// whole returns the whole characters of text and keeps the rest for the next one.
func (s *outsideStream) whole(text []byte) []byte {
	text = append(s.part, text...)
	end := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if c := text[len(text)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(text[len(text)-i:]) {
				end = len(text) - i
			}
			break
		}
	}
	s.part = bytes.Clone(text[end:])
	return bytes.ToValidUTF8(text[:end], []byte("\ufffd"))
}

// appendUnsent gives e what the stream has taken and no message has brought. While
// the kernel lives its messages will, so nothing is taken unless all of it is there.
// It returns what the file held, nil where there is none.
func (k *Kernel) appendUnsent(e *Execution, stream int, dead bool) launch.Unsent {
	if k.outside.file == "" {
		return nil
	}
	file, err := launch.ReadUnsent(k.outside.file)
	if err != nil {
		k.log.Warn("reading unsent output", "err", err)
		return nil
	}
	k.mu.Lock()
	s := &k.outside.stream[stream]
	text, total, missing := file.After(stream, s.seen)
	if missing > 0 && !dead {
		k.mu.Unlock()
		return file
	}
	s.seen, s.taken = max(s.seen, total), max(s.taken, total)
	k.mu.Unlock()
	if missing > 0 {
		k.append(e, notice(fmt.Sprintf("%d characters of %s are lost: the kernel had not sent them when it stopped.", missing, streamNames[stream])))
	}
	if text != "" {
		k.append(e, streamOutput(stream, text))
	}
	return file
}

// takeRest gives the execution that a death has ended what was written before it
// and has not come in messages. Without one it is kept for the exit's last words.
func (k *Kernel) takeRest() {
	k.mu.Lock()
	e := k.current
	k.mu.Unlock()
	if e == nil {
		k.keepRest()
		return
	}
	for stream := 1; stream <= 2; stream++ {
		file := k.appendUnsent(e, stream, true)
		k.mu.Lock()
		s := &k.outside.stream[stream]
		if file != nil {
			s.part = append(s.part, file.Landed(stream)...)
		}
		text := bytes.ToValidUTF8(append(s.part, s.rest...), []byte("\ufffd"))
		s.part, s.rest = nil, nil
		k.mu.Unlock()
		if len(text) > 0 {
			k.append(e, streamOutput(stream, string(text)))
		}
	}
}

// keepRest keeps the last words of a kernel that died outside of a run. Those of
// a start are all of them: its messages have no execution to go to.
func (k *Kernel) keepRest() {
	file, err := launch.ReadUnsent(k.outside.file)
	k.mu.Lock()
	defer k.mu.Unlock()
	for stream := 1; stream <= 2; stream++ {
		s := &k.outside.stream[stream]
		if err == nil {
			seen := s.seen
			if k.latest == nil && !k.outside.kept {
				seen = 0
			}
			text, total, _ := file.After(stream, seen)
			s.seen = max(s.seen, total)
			k.keepEarlyLocked([]byte(text))
			if !k.outside.kept {
				k.keepEarlyLocked(file.Landed(stream))
			}
		}
		k.keepEarlyLocked(append(s.part, s.rest...))
		s.part, s.rest = nil, nil
	}
	k.outside.kept = true
}

// lastWords is the end of what the process said outside of executions.
func (k *Kernel) lastWords(log []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.outside.early) == 0 {
		return log
	}
	return append(bytes.Clone(k.outside.early), log...)
}

// arrived notes how far a stream has come with a message, and returns how many
// characters at its start have been read in the kernel's file before.
func (k *Kernel) arrived(msg *jupyter.Message) (again int64) {
	if msg.Header.MsgType != jupyter.MsgStream {
		return 0
	}
	t, ok := launch.TextOf(msg.Metadata)
	if k.spec.Share.On() {
		k.count(msg, t, ok)
	}
	if !ok {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &k.outside.stream[t.Stream]
	s.seen = max(s.seen, t.To)
	return max(0, min(s.taken, t.To)-t.From)
}

// without is text without its first n characters.
func without(text []byte, n int64) []byte {
	for ; n > 0 && len(text) > 0; n-- {
		_, size := utf8.DecodeRune(text)
		text = text[size:]
	}
	return text
}

func streamOutput(stream int, text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Name: streamNames[stream], Text: jupyter.TextValue(text)}
}

// count notes how much of a stream of a shared kernel has come. Where the message does not
// say, as where threads print across each other, its text is counted.
func (k *Kernel) count(msg *jupyter.Message, t launch.Text, known bool) {
	stream, n := t.Stream, t.To-t.From
	if !known || n == 0 {
		out, _ := jupyter.OutputFrom(msg)
		stream, n = max(0, slices.Index(streamNames[:], out.Name)), int64(utf8.RuneCount(out.Text.Inline))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outside.stream[stream].come += n
}

// noteBegun notes what the streams of a shared kernel have taken before a run, and what of
// it has not come: that is not the run's.
func (k *Kernel) noteBegun() {
	if !k.spec.Share.On() || k.outside.file == "" {
		return
	}
	file, err := launch.ReadUnsent(k.outside.file)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for stream := 1; stream <= 2; stream++ {
		s := &k.outside.stream[stream]
		_, s.begun, _ = file.After(stream, 0)
		s.late = s.begun - s.come // negative where more has come since the file was read
	}
}

// takeDropped gives e, which is over, what a shared kernel has dropped at its end, as far
// as that is still in its file, and says how much of the output is lost.
func (k *Kernel) takeDropped(e *Execution) {
	if !k.spec.Share.On() {
		return
	}
	k.mu.Lock()
	taken := e.ending.Taken
	k.mu.Unlock()
	var lost int64
	for stream := 1; stream <= 2 && len(taken) == 2; stream++ {
		lost += k.takeEnd(e, stream, taken[stream-1])
	}
	if lost > 0 {
		k.append(e, notice(fmt.Sprintf("%d characters of this run's output are lost, and perhaps displays: another client of the kernel (a console, a notebook) "+
			"did not read, and the kernel does not wait for it.", lost)))
	}
}

// lost is how many of the characters that the stream had taken at the end of a run have
// not come, without those that had not come at its beginning.
func (s *outsideStream) lost(taken int64) int64 { return max(0, taken-s.come-max(0, s.late)) }

// takeEnd gives e the end of a stream that has not come and is in the file, and returns
// how much of the run's text is lost; taken is how much the stream has taken in all.
func (k *Kernel) takeEnd(e *Execution, stream int, taken int64) (lost int64) {
	k.mu.Lock()
	s := &k.outside.stream[stream]
	lost = s.lost(taken)
	from := max(s.seen, s.begun)
	if lost > 0 && taken > from {
		s.seen, s.taken = taken, max(s.taken, taken)
	}
	k.mu.Unlock()
	if lost == 0 || taken <= from {
		return lost
	}
	file, err := launch.ReadUnsent(k.outside.file)
	if err != nil {
		return lost
	}
	text, total, _ := file.After(stream, from)
	runes := []rune(text)
	text = string(runes[:max(0, int64(len(runes))-max(0, total-taken))]) // what came since is not the run's
	if text != "" {
		k.append(e, streamOutput(stream, text))
	}
	return max(0, lost-int64(utf8.RuneCountInString(text)))
}
