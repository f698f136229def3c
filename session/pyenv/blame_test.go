package pyenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIPythonDirNotice: a directory that IPython would pass by without a word.
func TestIPythonDirNotice(t *testing.T) {
	home, work := t.TempDir(), t.TempDir()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"":                 "",
		home:               "",
		home + "/new":      "",
		"~/ipython":        "",
		"~":                "",
		"here":             "",
		file:               "is not a directory",
		"~/file":           "is not a directory",
		home + "/no/ipy":   "cannot be made: " + home + "/no is not there",
		"sub/here":         "cannot be made: " + work + "/sub is not there",
		"$HOME/ipython":    "holds a variable",
		"${HOME}/.ipython": "holds a variable",
		file + "/below":    "is not a directory",
	} {
		got := IPythonDirNotice([]string{"HOME=" + home, "IPYTHONDIR=" + value}, work)
		if want == "" != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	if got := IPythonDirNotice([]string{"HOME=" + home}, work); got != "" {
		t.Error(got)
	}
}
