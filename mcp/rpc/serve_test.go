package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestServeCallsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		begin := time.Now()
		for i := range 12 {
			p.send(toolCall(i, "sleep", `{"seconds":2}`))
		}
		seen := map[string]bool{}
		for range 12 {
			seen[string(p.next().ID)] = true
		}
		if len(seen) != 12 || time.Since(begin) != 2*time.Second {
			t.Errorf("%d answers after %v", len(seen), time.Since(begin))
		}
		if err := p.hangUp(); err != nil {
			t.Error(err)
		}
	})
}

func TestServePingBesideBlockedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		begin := time.Now()
		for i := range 115 {
			p.send(toolCall(i, "block", `{}`))
		}
		p.ping()
		p.send(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
		if r := p.next(); string(r.ID) != `"list"` {
			t.Errorf("got %s", r.raw)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		p.in.Close()
		for range 115 {
			if text := p.next().text(); text != "unblocked" {
				t.Errorf("got %q", text)
			}
			if cause := <-s.causes; cause != ErrConnectionClosed {
				t.Errorf("cause %v", cause)
			}
			if c := <-s.reasons; c.Cancelled {
				t.Error("the end of the connection looks like a cancel")
			}
		}
		if err := <-p.served; err != nil {
			t.Error(err)
		}
		if waited := time.Since(begin); waited != DefaultGrace {
			t.Errorf("ended after %v", waited)
		}
	})
}

func TestServeCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		for _, tt := range []struct {
			id     any
			line   string
			reason string
		}{
			{1, cancelOf(1, "AbortError: user-cancel"), "AbortError: user-cancel"},
			{"one", cancelOf("one", "McpError: MCP error -32001: Request timed out"), "McpError: MCP error -32001: Request timed out"},
			{2, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2.0}}`, ""},
			{3, `{"jsonrpc":"2.0","id":null,"method":"notifications/cancelled","params":{"requestId":3,"reason":{"a":1}}}`, `{"a":1}`},
		} {
			p.send(toolCall(tt.id, "block", `{}`))
			synctest.Wait() // a call that has not begun would not even begin
			p.send(tt.line)
			c := <-s.reasons
			if !c.Cancelled || c.Reason != tt.reason {
				t.Errorf("%s: got %+v", tt.line, c)
			}
			<-s.causes
			p.ping() // and no answer before it
		}
		p.none()
		// What is not running, and 1 against "1", is nobody's.
		p.send(cancelOf(99, ""), cancelOf("1", ""), `{"jsonrpc":"2.0","method":"notifications/cancelled"}`)
		p.send(toolCall(1, "echo", `{"text":"alive"}`))
		if r := p.next(); r.text() != "alive" {
			t.Errorf("got %s", r.raw)
		}
		p.hangUp()
	})
}

func TestServeCancelBeforeTheCallRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		s.gate = make(chan struct{})
		p := connect(t, s, Options{})
		p.send(toolCall(1, "after", `{}`))
		p.next()
		// The first call's delivery is not over, so the second waits.
		p.send(toolCall(2, "echo", `{}`), cancelOf(2, "no longer"), toolCall(3, "echo", `{}`))
		synctest.Wait()
		close(s.gate)
		if r := p.next(); string(r.ID) != "3" {
			t.Errorf("got %s", r.raw)
		}
		p.none()
		if n := s.started.Load(); n != 2 {
			t.Errorf("%d calls ran", n)
		}
		p.hangUp()
	})
}

func TestServeProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const times = 5000
		s := newToy()
		p := connect(t, s, Options{})
		p.send(metaCall(1, "progress", fmt.Sprintf(`{"times":%d,"pause":1}`, times), `{"progressToken":"a<b"}`))
		for i := range times {
			r := p.next()
			if r.Method != "notifications/progress" || r.Params.Progress != float64(i+1) || string(r.Params.Token) != `"a<b"` {
				t.Fatalf("message %d is %s", i, r.raw)
			}
		}
		if r := p.next(); r.text() != "reported" {
			t.Errorf("got %s", r.raw)
		}
		(<-s.leftover).Report(1e9, "too late")
		p.ping()

		// A burst: one of them, before the result. The writer must be idle: a report is
		// dropped while another message is being written.
		synctest.Wait()
		p.send(metaCall(2, "progress", `{"times":500}`, `{"progressToken":7}`))
		if r := p.next(); r.Method != "notifications/progress" || string(r.Params.Token) != "7" {
			t.Errorf("got %s", r.raw)
		}
		if r := p.next(); r.text() != "reported" {
			t.Errorf("got %s", r.raw)
		}
		// Nobody asked for it.
		p.send(toolCall(3, "progress", `{"times":5,"pause":2}`))
		if r := p.next(); r.text() != "reported" {
			t.Errorf("got %s", r.raw)
		}
		p.none()
		p.hangUp()
	})
}

func TestServeAnswersWhatCameBeforeEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		for i := range 20 {
			p.send(toolCall(i, "sleep", `{"seconds":0.4}`))
		}
		if _, err := io.WriteString(p.in, toolCall("last", "echo", `{"text":"no newline"}`)); err != nil {
			t.Fatal(err)
		}
		p.in.Close()
		if r := p.next(); r.text() != "no newline" {
			t.Errorf("got %s", r.raw)
		}
		for range 20 {
			if r := p.next(); r.text() != "slept" {
				t.Errorf("got %s", r.raw)
			}
		}
		if err := <-p.served; err != nil {
			t.Error(err)
		}
	})
}

func TestServeEndsInTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts Options
		tool string
		want time.Duration
	}{
		{"nothing running", Options{}, "echo", 0},
		{"one that listens", Options{}, "block", DefaultGrace},
		{"one that does not", Options{}, "deaf", DefaultGrace + DefaultStopTimeout},
		{"no grace", Options{Grace: -1, StopTimeout: time.Minute}, "deaf", time.Minute},
		{"no patience", Options{Grace: -1, StopTimeout: -1}, "deaf", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newToy()
				p := connect(t, s, tt.opts)
				p.send(toolCall(1, tt.tool, `{}`))
				synctest.Wait()
				begin := time.Now()
				if err := p.hangUp(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
				close(s.deaf)
			})
		})
	}
}

func TestServeContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		p.send(toolCall(1, "block", `{}`))
		synctest.Wait()
		stopped := fmt.Errorf("stopped by a signal")
		begin := time.Now()
		p.stop(stopped)
		if r := p.next(); r.text() != "unblocked" {
			t.Errorf("got %s", r.raw)
		}
		if err := <-p.served; err != stopped || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestServeClientStopsReadingForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connectPaused(t, s, Options{})
		p.send(toolCall(1, "block", `{}`), toolCall(2, "after", `{}`))
		p.out.Close() // what writing to a closed pipe gives
		if err := <-p.served; err == nil || !strings.Contains(err.Error(), "writing to client") {
			t.Errorf("got %v", err)
		}
		if cause := <-s.causes; cause != ErrConnectionClosed {
			t.Errorf("cause %v", cause)
		}
		if s.delivered.Load() != 0 {
			t.Error("a lost answer counts as delivered")
		}
	})
}

func TestServeSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		slow := connectPaused(t, s, Options{})
		quick := connect(t, s, Options{})
		for i := range 200 {
			slow.send(metaCall(i, "progress", `{"times":3,"pause":1}`, `{"progressToken":1}`))
		}
		slow.send(toolCall("stuck", "block", `{}`))
		synctest.Wait()
		slow.send(cancelOf("stuck", ""))
		<-s.causes // a cancel gets through although nothing is read
		for range 10 {
			quick.ping()
			time.Sleep(time.Second)
		}
		go slow.read()
		answers := map[string]int{}
		for len(answers) < 200 {
			if r := slow.next(); r.Result != nil {
				answers[string(r.ID)]++
			}
		}
		slow.none()
		slow.ping()
		slow.hangUp()
		quick.hangUp()
	})
}

func TestServeConnectionsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		a, b := connect(t, s, Options{}), connect(t, s, Options{})
		a.send(toolCall(1, "block", `{}`))
		b.send(toolCall(1, "block", `{}`))
		synctest.Wait()
		a.send(cancelOf(1, "only here"))
		if c := <-s.reasons; c.Reason != "only here" {
			t.Errorf("got %+v", c)
		}
		synctest.Wait()
		if n := len(s.reasons); n != 0 {
			t.Error("the other connection's call ended as well")
		}
		if err := a.hangUp(); err != nil {
			t.Error(err)
		}
		b.ping()
		b.hangUp()
	})
}

// TestServeTurns: calls of one queue begin in the order in which they were sent,
// whatever each of them takes to come to it; other queues do not wait for them.
func TestServeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toy := newToy()
		p := connect(t, toy, Options{Turn: func(tool string, arguments json.RawMessage) string {
			var given struct{ Queue string }
			if tool != "queue" || json.Unmarshal(arguments, &given) != nil {
				return ""
			}
			return given.Queue
		}})
		p.send(
			toolCall(1, "queue", `{"queue":"a","seconds":5}`),
			toolCall(2, "queue", `{"queue":"a","seconds":1}`), // at one instant, two answers have no order
			toolCall(3, "queue", `{"queue":"b","seconds":1}`),
			toolCall(4, "queue", `{"seconds":2}`),
			toolCall(5, "echo", `{"queue":"a"}`),
			toolCall(6, "queue", `{"queue":"a","seconds":0}`),
			cancelOf(6, "a person"), // leaves the queue and holds nobody up
			toolCall(7, "queue", `{"queue":"a","seconds":1}`),
		)
		var answered []string
		for range 6 {
			answered = append(answered, string(p.next().ID))
		}
		if got := strings.Join(answered, " "); got != "5 3 4 1 2 7" {
			t.Errorf("answered in the order %s", got)
		}
		p.hangUp()
	})
}

func TestServePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var mu sync.Mutex
		p := connect(t, newToy(), Options{Logger: testLogger(&mu, &log), AfterPanic: "All else is untouched."})
		for i := range 100 {
			meta := `{}`
			want := ""
			if i%2 == 1 {
				meta, want = modernMeta, "complete"
			}
			p.send(metaCall(i, "panic", `{}`, meta))
			r := p.next()
			if r.Result == nil || !r.Result.IsError || r.Result.ResultType != want ||
				!strings.Contains(r.text(), "kaboom") || !strings.HasSuffix(r.text(), " All else is untouched.") {
				t.Fatalf("got %s", r.raw)
			}
		}
		p.ping()
		p.hangUp()
		if !strings.Contains(log.String(), "toy_test.go") {
			t.Error("no stack in the log")
		}
	})
}

func TestServeAnswerThatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		p.send(toolCall(1, "nan", `{}`))
		if r := p.next(); r.Error == nil || r.Error.Code != mcp.INTERNAL_ERROR || string(r.ID) != "1" {
			t.Errorf("got %s", r.raw)
		}
		p.ping()
		p.hangUp()
	})
}

func TestAfterDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		// The next call always sees what the last delivery did.
		for i := range 100 {
			p.send(toolCall(i, "after", `{}`))
			if want, r := fmt.Sprint("delivered before: ", i), p.next(); r.text() != want {
				t.Fatalf("got %s, want %s", r.raw, want)
			}
		}
		p.send(toolCall(100, "after", `{"block":true}`))
		synctest.Wait()
		p.send(cancelOf(100, ""))
		<-s.causes
		p.ping()
		if n := s.delivered.Load(); n != 100 {
			t.Errorf("%d delivered", n)
		}
		AfterDelivery(context.Background(), func() { t.Error("ran outside a call") })
		p.hangUp()
	})
}
