package jupyter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUnquote(t *testing.T) {
	tests := []struct{ in, want string }{
		{`""`, ""},
		{`"plain é"`, "plain é"},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{`"\u00e9\ud83d\ude00"`, "é😀"},
		{`"\ud800x"`, "\ufffdx"},
		{`"\ud800\ud800\udc00"`, "\ufffd\U00010000"},
		{`"\udc00\ud83d"`, "\ufffd\ufffd"},
		{"\"a\xffb\xc3\"", "a\ufffdb\ufffd"},
		{"\"\xff\xfe\\n\"", "\ufffd\ufffd\n"},
		{`"\q\u12"`, `\q\u12`}, // no JSON: kept
	}
	for _, tt := range tests {
		if got := string(unquote([]byte(tt.in))); got != tt.want {
			t.Errorf("unquote(%s) = %q, want %q", tt.in, got, tt.want)
		}
		if got := string(unquoteHere([]byte(tt.in))); got != tt.want {
			t.Errorf("unquoteHere(%s) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestEachMemberErrors(t *testing.T) {
	for _, in := range []string{
		`[]`, `"a"`, `1`, `{`, `{"a"`, `{"a"}`, `{"a":`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{"a":1}x`, `{"a":"x`, `{"a":"\"}`, `{"a":[}`, `{"a" "b"}`,
	} {
		if err := eachMember([]byte(in), func(_, _ []byte) bool { return true }); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func TestCleanJSON(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`NaN`, `null`},
		{`{"NaN":NaN,"b":[Infinity,-Infinity,-1],"c":"-Infinity \" NaN"}`, `{"NaN":null,"b":[null,null,-1],"c":"-Infinity \" NaN"}`},
		{`{"a":"NaN`, `{"a":"NaN`},
	}
	for _, tt := range tests {
		if got := string(cleanJSON([]byte(tt.in))); got != tt.want {
			t.Errorf("cleanJSON(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

// TestAmplification: a list of a million elements does not become one.
func TestAmplification(t *testing.T) {
	list := "[" + strings.Repeat(`"",`, 1_000_000) + `""]`
	m := &Message{Content: []byte(`{"payload":` + list + `,"traceback":` + list + `}`)}
	var r ExecuteReply
	if err := m.DecodeContent(&r); err != nil || len(r.Payload) != maxElements || len(r.Traceback) != maxElements {
		t.Errorf("%d payloads, %d lines, %v", len(r.Payload), len(r.Traceback), err)
	}
}

func TestDecodeContentTypes(t *testing.T) {
	m := &Message{Content: []byte(`{"status":"ok","execution_count":3.0,"payload":[{"a":NaN},null,{"b":[1]}],"user_expressions":{"x":{"status":"ok"}},"ename":5,"traceback":["a",1,"b"]}`)}
	var r ExecuteReply
	if err := m.DecodeContent(&r); err != nil {
		t.Fatal(err)
	}
	if r.Status != "ok" || r.ExecutionCount != 3 || len(r.Payload) != 2 || string(r.Payload[0]) != `{"a":null}` ||
		string(r.UserExpressions["x"]) != `{"status":"ok"}` || r.Ename != "" || strings.Join(r.Traceback, "") != "ab" {
		t.Errorf("%+v", r)
	}
	if err := m.DecodeContent(r); err == nil {
		t.Error("decoded into a value")
	}
}

// FuzzScanner: where encoding/json can read an object of strings, so can we,
// with the same result; and what we read is always valid UTF-8.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a":"b","c":["\ud800",{"d":1e5}],"e":null}`))
	f.Add([]byte("{\"\\u00e9\":\"\xff\\\\\"}"))
	f.Add([]byte(` { "a" : { } , "b" : [ ] } `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ours := map[string]json.RawMessage{}
		err := eachMember(raw, func(key, value []byte) bool {
			k, v := unquote(key), text(value, "")
			if !utf8.Valid(k) || value[0] == '"' && !utf8.Valid(v) {
				t.Fatalf("invalid UTF-8 from %q", value)
			}
			if value[0] == '"' && !bytes.Equal(unquoteHere(bytes.Clone(value)), v) {
				t.Fatalf("unquoteHere(%q) is not %q", value, v)
			}
			ours[string(k)] = value
			return true
		})
		cleanJSON(raw)
		var theirs map[string]json.RawMessage
		if json.Unmarshal(raw, &theirs) != nil || theirs == nil {
			return
		}
		if err != nil || len(ours) != len(theirs) {
			t.Fatalf("%q: %v, %d members, want %d", raw, err, len(ours), len(theirs))
		}
		for k, v := range theirs {
			if !bytes.Equal(ours[k], v) {
				t.Fatalf("%q: %q is %q, want %q", raw, k, ours[k], v)
			}
			var s string
			if v[0] == '"' && json.Unmarshal(v, &s) == nil && s != string(unquote(v)) {
				t.Fatalf("%q reads as %q, want %q", v, unquote(v), s)
			}
		}
	})
}

// TestDecodeOptional: a pointer tells what is not there, or has another type, from
// its zero value.
func TestDecodeOptional(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                           "nil nil",
		`{"raised": false, "n": 0}`:    "false 0",
		`{"raised": true, "n": 255}`:   "true 255",
		`{"raised": null, "n": null}`:  "nil nil",
		`{"raised": "true", "n": "1"}`: "nil nil",
		`{"raised": 1, "n": 1.5}`:      "nil nil",
		`{"raised": [], "n": 1e99}`:    "nil nil",
	} {
		var got struct {
			Raised *bool `json:"raised"`
			N      *int  `json:"n"`
		}
		if err := decodeObject([]byte(raw), &got); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		text := []string{"nil", "nil"}
		if got.Raised != nil {
			text[0] = fmt.Sprint(*got.Raised)
		}
		if got.N != nil {
			text[1] = fmt.Sprint(*got.N)
		}
		if shown := strings.Join(text, " "); shown != want {
			t.Errorf("%s: %s, want %s", raw, shown, want)
		}
	}
}
