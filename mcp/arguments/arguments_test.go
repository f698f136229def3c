package arguments

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// argumentsOf decodes JSON as the SDK does.
func argumentsOf(t testing.TB, raw string) *Decoder {
	t.Helper()
	var given any
	if raw != "" {
		if err := json.Unmarshal([]byte(raw), &given); err != nil {
			t.Fatal(err)
		}
	}
	return New(given)
}

func TestArgumentsAccepted(t *testing.T) {
	str := func(rules ...Rule) func(*Decoder) any {
		return func(a *Decoder) any { return a.String("x", rules...) }
	}
	num := func(a *Decoder) any { return a.Number("x", 45, Between(0, 3600)) }
	whole := func(a *Decoder) any { return a.Integer("x", 7, Between(-10, 1e6)) }
	boolean := func(a *Decoder) any { return a.Bool("x", true) }
	list := func(a *Decoder) any { return a.Strings("x") }
	for _, tt := range []struct {
		raw    string
		decode func(*Decoder) any
		want   any
	}{
		{`{"x":"a"}`, str(Required, NonEmpty, MaxBytes(1)), "a"},
		{`{"x":""}`, str(Required), ""},
		{`{"x":null}`, str(), ""},
		{`{}`, str(NonEmpty), ""},
		{``, str(), ""},
		{`null`, str(), ""},
		{`""`, str(), ""},
		{`"{\"x\":\"in a string\"}"`, str(), "in a string"},
		{`{"x":" OVERWRITE "}`, str(OneOf("refuse", "overwrite")), "overwrite"},
		{`{"x":""}`, str(OneOf("refuse", "overwrite")), ""},

		{`{"x":5}`, num, 5.0},
		{`{"x":5.5}`, num, 5.5},
		{`{"x":"5"}`, num, 5.0},
		{`{"x":" 0.25 "}`, num, 0.25},
		{`{"x":"1e3"}`, num, 1000.0},
		{`{"x":null}`, num, 45.0},
		{`{"x":""}`, num, 45.0},

		{`{"x":5}`, whole, int64(5)},
		{`{"x":5.0}`, whole, int64(5)},
		{`{"x":"5"}`, whole, int64(5)},
		{`{"x":" 5 "}`, whole, int64(5)},
		{`{"x":"5.0"}`, whole, int64(5)},
		{`{"x":"-3"}`, whole, int64(-3)},
		{`{}`, whole, int64(7)},

		{`{"x":false}`, boolean, false},
		{`{"x":"false"}`, boolean, false},
		{`{"x":"False"}`, boolean, false},
		{`{"x":"0"}`, boolean, false},
		{`{"x":0}`, boolean, false},
		{`{"x":1}`, boolean, true},
		{`{"x":"off"}`, boolean, false},
		{`{"x":" Yes "}`, boolean, true},
		{`{"x":null}`, boolean, true},

		{`{"x":["a","b"]}`, list, []string{"a", "b"}},
		{`{"x":"[\"a\",\"b\"]"}`, list, []string{"a", "b"}},
		{`{"x":"['a', \"it's\", 'b\\'c']"}`, list, []string{"a", "it's", "b'c"}},
		{`{"x":"['a',]"}`, list, []string{"a"}},
		{`{"x":"[]"}`, list, []string(nil)},
		{`{"x":""}`, list, []string(nil)},
		{`{"x":"numpy>=1,<2"}`, list, []string{"numpy>=1,<2"}},
		{`{"x":[]}`, list, []string(nil)},
		{`{}`, list, []string(nil)},
	} {
		a := argumentsOf(t, tt.raw)
		if got := tt.decode(a); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %#v, want %#v", tt.raw, got, tt.want)
		}
		if err := a.Err(); err != nil {
			t.Errorf("%s: %v", tt.raw, err)
		}
		if notes := a.Notes(); notes != nil {
			t.Errorf("%s: notes %q", tt.raw, notes)
		}
	}
}

