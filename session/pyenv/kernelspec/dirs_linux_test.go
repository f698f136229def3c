package kernelspec

import (
	"slices"
	"strings"
	"testing"
)

// TestDirs: where Jupyter looks on Linux.
func TestDirs(t *testing.T) {
	for variables, want := range map[string]string{
		"":                          "/env /home/u/.local/share /usr/local/share /usr/share",
		"XDG_DATA_HOME=/x":          "/env /x /usr/local/share /usr/share",
		"JUPYTER_PATH=/a:b:/c":      "/a! /c! /env /home/u/.local/share /usr/local/share /usr/share",
		"JUPYTER_DATA_DIR=/d":       "/env /d! /usr/local/share /usr/share",
		"JUPYTER_DATA_DIR=relative": "/env /usr/local/share /usr/share",
	} {
		name, value, _ := strings.Cut(variables, "=")
		var all []string
		for _, dir := range strings.Fields(want) {
			switch exact, is := strings.CutSuffix(dir, "!"); {
			case is:
				dir = exact
			case dir == "/env":
				dir = "/env/share/jupyter"
			default:
				dir += "/jupyter"
			}
			all = append(all, dir+"/kernels")
		}
		got := Dirs(func(n string) string { return map[string]string{name: value}[n] }, "/home/u", "/env")
		if !slices.Equal(got, all) {
			t.Errorf("%s: got %q, want %q", variables, got, all)
		}
	}
}
