package kernel_test

import (
	"testing"
	"testing/synctest"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/kerneltest"
)

// TestEndedRunHoldsNoKernel: what is kept of a run that has ended keeps nothing of
// its kernel, when that is closed, alive.
func TestEndedRunHoldsNoKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := scripted(t, kerneltest.NoWelcome)
		var kept []*kernel.Execution
		for _, cell := range []kerneltest.Cell{"x", kerneltest.LateOutput, kerneltest.ErrorInReply, kerneltest.IdleWithoutReply, kerneltest.Loop} {
			e := k.send(string(cell))
			synctest.Wait()
			if cell == kerneltest.Loop {
				k.Close() // in its middle
			}
			ended(t, e)
			kept = append(kept, e)
		}
		if executions, waiters := kernel.Known(k.Kernel); executions+waiters > 0 {
			t.Errorf("a closed kernel knows %d executions and %d waiters", executions, waiters)
		}
		for _, e := range kept {
			if kernel.Holds(e) {
				t.Errorf("%s holds its kernel", e.ID())
			}
			if from, to := e.Range(); e.Record() == nil || from > to || e.Answer("x") != kernel.ErrNotWaiting || e.Waiting() != nil {
				t.Errorf("%s cannot be asked any more: %d to %d", e.ID(), from, to)
			}
			<-e.Done()
		}
	})
}
