package kernel

import (
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// maxRecent bounds what an execution keeps in memory of its output, in bytes.
const maxRecent = 32 << 10

// recent holds the output of an execution while it is small, so that the answer
// to most calls needs no reading of the record: opening and decoding it is a
// third of what this server adds to a warm call. Anything large, or that the
// record keeps as a file, ends it for good.
type recent struct {
	outputs []recentOutput
	bytes   int
	over    bool
}

type recentOutput struct {
	next   record.Position // the cursor that has seen it
	output jupyter.Output
}

// add keeps out, or gives up.
func (r *recent) add(out jupyter.Output, next record.Position) {
	if r.over {
		return
	}
	size := len(out.Text.Inline)
	for mime, v := range out.Data {
		if !strings.HasPrefix(mime, "text/") || mime == "text/html" && jupyter.NeedsBrowser(v.Inline) ||
			(mime == "text/html" || mime == "text/markdown") && jupyter.HoldsMedia(v.Inline) {
			r.drop() // may be a file beside the record, whose path is told
			return
		}
		size += len(v.Inline)
	}
	if r.bytes += size + 200; r.bytes > maxRecent {
		r.drop()
		return
	}
	r.outputs = append(r.outputs, recentOutput{next: next, output: out})
}

func (r *recent) drop() { *r = recent{over: true} }

// Recent returns the outputs between two cursors, if they are in memory.
func (e *Execution) Recent(from, to record.Position) ([]jupyter.Output, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.recent.over {
		return nil, false
	}
	var outputs []jupyter.Output
	for _, r := range e.recent.outputs {
		if r.next > from && r.next <= to {
			outputs = append(outputs, r.output)
		}
	}
	return outputs, true
}

// Forget frees what the execution keeps in memory; its output stays in the record,
// and what the dead process wrote last with whoever has the result.
func (e *Execution) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recent.drop()
	if e.result.Exit != nil {
		exit := *e.result.Exit
		exit.Tail = nil
		e.result.Exit = &exit
	}
}

// TakeLate returns the ids of executions that have put out something after their
// end, since it was called last.
func (k *Kernel) TakeLate() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	late := k.late
	k.late = nil
	return late
}
