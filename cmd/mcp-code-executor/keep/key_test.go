package keep

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKey: what decides which server a front belongs to, and what does not.
func TestKey(t *testing.T) {
	home := t.TempDir()
	project := filepath.Join(home, "project")
	if err := os.Mkdir(project, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(project, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	base := map[string]string{"HOME": home, "WORK_DIR": project, "KEEP": "30m", "VENV_PATH": "~/venv", "KEEP_SPLIT": "AWS_PROFILE"}
	key := func(changes ...string) string {
		t.Helper()
		values := map[string]string{}
		for name, value := range base {
			values[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			values[changes[i]] = changes[i+1]
		}
		k, err := keyOf(func(name string) string { return values[name] }, func() ([]byte, error) { return []byte("secret"), nil })
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	want := key()
	for name, changes := range map[string][]string{
		"for longer":           {"KEEP", "8h"},
		"another log level":    {"LOG_LEVEL", "debug"},
		"another idle limit":   {"SESSION_IDLE_LIMIT", "1h"},
		"without the prelude":  {"PRELUDE", "off"},
		"with a notebook":      {"NOTEBOOK", "on"},
		"without a spare":      {"SPARE_KERNEL", "off"},
		"a token":              {"TOKEN", "x"},
		"another PATH":         {"PATH", "/opt/bin"},
		"the path written out": {"VENV_PATH", home + "/venv"},
		"by a link":            {"WORK_DIR", filepath.Join(home, "link")},
	} {
		if key(changes...) != want {
			t.Errorf("%s: another server", name)
		}
	}
	seen := map[string]string{want: "the first"}
	for name, changes := range map[string][]string{
		"another home":        {"HOME", t.TempDir()},
		"another directory":   {"WORK_DIR", home},
		"another storage":     {"CODE_STORAGE_DIR", home},
		"another environment": {"VENV_PATH", "~/other"},
		"hidden variables":    {"ENV_DENY", "AWS_*"},
		"no history":          {"HISTORY", "off"},
		"no installing":       {"KERNEL_INSTALL", "never"},
		"nothing at all":      {"INSTALL", "never"},
		"credentials":         {"AWS_PROFILE", "admin"},
		"none of them":        {"KEEP_SPLIT", ""},
		"data elsewhere":      {"XDG_DATA_HOME", filepath.Join(home, "data")},
	} {
		k := key(changes...)
		if seen[k] != "" {
			t.Errorf("%s: the same server as %s", name, seen[k])
		}
		seen[k] = name
	}
	before := key("CODE_STORAGE_DIR", filepath.Join(home, "link", "code"))
	if err := os.Mkdir(filepath.Join(project, "code"), 0o700); err != nil {
		t.Fatal(err)
	}
	if key("CODE_STORAGE_DIR", filepath.Join(home, "link", "code")) != before {
		t.Error("another server when the storage has been made")
	}
}

func TestLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := &bounded{}
	l.Write([]byte("lost"))
	l.open(path)
	line := make([]byte, 1000)
	for range 3 * maxLog / len(line) {
		l.Write(line)
	}
	l.Write([]byte("last"))
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > maxLog || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text[len(text)-4:]) != "last" {
		t.Errorf("%v", err)
	}
}
