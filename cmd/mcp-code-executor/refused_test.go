//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// slow is longer than anybody takes to refuse unread.
const slow = 700 * time.Millisecond

// launchAs is launch for a client with a name and capabilities, which answers the
// server's forms by asked.
func launchAs(t *testing.T, name string, asked func(method string, params json.RawMessage) (map[string]any, *rpcError), settings ...string) *program {
	t.Helper()
	p := prepare(t, append(inVenv(t), settings...)...)
	p.client = map[string]any{"name": name, "version": "1"}
	if asked != nil {
		p.capabilities = map[string]any{"elicitation": map[string]any{}}
		p.asked = asked
	}
	p.start()
	p.shakeHands()
	return p
}

func action(name string) map[string]any { return map[string]any{"action": name} }

// TestRefusedForms: a client that refuses a question without showing it, or whose
// form was closed, answers nothing: the code waits, says so, and nobody is asked by
// form again for a while.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	split(t, refusedForms, refusedLeft, false, refuseForm)
}

func TestMatrixRefusedForms(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, refusedForms, refusedLeft, true, refuseForm)
}

var refusedLeft = []string{"decline at once", "a list", "no form", "debugger"}

// formRefused is what a client does with the form of code, and what is said then.
type formRefused struct {
	code   string
	delay  time.Duration
	result map[string]any
	err    *rpcError
	want   string
}

var refusedForms = map[string]formRefused{
	"cancel at once":     {"print('got', input('name? '))", 0, action("cancel"), nil, "the client showed nobody the question"},
	"decline at once":    {"print('got', input('name? '))", 0, action("decline"), nil, "the client showed nobody the question"},
	"error":              {"print('got', input('name? '))", 0, nil, &rpcError{Code: -32601, Message: "Method not found"}, "Method not found"},
	"closed by a person": {"print('got', input('name? '))", slow, action("cancel"), nil, "closed without an answer"},
	"a list":             {"print('got', input('name? '))", 0, map[string]any{"action": "accept", "content": map[string]any{"answer": []any{"a"}}}, nil, "the client showed nobody the question (its form holds no text)"},
	"no form":            {"print('got', input('name? '))", 0, map[string]any{"action": "accept", "content": "yes"}, nil, "its form holds no text"},
	"a list by a person": {"print('got', input('name? '))", slow, map[string]any{"action": "accept", "content": map[string]any{"answer": []any{"a"}}}, nil, "the form came back without a text"},
	"other fields":       {"print('got', input('name? '))", slow, map[string]any{"action": "accept", "content": map[string]any{"first": "a", "second": "b"}}, nil, "the form came back without a text"},
	"error of a person":  {"print('got', input('name? '))", slow, nil, &rpcError{Code: -32603, Message: "the window was closed"}, "the form for the question failed after "},
	"debugger":           {"breakpoint()\nprint('got c')", 0, action("decline"), nil, "the client showed nobody the question"},
}

func refuseForm(t *testing.T, _ string, test formRefused) {
	var forms atomic.Int64
	p := launchAs(t, "headless", func(string, json.RawMessage) (map[string]any, *rpcError) {
		forms.Add(1)
		pace(t, int(test.delay.Milliseconds()))
		return test.result, test.err
	})
	for _, first := range []bool{true, false} { // the second is put by no form
		r := p.call("execute_code", args{"code": test.code})
		if !strings.HasPrefix(r.text(), "[waiting for input | ") || !strings.Contains(r.text(), "send_input") || strings.Contains(r.text(), "interrupted") {
			t.Errorf("%s", r.text())
		}
		if told := strings.Contains(r.text(), test.want); told != first {
			t.Errorf("%q: %v in\n%s", test.want, told, r.text())
		}
		if r := p.call("send_input", args{"text": "c"}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "got c") {
			t.Errorf("%s", r.text())
			p.call("interrupt_execution", args{"force": true})
		}
	}
	if n := forms.Load(); n != 1 {
		t.Errorf("asked by form %d times", n)
	}
}

// maxForms is how often one call asks a person.
const maxForms = 8

