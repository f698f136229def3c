package serve

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestTokens: made once, known by their secrets alone, renewed, revoked; another
// process sees each change at once.
func TestTokens(t *testing.T) {
	state := t.TempDir()
	tokens, other := OpenTokens(state), OpenTokens(state)
	known := func(secret string) string {
		t.Helper()
		token, ok, err := other.Known(secret)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ""
		}
		return token.Name
	}
	if known("") != "" || known("mce_") != "" {
		t.Error("known without a file")
	}
	laptop, err := tokens.Add("laptop")
	if err != nil {
		t.Fatal(err)
	}
	desk, err := tokens.Add("desk")
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{laptop: "laptop", desk: "desk", "": "", laptop[:len(laptop)-1]: "", laptop + "x": "", strings.ToLower(laptop): "", "laptop": ""} {
		if got := known(secret); got != want {
			t.Errorf("%q is %q, want %q", secret, got, want)
		}
	}
	if text, _ := os.ReadFile(tokens.Path()); strings.Contains(string(text), laptop) || !strings.Contains(string(text), `"laptop"`) {
		t.Errorf("the file: %s", text)
	}
	if info, _ := os.Stat(tokens.Path()); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	before, _ := other.List()
	renewed, err := tokens.Renew("laptop")
	if err != nil || known(laptop) != "" || known(renewed) != "laptop" {
		t.Errorf("renewed: %v", err)
	}
	after, _ := other.List()
	if before[1].ID != after[1].ID || after[1].Name != "laptop" {
		t.Errorf("renewed, it is another owner: %v, %v", before, after)
	}
	if err := tokens.Revoke("laptop"); err != nil || known(renewed) != "" || known(desk) != "desk" {
		t.Errorf("revoked: %v", err)
	}
	if _, err := tokens.Add("laptop"); err != nil {
		t.Error(err)
	}
	if again, _ := other.List(); again[1].ID == before[1].ID {
		t.Error("made again, it is the same owner")
	}
	for _, name := range []string{"", "a b", "é", "-x", strings.Repeat("x", 41), "a/b", "desk"} {
		if _, err := tokens.Add(name); err == nil {
			t.Errorf("a token of the name %q was made", name)
		}
	}
	if err := tokens.Revoke("nobody"); err == nil || !strings.Contains(err.Error(), "desk, laptop") {
		t.Error(err)
	}
}

// TestTokensAtOnce: of several processes that make tokens at the same time, none loses.
func TestTokensAtOnce(t *testing.T) {
	state := t.TempDir()
	var wg sync.WaitGroup
	for _, name := range strings.Fields("a b c d e f g h") {
		wg.Go(func() {
			if _, err := OpenTokens(state).Add(name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := OpenTokens(state).List(); len(all) != 8 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

// TestBadTokenFile: nobody comes in by a file that others can write or that is broken.
func TestBadTokenFile(t *testing.T) {
	state := t.TempDir()
	tokens := OpenTokens(state)
	secret, err := tokens.Add("x")
	if err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(tokens.Path())
	for name, spoil := range map[string]func(path string) error{
		"broken": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"not whole": func(path string) error {
			return os.WriteFile(path, []byte(`[{"name":"x","id":"y","sha256":""}]`), 0o600)
		},
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"open": func(path string) error {
			if runtime.GOOS == "windows" {
				return os.WriteFile(path, nil, 0o600)
			}
			err := os.WriteFile(path, good, 0o600)
			return cmp(err, os.Chmod(path, 0o644))
		},
	} {
		os.RemoveAll(tokens.Path())
		if err := spoil(tokens.Path()); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := OpenTokens(state).Known(secret); ok || err == nil || !strings.Contains(err.Error(), filepath.Base(tokens.Path())) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		if _, err := OpenTokens(state).Add("y"); err == nil {
			t.Errorf("%s: it was replaced", name)
		}
	}
}

func cmp(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
