package pyenv

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Ranks of places: near ones have lower ones, by their distance.
const (
	rankActive  = 100
	rankManaged = 200
	rankConda   = 300
	rankVenvs   = 400
	rankHome    = 500
	rankPythons = 600
	rankSystem  = 700
)

// places computes where to look. It touches no disk.
func (f *Finder) places() []place {
	places := f.nearPlaces()
	for _, kind := range kinds.All() {
		prefix := f.Host.Variable(strings.TrimSuffix(kind.Active, "*"))
		if kind.Active != "" && filepath.IsAbs(prefix) {
			places = append(places, place{prefix, "prefix", rankActive, func(s *scan) { s.prefix(rankActive, false, prefix) }})
		}
	}
	if f.Host.DataDir != "" {
		places = append(places, place{f.Host.DataDir, "managed", rankManaged, (*scan).managed})
	}
	if f.Host.Home == "" {
		return append(places, place{"PATH", "", rankSystem, (*scan).system})
	}
	for _, kind := range kinds.All() {
		places = append(places, f.kept(kind)...)
	}
	return append(places,
		place{"conda", "", rankConda, (*scan).conda},
		place{f.Host.Home, "", rankHome, func(s *scan) {
			s.project(rankHome, false, f.Host.Home)
			s.children(rankHome, false, f.Host.Home)
		}},
		place{"PATH", "", rankSystem, (*scan).system},
	)
}

// kept are the places where a tool keeps environments and Pythons.
func (f *Finder) kept(kind kinds.Entry) (places []place) {
	if kind.Homes != nil {
		for _, dir := range kind.Homes(f.Host) {
			places = append(places, place{dir, "", rankVenvs, func(s *scan) { s.children(rankVenvs, false, dir) }})
		}
	}
	if kind.Nested != nil {
		dir, pattern := kind.Nested(f.Host)
		places = append(places, place{dir, "nested", rankVenvs, func(s *scan) { s.nested(dir, pattern) }})
	}
	if kind.Pythons != nil {
		dir := kind.Pythons(f.Host)
		places = append(places, place{dir, "pythons", rankPythons, func(s *scan) { s.pythons(dir) }})
	}
	return places
}

// nearPlaces are the near directories, and those above them up to the home.
func (f *Finder) nearPlaces() []place {
	var places []place
	seen := map[string]bool{}
	for above := range maxAbove + 1 { // a near directory may lie above another
		for _, near := range f.Near {
			dir := filepath.Clean(near)
			for range above {
				if dir == f.Host.Home {
					dir = "/" // what is above the home is not ours
				}
				dir = filepath.Dir(dir)
			}
			if seen[dir] || !filepath.IsAbs(dir) || dir == f.Host.Home || dir == filepath.Dir(dir) {
				continue
			}
			seen[dir] = true
			rank := len(places)
			places = append(places, place{dir, "", rank, func(s *scan) {
				s.project(rank, true, dir)
				if above == 0 {
					s.children(rank, true, dir)
				}
			}})
		}
	}
	return places
}

// prefix adds the environment in a directory, if there is one.
func (s *scan) prefix(rank int, near bool, prefix string) {
	if kinds.IsPrefix(prefix) {
		s.add(rank, near, s.f.inspect(prefix))
	}
}

// project adds the environments of a project.
func (s *scan) project(rank int, near bool, dir string) {
	for _, prefix := range kinds.InProject(s.f.Host, dir) {
		s.prefix(rank, near, prefix)
	}
}

// children adds the environments one level down: a directory of environments, or
// of projects with a ".venv" each.
func (s *scan) children(rank int, near bool, dir string) {
	for _, name := range s.names(dir) {
		child := filepath.Join(dir, name)
		if kinds.IsPrefix(child) {
			s.add(rank, near, s.f.inspect(child))
		} else if !strings.HasPrefix(name, ".") {
			s.prefix(rank, near, filepath.Join(child, ".venv"))
		}
	}
}

// conda adds conda's environments; its directories become places of their own.
func (s *scan) conda() {
	places := s.f.Conda.Places()
	for _, root := range append(slices.Clone(places.Selected), places.Usual...) {
		s.prefix(rankConda, false, root)
	}
	for _, dir := range append(places.EnvsDirs(), places.OtherDirs()...) {
		s.start(place{dir, "conda", rankConda, func(s *scan) {
			for _, name := range s.names(dir) {
				if prefix := filepath.Join(dir, name); conda.IsPrefix(prefix) {
					s.add(rankConda, false, s.f.inspect(prefix))
				}
			}
		}})
	}
	for _, prefix := range places.Listed {
		s.start(place{prefix, "conda", rankConda, func(s *scan) {
			if filepath.IsAbs(prefix) && conda.IsPrefix(prefix) {
				s.add(rankConda, false, s.f.inspect(prefix))
			}
		}})
	}
}

// nested adds the environments below dir where the pattern leads.
func (s *scan) nested(dir, pattern string) {
	found, _ := filepath.Glob(filepath.Join(host.GlobEscape(dir), filepath.FromSlash(pattern)))
	for _, prefix := range found[:min(len(found), host.MaxListed)] {
		s.prefix(rankVenvs, false, prefix)
	}
}

// managed adds the default environment of this program.
func (s *scan) managed() {
	for _, prefix := range kinds.ManagedEnvs(s.f.Host) {
		x := s.f.inspect(prefix)
		x.Kind, x.Name = kinds.Managed, "default"
		if x.Broken != "" {
			x.Fix = "it is made anew when it is used next"
		}
		s.add(rankManaged, false, x)
	}
}

// pythons adds what pyenv or uv has installed into dir; pyenv-virtualenv links its
// environments into it.
func (s *scan) pythons(dir string) {
	for _, name := range s.names(dir) {
		prefix := filepath.Join(dir, name)
		switch {
		case kinds.IsPrefix(prefix):
			x := s.f.inspect(prefix)
			x.Name = name
			s.add(rankVenvs, false, x)
		case kinds.IsInstallation(prefix):
			s.add(rankPythons, false, s.f.inspectPython(prefix, name))
		}
	}
}

// system adds the pythons of PATH and of the usual directories.
func (s *scan) system() {
	f := s.f
	dirs := append(f.Host.PathDirs(), f.Host.Sys("/usr/local/bin"), f.Host.Sys("/opt/homebrew/bin"), f.Host.Sys("/usr/bin"))
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || filepath.Base(dir) == "shims" || kinds.IsPrefix(filepath.Dir(dir)) {
			continue
		}
		for _, name := range pythonNames() {
			path := filepath.Join(dir, name)
			if host.Executable(path) && !dialogStub(runtime.GOOS, path) {
				s.add(rankSystem, false, f.inspectProgram(path))
			}
		}
	}
}
