// Package edit changes one entry of a client's configuration file and keeps every
// other byte: comments, order, indentation. It works on bytes and touches no file.
package edit

import (
	"errors"
	"fmt"
	"reflect"
)

// Format is how a configuration file is written.
type Format int

// Formats of configuration files. JSON may have comments and trailing commas.
const (
	JSON Format = iota
	TOML
	YAML
)

// Member is a named value of an entry: a string, a bool, an int, a list of strings,
// Members, or nil for a member that is to go. An entry's order is that in which it is
// written.
type Member struct {
	Name  string
	Value any
}

// Members are an object.
type Members []Member

// Entry is where an entry lies: the table of servers, and the server's name in it.
type Entry struct{ Table, Name string }

// ErrForm says that the file is right, but written so that this package cannot
// change it and be sure of the rest.
var ErrForm = errors.New("it is written in a form that this program does not change")

// Table reads the table of servers, empty where there is none. A file that is no
// right one is an error.
func Table(f Format, file []byte, table string) (map[string]any, error) {
	content, err := decode(f, file)
	if err != nil {
		return nil, err
	}
	found, there := content[table]
	if !there || found == nil {
		return map[string]any{}, nil
	}
	servers, ok := found.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%q is no table", table)
	}
	return servers, nil
}

// Set returns file with the members in the entry. Other members of the entry stay,
// and so do those of an object in it. A file in which all is so already is returned
// as it is.
func Set(f Format, file []byte, at Entry, members Members) ([]byte, error) {
	before, err := decode(f, file)
	if err != nil {
		return nil, err
	}
	want, err := with(before, at, members)
	if err != nil {
		return nil, err
	}
	if same(before, want) {
		return file, nil
	}
	after, err := [...]func([]byte, Entry, Members) ([]byte, error){JSON: setJSON, TOML: setTOML, YAML: setYAML}[f](file, at, members)
	return checked(f, after, want, err)
}

// Remove returns file without the entry.
func Remove(f Format, file []byte, at Entry) ([]byte, error) {
	before, err := decode(f, file)
	if err != nil {
		return nil, err
	}
	servers, _ := before[at.Table].(map[string]any)
	if _, there := servers[at.Name]; !there {
		return file, nil
	}
	want := copied(before)
	delete(want[at.Table].(map[string]any), at.Name)
	after, err := [...]func([]byte, Entry) ([]byte, error){JSON: removeJSON, TOML: removeTOML, YAML: removeYAML}[f](file, at)
	return checked(f, after, want, err)
}

// checked is after, when it says what it should: this is what makes changing text
// safe.
func checked(f Format, after []byte, want map[string]any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	got, err := decode(f, after)
	if err != nil || !same(got, want) {
		return nil, ErrForm
	}
	return after, nil
}

// with is content with the members in the entry.
func with(content map[string]any, at Entry, members Members) (map[string]any, error) {
	want := copied(content)
	servers, err := object(want, at.Table)
	if err != nil {
		return nil, err
	}
	entry, err := object(servers, at.Name)
	if err != nil {
		return nil, err
	}
	return want, put(entry, members)
}

func put(into map[string]any, members Members) error {
	for _, m := range members {
		inner, ok := m.Value.(Members)
		switch {
		case m.Value == nil:
			delete(into, m.Name)
			continue
		case !ok:
			into[m.Name] = plain(m.Value)
			continue
		}
		o, err := object(into, m.Name)
		if err != nil {
			return err
		}
		if err := put(o, inner); err != nil {
			return err
		}
	}
	return nil
}

// object is the object of that name, made where there is none.
func object(in map[string]any, name string) (map[string]any, error) {
	if in[name] == nil {
		in[name] = map[string]any{}
	}
	o, ok := in[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%q is no table", name)
	}
	return o, nil
}

// plain is a value as decoders return it.
func plain(v any) any {
	switch v := v.(type) {
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list
	case int:
		return float64(v)
	}
	return v
}

// same compares contents. An empty table is no table: which of both is left when the
// last entry goes is a matter of form.
func same(a, b map[string]any) bool { return reflect.DeepEqual(trimmed(a), trimmed(b)) }

func trimmed(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if o, ok := v.(map[string]any); ok {
			inner := trimmed(o)
			if len(inner) == 0 {
				continue
			}
			v = inner
		}
		if v != nil {
			out[name] = v
		}
	}
	return out
}

// copied is a copy down to the entries.
func copied(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if o, ok := v.(map[string]any); ok {
			v = copied(o)
		}
		out[name] = v
	}
	return out
}
