package confine

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestSeatbeltProfile: the profile of macOS's sandbox for a plan, and the paths in it. It was
// never run: what each rule does there is by the book.
func TestSeatbeltProfile(t *testing.T) {
	for name, plan := range map[string]Plan{
		"read-only": {Temporary: []string{"/tmp", "/private/var/tmp"}, Private: "/var/folders/x/T/own"},
		"workspace": {
			Write:     []string{"/Users/ana/project", "/var/folders/x/T/kernel"},
			Protect:   []string{"/Users/ana/project/.git", "/Users/ana/project/sub/.venv"},
			Read:      []string{"/Users/ana/Library/Application Support/mce/env"},
			Hide:      []string{"/Users/ana/.ssh", "/Users/ana/Library/Application Support/mce", "/Users/ana/project/secret/key"},
			Temporary: []string{"/private/tmp", "/var/folders/x/T"},
			Private:   "/var/folders/x/T/own",
			Sockets:   []string{"/var/folders/x/T/kernel"},
		},
		"network":   {Network: true, Private: "/private/tmp/own", Temporary: []string{"/tmp"}, Write: []string{"/tmp/project/a"}},
		"odd names": {Write: []string{`/Users/ana/a "quoted" \ (allow default)`, "/Users/ana/two\nlines", "/Users/ana/a=b", "/Users/ana/b", "/Users/ana/%"}, Private: "/private/tmp/own", Hide: []string{"/Users/ana/b/=b"}},
	} {
		text, parameters := plan.SeatbeltProfile()
		text, ok := strings.CutPrefix(text, seatbeltBase)
		if !ok {
			t.Errorf("%s does not begin with what all have", name)
		}
		if strings.Count(text, "(") != strings.Count(text, ")") {
			t.Errorf("%s: parentheses do not match:\n%s", name, text)
		}
		for _, parameter := range parameters {
			key, path, _ := strings.Cut(parameter, "=")
			if !filepath.IsAbs(path) || !strings.Contains(text, `(param "`+key+`")`) || strings.Contains(text, path) {
				t.Errorf("%s: %q", name, parameter)
			}
		}
		got := strings.Join(quoted(parameters), "\n") + "\n" + text
		golden := filepath.Join("testdata", "seatbelt", strings.ReplaceAll(name, " ", "-")+".sb")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

// quoted shows parameters, with what a line cannot have.
func quoted(parameters []string) []string {
	lines := make([]string, len(parameters))
	for i, parameter := range parameters {
		lines[i] = "; " + strings.ReplaceAll(parameter, "\n", `\n`)
	}
	return lines
}

// TestSeatbeltEnviron: without mounts temporary files lie in the private directory, though
// macOS's own are named by links.
func TestSeatbeltEnviron(t *testing.T) {
	p := Plan{Program: seatbeltProgram, Seatbelt: true, Temporary: []string{"/private/tmp"}, Private: "/var/folders/x/T/own", Moved: []string{"TMPDIR", "XDG_CACHE_HOME"}}
	got := p.Environ([]string{"TMPDIR=/tmp", "XDG_CACHE_HOME=/tmp/cache", "HOME=/tmp/home"})
	if want := []string{"TMPDIR=/var/folders/x/T/own", "XDG_CACHE_HOME=/var/folders/x/T/own/cache", "HOME=/tmp/home"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if p.Mounts() || !p.Excepts() || !p.CutsSockets() || !p.CutsSignals() {
		t.Error("what such a sandbox stops is not known")
	}
}

// TestFindSeatbelt: where macOS's program is missing, nothing runs.
func TestFindSeatbelt(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		_, err := findSeatbelt(path)
		refused, _ := errors.AsType[*Refused](err)
		if refused == nil || !strings.Contains(refused.Reason, path) || refused.Next == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	program := filepath.Join(dir, "sandbox-exec")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := findSeatbelt(program); err != nil || found != program {
		t.Errorf("%s: %v", found, err)
	}
}
