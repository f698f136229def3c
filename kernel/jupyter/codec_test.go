package jupyter

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testCodec() *Codec { return NewCodec([]byte("secret"), "s1", "user") }

// signed returns frames around parts with a right signature.
func signed(c *Codec, parts ...string) [][]byte {
	var raw [][]byte
	for _, p := range parts {
		raw = append(raw, []byte(p))
	}
	frames := [][]byte{[]byte("topic"), []byte(delimiter), c.signatureFrame(raw[:signedParts])}
	return append(frames, raw...)
}

const header = `{"msg_id":"m1","msg_type":"stream","session":"k"}`

func TestCodecRoundTrip(t *testing.T) {
	c := testCodec()
	m, err := c.NewMessage(Shell, MsgExecuteRequest, ExecuteRequest{Code: "1+1 < \"é\"", StoreHistory: true})
	if err != nil {
		t.Fatal(err)
	}
	m.Identities = [][]byte{[]byte("id")}
	m.ParentHeader = Header{MsgID: "p", MsgType: "x"}
	m.Metadata = json.RawMessage(`{"a":1}`)
	m.Buffers = [][]byte{{1}, {}}
	frames, err := c.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(frames)
	if err != nil {
		t.Fatal(err)
	}
	if got.Header != m.Header || got.ParentHeader != m.ParentHeader || string(got.Metadata) != `{"a":1}` ||
		len(got.Buffers) != 2 || string(got.Identities[0]) != "id" {
		t.Errorf("got %+v", got)
	}
	if h := got.Header; h.Session != "s1" || h.Username != "user" || h.Version != ProtocolVersion || h.Time().IsZero() {
		t.Errorf("header = %+v", h)
	}
	var r ExecuteRequest
	if err := got.DecodeContent(&r); err != nil || r.Code != "1+1 < \"é\"" || !r.StoreHistory || r.Silent {
		t.Errorf("content = %+v, %v", r, err)
	}
	if !strings.Contains(string(got.Content), `"user_expressions":{}`) {
		t.Errorf("content = %s", got.Content)
	}
}

