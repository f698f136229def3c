package kernel

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// append stores an output of e in the record.
func (k *Kernel) append(e *Execution, out jupyter.Output) {
	if out.Time.IsZero() {
		out.Time = time.Now()
	}
	pos, err := k.record.Append(e.id, out)
	if err != nil {
		k.log.Warn("recording output", "err", err)
	}
	if k.record.Err() == nil {
		k.dirty() // a power cut loses the last second, also of a run of hours
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e.tail = max(e.tail, pos)
	e.recent.add(out, pos)
	e.changedLocked()
	if e.ended {
		if !slices.Contains(k.late, e.id) {
			k.late = append(k.late, e.id)
		}
		return
	}
	if out.Type == jupyter.OutputStream {
		e.noteLineLocked(out.Text.Inline)
	}
	if out.Type == jupyter.OutputError && out.CommID == "" {
		out.Text = jupyter.Value{} // kept for its name only
		e.errorOutput = &out
	}
	if out.Type == jupyter.OutputExecuteResult && out.ExecutionCount > 0 {
		e.count = out.ExecutionCount
	}
}

// maxLastLine bounds the line kept for progress, in bytes.
const maxLastLine = 160

// noteLineLocked keeps the last line that says something; a bar drawn with
// carriage returns is one line. The caller must hold e.mu.
func (e *Execution) noteLineLocked(text []byte) {
	if len(text) > 4*maxLastLine {
		text = text[len(text)-4*maxLastLine:]
	}
	text = bytes.TrimRight(text, " \t\r\n")
	if i := bytes.LastIndexAny(text, "\r\n"); i >= 0 {
		text = text[i+1:]
	}
	if len(text) > maxLastLine {
		text = text[len(text)-maxLastLine:]
	}
	if len(text) > 0 {
		e.lastLine = strings.ToValidUTF8(string(text), "")
	}
}

// LastLine returns the last line the streams have printed, shortened.
func (e *Execution) LastLine() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lastLine
}
