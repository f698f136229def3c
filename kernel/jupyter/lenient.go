package jupyter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// maxElements bounds the elements kept of a list or an object in a content.
const maxElements = 10_000

// text returns a value's text: a string's, the strings of a list joined by sep,
// nothing for null, the JSON itself of anything else.
func text(raw []byte, sep string) []byte {
	if isNull(raw) {
		return nil
	}
	switch raw[0] {
	case '"':
		return unquote(raw)
	case '[':
		return joined(raw, sep)
	}
	return raw
}

func joined(raw []byte, sep string) []byte {
	out := make([]byte, 0, len(raw))
	first := true
	eachElement(raw, func(v []byte) bool {
		if !first {
			out = append(out, sep...)
		}
		first = false
		out = append(out, text0(v)...)
		return true
	})
	return out
}

// text0 is text without a second level of lists.
func text0(v []byte) []byte {
	if v[0] == '"' {
		return unquote(v)
	}
	return v
}

// cleanJSON replaces NaN, Infinity and -Infinity outside strings by null. It
// returns raw itself if there are none.
func cleanJSON(raw []byte) []byte {
	var out []byte
	done := 0
	s := scanner{b: raw}
	for s.i < len(raw) {
		c := raw[s.i]
		if c == '"' {
			if _, err := s.str(); err != nil {
				break
			}
			continue
		}
		if n := constant(raw[s.i:]); n > 0 {
			out = append(append(out, raw[done:s.i]...), "null"...)
			s.i += n
			done = s.i
			continue
		}
		s.i++
	}
	if done == 0 {
		return raw
	}
	return append(out, raw[done:]...)
}

// constant is the length of the non-JSON number s starts with, else 0.
func constant(s []byte) int {
	if c := s[0]; c != 'N' && c != 'I' && c != '-' {
		return 0
	}
	for _, name := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if len(s) >= len(name) && string(s[:len(name)]) == name {
			return len(name)
		}
	}
	return 0
}

// validJSON returns a copy of raw that encoding/json accepts, nil if it cannot.
func validJSON(raw []byte) json.RawMessage {
	if isNull(raw) {
		return nil
	}
	if !json.Valid(raw) {
		if raw = cleanJSON(raw); isNull(raw) || !json.Valid(raw) {
			return nil
		}
	}
	return bytes.Clone(raw)
}

// decodeObject sets the fields of the struct v points to from the members of
// the object raw, by their json tags. What does not fit its field is left out.
func decodeObject(raw []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decoding into %T: not a pointer to a struct", v)
	}
	st := p.Elem()
	tags := make([]string, st.NumField())
	for i := range tags {
		tags[i], _, _ = strings.Cut(st.Type().Field(i).Tag.Get("json"), ",")
	}
	return eachMember(raw, func(key, value []byte) bool {
		name := unquote(key)
		for i, tag := range tags {
			if tag != "" && tag == string(name) {
				decodeValue(value, st.Field(i).Addr().Interface())
				break
			}
		}
		return true
	})
}

// decodeValue sets *dst from raw if raw has the right type.
func decodeValue(raw []byte, dst any) {
	if isNull(raw) {
		return
	}
	switch d := dst.(type) {
	case *bool:
		*d = string(raw) == "true"
	case *int:
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<31 {
			*d = int(f)
		}
	case **bool: // nil: it is not there, or no boolean
		if text := string(raw); text == "true" || text == "false" {
			b := text == "true"
			*d = &b
		}
	case **int:
		n := math.MinInt
		if decodeValue(raw, &n); n != math.MinInt {
			*d = &n
		}
	case *json.RawMessage:
		*d = validJSON(raw)
	case *[]string:
		*d = stringList(raw)
	case *[]json.RawMessage:
		*d = rawList(raw)
	case *map[string]json.RawMessage:
		*d = rawMap(raw)
	case *map[string]string:
		*d = stringMap(raw)
	default:
		switch v := reflect.ValueOf(dst).Elem(); {
		case v.Kind() == reflect.String && raw[0] == '"':
			v.SetString(string(unquote(raw)))
		case v.Kind() == reflect.Struct && raw[0] == '{':
			_ = decodeObject(raw, dst)
		}
	}
}

func stringList(raw []byte) []string {
	var out []string
	eachElement(raw, func(v []byte) bool {
		if v[0] == '"' {
			out = append(out, string(unquote(v)))
		}
		return len(out) < maxElements
	})
	return out
}

func rawList(raw []byte) []json.RawMessage {
	var out []json.RawMessage
	eachElement(raw, func(v []byte) bool {
		if e := validJSON(v); e != nil {
			out = append(out, e)
		}
		return len(out) < maxElements
	})
	return out
}

func rawMap(raw []byte) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	_ = eachMember(raw, func(key, v []byte) bool {
		if e := validJSON(v); e != nil {
			out[string(unquote(key))] = e
		}
		return len(out) < maxElements
	})
	return out
}

func stringMap(raw []byte) map[string]string {
	out := map[string]string{}
	_ = eachMember(raw, func(key, v []byte) bool {
		if v[0] == '"' {
			out[string(unquote(key))] = string(unquote(v))
		}
		return len(out) < maxElements
	})
	return out
}
