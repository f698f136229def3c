package rpc

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// TestServeCancelTimes: a cancel tells after how long it came, and after how long
// the connection's earlier ones did.
func TestServeCancelTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		var want []time.Duration
		for i := range maxEarlier + 3 {
			p.send(toolCall(i, "block", `{}`))
			synctest.Wait()
			after := time.Duration(i) * 300 * time.Millisecond
			time.Sleep(after)
			p.send(cancelOf(i, "again"))
			<-s.reasons
			var c *Cancelled
			if !errors.As(<-s.causes, &c) || c.After != after || !slices.Equal(c.Earlier, want) {
				t.Errorf("after %v, earlier %v: %+v", after, want, c)
			}
			if want = append(want, after); len(want) > maxEarlier {
				want = want[1:]
			}
		}
		p.hangUp()
	})
}

// TestServeHoldElicitation: a client that has shown nobody a question is not asked
// again for as long as was said.
func TestServeHoldElicitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		p.send(initialize("2025-11-25", `{"elicitation":{}}`), toolCall(1, "hold", `{}`))
		p.next()
		p.next()
		p.send(toolCall(2, "ask", `{}`))
		if r := p.next(); r.Result == nil || !r.Result.IsError {
			t.Errorf("got %s", r.raw)
		}
		if err := <-s.asked; !errors.Is(err, server.ErrElicitationNotSupported) {
			t.Errorf("got %v", err)
		}
		time.Sleep(holdTime)
		p.send(toolCall(3, "ask", `{}`))
		question := p.next()
		p.send(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"action":"accept"}}`)
		if r := p.next(); r.text() != "accept" || <-s.asked != nil {
			t.Errorf("got %s", r.raw)
		}
		p.hangUp()
	})
}

// TestServeFormMode: what a client declares of elicitation, and whether it is asked
// by form.
func TestServeFormMode(t *testing.T) {
	for capability, want := range map[string]bool{
		`{}`:                                   false,
		`{"elicitation":{}}`:                   true,
		`{"elicitation":{"form":{}}}`:          true,
		`{"elicitation":{"form":{},"url":{}}}`: true,
		`{"elicitation":{"url":{}}}`:           false,
		`{"elicitation":{"form":{"applyDefaults":true}}}`: true,
	} {
		var c mcp.ClientCapabilities
		if err := json.Unmarshal([]byte(capability), &c); err != nil {
			t.Fatal(err)
		}
		if got := showsForms(c.Elicitation); got != want {
			t.Errorf("%s: %v", capability, got)
		}
	}
}
