package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/kerneltest"
)

// scripted starts a kernel in memory. It must be called in a synctest bubble,
// which fails when a goroutine is left after the kernel's Close.
func scripted(t *testing.T, start kerneltest.Start) (*testKernel, *kerneltest.Kernel) {
	t.Helper()
	peer := kerneltest.New(start)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k, err := kernel.Scripted(ctx, t, peer)
	if err != nil {
		t.Fatal(err)
	}
	return &testKernel{Kernel: k, t: t}, peer
}

// want is what must come of a misbehaving cell.
type want struct {
	outcome       kernel.Outcome
	ename         string
	output        string // "" is the cell's name as a line
	noReply, lost bool
	exit          string        // how the process ended; its kernel takes nothing more
	late          string        // output that comes after the end
	within        time.Duration // at most so long; 0: no time at all
	count         int           // the execution count; 0 is 1
}

// misbehaviours says what becomes of each cell that ends by itself. Neither,
// Silence and Stubborn do not.
var misbehaviours = map[kerneltest.Cell]want{
	kerneltest.ReplyWithoutIdle: {outcome: kernel.OutcomeOK, lost: true, within: 300 * time.Millisecond},
	kerneltest.IdleWithoutReply: {outcome: kernel.OutcomeError, noReply: true, within: 500 * time.Millisecond},
	kerneltest.Duplicated:       {outcome: kernel.OutcomeOK},
	kerneltest.Reordered:        {outcome: kernel.OutcomeOK, late: "reordered\n"},
	kerneltest.TwoIdles:         {outcome: kernel.OutcomeOK},
	kerneltest.ReplyFirst:       {outcome: kernel.OutcomeOK},
	kerneltest.EarlyIdle:        {outcome: kernel.OutcomeOK, output: "child\nearly idle\n", within: 5*time.Second + 100*time.Millisecond},
	kerneltest.ForeignIdle:      {outcome: kernel.OutcomeOK, within: time.Second},
	kerneltest.BadSignature:     {outcome: kernel.OutcomeError, noReply: true, within: 500 * time.Millisecond},
	kerneltest.Unsigned:         {outcome: kernel.OutcomeOK},
	kerneltest.Undecodable:      {outcome: kernel.OutcomeOK, output: "<notice A stream message of the kernel could not be read: decoding content of stream: invalid JSON at byte 27: unfinished string.>undecodable\n"},
	kerneltest.UndecodableReply: {outcome: kernel.OutcomeError, noReply: true},
	kerneltest.UndecodableIdle:  {outcome: kernel.OutcomeOK, lost: true, within: 300 * time.Millisecond},
	kerneltest.DeepJSON:         {outcome: kernel.OutcomeOK, output: "<display_data deep>deep JSON\n"},
	kerneltest.GiantOutput:      {outcome: kernel.OutcomeOK, output: "<notice an output (stream) is lost: frame of 314572800 bytes refused: the limit is 268435456 bytes>giant output\n"},
	kerneltest.GiantReply:       {outcome: kernel.OutcomeError, noReply: true, output: "<notice an output (execute_reply) is lost: frame of 314572800 bytes refused: the limit is 268435456 bytes>"},
	kerneltest.SlowDrip:         {outcome: kernel.OutcomeOK, output: numbers(20), within: 21 * 250 * time.Millisecond},
	kerneltest.SlowerDrip:       {outcome: kernel.OutcomeOK, output: numbers(5), within: 6 * 400 * time.Millisecond},
	kerneltest.DeathInCell:      {outcome: kernel.OutcomeDied, exit: "signal 11 (SIGSEGV)"},
	kerneltest.DeathAfterReply:  {outcome: kernel.OutcomeDied, exit: "signal 11 (SIGSEGV)"},
	kerneltest.DeathAfterIdle:   {outcome: kernel.OutcomeDied, exit: "signal 11 (SIGSEGV)"},
	kerneltest.NaN:              {outcome: kernel.OutcomeOK, output: "<display_data nan>NaN\n"},
	kerneltest.Buffers:          {outcome: kernel.OutcomeOK, output: "<display_data buffered>buffers\n"},
	kerneltest.Aborted:          {outcome: kernel.OutcomeError, ename: "Aborted", output: "<error Aborted: the kernel refused to run it>", count: -1},
	kerneltest.NoDate:           {outcome: kernel.OutcomeOK},
	kerneltest.UnknownType:      {outcome: kernel.OutcomeOK},
	kerneltest.OtherVersion:     {outcome: kernel.OutcomeOK},
	kerneltest.ErrorInReply:     {outcome: kernel.OutcomeError, ename: "UsageError", output: "<error UsageError: only the reply says it>"},
	kerneltest.ErrorOnIOPub:     {outcome: kernel.OutcomeError, ename: "RuntimeError", output: "<error RuntimeError: only iopub says it>"},
	kerneltest.OutputWidget:     {outcome: kernel.OutcomeOK, output: "before\n<widget w: clear_output><widget w: error>after\n"},
	kerneltest.LateOutput:       {outcome: kernel.OutcomeOK, output: " ", late: "late output\n"},
	kerneltest.ExitThatStays:    {outcome: kernel.OutcomeExited, output: " ", exit: "signal 9 (SIGKILL)", within: 5 * time.Second},
	kerneltest.ShellLost:        {outcome: kernel.OutcomeDied, exit: "signal 9 (SIGKILL)", within: 2 * time.Second},
	kerneltest.IOPubLost:        {outcome: kernel.OutcomeDied, exit: "signal 9 (SIGKILL)", within: 2 * time.Second},
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// TestMisbehaviour: whatever a kernel does, the execution ends in known time
// with what is true of it, nothing it printed is lost, and the next one works.
func TestMisbehaviour(t *testing.T) {
	for _, cell := range kerneltest.Cells() {
		want, ok := misbehaviours[cell]
		if !ok {
			continue
		}
		t.Run(string(cell), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { misbehave(t, cell, want) })
		})
	}
}

