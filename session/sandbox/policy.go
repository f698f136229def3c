package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// PolicyKey is the field of a call's _meta in which a client says what it allows, and the
// capability by which it is asked to.
const PolicyKey = "codex/sandbox-state-meta"

// access is what a policy allows at a path, least first.
type access int

const (
	accessNone access = iota
	accessRead
	accessWrite
)

// entry is what a policy says of a path and all below it, unless another says more.
type entry struct {
	path   string // absolute, without links
	access access
	// skip says that the entry is not meant where its path is not there.
	skip bool
}

// Policy is what a client allows code, in one call. The most specific entry holds. It is
// plain data.
type Policy struct {
	open    bool // the client confines nothing
	network bool
	entries []entry
}

// ReadPolicy reads a client's policy, JSON, "" where the call had none. What it does not
// know is an error that names it: a part of a policy is none.
func ReadPolicy(text string) (*Policy, error) {
	if text == "" {
		return nil, &confine.Refused{Reason: "with SANDBOX=client code runs only under a policy of the client, and this call brought none (" + PolicyKey + " in _meta)",
			Next: "use a client that sends one, as Codex does, or set SANDBOX=workspace"}
	}
	r := &policyReader{}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		r.refuse("", "is no JSON: "+err.Error())
	}
	p := r.policy(value)
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// policyReader reads a policy strictly. The first thing that it does not know is its err.
type policyReader struct {
	cwd string
	err error
}

// refuse says what is wrong with the field at a path of names, "" for the whole.
func (r *policyReader) refuse(at, what string) {
	if at == "" {
		at = "it"
	}
	if r.err == nil {
		r.err = &confine.Refused{Reason: "the client's policy cannot be followed: " + strings.TrimSpace(strings.TrimPrefix(at, ".")+" "+what),
			Next: "set SANDBOX=workspace or read-only for this server's own rules"}
	}
}

// object is value as an object that has all fields of needed, and else only those of more.
func (r *policyReader) object(at string, value any, needed []string, more ...string) map[string]any {
	fields, ok := value.(map[string]any)
	if !ok {
		r.refuse(at, "is no object")
		return nil
	}
	for _, name := range needed {
		if _, ok := fields[name]; !ok {
			r.refuse(at+"."+name, "is missing")
		}
	}
	for name := range fields {
		if !slices.Contains(needed, name) && !slices.Contains(more, name) {
			r.refuse(at+"."+name, "is not known")
		}
	}
	return fields
}

// word is value as one of the words.
func (r *policyReader) word(at string, value any, words ...string) string {
	if value == nil {
		r.refuse(at, "is missing")
	}
	word, _ := value.(string)
	if !slices.Contains(words, word) {
		r.refuse(at, fmt.Sprintf("is %v, and not %s", value, strings.Join(words, " or ")))
		return ""
	}
	return word
}

// path is value as a path, which may be a file: URI, without links as far as it is there.
func (r *policyReader) path(at string, value any) string {
	path, _ := value.(string)
	if strings.HasPrefix(path, "file:") {
		u, err := url.Parse(path)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			r.refuse(at, fmt.Sprintf("is %v, which is no file of this machine", value))
			return ""
		}
		path = u.Path
	}
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		r.refuse(at, fmt.Sprintf("is %v, and no absolute path", value))
		return ""
	}
	return resolved(path)
}

// resolved is a path without links, as far as it is there.
func resolved(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil || path == "/" {
		return real
	}
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}

func (r *policyReader) policy(value any) *Policy {
	p := &Policy{}
	const profile = "permissionProfile"
	state := r.object("", value, []string{profile, "sandboxCwd"}, "codexLinuxSandboxExe", "useLegacyLandlock", "useMxc")
	if state == nil {
		return p
	}
	r.cwd = r.path("sandboxCwd", state["sandboxCwd"])
	kind, _ := state[profile].(map[string]any)
	switch r.word(profile+".type", kind["type"], "managed", "disabled", "external") {
	case "managed":
		fields := r.object(profile, kind, []string{"type", "file_system", "network"})
		p.network = r.network(fields)
		p.entries = r.files(profile+".file_system", fields["file_system"])
	case "external": // somebody else keeps it, nobody knows how: the least that can be meant
		fields := r.object(profile, kind, []string{"type", "network"})
		p.network = r.network(fields)
		p.entries = []entry{{path: "/", access: accessRead}}
	case "disabled":
		r.object(profile, kind, []string{"type"})
		p.open = true
	}
	return p
}

func (r *policyReader) network(profile map[string]any) bool {
	return r.word("permissionProfile.network", profile["network"], "restricted", "enabled") == "enabled"
}

// files reads what may be done to files.
func (r *policyReader) files(at string, value any) (entries []entry) {
	fields := r.object(at, value, []string{"type", "entries"}, "glob_scan_max_depth")
	r.word(at+".type", fields["type"], "restricted")
	list, ok := fields["entries"].([]any)
	if !ok {
		r.refuse(at+".entries", "is no list")
	}
	for i, value := range list {
		entries = append(entries, r.entry(fmt.Sprintf("%s.entries[%d]", at, i), value)...)
	}
	switch (&Policy{entries: entries}).at("/") {
	case accessNone:
		r.refuse(at+".entries", "do not let code read everywhere but in some places: what is allowed instead cannot be kept here")
	case accessWrite:
		r.refuse(at+".entries", "let code write everywhere, and still in a sandbox: that cannot be made here")
	}
	return entries
}

