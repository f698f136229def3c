package gateway

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func TestWireV1(t *testing.T) {
	parts := [][]byte{[]byte(`{"msg_id":"1"}`), []byte("{}"), []byte("{}"), []byte(`{"code":"ä"}`), []byte("buffer"), {}}
	channel, got, err := decodeV1(encodeV1(jupyter.Shell, parts))
	if err != nil || channel != jupyter.Shell || !slices.EqualFunc(got, parts, bytes.Equal) {
		t.Errorf("%s %q %v", channel, got, err)
	}
	cut := encodeV1(jupyter.IOPub, parts)
	channel, got, err = decodeV1(cut[:len(cut)-12]) // in the content
	if err == nil || channel != jupyter.IOPub || len(got) < 2 || string(got[0]) != string(parts[0]) {
		t.Errorf("cut: %s %q %v", channel, got, err)
	}
}

func TestWireOlder(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		binary     bool
		channel    jupyter.Channel
		parts      []string // header, parent, metadata, content, buffers
		wrong      bool
	}{
		{"as the server writes it", `{"header": {"msg_id": "1"}, "msg_id": "1", "parent_header": {}, "metadata": {}, "content": {"x": NaN}, "buffers": [], "channel": "iopub"}`, false,
			jupyter.IOPub, []string{`{"msg_id": "1"}`, "{}", "{}", `{"x": NaN}`}, false},
		{"what is missing is empty", `{"header": {}, "channel": "shell"}`, false, jupyter.Shell, []string{"{}", "{}", "{}", "{}"}, false},
		{"cut", `{"header": {"a": 1}, "parent_header": {"b": 2}, "content": {"text": "xxx`, false, jupyter.IOPub, []string{`{"a": 1}`, `{"b": 2}`}, true},
		{"no object", `[1]`, false, "", nil, true},
		{"too many buffers", "\xff\xff\xff\xff", true, "", nil, true},
		{"nothing", "", true, "", nil, true},
	} {
		channel, parts, err := decodeOlder([]byte(tt.text), tt.binary)
		if (err != nil) != tt.wrong || channel != tt.channel {
			t.Errorf("%s: channel %q, %v", tt.name, channel, err)
		}
		for i, want := range tt.parts {
			if string(parts[i]) != want {
				t.Errorf("%s: part %d is %s, want %s", tt.name, i, parts[i], want)
			}
		}
	}
	text, err := encodeOlder(jupyter.Control, [][]byte{[]byte(`{"msg_id":"1"}`), []byte("{}"), []byte("{}"), []byte(`{"a":1}`)})
	if err != nil || string(text) != `{"channel":"control","header":{"msg_id":"1"},"parent_header":{},"metadata":{},"content":{"a":1},"buffers":[]}` {
		t.Errorf("%s %v", text, err)
	}
}

func TestOlderBuffers(t *testing.T) {
	object := `{"header": {"msg_id": "1"}, "parent_header": {}, "metadata": {}, "content": {}, "channel": "iopub"}`
	head := []byte{0, 0, 0, 3, 0, 0, 0, 16, 0, 0, 0, byte(16 + len(object)), 0, 0, 0, byte(16 + len(object) + 2)}
	channel, parts, err := decodeOlder(slices.Concat(head, []byte(object), []byte("b1b22")), true)
	if err != nil || channel != jupyter.IOPub || len(parts) != 6 || string(parts[4]) != "b1" || string(parts[5]) != "b22" {
		t.Errorf("%s %q %v", channel, parts, err)
	}
}

func FuzzWire(f *testing.F) {
	f.Add(encodeV1(jupyter.Shell, [][]byte{{}, {}, {}, {}}), true)
	f.Add([]byte("\x06\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), true)
	f.Add([]byte(`{"header": {}, "channel": "iopub"}`), false)
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x0c\xff\xff\xff\xff"), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		if _, parts, err := decodeV1(data); err == nil && len(parts) < messageParts {
			t.Errorf("v1: %d parts", len(parts))
		}
		if _, parts, err := decodeOlder(data, binary); err == nil && len(parts) < messageParts {
			t.Errorf("older: %d parts", len(parts))
		}
	})
}

func TestURLs(t *testing.T) {
	for _, tt := range []struct{ url, token, base, used, wrong string }{
		{"http://localhost:8888", "", "http://localhost:8888", "", ""},
		{" https://hub.example/user/me/ ", "t", "https://hub.example/user/me", "t", ""},
		{"http://localhost:8888/lab?token=abc", "", "http://localhost:8888", "abc", ""},
		{"http://localhost:8888/?token=abc", "own", "http://localhost:8888", "own", ""},
		{"http://me:password@localhost:8888/tree", "", "http://localhost:8888", "", ""},
		{"localhost:8888", "", "", "", "http://"},
		{"ws://localhost:8888", "", "", "", `begins with "ws"`},
		{"", "", "", "", "no URL"},
		{"http://%zz?token=secret", "", "", "", "no URL"},
	} {
		s, err := New(Options{URL: tt.url, Token: tt.token})
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %q", tt.url, err, tt.wrong)
			}
		case err != nil || s.String() != tt.base || s.token != tt.used:
			t.Errorf("%s: %v %v", tt.url, s, err)
		}
	}
}