func TestArgumentsRefused(t *testing.T) {
	str := func(rules ...Rule) func(*Decoder) {
		return func(a *Decoder) { a.String("x", rules...) }
	}
	num := func(a *Decoder) { a.Number("x", 45, Between(0, 3600)) }
	whole := func(a *Decoder) { a.Integer("x", 7) }
	boolean := func(a *Decoder) { a.Bool("x", true) }
	list := func(a *Decoder) { a.Strings("x", NonEmpty) }
	for _, tt := range []struct {
		raw    string
		decode func(*Decoder)
		want   []string
	}{
		{`{}`, str(Required), []string{`"x" is missing`, "a string is required"}},
		{`{"x":null}`, str(Required), []string{`"x" is null: a string is required.`}},
		{`{"X":"a"}`, str(Required), []string{`"x" is missing`, `did you mean "x"?`}},
		{`{"x":5}`, str(), []string{`"x" is the number 5`, "a string", `"5"`}},
		{`{"x":true}`, str(), []string{"the boolean true", "a string"}},
		{`{"x":["a"]}`, str(), []string{`a list of 1 (["a"])`, "a string"}},
		{`{"x":{"a":1}}`, str(), []string{`an object ({"a":1})`, "a string"}},
		{`{"x":" \n"}`, str(NonEmpty), []string{`"x" is empty`}},
		{`{"x":"abc"}`, str(MaxBytes(2)), []string{"3 bytes", "limit is 2 bytes"}},
		{`{"x":"ab\u0000c"}`, str(), []string{"NUL", "byte 2"}},
		{`{"x":"delete"}`, str(OneOf("refuse", "overwrite")), []string{`the string "delete"`, `one of "refuse", "overwrite"`}},
		{`{"x":"` + strings.Repeat("é", 500) + `"}`, num, []string{"é…", "a number from 0 to 3600"}},

		{`{"x":"soon"}`, num, []string{`the string "soon"`, "a number from 0 to 3600"}},
		{`{"x":-1}`, num, []string{"the number -1", "from 0 to 3600"}},
		{`{"x":"3601"}`, num, []string{"3601", "from 0 to 3600"}},
		{`{"x":"nan"}`, num, []string{"nan"}},
		{`{"x":"inf"}`, num, []string{"inf"}},
		{`{"x":"0x10"}`, num, []string{"0x10"}},
		{`{"x":"1e999"}`, num, []string{"1e999"}},
		{`{"x":"5 s"}`, num, []string{"5 s"}},
		{`{"x":true}`, num, []string{"the boolean true"}},
		{`{"x":[1]}`, num, []string{"a list of 1"}},

		{`{"x":5.5}`, whole, []string{"the number 5.5", "a whole number"}},
		{`{"x":1e300}`, whole, []string{"1e+300", "a whole number"}},
		{`{"x":"5.5"}`, whole, []string{"a whole number"}},

		{`{"x":"maybe"}`, boolean, []string{`"maybe"`, "true or false"}},
		{`{"x":2}`, boolean, []string{"the number 2", "true or false"}},
		{`{"x":{}}`, boolean, []string{"an object"}},

		{`{"x":[]}`, list, []string{"empty list", "at least one"}},
		{`{"x":["a",5]}`, list, []string{"the number 5 as element 2", "a list of strings"}},
		{`{"x":["a",""]}`, list, []string{"element 2 is empty"}},
		{`{"x":["a\u0000"]}`, list, []string{"element 1 contains a NUL"}},
		{`{"x":"['a"}`, list, []string{"a list of strings"}},
		{`{"x":"[a, b]"}`, list, []string{"a list of strings"}},
		{`{"x":{"a":1}}`, list, []string{"an object", "a list of strings"}},
		{`{"x":5}`, list, []string{"the number 5"}},

		{`[1,2]`, str(Required), []string{"a list of 2", "one object"}},
		{`5`, str(Required), []string{"the number 5", "one object"}},
		{`"x=1"`, str(Required), []string{`the string "x=1"`, "one object"}},
	} {
		a := argumentsOf(t, tt.raw)
		tt.decode(a)
		err := a.Err()
		var typed *Error
		if !errors.As(err, &typed) || len(typed.Problems) != 1 {
			t.Errorf("%s: got %v, want one problem", tt.raw, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", tt.raw, err, want)
			}
		}
		if len(err.Error()) > 400 {
			t.Errorf("%s: error of %d bytes", tt.raw, len(err.Error()))
		}
		for _, goWord := range []string{"float64", "interface", "map[", "int64", "[]any"} {
			if strings.Contains(err.Error(), goWord) {
				t.Errorf("%s: %q speaks Go", tt.raw, err)
			}
		}
	}
}

func TestArgumentsAllProblemsAtOnce(t *testing.T) {
	a := argumentsOf(t, `{"code":5,"wait_seconds":"soon","sesion":"a"}`)
	a.String("code", Required)
	a.Number("wait_seconds", 45)
	if session := a.String("session"); session != "" {
		t.Errorf("session %q", session)
	}
	want := "Nothing was done, these arguments are wrong:\n" +
		"- \"code\" is the number 5: send a string, such as \"5\".\n" +
		"- \"wait_seconds\" is the string \"soon\": send a number."
	if err := a.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	note := `ignored unknown argument "sesion": did you mean "session"?`
	if notes := a.Notes(); len(notes) != 1 || notes[0] != note {
		t.Errorf("notes %q", notes)
	}
	if !a.Given("code") || a.Given("session") {
		t.Error("Given is wrong")
	}
}

func TestArgumentsManyUnknown(t *testing.T) {
	members := make([]string, 100)
	for i := range members {
		members[i] = fmt.Sprintf(`"unknown%02d":%d`, i, i)
	}
	a := argumentsOf(t, "{"+strings.Join(members, ",")+"}")
	a.String("code")
	notes := a.Notes()
	if len(notes) != maxUnknown+1 || notes[maxUnknown] != "ignored 95 more unknown arguments" {
		t.Errorf("notes %q", notes)
	}
}

