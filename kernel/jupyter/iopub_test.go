package jupyter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func message(msgType, content string) *Message {
	return &Message{Header: Header{MsgType: msgType, Date: "2026-01-02T03:04:05.678901Z"}, Content: []byte(content)}
}

func values(pairs ...string) map[string]Value {
	m := map[string]Value{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = TextValue(pairs[i+1])
	}
	return m
}

func TestOutputFrom(t *testing.T) {
	tests := []struct {
		name, msgType, content string
		want                   Output
	}{
		{"stream", MsgStream, `{"name":"stderr","text":"a\n\u00e9"}`, Output{Type: OutputStream, Name: "stderr", Text: TextValue("a\né")}},
		{"stream without text", MsgStream, `{"name":"stdout","text":null}`, Output{Type: OutputStream, Name: "stdout", Text: Value{}}},
		{"display", MsgDisplayData, `{"data":{"text/plain":"x","text/html":["<b>","x</b>"]},"metadata":{"a":1},"transient":{"display_id":"d"}}`,
			Output{Type: OutputDisplayData, Data: values("text/plain", "x", "text/html", "<b>x</b>"), Metadata: json.RawMessage(`{"a":1}`), DisplayID: "d"}},
		{"null everything", MsgDisplayData, `{"data":null,"metadata":null,"transient":null}`, Output{Type: OutputDisplayData}},
		{"mistyped everything", MsgDisplayData, `{"data":5,"metadata":NaN,"transient":[]}`, Output{Type: OutputDisplayData, Metadata: nil}},
		{"update", MsgUpdateDisplayData, `{"data":{"text/plain":"y"},"transient":{"display_id":"d"}}`,
			Output{Type: OutputUpdateDisplay, Data: values("text/plain", "y"), DisplayID: "d"}},
		{"result", MsgExecuteResult, `{"data":{"text/plain":"2"},"execution_count":7}`,
			Output{Type: OutputExecuteResult, Data: values("text/plain", "2"), ExecutionCount: 7}},
		{"picture", MsgDisplayData, `{"data":{"image/png":"aGVsbG8="}}`, Output{Type: OutputDisplayData, Data: values("image/png", "hello")}},
		{"wrapped picture", MsgDisplayData, `{"data":{"image/png":"aGVs\nbG8=\n"}}`, Output{Type: OutputDisplayData, Data: values("image/png", "hello")}},
		{"picture without padding", MsgDisplayData, `{"data":{"image/png":" aGVs bG8 "}}`, Output{Type: OutputDisplayData, Data: values("image/png", "hello")}},
		{"picture in lines", MsgDisplayData, `{"data":{"image/png":["aGVs","bG8="]}}`, Output{Type: OutputDisplayData, Data: values("image/png", "hello")}},
		{"type with parameter", MsgDisplayData, `{"data":{"IMAGE/PNG; x=1":"aGVsbG8="}}`, Output{Type: OutputDisplayData, Data: values("IMAGE/PNG; x=1", "hello")}},
		{"other binaries", MsgDisplayData, `{"data":{"application/pdf":"aGVsbG8=","audio/wav":"aGVsbG8=","video/mp4":"aGVsbG8=","application/octet-stream":"aGVsbG8="}}`,
			Output{Type: OutputDisplayData, Data: values("application/pdf", "hello", "audio/wav", "hello", "video/mp4", "hello", "application/octet-stream", "hello")}},
		{"no base64", MsgDisplayData, `{"data":{"image/png":"<svg>!"}}`,
			Output{Type: OutputDisplayData, Data: values("image/png", "<svg>!"), Undecoded: []string{"image/png"}}},
		{"svg is text", MsgDisplayData, `{"data":{"image/svg+xml":"<svg/>"}}`, Output{Type: OutputDisplayData, Data: values("image/svg+xml", "<svg/>")}},
		{"json", MsgDisplayData, `{"data":{"application/json":{"a": [NaN, "NaN"]},"application/geo+json":"s","application/x+json":null}}`,
			Output{Type: OutputDisplayData, Data: values("application/json", `{"a": [null, "NaN"]}`, "application/geo+json", `"s"`)}},
		{"number as text", MsgDisplayData, `{"data":{"text/plain":12}}`, Output{Type: OutputDisplayData, Data: values("text/plain", "12")}},
		{"error", MsgError, `{"ename":"E","evalue":"v","traceback":["a","b"]}`, Output{Type: OutputError, Ename: "E", Evalue: "v", Text: TextValue("a\nb")}},
		{"error without lines", MsgError, `{"ename":"E","traceback":[]}`, Output{Type: OutputError, Ename: "E", Text: Value{Inline: []byte{}}}},
		{"error in one text", MsgError, `{"traceback":"a\nb"}`, Output{Type: OutputError, Text: TextValue("a\nb")}},
		{"long evalue", MsgError, `{"evalue":"` + strings.Repeat("€", maxEvalue/3+9) + `"}`, Output{Type: OutputError, Evalue: strings.Repeat("€", maxEvalue/3)}},
		{"clear", MsgClearOutput, `{"wait":true}`, Output{Type: OutputClear, Wait: true}},
		{"clear now", MsgClearOutput, `{}`, Output{Type: OutputClear}},
		{"question", MsgInputRequest, `{"prompt":"p? ","password":true}`, Output{Type: OutputInputRequest, Prompt: "p? ", Password: true}},
		{"broken", MsgStream, `{"name":"stdout","text":"a`, Output{Type: OutputNotice,
			Text: TextValue("A stream message of the kernel could not be read: invalid JSON at byte 24: unfinished string.")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := OutputFrom(message(tt.msgType, tt.content))
			if !ok {
				t.Fatal("no output")
			}
			tt.want.Time = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
			if d := cmp.Diff(tt.want, got, cmp.Transformer("text", func(b []byte) string { return string(b) })); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestOutputFromOthers(t *testing.T) {
	for _, msgType := range []string{MsgStatus, MsgExecuteInput, MsgExecuteReply, MsgCommMsg, "", "unknown"} {
		if _, ok := OutputFrom(message(msgType, `{}`)); ok {
			t.Errorf("%q is an output", msgType)
		}
	}
	m := message(MsgStream, `{}`)
	m.ContentErr = errors.New("gone")
	if out, ok := OutputFrom(m); !ok || out.Type != OutputNotice {
		t.Errorf("unreadable stream = %+v, %v", out, ok)
	}
}

// TestDeepJSON: what is too deep for encoding/json is still shown, and its
// neighbours are.
func TestDeepJSON(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 12_000) + `1` + strings.Repeat(`}`, 12_000)
	out, ok := OutputFrom(message(MsgDisplayData, `{"data":{"application/json":`+deep+`,"text/plain":"x"},"metadata":`+deep+`}`))
	if !ok || string(out.Data["application/json"].Inline) != deep || string(out.Data["text/plain"].Inline) != "x" || out.Metadata != nil {
		t.Errorf("types: %d, ok %v", len(out.Data), ok)
	}
}

// TestCopies: large values are copied at most once, small ones do not hold on
// to large neighbours.
func TestCopies(t *testing.T) {
	picture := bytes.Repeat([]byte("picture!"), 1<<20)
	display := message(MsgDisplayData, `{"data":{"image/png":"`+base64.StdEncoding.EncodeToString(picture)+`","text/plain":"x"}}`)
	stream := message(MsgStream, `{"name":"stdout","text":"`+strings.Repeat(`0123456789\n`, 1<<19)+`"}`)
	for _, m := range []*Message{display, stream} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, _ := OutputFrom(m)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(m.Content))+1<<20 {
			t.Errorf("%s: allocated %d for %d", m.Header.MsgType, grown, len(m.Content))
		}
		if m == display && !bytes.Equal(out.Data["image/png"].Inline, picture) {
			t.Error("other picture")
		}
		if m == stream && out.Text.Size != 11<<19 {
			t.Errorf("text has %d bytes", out.Text.Size)
		}
	}
	content := []byte(display.Content)
	out, _ := OutputFrom(display)
	at := bytes.LastIndexByte(content, 'x')
	content[at] = 'y'
	if string(out.Data["text/plain"].Inline) != "x" {
		t.Error("a small value shares memory with the message")
	}
}

func TestTypeLimit(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString(`"t/` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + `":"",`)
	}
	out, _ := OutputFrom(message(MsgDisplayData, `{"data":{`+b.String()+`"end":""}}`))
	if len(out.Data) != maxTypes {
		t.Errorf("%d types kept", len(out.Data))
	}
}

