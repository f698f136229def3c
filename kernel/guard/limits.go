package guard

import (
	"fmt"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// limitFormat is a report about a limit: its kind, the limit, whether the kernel is
// ended, the process, its memory, how many there were, its name.
const limitFormat = reportLimit + "%q %d %t %d %d %d %q\n"

// limitReport bounds how long a report about a limit may take: a server that does
// not read must not keep alive what is to be ended.
const limitReport = time.Second

// limit tells what is about to be ended by a limit.
func (r *reports) limit(h limits.Hit) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.mu.Lock()
		defer r.mu.Unlock()
		fmt.Fprintf(r.w, limitFormat, string(h.Kind), h.Bound, h.Kernel, h.PID, h.Memory, h.Count, h.Name)
	}()
	select {
	case <-sent:
	case <-time.After(limitReport):
	}
}

// parseLimit reads what limit wrote.
func parseLimit(line string) (h limits.Hit, ok bool) {
	var kind string
	n, err := fmt.Sscanf(line, limitFormat, &kind, &h.Bound, &h.Kernel, &h.PID, &h.Memory, &h.Count, &h.Name)
	h.Kind, h.At = limits.Kind(kind), time.Now()
	return h, err == nil && n == 7
}
