package share

import (
	"fmt"
	"maps"
	"slices"
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
	if o.running == nil {
		o.running = map[string]int{}
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
}

// Over notes that what Turn has named runs no more, whatever was said of its end.
func (o *Others) Over(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.running, id)
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

// Turn names what runs before it is our turn, by msg_id, and in words; nothing when it is.
func (o *Others) Turn() (ids []string, words string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.running) == 0 {
		return nil, ""
	}
	words = "another client's code runs"
	for _, count := range o.running {
		if count > 0 {
			words = fmt.Sprintf("another client's In[%d] runs", count)
		}
	}
	return slices.Collect(maps.Keys(o.running)), words
}

// Last is when others used the kernel last, now while something of theirs runs, zero for
// never.
func (o *Others) Last() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.running) > 0 {
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
