package confine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMounts: what lies deeper comes later, and what is protected or hidden last.
func TestMounts(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets") // a directory
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		plan Plan
		want []string
	}{
		"nothing":                      {Plan{}, nil},
		"temporary before what it has": {Plan{Temporary: []string{"/tmp"}, Private: "/tmp/p", Write: []string{"/tmp/work"}}, []string{"--bind /tmp/p /tmp", "--bind /tmp/work /tmp/work"}},
		"empty before what it has":     {Plan{Empty: []string{"/run"}, Write: []string{"/run/user/1/k"}}, []string{"--tmpfs /run", "--bind /run/user/1/k /run/user/1/k"}},
		"readable in writable":         {Plan{Write: []string{"/a"}, Read: []string{"/a/b"}}, []string{"--bind /a /a", "--ro-bind /a/b /a/b"}},
		"writable in readable":         {Plan{Write: []string{"/a/b"}, Read: []string{"/a"}}, []string{"--ro-bind /a /a", "--bind /a/b /a/b"}},
		"protected, then hidden":       {Plan{Write: []string{"/w"}, Protect: []string{"/w/.git"}, Hide: []string{"/a/key"}}, []string{"--bind /w /w", "--ro-bind /w/.git /w/.git", "--ro-bind /dev/null /a/key"}},
		"a hidden directory":           {Plan{Hide: []string{secrets}}, []string{"--perms 0000 --tmpfs " + secrets + " --remount-ro " + secrets}},
		"a grant below a hidden one":   {Plan{Hide: []string{"/h/.codex"}, Write: []string{"/h/.codex/worktrees/x"}}, []string{"--perms 0111 --tmpfs /h/.codex", "--bind /h/.codex/worktrees/x /h/.codex/worktrees/x"}},
	} {
		var got []string
		for _, m := range test.plan.mounts() {
			if m.path != "/dev" && !strings.HasPrefix(m.path, "/proc") {
				got = append(got, strings.Join(m.options, " "))
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

func TestWithin(t *testing.T) {
	for path, want := range map[string]bool{"/a": true, "/a/b": true, "/ab": false, "/": false, "/a/../b": false, "/b": false} {
		if Within(filepath.Clean(path), "/a") != want {
			t.Errorf("%s in /a: %v", path, !want)
		}
	}
}

// TestExplain: each thing that bubblewrap says of itself has a next step.
func TestExplain(t *testing.T) {
	for words, want := range map[string]string{
		"bwrap: setting up uid map: Permission denied":                      "AppArmor",
		"bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted":      "AppArmor",
		"bwrap: No permissions to create new namespace, likely because":     "user namespaces",
		"bwrap: Can't mount proc on /newroot/proc: Operation not permitted": "container",
		"bwrap: Unknown option --disable-userns":                            "0.8",
		"the sandbox does not stop writing in /":                            "report this",
		"":                                                                  "doctor",
	} {
		err := Explain(words, errors.New("guard ended: exit status 1"))
		refused, _ := errors.AsType[*Refused](err)
		if refused == nil || !strings.Contains(refused.Next, want) || !strings.Contains(refused.Reason, strings.TrimPrefix(words, "bwrap: ")) {
			t.Errorf("%q: %v", words, err)
		}
	}
}
