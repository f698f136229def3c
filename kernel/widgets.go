package kernel

import (
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// widgetPause is the time between two states of a running cell's widgets in the
// record: a bar changes ten times a second.
const widgetPause = 2 * time.Second

// widgets tells of the widgets that a cell shows. Only the iopub reader uses it.
type widgets struct {
	jupyter.Widgets
	told time.Time
}

// note takes note of a comm message for e, and tells of the new state if enough
// time has passed since the last one.
func (w *widgets) note(k *Kernel, e *Execution, msg *jupyter.Message) {
	w.Note(msg)
	if time.Since(w.told) >= widgetPause && !e.isIdle() {
		w.tell(k, e)
	}
}

// tell appends the states that widgets have come to to the output of e.
func (w *widgets) tell(k *Kernel, e *Execution) {
	w.told = time.Now()
	for _, out := range w.Changed() {
		k.append(e, out)
	}
}