func misbehave(t *testing.T, cell kerneltest.Cell, want want) {
	k, _ := scripted(t, kerneltest.NoWelcome)
	began := time.Now()
	e := k.send(string(cell))
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > want.within {
		t.Errorf("took %v, want at most %v", took, want.within)
	}
	want.check(t, cell, e.Result())
	atEnd := k.output(e)
	time.Sleep(2 * time.Second) // of the bubble: whatever is late has come
	synctest.Wait()
	switch {
	case want.late != "":
		want.output = strings.TrimSpace(want.output) + want.late
	case want.output == "":
		want.output = string(cell) + "\n"
	}
	if got := k.output(e); got != strings.TrimPrefix(want.output, " ") {
		t.Errorf("output %q, want %q", got, want.output)
	} else if want.late == "" && atEnd != got {
		t.Errorf("output at the end %q, later %q", atEnd, got)
	}
	if want.exit != "" {
		return
	}
	if result, output := k.run("next"); result.Outcome != kernel.OutcomeOK || result.NoReply || result.OutputLost || output != "next\n" {
		t.Errorf("the next execution: %+v, %q", result, output)
	}
}

func (w want) check(t *testing.T, cell kerneltest.Cell, r kernel.Result) {
	t.Helper()
	if r.Outcome != w.outcome || r.Ename != w.ename || r.NoReply != w.noReply || r.OutputLost != w.lost {
		t.Errorf("%s: got %+v, want %+v", cell, r, w)
	}
	if r.ExecutionCount != max(w.count, 1) && w.count >= 0 {
		t.Errorf("%s: execution count %d, want %d", cell, r.ExecutionCount, max(w.count, 1))
	}
	exit := ""
	if r.Exit != nil {
		exit = r.Exit.String()
	}
	if exit != w.exit {
		t.Errorf("%s: exit %q, want %q", cell, exit, w.exit)
	}
	if r.Started.IsZero() || r.Ended.Before(r.Started) {
		t.Errorf("%s: from %v to %v", cell, r.Started, r.Ended)
	}
}

// TestNamesAreTested: a misbehaviour that nobody tests proves nothing.
func TestNamesAreTested(t *testing.T) {
	endless := []kerneltest.Cell{kerneltest.Neither, kerneltest.Silence, kerneltest.Stubborn, kerneltest.AskUninvited}
	for _, cell := range kerneltest.Cells() {
		if _, ok := misbehaviours[cell]; !ok && !slices.Contains(endless, cell) {
			t.Errorf("%s is not in the table", cell)
		}
	}
	for _, start := range kerneltest.Starts() {
		if _, ok := starts[start]; !ok {
			t.Errorf("%s is not in the table", start)
		}
	}
}

var errDeadline = errors.New("no answer in time")

// starts says what error each start gives, and after what time.
var starts = map[kerneltest.Start]struct {
	err   error
	after time.Duration
	asked int // kernel_info_requests, if that matters
}{
	kerneltest.NoWelcome:            {asked: 1},
	kerneltest.Welcome:              {asked: 1},
	kerneltest.WelcomeLate:          {asked: 1},
	kerneltest.WelcomeTwice:         {asked: 1},
	kerneltest.SubscriptionLate:     {after: 750 * time.Millisecond, asked: 4},
	kerneltest.SlowStart:            {after: 20 * time.Second, asked: 1},
	kerneltest.SilentStart:          {err: errDeadline, after: time.Minute, asked: 1},
	kerneltest.NoIdle:               {err: errDeadline, after: time.Minute},
	kerneltest.NoReply:              {err: errDeadline, after: time.Minute, asked: 1},
	kerneltest.UndecodableInfo:      {asked: 1},
	kerneltest.WrongProtocol:        {asked: 1},
	kerneltest.DeathAtConnect:       {err: kernel.ErrDead},
	kerneltest.DeathAtRequest:       {err: kernel.ErrDead},
	kerneltest.DeathAfterBusy:       {err: kernel.ErrDead},
	kerneltest.DeathAfterStartReply: {err: kernel.ErrDead},
	kerneltest.DeathAfterStartIdle:  {err: kernel.ErrDead},
}

func TestStarts(t *testing.T) {
	for _, start := range kerneltest.Starts() {
		want := starts[start]
		t.Run(string(start), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer := kerneltest.New(start)
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errDeadline)
				defer cancel()
				began := time.Now()
				k, err := kernel.Scripted(ctx, t, peer)
				if took := time.Since(began); !errors.Is(err, want.err) || took != want.after {
					t.Fatalf("error %v after %v, want %v after %v", err, took, want.err, want.after)
				}
				if n := peer.InfoRequests(); want.asked != 0 && n != want.asked {
					t.Errorf("asked %d times, want %d", n, want.asked)
				}
				tk := &testKernel{Kernel: k, t: t}
				if want.err != nil {
					return
				}
				if _, output := tk.run("first"); output != "first\n" {
					t.Errorf("output %q", output)
				}
				if start == kerneltest.WrongProtocol && k.Info().Protocol != "9.9" {
					t.Errorf("Info says protocol %q", k.Info().Protocol)
				}
			})
		})
	}
}