func TestEncodeDefaults(t *testing.T) {
	c := testCodec()
	frames, err := c.Encode(&Message{Header: Header{MsgID: "a", MsgType: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{3, 4, 5} { // parent header, metadata, content
		if string(frames[i]) != "{}" {
			t.Errorf("frame %d = %s", i, frames[i])
		}
	}
	if _, err := c.Encode(&Message{}); !errors.Is(err, ErrHeader) {
		t.Errorf("without a header: %v", err)
	}
	if frames, _ := NewCodec(nil, "", "").Encode(&Message{Header: Header{MsgID: "a", MsgType: "b"}}); len(frames[1]) != 0 {
		t.Errorf("signature without key = %q", frames[1])
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := testCodec()
	good := func() [][]byte { return signed(c, header, `{}`, `{}`, `{}`) }
	alter := func(i int, b string) [][]byte { f := good(); f[i] = []byte(b); return f }
	tests := []struct {
		name   string
		frames [][]byte
		want   error
	}{
		{"nothing", nil, ErrDelimiter},
		{"no delimiter", [][]byte{[]byte("a"), []byte("b")}, ErrDelimiter},
		{"delimiter alone", [][]byte{[]byte(delimiter)}, ErrShort},
		{"three parts", good()[:6], ErrShort},
		{"unsigned", alter(2, ""), ErrUnsigned},
		{"short signature", alter(2, "abcd"), ErrSignature},
		{"no hex", alter(2, strings.Repeat("zz", 32)), ErrSignature},
		{"other signature", alter(2, strings.Repeat("00", 32)), ErrSignature},
		{"other key", signed(NewCodec([]byte("other"), "", ""), header, `{}`, `{}`, `{}`), ErrSignature},
		{"altered header", alter(3, `{"msg_type":"status"}`), ErrSignature},
		{"altered parent", alter(4, `{"msg_id":"x"}`), ErrSignature},
		{"altered metadata", alter(5, `{"x":1}`), ErrSignature},
		{"altered content", alter(6, `{"x":1}`), ErrSignature},
		{"header no JSON", signed(c, `x`, `{}`, `{}`, `{}`), ErrHeader},
		{"header null", signed(c, `null`, `{}`, `{}`, `{}`), ErrHeader},
		{"header without type", signed(c, `{"msg_id":"a"}`, `{}`, `{}`, `{}`), ErrHeader},
		{"giant header", signed(c, `{"msg_type":"`+strings.Repeat("x", maxHeader)+`"}`, `{}`, `{}`, `{}`), ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := c.Decode(tt.frames); m != nil || !errors.Is(err, tt.want) {
				t.Errorf("Decode = %v, %v, want %v", m, err, tt.want)
			}
		})
	}
}

// TestDecodeLenient: one bad part does not cost the others.
func TestDecodeLenient(t *testing.T) {
	c := testCodec()
	deep := `{"data":` + strings.Repeat(`{"a":`, 12_000) + `1` + strings.Repeat(`}`, 12_000) + `}`
	tests := []struct {
		name, header, parent, metadata, content string
		parentErr, contentErr                   bool
		parentID                                string
	}{
		{"plain", header, `{"msg_id":"p"}`, `{}`, `{}`, false, false, "p"},
		{"empty parent", header, `{}`, `{}`, `{}`, false, false, ""},
		{"null parent", header, `null`, `null`, `null`, false, false, ""},
		{"empty parts", header, ``, ``, ``, false, false, ""},
		{"mistyped members", `{"msg_id":"m1","msg_type":"stream","date":7,"session":null,"version":[]}`, `{"msg_id":"p","date":{}}`, `[]`, `{}`, false, false, "p"},
		{"unknown members", `{"msg_id":"m1","msg_type":"stream","x":[1,{"y":"}"}]}`, `{"x":1}`, `{}`, `{}`, false, false, ""},
		{"bad parent", header, `{"msg_id":"p"`, `{}`, `{}`, true, false, ""},
		{"parent a list", header, `[]`, `{}`, `{}`, true, false, ""},
		{"bad content", header, `{"msg_id":"p"}`, `{}`, `{"a":`, false, true, "p"},
		{"content a string", header, `{"msg_id":"p"}`, `{}`, `"a"`, false, true, "p"},
		{"bad metadata", header, `{"msg_id":"p"}`, `{`, `{}`, false, false, "p"},
		{"NaN", header, `{"msg_id":"p"}`, `{"a":NaN}`, `{"a":[NaN,-Infinity]}`, false, false, "p"},
		{"deep", header, `{"msg_id":"p"}`, `{}`, deep, false, false, "p"},
		{"invalid UTF-8", header, "{\"msg_id\":\"p\",\"username\":\"\xff\"}", `{}`, "{\"text\":\"\xff\"}", false, false, "p"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := c.Decode(signed(c, tt.header, tt.parent, tt.metadata, tt.content))
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.MsgID != "m1" || m.ParentHeader.MsgID != tt.parentID {
				t.Errorf("id %q, parent %q", m.Header.MsgID, m.ParentHeader.MsgID)
			}
			if (m.ParentErr != nil) != tt.parentErr || (m.ContentErr != nil) != tt.contentErr {
				t.Errorf("parent: %v, content: %v", m.ParentErr, m.ContentErr)
			}
			if m.Metadata != nil && !json.Valid(m.Metadata) {
				t.Errorf("metadata = %s", m.Metadata)
			}
		})
	}
}

// TestBuffersUnsigned: buffers are not part of the signature.
func TestBuffersUnsigned(t *testing.T) {
	c := testCodec()
	frames := append(signed(c, header, `{}`, `{}`, `{}`), []byte("any"), []byte{0xff})
	m, err := c.Decode(frames)
	if err != nil || len(m.Buffers) != 2 || string(m.Buffers[0]) != "any" {
		t.Errorf("Decode = %+v, %v", m, err)
	}
}

func TestDecodeRefused(t *testing.T) {
	c := testCodec()
	frames := signed(c, header, `{"msg_id":"p"}`, `{}`, `{"text":"x"}`)
	frames[6] = nil
	reason := errors.New("too large")
	m, err := c.DecodeRefused(frames, reason)
	if err != nil || m.ParentHeader.MsgID != "p" || m.ContentErr != reason || m.Signature != nil {
		t.Errorf("DecodeRefused = %+v, %v", m, err)
	}
	if out, ok := OutputFrom(m); !ok || out.Type != OutputNotice {
		t.Errorf("output = %+v, %v", out, ok)
	}
}

func TestReplay(t *testing.T) {
	var r Replay
	message := func(i int) *Message {
		m := &Message{Signature: make([]byte, 32)}
		copy(m.Signature, fmt.Sprintf("%08d", i))
		return m
	}
	for i := range replayLimit + 10 {
		if err := r.Check(message(i)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := r.Check(message(replayLimit)); !errors.Is(err, ErrReplay) {
		t.Errorf("a recent message again: %v", err)
	}
	if err := r.Check(message(3)); err != nil {
		t.Errorf("a forgotten message: %v", err)
	}
	if len(r.seen) != replayLimit || len(r.ring) != replayLimit {
		t.Errorf("remembers %d", len(r.seen))
	}
	for range 2 {
		if err := r.Check(&Message{}); err != nil {
			t.Errorf("unsigned: %v", err)
		}
	}
}

// TestReplaySpelling: the same signature in capitals is the same message.
func TestReplaySpelling(t *testing.T) {
	c := testCodec()
	var r Replay
	frames := signed(c, header, `{}`, `{}`, `{}`)
	for i, want := range []error{nil, ErrReplay} {
		m, err := c.Decode(frames)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(m); !errors.Is(err, want) {
			t.Errorf("time %d: %v", i, err)
		}
		frames[2] = bytes.ToUpper(frames[2])
	}
}

func TestNewMsgID(t *testing.T) {
	a, b := NewMsgID(), NewMsgID()
	if raw, err := hex.DecodeString(a); err != nil || len(raw) != 16 || a == b {
		t.Errorf("ids %q, %q", a, b)
	}
}

// recording is a file of testdata/wire: what a real kernel sent.
type recording struct {
	Kernel   string
	Key      string
	Messages []struct {
		Channel Channel
		Frames  [][]byte
	}
}

func recordings(t testing.TB) []recording {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", "wire", "*.json"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("recordings: %v, %v", paths, err)
	}
	var all []recording
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestRecordings decodes what ipykernels sent, and reads the same as
// encoding/json where that can.
func TestRecordings(t *testing.T) {
	for _, rec := range recordings(t) {
		t.Run(rec.Kernel, func(t *testing.T) {
			c := NewCodec([]byte(rec.Key), "", "")
			types := map[string]int{}
			outputs := map[OutputType]int{}
			for i, w := range rec.Messages {
				m, err := c.Decode(w.Frames)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if m.ParentErr != nil || m.ContentErr != nil || m.Header.Time().IsZero() || m.ParentHeader.MsgID == "" {
					t.Errorf("message %d: %+v", i, m)
				}
				types[m.Header.MsgType]++
				sameAsJSON(t, m)
				if out, ok := OutputFrom(m); ok {
					outputs[out.Type]++
				}
			}
			for _, want := range []string{MsgKernelInfoReply, MsgStatus, MsgExecuteInput, MsgExecuteReply, MsgInputRequest} {
				if types[want] == 0 {
					t.Errorf("no %s", want)
				}
			}
			for _, want := range []OutputType{OutputStream, OutputDisplayData, OutputUpdateDisplay, OutputExecuteResult, OutputError, OutputClear, OutputInputRequest} {
				if outputs[want] == 0 {
					t.Errorf("no %s", want)
				}
			}
		})
	}
}

func sameAsJSON(t *testing.T, m *Message) {
	t.Helper()
	var ours, theirs any
	switch m.Header.MsgType {
	case MsgExecuteReply:
		ours, theirs = &ExecuteReply{}, &ExecuteReply{}
	case MsgKernelInfoReply:
		ours, theirs = &KernelInfoReply{}, &KernelInfoReply{}
	case MsgStatus:
		ours, theirs = &Status{}, &Status{}
	case MsgExecuteInput:
		ours, theirs = &ExecuteInput{}, &ExecuteInput{}
	case MsgStream:
		ours, theirs = &Stream{}, &Stream{}
	case MsgDisplayData, MsgUpdateDisplayData:
		ours, theirs = &DisplayData{}, &DisplayData{}
	case MsgExecuteResult:
		ours, theirs = &ExecuteResult{}, &ExecuteResult{}
	case MsgError:
		ours, theirs = &Error{}, &Error{}
	case MsgClearOutput:
		ours, theirs = &ClearOutput{}, &ClearOutput{}
	case MsgInputRequest:
		ours, theirs = &InputRequest{}, &InputRequest{}
	default:
		return
	}
	if err := m.DecodeContent(ours); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(m.Content, theirs); err != nil {
		t.Error(err)
	}
	a, _ := json.Marshal(ours)
	b, _ := json.Marshal(theirs)
	if !bytes.Equal(a, b) {
		t.Errorf("%s reads as\n%s\nnot\n%s", m.Header.MsgType, a, b)
	}
}

// FuzzDecode: any frames give a message or an error, and a message can be sent
// on and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("topic"), []byte(header), []byte(`{}`), []byte(`{}`), []byte(`{"text":"a"}`), []byte("buffer"), true)
	f.Add([]byte(delimiter), []byte(`{"msg_type":1}`), []byte(`null`), []byte(`[]`), []byte(`{"a":NaN}`), []byte(nil), true)
	f.Add([]byte{}, []byte(`{"msg_type":"\ud800"}`), []byte(`{`), []byte(`{"a":[[]]}`), []byte("{\"\xff\":1}"), []byte(nil), false)
	f.Fuzz(func(t *testing.T, id, head, parent, metadata, content, buffer []byte, sign bool) {
		c := testCodec()
		parts := [][]byte{head, parent, metadata, content}
		sig := []byte("0123")
		if sign {
			sig = c.signatureFrame(parts)
		}
		frames := append([][]byte{id, []byte(delimiter), sig}, parts...)
		m, err := c.Decode(append(frames, buffer))
		if (m == nil) == (err == nil) {
			t.Fatalf("Decode = %v, %v", m, err)
		}
		if refused, err := c.DecodeRefused(frames, ErrShort); (refused == nil) == (err == nil) {
			t.Fatalf("DecodeRefused = %v, %v", refused, err)
		}
		if err != nil {
			return
		}
		if !sign && string(id) != delimiter {
			t.Fatal("unsigned message taken")
		}
		OutputFrom(m)
		again, err := c.Encode(m)
		if err != nil {
			return // no id
		}
		if m2, err := c.Decode(again); string(id) != delimiter && (err != nil || m2.Header.MsgID != m.Header.MsgID || !bytes.Equal(m2.Content, m.Content) && len(m.Content) > 0) {
			t.Fatalf("again: %+v, %v", m2, err)
		}
	})
}
