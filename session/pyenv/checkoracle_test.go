package pyenv

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// TestCheckEqualsMetadata: for all that is installed in a real environment, by name
// and by what it is imported as, the answer is importlib.metadata's.
func TestCheckEqualsMetadata(t *testing.T) {
	f := newFinder(t)
	python := pyenvtest.Python(t)
	env, err := f.Resolve(context.Background(), Config{VenvPath: filepath.Dir(filepath.Dir(python))})
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Versions map[string]string
		Imports  map[string][]string
	}
	pyenvtest.Ask(t, python, `import importlib.metadata as m, json
print(json.dumps({"versions": {d.metadata["Name"]: d.version for d in m.distributions()},
                  "imports": {k: v for k, v in m.packages_distributions().items() if k.isidentifier()}}))`, nil, &oracle)
	if len(oracle.Versions) < 20 || len(oracle.Imports) < 20 {
		t.Fatalf("%d distributions, %d imports", len(oracle.Versions), len(oracle.Imports))
	}
	var names []string
	for name := range oracle.Versions {
		names = append(names, name)
	}
	for name := range oracle.Imports {
		if _, both := oracle.Versions[name]; !both {
			names = append(names, name)
		}
	}
	statuses, err := f.Check(context.Background(), env, names)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statuses {
		if version, ok := oracle.Versions[s.Requested]; ok {
			if s.Version != version || !s.Satisfied || s.Via != ViaDistribution {
				t.Errorf("%s: %+v, want %s", s.Requested, s, version)
			}
			continue
		}
		ok := false
		for _, name := range oracle.Imports[s.Requested] {
			ok = ok || packaging.NormalizeName(name) == packaging.NormalizeName(s.Name) && s.Version == oracle.Versions[name]
		}
		if !ok {
			t.Errorf("import %s: %+v, want one of %v", s.Requested, s, oracle.Imports[s.Requested])
		}
	}
}

// BenchmarkCheck looks at a thousand distributions; ratio is to starting the same
// Python for nothing.
func BenchmarkCheck(b *testing.B) {
	f := newFinder(b)
	env := venvEnv(b, f)
	for i := range 1000 {
		pyenvtest.Write(b, pyenvtest.DistFiles(env.Info.Purelib, fmt.Sprintf("dist%d", i), "1.0", "", fmt.Sprintf("mod%d/__init__.py", i)))
	}
	var nothing, check time.Duration
	for b.Loop() {
		begun := time.Now()
		if err := exec.Command(env.Python, "-c", "pass").Run(); err != nil {
			b.Fatal(err)
		}
		nothing += time.Since(begun)
		begun = time.Now()
		if _, err := f.Check(context.Background(), env, []string{"dist7", "mod999", "absent"}); err != nil {
			b.Fatal(err)
		}
		check += time.Since(begun)
	}
	b.ReportMetric(float64(check.Microseconds())/1000/float64(b.N), "ms/check")
	b.ReportMetric(float64(check)/float64(nothing), "ratio")
}
