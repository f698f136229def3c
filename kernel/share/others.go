package share

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Others is what other clients of a kernel run in it, as far as iopub tells. The zero
// value is ready; its methods are safe for concurrent use.
type Others struct {
	mu      sync.Mutex     // protects the fields below
	running map[string]int // by msg_id: its execution count, 0 if not known
	free    chan struct{}  // closed when nothing of others runs; nil when nothing does
	ran     []string       // what others ran since it was last told: "In[7]"
	last    time.Time      // when something of theirs began or ended
}

// maxOthers bounds what is remembered of other clients.
const maxOthers = 100

// Begin notes that code of another client runs, and its count once that is known. The
// id is "" for what ran before anybody listened.
func (o *Others) Begin(id string, count int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
	if o.free == nil {
		o.free, o.running = make(chan struct{}), map[string]int{}
	}
	if count > 0 && o.running[id] == 0 && len(o.ran) < maxOthers {
		o.ran = append(o.ran, fmt.Sprintf("In[%d]", count))
	}
	if _, known := o.running[id]; known || len(o.running) < maxOthers {
		o.running[id] = max(count, o.running[id])
	}
}

// End notes that it has ended, and with it what ran before anybody listened.
func (o *Others) End(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
	delete(o.running, id)
	delete(o.running, "")
	if len(o.running) == 0 {
		o.freeLocked()
	}
}

// Clear notes that nothing of others runs.
func (o *Others) Clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.running)
	o.freeLocked()
}

func (o *Others) freeLocked() {
	if o.free != nil {
		close(o.free)
		o.free = nil
	}
}

// Note looks at a message on iopub that answers no request of ours; session is ours.
func (o *Others) Note(msg *jupyter.Message, session string) {
	parent := msg.ParentHeader
	if parent.MsgType != jupyter.MsgExecuteRequest || parent.Session == session {
		return
	}
	switch msg.Header.MsgType {
	case jupyter.MsgExecuteInput:
		var content jupyter.ExecuteInput
		if msg.DecodeContent(&content) == nil {
			o.Begin(parent.MsgID, content.ExecutionCount)
		}
	case jupyter.MsgStatus:
		var status jupyter.Status
		if msg.DecodeContent(&status) == nil && status.ExecutionState == jupyter.StateIdle {
			o.End(parent.MsgID)
		} else {
			o.Begin(parent.MsgID, 0)
		}
	}
}

// Turn is closed when it is our turn, nil when it is; words say what runs.
func (o *Others) Turn() (free <-chan struct{}, words string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.free == nil {
		return nil, ""
	}
	words = "another client's code runs"
	for _, count := range o.running {
		if count > 0 {
			words = fmt.Sprintf("another client's In[%d] runs", count)
		}
	}
	return o.free, words
}

// Last is when others used the kernel last, now while something of theirs runs, zero for
// never.
func (o *Others) Last() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.free != nil {
		return time.Now()
	}
	return o.last
}

// Ran says what others have run since it was asked last, "" for nothing.
func (o *Others) Ran() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	ran := o.ran
	o.ran = nil
	switch n := len(ran); {
	case n == 0:
		return ""
	case n > 5:
		return fmt.Sprintf("somebody else ran %s to %s in this kernel meanwhile", ran[0], ran[n-1])
	}
	return "somebody else ran " + strings.Join(ran, ", ") + " in this kernel meanwhile"
}
