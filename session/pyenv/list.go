package pyenv

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Found is an environment, or a Python that is in none, as files and directory
// names show it.
type Found struct {
	Kind    Kind
	Name    string // "science", "project/.venv", "3.11.7"
	Path    string // its directory; a Python's program
	Version string // Python's, "" if the files do not tell
	Kernel  string // ipykernel's version, "" if it has none
	Broken  string // why it cannot work, "" if nothing speaks against it
	Mend    string // what mends it, "" if unknown
	Near    bool   // in or around the directories the user works in

	rank int    // of the place it was found in: the lower the more likely meant
	real string // without links, the same for all ways to it
}

// Config is what chooses it.
func (x Found) Config() Config {
	switch x.Kind {
	case KindManaged:
		return Config{}
	case KindConda:
		return Config{Type: string(KindConda), CondaName: x.Path}
	case KindUV:
		return Config{Type: string(KindUV), UVVenvPath: x.Path}
	}
	return Config{Type: string(KindVenv), VenvPath: x.Path}
}

// answersTo reports whether a person can call it so: the environment in
// "shop/.venv" is also called "shop".
func (x Found) answersTo(name string) bool {
	project, base, ok := strings.Cut(x.Name, "/")
	return name == x.Name || ok && name == project && slices.Contains(projectNames(), base)
}

// projectNames are the names of environments that say nothing without their
// project's.
func projectNames() []string { return []string{".venv", "venv", "env", ".env"} }

// Listing is what is on this machine.
type Listing struct {
	Found []Found // near ones first
	// Skipped names places that were not looked at to the end, each with the reason.
	Skipped []string
}

// listTime bounds [Finder.List]: a home on a dead network disk never answers.
const listTime = 2 * time.Second

// maxAbove is how many directories above a near one are looked at.
const maxAbove = 4

// place is somewhere environments may be. Places are looked at side by side, each
// in a goroutine of its own, since any of them may hang.
type place struct {
	name string // for people
	rank int
	scan func(s *scan)
}

// scan is one look at all places.
type scan struct {
	f *Finder

	wg      sync.WaitGroup
	mu      sync.Mutex // protects the fields below
	found   []Found
	skipped []string
	pending map[string]bool // names of places being looked at
}

// scans remembers the places that did not answer: a goroutine still hangs there,
// and another would hang too.
type scans struct {
	mu   sync.Mutex // protects the field below
	late map[string]bool
}

// List tells what there is: conda's environments, virtual environments in and
// around f.Near and in the usual places, the Pythons of uv, pyenv and PATH, and
// the managed environment. It reads files and directories only, starts nothing,
// and answers within two seconds, or when ctx ends, with what it has.
func (f *Finder) List(ctx context.Context) Listing {
	return f.list(ctx, f.places(), listTime)
}

func (f *Finder) list(ctx context.Context, places []place, limit time.Duration) Listing {
	s := &scan{f: f, pending: map[string]bool{}}
	for _, p := range places {
		s.start(p)
	}
	done := make(chan struct{})
	go func() { // ends with the last place
		s.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.listing(limit)
}

// start looks at a place, unless an earlier look at it still hangs.
func (s *scan) start(p place) {
	f := s.f
	f.scans.mu.Lock()
	late := f.scans.late[p.name]
	f.scans.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if late {
		s.skipped = append(s.skipped, p.name+": does not answer since an earlier look")
		return
	}
	if s.pending[p.name] {
		return // two ways to the same directory
	}
	s.pending[p.name] = true
	s.wg.Go(func() {
		p.scan(s)
		s.mu.Lock()
		delete(s.pending, p.name)
		s.mu.Unlock()
		f.scans.mu.Lock()
		delete(f.scans.late, p.name)
		f.scans.mu.Unlock()
	})
}

// add takes in what a place holds.
func (s *scan) add(rank int, near bool, found ...Found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range found {
		x.rank, x.Near = rank, near
		if x.Broken == "" && x.Version != "" && tooOld(x.Version) {
			x.Broken = fmt.Sprintf("it is Python %s; 3.%d or newer is needed", x.Version, minPython)
		}
		s.found = append(s.found, x)
	}
}

func (s *scan) skip(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, reason)
}

// names is namesIn, which says when it left some out.
func (s *scan) names(dir string) []string {
	names := namesIn(dir)
	if len(names) == maxListed {
		s.skip(fmt.Sprintf("%s: only %d of its entries were looked at", dir, maxListed))
	}
	return names
}

// listing sorts what was found so far, each environment once.
func (s *scan) listing(limit time.Duration) Listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	skipped := slices.Clone(s.skipped)
	for name := range s.pending {
		skipped = append(skipped, fmt.Sprintf("%s: no answer within %v", name, limit))
		s.f.scans.mu.Lock()
		if s.f.scans.late == nil {
			s.f.scans.late = map[string]bool{}
		}
		s.f.scans.late[name] = true
		s.f.scans.mu.Unlock()
	}
	found := slices.Clone(s.found)
	slices.SortStableFunc(found, func(a, b Found) int {
		order := cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(min(len(a.Broken), 1), min(len(b.Broken), 1)))
		switch {
		case order != 0 || a.rank == rankSystem: // these stay in the order of PATH
			return order
		case a.rank == rankPythons:
			return cmp.Or(compareVersions(b.Version, a.Version), strings.Compare(a.Path, b.Path))
		}
		return strings.Compare(a.Path, b.Path)
	})
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(x Found) bool {
		before := seen[x.real]
		seen[x.real] = true
		return before
	})
	slices.Sort(skipped)
	return Listing{Found: found, Skipped: slices.Compact(skipped)}
}

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
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if prefix := f.getenv(name); filepath.IsAbs(prefix) {
			places = append(places, place{prefix, rankActive, func(s *scan) { s.prefix(rankActive, false, prefix) }})
		}
	}
	if f.DataDir != "" {
		places = append(places, place{f.DataDir, rankManaged, (*scan).managed})
	}
	if f.Home == "" {
		return append(places, place{"PATH", rankSystem, (*scan).system})
	}
	for _, dir := range append(f.workonHomes(), f.venvHomes()...) {
		places = append(places, place{dir, rankVenvs, func(s *scan) { s.children(rankVenvs, false, dir) }})
	}
	pyenv, uv := f.pythonHomes()
	return append(places,
		place{"conda", rankConda, (*scan).conda},
		place{filepath.Join(f.dataHome(), "hatch"), rankVenvs, (*scan).hatch},
		place{f.Home, rankHome, func(s *scan) { s.project(rankHome, false, f.Home); s.children(rankHome, false, f.Home) }},
		place{pyenv, rankPythons, func(s *scan) { s.pythons(pyenv) }},
		place{uv, rankPythons, func(s *scan) { s.pythons(uv) }},
		place{"PATH", rankSystem, (*scan).system},
	)
}

