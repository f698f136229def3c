package elsewhere

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
)

const (
	// clocks is how far the clocks of two machines may be apart.
	clocks = 2 * time.Minute
	// askedMemory is for how long a kernel is remembered of which nobody can tell whether it
	// was ever started.
	askedMemory = time.Hour
)

// found notes that a kernel that was asked for has started: when it is gone, it has ended.
func (e *entry) found() {
	k := e.Left
	k.Asked = false
	text, err := json.Marshal(k)
	if err != nil {
		return
	}
	if file, err := os.OpenFile(e.path, os.O_WRONLY|os.O_APPEND, 0); err == nil {
		_, _ = file.Write(append(text, '\n')) // else it is looked for again
		file.Close()
	}
}

// mayRun looks for a kernel that a server had asked for when it was killed, and that there is
// none of under the id that it had asked for: not every Jupyter server lets others choose.
// known are the ids of all that were left.
func (e *entry) mayRun(ctx context.Context, server *gateway.Server, known []string) (bool, error) {
	since := time.Since(e.Started)
	running, err := server.Kernels(ctx)
	switch {
	case gateway.Refused(err): // gateways list none by default
		e.Maybe = []string{}
		return since < askedMemory, nil
	case err != nil:
		return false, err
	}
	e.Maybe = []string{}
	for _, k := range running {
		if !slices.Contains(known, k.ID) && e.like(k) {
			e.Maybe = append(e.Maybe, k.ID)
		}
	}
	// One that takes its time is in no list yet.
	return len(e.Maybe) > 0 || since < gateway.StartTime+clocks, nil
}

// like reports whether a kernel was started when this one was asked for, and has been left
// alone since.
func (e *entry) like(k gateway.Running) bool {
	after := k.LastActivity.Sub(e.Started)
	return k.Connections == 0 && (e.Kernelspec == "" || e.Kernelspec == k.Name) && -clocks < after && after < gateway.StartTime+clocks
}
