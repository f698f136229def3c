package session

import (
	"context"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// LineQuery says which lines of an execution's log are wanted.
type LineQuery = record.LineQuery

// LineResult is what was found.
type LineResult = record.LineResult

// Lines goes through the log of the execution: all it has printed and shown, as
// text, whatever its size. One that has not run has no lines.
func (e *Execution) Lines(ctx context.Context, q LineQuery) (LineResult, error) {
	e.session.mu.Lock()
	k, running := e.kernel, e.running
	e.session.mu.Unlock()
	if running == nil {
		return LineResult{}, nil
	}
	from, to := running.Range()
	return record.SelectLines(ctx, k.Record().Read(e.id, from, to), q)
}
