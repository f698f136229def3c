package arguments

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Decoder decodes a tool call's arguments. Models and clients send numbers,
// booleans and lists as strings; what is clear is taken, everything else is a
// problem worded for the model. The schema in the tool list only describes.
//
// Ask for each argument by name, then look at Err. Absent and null are the
// same. What was never asked for is unknown: ignored, and told by Notes.
type Decoder struct {
	values   map[string]any
	known    []string
	problems []string
	// unusable means that the arguments are no object: nothing else is to say.
	unusable bool
	// First reports whether the client has not been told of an unknown argument that
	// resembles none of ours: a host that adds one adds it to each call. Nil is always.
	First func(name string) bool
}

// Error says what is wrong with a call's arguments, one sentence each,
// in words for a model.
type Error struct {
	Problems []string
}

func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "Nothing was done: the argument " + e.Problems[0]
	}
	return "Nothing was done, these arguments are wrong:\n- " + strings.Join(e.Problems, "\n- ")
}

// New takes the arguments of a call as JSON decodes them: an object, also one
// encoded as a string, or nothing.
func New(given any) *Decoder {
	a := new(Decoder)
	if text, ok := given.(string); ok {
		var decoded any
		if strings.TrimSpace(text) == "" {
			given = nil
		} else if json.Unmarshal([]byte(text), &decoded) == nil {
			given = decoded
		}
	}
	switch v := given.(type) {
	case nil:
	case map[string]any:
		a.values = v
	default:
		a.unusable = true
		a.problems = []string{"list itself is " + describe(given) + ": send one object with a member for each argument."}
	}
	return a
}

// Rule narrows what an argument may be.
type Rule func(*field)

type field struct {
	required, nonEmpty bool
	maxBytes           int
	limited            bool
	min, max           float64
	choices            []string
}

// Required: the call is refused without the argument.
func Required(f *field) { f.required = true }

// NonEmpty: a string that is empty or only blanks, or an empty list, is refused.
func NonEmpty(f *field) { f.nonEmpty = true }

// MaxBytes limits a string, or each string of a list.
func MaxBytes(n int) Rule { return func(f *field) { f.maxBytes = n } }

// Between limits a number, both ends included.
func Between(lo, hi float64) Rule {
	return func(f *field) { f.limited, f.min, f.max = true, lo, hi }
}

// OneOf limits a string to these words, whatever their case.
func OneOf(choices ...string) Rule {
	return func(f *field) { f.choices = choices }
}

// look notes the name as known and finds the value; false if there is none.
func (a *Decoder) look(name, want string, rules []Rule) (any, field, bool) {
	a.known = append(a.known, name)
	var f field
	for _, rule := range rules {
		rule(&f)
	}
	value := a.values[name]
	if value == nil {
		if f.required {
			text := "is missing: " + want + " is required."
			if _, null := a.values[name]; null {
				text = "is null: " + want + " is required."
			}
			for _, other := range slices.Sorted(maps.Keys(a.values)) {
				if other != name && nearest(other, []string{name}) != "" {
					text += fmt.Sprintf(" You sent %s: did you mean %q?", Quote(other), name)
					break
				}
			}
			a.Problem(name, text)
		}
		return nil, f, false
	}
	return value, f, true
}

// Problem adds what else is wrong with an argument: text goes on after its name.
func (a *Decoder) Problem(name, text string) {
	if a.unusable {
		return
	}
	a.problems = append(a.problems, strconv.Quote(name)+" "+text)
}

func (a *Decoder) wrong(name string, value any, want string) {
	a.Problem(name, fmt.Sprintf("is %s: send %s.", describe(value), want))
}

// Given reports whether the argument is there and not null.
func (a *Decoder) Given(name string) bool { return a.values[name] != nil }

// String returns a string, "" if absent. NUL characters are always refused.
func (a *Decoder) String(name string, rules ...Rule) string {
	want := "a string"
	value, f, ok := a.look(name, want, rules)
	if len(f.choices) > 0 {
		want = "one of " + strings.Join(quoteAll(f.choices), ", ")
	}
	if !ok {
		return ""
	}
	text, isString := value.(string)
	if !isString {
		switch value.(type) {
		case float64, bool:
			want += fmt.Sprintf(", such as %q", Plain(value))
		}
		a.wrong(name, value, want)
		return ""
	}
	if len(f.choices) > 0 {
		for _, choice := range f.choices {
			if strings.EqualFold(strings.TrimSpace(text), choice) {
				return choice
			}
		}
		if strings.TrimSpace(text) != "" || f.nonEmpty || f.required {
			a.wrong(name, value, want)
		}
		return ""
	}
	if text, ok = a.checkText(name, "", f, text); !ok {
		return ""
	}
	return text
}

// checkText applies the rules for strings; where names an element of a list.
func (a *Decoder) checkText(name, where string, f field, text string) (string, bool) {
	switch nul := strings.IndexByte(text, 0); {
	case nul >= 0:
		a.Problem(name, fmt.Sprintf("%scontains a NUL character (byte %d): remove it.", where, nul))
	case f.nonEmpty && strings.TrimSpace(text) == "":
		a.Problem(name, where+"is empty: send a string that says something.")
	case f.maxBytes > 0 && len(text) > f.maxBytes:
		a.Problem(name, fmt.Sprintf("%sis %d bytes long: the limit is %d bytes.", where, len(text), f.maxBytes))
	default:
		return text, true
	}
	return "", false
}