// nearPlaces are the near directories, and those above them up to the home.
func (f *Finder) nearPlaces() []place {
	var places []place
	seen := map[string]bool{}
	for above := range maxAbove + 1 { // a near directory may lie above another
		for _, near := range f.Near {
			dir := filepath.Clean(near)
			for range above {
				if dir == f.Home {
					dir = "/" // what is above the home is not ours
				}
				dir = filepath.Dir(dir)
			}
			if seen[dir] || !filepath.IsAbs(dir) || dir == f.Home || dir == filepath.Dir(dir) {
				continue
			}
			seen[dir] = true
			rank := len(places)
			places = append(places, place{dir, rank, func(s *scan) {
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
	if isPrefix(prefix) {
		s.add(rank, near, s.f.inspect(prefix))
	}
}

// project adds the environments of a project.
func (s *scan) project(rank int, near bool, dir string) {
	for _, prefix := range s.f.projectEnvs(dir) {
		s.prefix(rank, near, prefix)
	}
}

// children adds the environments one level down: a directory of environments, or
// of projects with a ".venv" each.
func (s *scan) children(rank int, near bool, dir string) {
	for _, name := range s.names(dir) {
		child := filepath.Join(dir, name)
		if isPrefix(child) {
			s.add(rank, near, s.f.inspect(child))
		} else if !strings.HasPrefix(name, ".") {
			s.prefix(rank, near, filepath.Join(child, ".venv"))
		}
	}
}

// conda adds conda's environments; its directories become places of their own.
func (s *scan) conda() {
	places := s.f.condaPlaces()
	for _, root := range append(slices.Clone(places.selected), places.usual...) {
		s.prefix(rankConda, false, root)
	}
	for _, dir := range append(places.envsDirs(), places.otherDirs()...) {
		s.start(place{dir, rankConda, func(s *scan) {
			for _, name := range s.names(dir) {
				if prefix := filepath.Join(dir, name); hasMeta(prefix) {
					s.add(rankConda, false, s.f.inspect(prefix))
				}
			}
		}})
	}
	for _, prefix := range places.listed {
		s.start(place{prefix, rankConda, func(s *scan) {
			if filepath.IsAbs(prefix) && hasMeta(prefix) {
				s.add(rankConda, false, s.f.inspect(prefix))
			}
		}})
	}
}

// hatch adds Hatch's environments, virtual/PROJECT/HASH/NAME.
func (s *scan) hatch() {
	found, _ := filepath.Glob(filepath.Join(globEscape(s.f.dataHome()), "hatch", "env", "virtual", "*", "*", "*", "pyvenv.cfg"))
	for _, config := range found[:min(len(found), maxListed)] {
		s.prefix(rankVenvs, false, filepath.Dir(config))
	}
}

// managed adds the default environment of this program.
func (s *scan) managed() {
	marks, _ := filepath.Glob(filepath.Join(globEscape(s.f.DataDir), "envs", "default-py3*", readyMark))
	for _, mark := range marks {
		x := s.f.inspect(filepath.Dir(mark))
		x.Kind, x.Name = KindManaged, "default"
		if x.Broken != "" {
			x.Mend = "it is made anew when it is used next"
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
		case isPrefix(prefix):
			x := s.f.inspect(prefix)
			x.Name = name
			s.add(rankVenvs, false, x)
		case isInstallation(prefix):
			s.add(rankPythons, false, s.f.inspectPython(prefix, name))
		}
	}
}

// system adds the pythons of PATH and of the usual directories.
func (s *scan) system() {
	f := s.f
	dirs := append(f.pathDirs(), f.sys("/usr/local/bin"), f.sys("/opt/homebrew/bin"), f.sys("/usr/bin"))
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || filepath.Base(dir) == "shims" || isPrefix(filepath.Dir(dir)) {
			continue
		}
		for _, name := range pythonNames() {
			path := filepath.Join(dir, name)
			if executable(path) && !dialogStub(runtime.GOOS, path) {
				s.add(rankSystem, false, f.inspectProgram(path))
			}
		}
	}
}

// pythonNames are the names of pythons on PATH.
func pythonNames() []string {
	names := []string{"python3" + exeSuffix, "python" + exeSuffix}
	for minor := 15; minor >= minPython; minor-- {
		names = append(names, fmt.Sprintf("python3.%d%s", minor, exeSuffix))
	}
	return names
}

// realPath is path without links, as far as it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// dirNames lists what is in dir, unsorted; the directories of packages are larger
// than others.
func dirNames(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(10_000)
	return names
}
