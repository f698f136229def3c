package kernel

import (
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Lost is what goes with a kernel's process.
type Lost struct {
	// Variables are the last that it told: not those of the last two seconds, nor of
	// code that had not ended.
	Variables record.Variables
	// First and Last are the ids of its executions, "" for none.
	First, Last string
}

// Lost is what would be lost if the process ended now.
func (k *Kernel) Lost() Lost {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.atStake
}

// Large is closed when the kernel has told that a library has been imported that takes
// longer to import than a kernel takes to start.
func (k *Kernel) Large() <-chan struct{} { return k.large }

// Imported are those libraries, as it has told last; ran says that it has run code.
func (k *Kernel) Imported() (libraries []string, ran bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.imported, k.atStake.Last != ""
}

// Libraries are those of the names that can be a library's, sorted, at most 12.
func Libraries(names []string) []string { return launch.Libraries(names) }

// ran notes that the kernel was sent an execution.
func (k *Kernel) ran(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.atStake.First == "" {
		k.atStake.First = id
	}
	k.atStake.Last = id
}

// gotVariables notes the names of the kernel's variables, here and in the record.
func (k *Kernel) gotVariables(msg *jupyter.Message) {
	names, count, ok := launch.ReadVariables(msg.Content)
	if !ok {
		return
	}
	imported := launch.ReadImported(msg.Content)
	if len(imported) > 0 {
		k.largeOnce.Do(func() { close(k.large) })
	}
	v := record.Variables{Names: names, Count: count}
	k.mu.Lock()
	k.atStake.Variables, k.imported = v, imported
	r := k.record
	k.mu.Unlock()
	if r == nil {
		return // a spare's: no session's code has run
	}
	if err := r.NoteVariables(v); err != nil {
		k.log.Warn("recording the names of variables", "err", err)
		return
	}
	k.dirty()
}