// Number returns a number, absent if there is none. It takes 5, "5" and " 5 ".
func (a *Decoder) Number(name string, absent float64, rules ...Rule) float64 {
	value, ok := a.number(name, "a number", rules, false)
	if !ok {
		return absent
	}
	return value
}

// Integer returns a whole number, absent if there is none. It takes 5, 5.0, "5"
// and " 5 ".
func (a *Decoder) Integer(name string, absent int64, rules ...Rule) int64 {
	value, ok := a.number(name, "a whole number", rules, true)
	if !ok {
		return absent
	}
	return int64(value)
}

func (a *Decoder) number(name, want string, rules []Rule, whole bool) (float64, bool) {
	value, f, ok := a.look(name, want, rules)
	if f.limited {
		want += fmt.Sprintf(" from %s to %s", Plain(f.min), Plain(f.max))
	}
	if !ok {
		return 0, false
	}
	number, ok := asNumber(value)
	if text, isString := value.(string); isString && strings.TrimSpace(text) == "" && !f.nonEmpty && !f.required {
		return 0, false // an empty field of a form
	}
	// Above 2^53 a JSON number is no longer what was sent.
	if !ok || whole && (number != math.Trunc(number) || math.Abs(number) > 1<<53) ||
		f.limited && (number < f.min || number > f.max) {
		a.wrong(name, value, want)
		return 0, false
	}
	return number, true
}

func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case string:
		text := strings.TrimSpace(v)
		// ParseFloat also takes "inf", "nan" and hexadecimal.
		if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
			return 0, false
		}
		number, err := strconv.ParseFloat(text, 64)
		return number, err == nil
	}
	return 0, false
}

// Bool returns a boolean, absent if there is none. It takes true, 1, "true",
// "1", "yes", "on" and their opposites.
func (a *Decoder) Bool(name string, absent bool, rules ...Rule) bool {
	value, f, ok := a.look(name, "true or false", rules)
	if !ok {
		return absent
	}
	switch v := value.(type) {
	case bool:
		return v
	case float64, string:
		switch strings.ToLower(strings.TrimSpace(Plain(v))) {
		case "true", "1", "yes", "on":
			return true
		case "false", "0", "no", "off":
			return false
		case "":
			if !f.required && !f.nonEmpty {
				return absent
			}
		}
	}
	a.wrong(name, value, "true or false")
	return absent
}

// Strings returns a list of strings, nil if absent. It takes a list, a list
// written as JSON or as Python in a string, and one string for a list of one.
func (a *Decoder) Strings(name string, rules ...Rule) []string {
	const want = "a list of strings"
	value, f, ok := a.look(name, want, rules)
	if !ok {
		return nil
	}
	items, ok := asList(value)
	if !ok {
		a.wrong(name, value, want)
		return nil
	}
	if len(items) == 0 && (f.nonEmpty || f.required) {
		a.Problem(name, "is an empty list: send at least one string.")
		return nil
	}
	var texts []string
	for i, item := range items {
		text, isString := item.(string)
		if !isString {
			a.Problem(name, fmt.Sprintf("has %s as element %d: send %s.", describe(item), i+1, want))
			return nil
		}
		if text, ok = a.checkText(name, fmt.Sprintf("element %d ", i+1), f, text); !ok {
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

// Object returns a JSON object, nil if there is none. It takes one in a string too.
func (a *Decoder) Object(name string, rules ...Rule) map[string]any {
	const want = "an object, such as {\"x\": 5}"
	value, _, ok := a.look(name, want, rules)
	if !ok {
		return nil
	}
	if text, isString := value.(string); isString {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		var decoded any
		if json.Unmarshal([]byte(text), &decoded) == nil {
			value = decoded
		}
	}
	object, ok := value.(map[string]any)
	if !ok {
		a.wrong(name, value, want)
	}
	return object
}

func asList(value any) ([]any, bool) {
	switch v := value.(type) {
	case []any:
		return v, true
	case string:
		text := strings.TrimSpace(v)
		if text == "" {
			return nil, true
		}
		if !strings.HasPrefix(text, "[") {
			return []any{v}, true
		}
		var items []any
		if json.Unmarshal([]byte(text), &items) == nil {
			return items, true
		}
		return pythonList(text)
	}
	return nil, false
}

// Err returns an *Error with every problem, or nil.
func (a *Decoder) Err() error {
	if len(a.problems) == 0 {
		return nil
	}
	return &Error{Problems: a.problems}
}

// maxUnknown is how many unknown arguments Notes names.
const maxUnknown = 5

// Notes tells of arguments that were ignored. Call it after the last argument
// was asked for. What hosts add for themselves is no argument of the model's.
func (a *Decoder) Notes() []string {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		switch {
		case a.values[name] == nil || slices.Contains(a.known, name) || isHostArgument(name):
		case nearest(name, a.known) == "" && a.First != nil && !a.First(name):
		default:
			unknown = append(unknown, name)
		}
	}
	var notes []string
	for i, name := range unknown {
		if i == maxUnknown {
			notes = append(notes, fmt.Sprintf("ignored %d more unknown arguments", len(unknown)-i))
			break
		}
		if meant := nearest(name, a.known); meant != "" {
			notes = append(notes, fmt.Sprintf("ignored unknown argument %s: did you mean %q?", Quote(name), meant))
		} else if len(a.known) == 0 {
			notes = append(notes, fmt.Sprintf("ignored unknown argument %s: there are none", Quote(name)))
		} else {
			notes = append(notes, fmt.Sprintf("ignored unknown argument %s; known: %s", Quote(name), strings.Join(a.known, ", ")))
		}
	}
	return notes
}