func TestPayload(t *testing.T) {
	m := &Message{Content: []byte(`{"payload":[
		{"source":"page","data":{"text/plain":"help\n","text/html":"h"},"start":0},
		{"source":"page","text":"old"},
		{"source":"page","data":{"text/html":"h"}},
		{"source":"set_next_input","text":"x=1","replace":false},
		{"source":"edit_magic","filename":"f"},
		5, "x",
		{"source":"ask_exit","keepkernel":false}]}`)}
	var r ExecuteReply
	if err := m.DecodeContent(&r); err != nil {
		t.Fatal(err)
	}
	want := []Output{
		{Type: OutputPage, Text: TextValue("help\n")},
		{Type: OutputPage, Text: TextValue("old")},
		{Type: OutputPage, Data: values("text/html", "h")},
		{Type: OutputNextInput, Text: TextValue("x=1")},
	}
	if d := cmp.Diff(want, PayloadOutputs(r)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if exits, keep := AskExit(r); !exits || keep {
		t.Errorf("AskExit = %v, %v", exits, keep)
	}
	r.Payload = r.Payload[:2]
	if exits, _ := AskExit(r); exits {
		t.Error("exits without being asked")
	}
	r.Payload = []json.RawMessage{[]byte(`{"source":"ask_exit","keepkernel":true}`)}
	if exits, keep := AskExit(r); !exits || !keep {
		t.Errorf("AskExit = %v, %v, want to keep", exits, keep)
	}
}

// FuzzOutput: any content gives an output within its bounds.
func FuzzOutput(f *testing.F) {
	types := []string{MsgStream, MsgDisplayData, MsgUpdateDisplayData, MsgExecuteResult, MsgError, MsgClearOutput, MsgInputRequest, MsgExecuteReply}
	f.Add(byte(0), []byte(`{"name":"stdout","text":"a"}`))
	f.Add(byte(1), []byte(`{"data":{"image/png":"aGVsbG8=\n","application/json":{"a":NaN},"text/plain":["a","b"]},"metadata":{},"transient":{"display_id":"d"}}`))
	f.Add(byte(3), []byte(`{"data":null,"execution_count":1e9}`))
	f.Add(byte(4), []byte("{\"ename\":\"\xff\",\"evalue\":\"\\ud800\",\"traceback\":[[],{},\"x\"]}"))
	f.Add(byte(7), []byte(`{"payload":[{"source":"page","data":{"text/plain":"x"}},{"source":"ask_exit"}]}`))
	for _, rec := range recordings(f) {
		for i, m := range rec.Messages {
			f.Add(byte(i), m.Frames[len(m.Frames)-1])
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, content []byte) {
		m := message(types[int(kind)%len(types)], string(content))
		out, ok := OutputFrom(m)
		if ok == (m.Header.MsgType == MsgExecuteReply) {
			t.Fatalf("%s: output %v", m.Header.MsgType, ok)
		}
		if len(out.Evalue) > maxEvalue || !utf8.ValidString(out.Name+out.Ename+out.DisplayID+out.Prompt) {
			t.Fatalf("output = %+v", out)
		}
		if out.Metadata != nil && !json.Valid(out.Metadata) {
			t.Fatalf("metadata = %s", out.Metadata)
		}
		for mime, v := range out.Data {
			if int(v.Size) != len(v.Inline) || len(v.Inline) > 3*len(content) || !utf8.ValidString(mime) {
				t.Fatalf("%s = %+v", mime, v)
			}
		}
		var r ExecuteReply
		if m.DecodeContent(&r) == nil {
			PayloadOutputs(r)
			AskExit(r)
			if _, err := json.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
	})
}