// TestAnsweredForms: what a form may hold, and a person who declines.
func TestAnsweredForms(t *testing.T) {
	t.Parallel()
	var result map[string]any
	var forms int
	p := launchAs(t, "forms", func(string, json.RawMessage) (map[string]any, *rpcError) {
		forms++
		if result["action"] == "decline" {
			pace(t, int(slow.Milliseconds()))
		}
		return result, nil
	})
	for _, test := range []struct {
		content any
		want    string
	}{
		{map[string]any{"answer": "Ada"}, "'Ada'"},
		{map[string]any{"answer": ""}, "''"},
		{map[string]any{"answer": nil}, "''"},
		{map[string]any{}, "''"},
		{nil, "''"},
		{map[string]any{"answer": 5}, "'5'"},
		{map[string]any{"answer": 100_000_000}, "'100000000'"},
		{map[string]any{"answer": "two\nlines"}, "'two lines'"},
		{map[string]any{"value": "Ada"}, "'Ada'"},
	} {
		forms, result = 0, map[string]any{"action": "accept", "content": test.content}
		if r := p.run("print('got', repr(input('Press Enter to continue')))"); !strings.Contains(r.text(), "got "+test.want) || forms != 1 {
			t.Errorf("%v: %d forms, %s", test.content, forms, r.text())
		} else if told := strings.Contains(r.text(), "[note: the code got an empty line"); told != (test.want == "''") {
			t.Errorf("%v: that nobody can have typed it is told: %v\n%s", test.content, told, r.text())
		}
	}
	forms, result = 0, map[string]any{"action": "accept"}
	r := p.call("execute_code", args{"code": "while True: input('more? ')"})
	if n := strings.Count(r.text(), "[note: the code got an empty line"); n != 1 || forms != maxForms {
		t.Errorf("%d forms, told %d times:\n%s", forms, n, r.text())
	}
	p.call("interrupt_execution", nil)
	forms, result = 0, action("decline")
	if r := p.call("execute_code", args{"code": "input('sure? ')"}); !strings.HasPrefix(r.text(), "[interrupted | ") || !strings.Contains(r.text(), "its question was declined") {
		t.Errorf("%s", r.text())
	}
	// A debugger catches the interrupt, and asks again or goes on: the answer says so,
	// and the person is not asked again by the same call.
	forms = 0
	r = p.call("execute_code", args{"code": "z = 1\nbreakpoint()\nprint('on')"})
	if !strings.Contains(r.text(), "declined") || forms != 1 || strings.HasPrefix(r.text(), "[ok") {
		t.Errorf("%d forms, %s", forms, r.text())
	}
	p.call("interrupt_execution", args{"force": true})
}

// TestCancelsAreTold: what a cancel was taken for stands in the next answer, whatever
// run that is about, and how to do the other.
func TestCancelsAreTold(t *testing.T) {
	t.Parallel()
	p := launchAs(t, "codex-mcp-client", nil)
	begin := func(code string) (request int, id string) {
		t.Helper()
		request, _ = p.begin("execute_code", args{"code": code, "wait_seconds": 300})
		var r result
		for !strings.HasPrefix(r.text(), "[running | ") {
			r = p.call("get_execution", args{"wait_seconds": 0.1})
		}
		return request, r.field("id")
	}
	cancel := func(request int, reason string) {
		p.notify("notifications/cancelled", map[string]any{"requestId": request, "reason": reason})
	}
	told := func(r result, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(r.text(), part) {
				t.Errorf("%q is missing in\n%s", part, r.text())
			}
		}
	}
	// Codex's words for both, long before any limit: a person's.
	request, id := begin("import os; os.system('sleep 60')")
	cancel(request, "MCP request cancelled by caller")
	told(p.call("execute_code", args{"code": "1"}), "earlier run "+id+" ended: interrupted", "the client cancelled its call", "taken for a person's stop", "wait_seconds")

	// The clock's own words: it runs on, and the next answer says so although it is
	// about another run.
	request, id = begin("import os; os.system('sleep 60')")
	cancel(request, "request timed out")
	told(p.call("execute_code", args{"code": "2", "wait_seconds": 0.5}), id+" is running", "the client stopped waiting for it", "did not interrupt it")
	r := p.call("execute_code", args{"code": "3", "wait_seconds": 0})
	if strings.Contains(r.text(), "stopped waiting") {
		t.Errorf("told twice: %s", r.text())
	}
	told(p.call("interrupt_execution", args{"id": id}), "[interrupted | ")
}

// TestClientsRows: exceptions, images and arguments in clients that differ.
func TestClientsRows(t *testing.T) {
	t.Parallel()
	const picture = "import base64, IPython.display as d\nd.display(d.Image(data=base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='), format='png'))"
	for _, test := range []struct {
		name    string
		isError bool
		images  int
	}{
		{"gemini-cli-mcp-client-python", false, 1},
		{"@cline/core", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := launchAs(t, test.name, nil)
			r := p.call("execute_code", args{"code": "1/0", "wait_for_previous": true})
			if r.IsError != test.isError || !strings.HasPrefix(r.text(), "[error ZeroDivisionError | ") || strings.Contains(r.text(), "ignored") {
				t.Errorf("isError %v: %s", r.IsError, r.text())
			}
			if r := p.call("execute_code", args{"nothing": 1}); !r.IsError {
				t.Errorf("a broken call is no error: %s", r.text())
			}
			images := 0
			for _, c := range p.run(picture).Content {
				if c.Type == "image" {
					images++
				}
			}
			if images != test.images {
				t.Errorf("%d images", images)
			}
		})
	}
}
