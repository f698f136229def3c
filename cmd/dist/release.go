package main

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What is the same in every release.
const (
	program     = "mcp-code-executor"
	development = "0.1.0-dev"
	repository  = "https://github.com/mcp-code-executor/mcp-code-executor"
	// registryName is the server's name in the MCP registry. Each package carries it,
	// which is how the registry knows that package and server have one owner.
	registryName = "io.github.mcp-code-executor/mcp-code-executor"
	image        = "ghcr.io/mcp-code-executor/mcp-code-executor"
	license      = "MIT"
	author       = "The mcp-code-executor authors"
	title        = "Python (mcp-code-executor)"
	// summary has at most 100 characters: the registry takes no more.
	summary = "MCP server that gives a model a persistent Python, in an environment of yours or one that it makes"
)

// release is one run of this program.
type release struct {
	source  string    // the repository
	out     string    // where everything goes
	version string    // semantic version, without the v
	commit  string    // of the source
	time    time.Time // of the commit: the time of every file that is packed
	level   int       // of compression, flate's
	// goCommand builds.
	goCommand string
}

// semantic is a semantic version that all registries can be told: with no build
// metadata, and a pre-release that PyPI has a word for.
var semantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(dev|((alpha|beta|rc)\.(0|[1-9]\d*))))?$`)

// newRelease asks git what is to be released. Sources without a repository, an archive
// of them say, are packed as the development version.
func newRelease(ctx context.Context, out, version string) (*release, error) {
	r := &release{version: version, level: flate.BestCompression}
	var err error
	if r.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if r.source, err = git(ctx, "rev-parse", "--show-toplevel"); err != nil {
		return r, r.unversioned(ctx)
	}
	if r.commit, err = git(ctx, "rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	seconds, err := git(ctx, "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("time of commit %s: %w", r.commit, err)
	}
	r.time = time.Unix(unix, 0).UTC()
	if r.version == "" {
		r.version = development
		if tag, err := git(ctx, "describe", "--tags", "--exact-match", "--match", "v*"); err == nil {
			r.version = strings.TrimPrefix(tag, "v")
		}
	}
	return r, r.check(ctx)
}

// unversioned is a release of sources that git knows nothing of.
func (r *release) unversioned(ctx context.Context) error {
	if r.version != "" && r.version != development {
		return fmt.Errorf("version %s: git knows no commit here; make a release from a clone", r.version)
	}
	r.version, r.commit = development, "unknown"
	r.time = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) // the earliest that a zip can tell
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	r.source = filepath.Dir(strings.TrimSpace(string(mod)))
	return nil
}

// check refuses a version that not every registry can be told, and one whose
// commit does not hold what is released.
func (r *release) check(ctx context.Context) error {
	if !semantic.MatchString(r.version) {
		return fmt.Errorf("version %q: give X.Y.Z, or X.Y.Z with -alpha.N, -beta.N, -rc.N or -dev", r.version)
	}
	changed, err := git(ctx, "status", "--porcelain")
	if err == nil && changed != "" && r.version != development {
		return fmt.Errorf("version %s: there are changes that are not committed; commit or stash them:\n%s", r.version, changed)
	}
	return err
}

func git(ctx context.Context, args ...string) (string, error) {
	var said strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// pep440 is the version as PyPI writes it.
func (r *release) pep440() string {
	return strings.NewReplacer("-alpha.", "a", "-beta.", "b", "-rc.", "rc", "-dev", ".dev0").Replace(r.version)
}

// prerelease reports whether this is no version for everybody.
func (r *release) prerelease() bool { return strings.Contains(r.version, "-") }

// download is where a file of the release will lie.
func (r *release) download(name string) string {
	return repository + "/releases/download/v" + r.version + "/" + name
}

// clear removes what an earlier run made. It removes no directory that is
// something else.
func (r *release) clear() error {
	entries, err := os.ReadDir(r.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(r.out, mark)); err != nil {
			return fmt.Errorf("%s is not empty, and nothing that this program has made: give another directory with -out", r.out)
		}
	}
	return os.RemoveAll(r.out)
}

// mark is in each directory of this program's.
const mark = "bin"

// write writes files into a directory of the release.
func (r *release) write(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(r.out, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// document reads a document of the repository.
func (r *release) document(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(r.source, name))
}

// relativeLink is a link of README to another file of the repository.
var relativeLink = regexp.MustCompile(`\]\(([A-Za-z][^):]*)\)`)

// relativePicture is a picture of README that lies in the repository.
var relativePicture = regexp.MustCompile(`(!\[[^\]]*\])\(([A-Za-z][^):]*)\)`)

// readme is README for a page on which its links to files lead nowhere, with the
// line by which the MCP registry knows the package.
func (r *release) readme() (string, error) {
	b, err := r.document("README.md")
	if err != nil {
		return "", err
	}
	at := "v" + r.version
	if r.version == development {
		at = "main"
	}
	text := relativePicture.ReplaceAllString(string(b), "$1("+repository+"/raw/"+at+"/$2)")
	text = relativeLink.ReplaceAllString(text, "]("+repository+"/blob/"+at+"/$1)")
	return text + "\n<!-- mcp-name: " + registryName + " -->\n", nil
}
