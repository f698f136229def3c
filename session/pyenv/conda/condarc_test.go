package conda

import (
	"slices"
	"testing"
)

func TestParseCondarc(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"block", "envs_dirs:\n  - /a\n  - ~/b c\n", []string{"/a", "~/b c"}},
		{"block without indent", "envs_dirs:\n- /a\nchannels:\n- x\n", []string{"/a"}},
		{"inline", "envs_dirs: [/a, \"/b c\", '/d']\n", []string{"/a", "/b c", "/d"}},
		{"inline over lines", "envs_dirs: [\n  /a,\n  /b\n]\nx: y\n", []string{"/a", "/b"}},
		{"a single string", "envs_dirs: /a\n", []string{"/a"}},
		{"comments", "# x\nenvs_dirs: # y\n  # z\n  - /a # not /b\n  - '/c # d'\n", []string{"/a", "/c # d"}},
		{"carriage returns", "envs_dirs:\r\n  - /a\r\n", []string{"/a"}},
		{"nested is not ours", "other:\n  envs_dirs:\n    - /a\n", nil},
		{"list of another key", "channels:\n  - /a\nenvs_dirs:\n  - /b\n", []string{"/b"}},
		{"unfinished", "envs_dirs: [/a", nil},
		{"wide items", "envs_dirs:\n  -   /a\n  -\t/b\n", nil},
		{"more blanks", "envs_dirs:\n    -   /a\n", []string{"/a"}},
		{"escapes", `envs_dirs: ["/a\u0062", '/it''s', "/c, d"]` + "\n", []string{"/ab", "/it's", "/c, d"}},
		{"folded", "envs_dirs:\n  - >-\n    /a\n    b\n", []string{"/a b"}},
		{"an anchor", "x: &e [/a]\nenvs_dirs: *e\n", []string{"/a"}},
		{"a document's marks", "---\nenvs_dirs:\n- /a\n...\n", []string{"/a"}},
		{"not all strings", "envs_dirs: [/a, {b: c}]\n", nil},
	} {
		if got := parseCondarc([]byte(test.text))["envs_dirs"]; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzParseCondarc(f *testing.F) {
	for _, seed := range []string{"envs_dirs:\n  - /a\n", "a: [b, 'c]'", "\"\"\"", "- - -", ": :", "envs_dirs: [\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { parseCondarc([]byte(text)) })
}
