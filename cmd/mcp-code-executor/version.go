package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = "0.1.0-dev"

// build is what this program was made of, as --version --json prints it.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // there were changes that the commit does not have
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	return b
}

// versionLine tells version, commit and Go version.
func versionLine() string {
	b := thisBuild()
	commit := "unknown commit"
	if b.Commit != "" {
		commit = b.Commit
	}
	return fmt.Sprintf("mcp-code-executor %s (%s, %s %s/%s)", b.Version, commit, b.Go, b.OS, b.Arch)
}

// printVersion prints the version for a person, or as one line of JSON.
func (a *app) printVersion(asJSON bool) {
	if !asJSON {
		fmt.Fprintln(a.stdout, versionLine())
		return
	}
	line, _ := json.Marshal(thisBuild()) // strings and a bool
	fmt.Fprintf(a.stdout, "%s\n", line)
}
