package pyenv

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestCheckEqualsMetadata: for all that is installed in a real environment, by name
// and by what it is imported as, the answer is importlib.metadata's.
func TestCheckEqualsMetadata(t *testing.T) {
	f := newFinder(t)
	python := testPython(t)
	env, err := f.Resolve(context.Background(), Config{VenvPath: filepath.Dir(filepath.Dir(python))})
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Versions map[string]string
		Imports  map[string][]string
	}
	ask(t, python, `import importlib.metadata as m, json
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
			ok = ok || NormalizeName(name) == NormalizeName(s.Name) && s.Version == oracle.Versions[name]
		}
		if !ok {
			t.Errorf("import %s: %+v, want one of %v", s.Requested, s, oracle.Imports[s.Requested])
		}
	}
}

// TestSpecifiersEqualPackaging: whether a version fits is what the packaging
// library says.
func TestSpecifiersEqualPackaging(t *testing.T) {
	specifiers := []string{">=1", ">1", "<1", "<=1", "==1", "!=1", "~=1.4", "~=1.4.2", "==1.*", "!=1.4.*", "===1.0", ">=1,<2", ">=1.0a1", ">1.0a1", "<2.0",
		"<2.0b1", "==1.0+local", ">=1!0", "==1.4.post1", ">1.4", ">=1.4.dev1", "<1.4.dev2", "==1.4rc1", "~=2.0b1", ">=0.9,!=1.0,<3"}
	versions := []string{"1", "1.0", "1.0.0", "0.9", "1.4", "1.4.2", "1.4.5", "1.5", "2", "2.0a1", "2.0b1", "2.0rc1", "2.1", "1.0a1", "1.0a2", "1.0+local", "1.0+other",
		"1.4.post1", "1.4.post2", "1.4.dev1", "1.4.dev3", "1!0.1", "1!2", "1.4rc1", "2.0.post1.dev2", "3.0"}
	var oracle map[string]bool
	ask(t, testPython(t), `import json, sys
from packaging.specifiers import SpecifierSet
specifiers, versions = json.loads(sys.argv[1])
print(json.dumps({s + " " + v: SpecifierSet(s).contains(v, prereleases=True) for s in specifiers for v in versions}))`, [][]string{specifiers, versions}, &oracle)
	for _, s := range specifiers {
		r, err := ParseRequirement("x" + s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		for _, v := range versions {
			fits := true
			for _, one := range r.Specifiers {
				fits = fits && one.matches(v)
			}
			if want := oracle[s+" "+v]; fits != want {
				t.Errorf("%s with %s: %v, packaging says %v", s, v, fits, want)
			}
		}
	}
	if len(oracle) != len(specifiers)*len(versions) {
		t.Errorf("%d answers", len(oracle))
	}
}

// TestRequirementsEqualPackaging: what is a requirement is what the packaging
// library says, but for what we refuse on purpose.
func TestRequirementsEqualPackaging(t *testing.T) {
	texts := []string{"a", "A.b-c_d", "a1", "1a", "a-", "-a", "a b", "a>=1", "a >= 1", "a>=1,<2", "a>=1,", "a>=", "a=1", "a==1==2", "a==1.*", "a>1.*", "a~=1", "a~=1.0", "a===x",
		"a[]", "a[b]", "a[b,c]", "a[b c]", "a[b", "a[b]>=1", "a(>=1)", "a (>=1,<2)", "a>=1;os_name=='nt'", "a;os_name=='nt'", "a; os_name", "a; 'x'=='y'", "a; foo=='x'",
		"a; python_version>'3' and os_name=='nt' or extra=='x'", "a; (python_version>'3'", "a; python_version in '3.8 3.9'", "a; python_version not in '2'",
		"a @ https://h/x.whl", "a@https://h/x.whl", "a @ https://h/x ; os_name=='nt'", "a[b] @ https://h/x", "a @ ", "a>=1 @ https://h/x", "", "a,b", "a;b", "a!=1.0.*", "a<=v1", "a==1.0+ab.1", "a=>1", "a>=1 <2"}
	var oracle map[string]bool
	ask(t, testPython(t), `import json, sys
from packaging.requirements import Requirement, InvalidRequirement
def ok(s):
    try:
        Requirement(s)
        return True
    except InvalidRequirement:
        return False
print(json.dumps({s: ok(s) for s in json.loads(sys.argv[1])}))`, texts, &oracle)
	for _, text := range texts {
		if _, err := ParseRequirement(text); (err == nil) != oracle[text] {
			t.Errorf("%q: %v, packaging says %v", text, err, oracle[text])
		}
	}
}

// BenchmarkCheck looks at a thousand distributions; ratio is to starting the same
// Python for nothing.
func BenchmarkCheck(b *testing.B) {
	f := newFinder(b)
	env := venvEnv(b, f)
	for i := range 1000 {
		write(b, distFiles(env.Info.Purelib, fmt.Sprintf("dist%d", i), "1.0", "", fmt.Sprintf("mod%d/__init__.py", i)))
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
