package pyenv

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// Found is an environment, or a Python that is in none, as files and directory
// names show it.
type Found struct {
	Kind    kinds.Kind
	Name    string // "science", "project/.venv", "3.11.7"
	Path    string // its directory; a Python's program
	Version string // Python's, "" if the files do not tell
	Kernel  string // ipykernel's version, "" if it has none
	Broken  string // why it cannot work, "" if nothing speaks against it
	Fix     string // what fixes it, "" if unknown
	Near    bool   // in or around the directories the user works in

	rank int    // of the place it was found in: the lower the more likely meant
	real string // without links, the same for all ways to it
}

// Config is what chooses it.
func (x Found) Config() Config {
	switch x.Kind {
	case kinds.Managed:
		return Config{}
	case kinds.Conda:
		return Config{Type: string(kinds.Conda), CondaName: x.Path}
	case kinds.UV:
		return Config{Type: string(kinds.UV), UVVenvPath: x.Path}
	}
	return Config{Type: string(kinds.Venv), VenvPath: x.Path}
}

// answersTo reports whether a person can call it so: the environment in
// "shop/.venv" is also called "shop".
func (x Found) answersTo(name string) bool {
	project, base, ok := strings.Cut(x.Name, "/")
	return name == x.Name || ok && name == project && kinds.IsProjectName(base)
}

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
	what string // what is looked for: a directory can be a place for more than one thing
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
	looked  map[string]bool // places that were begun
	pending map[string]int  // how many looks at a place of that name are under way
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
	s := &scan{f: f, looked: map[string]bool{}, pending: map[string]int{}}
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
	if s.looked[p.what+" "+p.name] {
		return // two ways to the same directory
	}
	s.looked[p.what+" "+p.name] = true
	s.pending[p.name]++
	s.wg.Go(func() {
		p.scan(s)
		s.mu.Lock()
		if s.pending[p.name]--; s.pending[p.name] == 0 {
			delete(s.pending, p.name)
		}
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
	names := host.NamesIn(dir)
	if len(names) == host.MaxListed {
		s.skip(fmt.Sprintf("%s: only %d of its entries were looked at", dir, host.MaxListed))
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
			return cmp.Or(packaging.CompareReleases(b.Version, a.Version), strings.Compare(a.Path, b.Path))
		}
		return strings.Compare(a.Path, b.Path)
	})
	return Listing{Found: once(found), Skipped: skippedOnce(skipped)}
}

// once keeps the first of each environment. The managed one is always called that,
// wherever it was found first.
func once(found []Found) []Found {
	managed := map[string]Found{}
	for _, x := range found {
		if x.Kind == kinds.Managed {
			managed[x.real] = x
		}
	}
	seen := map[string]bool{}
	var kept []Found
	for _, x := range found {
		if seen[x.real] {
			continue
		}
		seen[x.real] = true
		if own, ok := managed[x.real]; ok {
			own.rank, own.Near = x.rank, x.Near
			x = own
		}
		kept = append(kept, x)
	}
	return kept
}

func skippedOnce(skipped []string) []string {
	slices.Sort(skipped)
	return slices.Compact(skipped)
}