func TestSimilar(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"waitSeconds", "wait_seconds", true},
		{"wait", "wait_seconds", false},
		{"cod", "code", true},
		{"mode", "code", true},
		{"id", "code", false},
		{"file_name", "filename", true},
		{"", "id", false},
	} {
		if got := similar(tt.a, tt.b); got != tt.want {
			t.Errorf("similar(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

// TestNearest: a name that is none of ours, and the one that is meant.
func TestNearest(t *testing.T) {
	run := []string{"code", "filename", "session", "wait_seconds", "timeout_seconds", "expect_generation", "max_output_chars"}
	poll := []string{"id", "wait_seconds", "since", "lines", "pattern"}
	for _, tt := range []struct {
		name  string
		known []string
		want  string
	}{
		{"timeout", run, "timeout_seconds"},
		{"timeout_ms", run, "timeout_seconds"},
		{"timeoutSeconds", run, "timeout_seconds"},
		{"cell_timeout", run, "timeout_seconds"},
		{"time_out", run, "timeout_seconds"},
		{"wait", run, "wait_seconds"},
		{"waitMs", run, "wait_seconds"},
		{"max_chars", run, "max_output_chars"},
		{"sessionId", run, "session"},
		{"session_name", run, "session"},
		{"python_code", run, "code"},
		{"script", run, "code"},
		{"source", run, "code"},
		{"generation", run, "expect_generation"},
		{"file_name", run, "filename"},
		{"execution_id", poll, "id"},
		{"regex", poll, "pattern"},
		{"env_type", []string{"type", "venv_path", "conda_name"}, "type"},
		{"environment_type", []string{"type", "venv_path", "conda_name"}, "type"},
		{"line", poll, "lines"},
		{"description", run, ""},
		{"temperature", run, ""},
		{"max_tokens", run, ""},
		{"", run, ""},
		{"\xff\xfe", run, ""},
	} {
		if got := nearest(tt.name, tt.known); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHostArguments: what a host adds for itself, and null, is no slip of the model.
func TestHostArguments(t *testing.T) {
	a := argumentsOf(t, `{"code":"1","wait_for_previous":true,"task_progress":"- [ ] x","toolCallId":"call_1","chatInput":"hi","_sessionID":"u","_meta":{},"unset":null}`)
	a.String("code")
	if notes := a.Notes(); len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
}

// TestUnknownOfNone: a tool without arguments says that it has none.
func TestUnknownOfNone(t *testing.T) {
	if notes := argumentsOf(t, `{"x":1}`).Notes(); len(notes) != 1 || notes[0] != `ignored unknown argument "x": there are none` {
		t.Errorf("notes %q", notes)
	}
}

// TestUnknownToldOnce: what a host adds to each call is told of once, a slip each time.
func TestUnknownToldOnce(t *testing.T) {
	told := map[string]bool{}
	for _, want := range []int{2, 1, 1} {
		a := argumentsOf(t, `{"code":"1","toolSummary":"x","codee":"2"}`)
		a.First = func(name string) bool { first := !told[name]; told[name] = true; return first }
		a.String("code")
		if notes := a.Notes(); len(notes) != want || !strings.Contains(notes[0], `"codee": did you mean "code"?`) {
			t.Errorf("notes %q, want %d", notes, want)
		}
	}
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{"s":"a","n":5,"i":"5","b":"true","l":["a"]}`,
		`{"l":"['a', \"b\"]"}`, `"{\"s\":1}"`, `[1]`, `{"s":"\u0000"}`, `{"n":"1e999"}`, `{"l":"[['a']]"}`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var value any
		if json.Unmarshal([]byte(raw), &value) != nil {
			return
		}
		a := New(value)
		if s := a.String("s", NonEmpty, MaxBytes(100)); len(s) > 100 || strings.ContainsRune(s, 0) {
			t.Errorf("string %q", s)
		}
		if n := a.Number("n", 1, Between(0, 10)); !(n >= 0 && n <= 10) {
			t.Errorf("number %v", n)
		}
		if i := a.Integer("i", 1, Between(0, 10)); i < 0 || i > 10 {
			t.Errorf("integer %v", i)
		}
		a.Bool("b", false)
		a.Strings("l", NonEmpty)
		text := fmt.Sprint(a.Err(), a.Notes())
		if len(text) > 10_000 {
			t.Errorf("%d bytes of words", len(text))
		}
	})
}

// TestObject: an object, also one in a string, and nothing else.
func TestObject(t *testing.T) {
	for raw, want := range map[string]string{
		`{"x":{"a":1}}`: `map[a:1]`, `{"x":"{\"a\": [2]}"}`: `map[a:[2]]`, `{"x":{}}`: `map[]`, `{"x":""}`: `map[]`, `{}`: `map[]`,
	} {
		a := argumentsOf(t, raw)
		if got := fmt.Sprint(a.Object("x")); got != want || a.Err() != nil {
			t.Errorf("%s: %s, %v", raw, got, a.Err())
		}
	}
	for _, raw := range []string{`{"x":5}`, `{"x":"a"}`, `{"x":[1]}`, `{"x":"[1]"}`, `{"x":true}`} {
		a := argumentsOf(t, raw)
		if got := a.Object("x"); got != nil || a.Err() == nil || !strings.Contains(a.Err().Error(), "send an object") {
			t.Errorf("%s: %v, %v", raw, got, a.Err())
		}
	}
}
