package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Owned is something this program has made in its data directory.
type Owned struct {
	Kind   string // "managed environment", "kernel", "uv"
	Path   string
	Detail string // what is in it
	Bytes  int64  // of all its files
	// Shared are those of its bytes that removing it does not free: uv's cache has
	// them too, by hard links.
	Shared int64
	InUse  bool // by a server that runs
}

// Owned lists what this program has made: managed environments, sidecars, uv.
// It reads the disk only.
func (p *Provisioner) Owned() []Owned {
	if p.Installer.Finder.Host.DataDir == "" {
		return nil
	}
	var list []Owned
	add := func(kind, path, detail string) {
		total, shared := sizeOf(path)
		list = append(list, Owned{Kind: kind, Path: path, Detail: detail, Bytes: total, Shared: shared, InUse: p.Installer.Finder.Host.InUse(path)})
	}
	dirs, _ := filepath.Glob(filepath.Join(host.GlobEscape(p.Installer.Finder.Host.DataDir), "envs", "default-py3*"))
	for _, dir := range dirs {
		var info readyInfo
		detail := "half made"
		if host.ReadJSON(filepath.Join(dir, kinds.ReadyMark), &info) == nil {
			detail = "Python " + info.Python + ", made with " + strings.Join(info.Packages, ", ")
		}
		add("managed environment", dir, detail)
	}
	for _, s := range p.sidecars() {
		add("kernel", s.dir, "ipykernel "+s.Kernel+" beside "+strings.Join(s.Prefixes, ", "))
	}
	if dir := p.Installer.UVDir(); host.IsDir(dir) {
		var detail string
		for name, version := range distsIn(dir) {
			detail = name + " " + version
		}
		add("uv", dir, detail)
	}
	return list
}

// InUseError says that something is not removed because a server uses it.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return e.Path + " is used by a server that runs: end it first"
}

// Remove removes one of [Finder.Owned]. What a running server uses stays, and is
// an [*InUseError]; so does anything else.
func (p *Provisioner) Remove(ctx context.Context, o Owned) error {
	i := slices.IndexFunc(p.Owned(), func(own Owned) bool { return own.Path == o.Path })
	if i < 0 {
		return fmt.Errorf("removing %s: this program has not made it", o.Path)
	}
	lock := map[string]string{"managed environment": "default-environment", "kernel": "sidecars", "uv": "uv"}[o.Kind]
	unlock, err := p.Installer.Finder.Host.Lock(ctx, lock, nil)
	if err != nil {
		return err
	}
	defer unlock()
	if p.Installer.Finder.Host.InUse(o.Path) {
		return &InUseError{Path: o.Path}
	}
	// Without its mark first, so that an interruption leaves nothing that looks whole.
	for _, mark := range []string{kinds.ReadyMark, sidecarMark} {
		if err := host.IgnoreAbsent(os.Remove(filepath.Join(o.Path, mark))); err != nil {
			return fmt.Errorf("removing %s: %w", o.Path, err)
		}
	}
	if err := os.RemoveAll(o.Path); err != nil {
		return fmt.Errorf("removing %s: %w", o.Path, err)
	}
	_ = os.Remove(filepath.Join(p.Installer.Finder.Host.DataDir, "locks", host.UseName(o.Path)))
	return nil
}

// sizeOf adds up the files below dir, and those of them that have a hard link;
// what cannot be read counts nothing.
func sizeOf(dir string) (total, shared int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return nil
			}
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
			if host.HasLinks(info) {
				shared += info.Size()
			}
		}
		return nil
	})
	return total, shared
}
