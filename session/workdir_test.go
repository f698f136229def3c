package session

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// TestWorkDirError: a path that is not there because nothing has expanded it says so.
func TestWorkDirError(t *testing.T) {
	for path, want := range map[string]string{
		"/srv/$PROJECTS/shop":     "is not there (the variable PROJECTS is not set where this server was started: write the path out)",
		"/srv/x/${env:HOME}/shop": "is not there (${env:HOME} is filled in neither by the client nor by this server: write the path out)",
		"/srv/{workspace}":        "is not there ({workspace} is filled in neither by the client nor by this server: write the path out)",
		"/srv/%USERPROFILE%/x":    "is not there (%USERPROFILE% is filled in neither by the client nor by this server: write the path out)",
		"/srv/<your project>":     "is not there (<your project> is filled in neither by the client nor by this server: write the path out)",
		"/tmp/~otto/shop":         "is not there (only a ~ that stands alone at the beginning is the home directory: write the path out)",
		"/srv/shop":               "is not there",
		"/srv/a~b/5$":             "is not there",
	} {
		err := &WorkDirError{WorkDir: WorkDir{Path: path, By: "WORK_DIR"}, Err: fs.ErrNotExist}
		if got, _ := strings.CutPrefix(err.Error(), "WORK_DIR="+path+" "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	err := &WorkDirError{WorkDir: WorkDir{Path: "/srv/x", By: "WORK_DIR"}, Err: errors.New("is not a directory")}
	if got := err.Error(); got != "WORK_DIR=/srv/x is not a directory" {
		t.Error(got)
	}
}