// entry reads one entry: none, where it says something that needs no keeping.
func (r *policyReader) entry(at string, value any) []entry {
	fields := r.object(at, value, []string{"path", "access"}, "missing_path_behavior")
	if fields == nil {
		return nil
	}
	e := entry{access: map[string]access{"read": accessRead, "write": accessWrite}[r.word(at+".access", fields["access"], "read", "write", "none", "deny")]}
	if missing := fields["missing_path_behavior"]; missing != nil {
		e.skip = r.word(at+".missing_path_behavior", missing, "skip") != ""
	}
	at += ".path"
	path, _ := fields["path"].(map[string]any)
	switch r.word(at+".type", path["type"], "path", "special") { // what a pattern will match nobody knows
	case "path":
		r.object(at, path, []string{"type", "path"})
		e.path = r.path(at+".path", path["path"])
	case "special":
		r.object(at, path, []string{"type", "value"})
		if e.path = r.special(at+".value", path["value"], e.access); e.path == "" {
			return nil
		}
	}
	return []entry{e}
}

// special is the path that a word stands for, "" for one that needs no rule.
func (r *policyReader) special(at string, value any, allowed access) string {
	fields := r.object(at, value, []string{"kind"}, "subpath")
	kind := r.word(at+".kind", fields["kind"], "root", "minimal", "project_roots", "current_working_directory", "tmpdir", "slash_tmp")
	subpath, ok := fields["subpath"].(string)
	project := kind == "project_roots"
	if given := fields["subpath"] != nil; given && (!project || !ok || !filepath.IsLocal(subpath)) {
		r.refuse(at+".subpath", fmt.Sprintf("is %v", fields["subpath"]))
	}
	switch {
	case kind == "root":
		return "/"
	case project, kind == "current_working_directory":
		return resolved(filepath.Join(r.cwd, subpath))
	case allowed == accessNone, kind == "minimal" && allowed == accessWrite:
		r.refuse(at+".kind", "is "+kind+", which can be read and not more")
	}
	return "" // code has directories of its own for temporary files; the system's files can be read
}

// at is what the policy allows at a path.
func (p *Policy) at(path string) access {
	best := entry{}
	for _, e := range p.entries {
		// Of two that say something of the same path the one that denies holds, then the
		// one that lets write.
		denies := e.path == best.path && best.access != accessNone && (e.access == accessNone || e.access > best.access)
		if confine.Within(path, e.path) && (len(e.path) > len(best.path) || denies) {
			best = e
		}
	}
	return best.access
}

// beyond says what code may do under p that it may not under other, "" for nothing. What
// each allows changes only at the paths that it names.
func (p *Policy) beyond(other *Policy) string {
	switch {
	case other.open:
		return ""
	case p.open:
		return "everything"
	case p.network && !other.network:
		return "the network"
	}
	for _, e := range slices.Concat(p.entries, other.entries) {
		switch mine, theirs := p.at(e.path), other.at(e.path); {
		case mine <= theirs:
		case mine == accessWrite:
			return "writing in " + e.path
		default:
			return "reading " + e.path
		}
	}
	return ""
}

// rules are those of a person with the policy in the place of what it decides. missing
// are paths that it protects or hides, and that cannot be, for they are not there.
func (p *Policy) rules(person Rules) (r Rules, missing []string) {
	r = person
	r.Level, r.Only, r.Write = ReadOnly, true, nil
	r.Network = NetworkOff
	if p.network {
		r.Network = NetworkOn
	}
	var write, denied []string
	for _, e := range p.entries {
		switch {
		case p.at(e.path) != e.access:
		case e.access == accessNone && !exists(e.path):
			if !e.skip {
				missing = append(missing, e.path)
			}
		case e.access == accessNone:
			denied = append(denied, e.path)
		case e.access == accessWrite && exists(e.path):
			write = append(write, e.path)
		}
	}
	for _, e := range p.entries {
		switch {
		case e.access != accessRead || p.at(e.path) != accessRead:
		case below(e.path, write) && exists(e.path):
			r.Protect = append(slices.Clip(r.Protect), e.path)
		case below(e.path, write) && !e.skip:
			missing = append(missing, e.path)
		case below(e.path, denied):
			r.Read = append(slices.Clip(r.Read), e.path)
		}
	}
	r.Deny = append(slices.Clip(r.Deny), denied...)
	if r.Write = unique(write); len(write) > 0 {
		r.Level = Workspace
	}
	return r, unique(missing)
}

// ExamplePolicy is one that lets code write in dir and nowhere else, without network.
func ExamplePolicy(dir string) string {
	path := func(kind string) map[string]any {
		return map[string]any{"type": "special", "value": map[string]any{"kind": kind}}
	}
	text, err := json.Marshal(map[string]any{"sandboxCwd": dir, "permissionProfile": map[string]any{"type": "managed", "network": "restricted",
		"file_system": map[string]any{"type": "restricted", "entries": []any{
			map[string]any{"path": path("root"), "access": "read"}, map[string]any{"path": path("project_roots"), "access": "write"}}}}})
	if err != nil {
		panic("encoding a policy: " + err.Error())
	}
	return string(text)
}
