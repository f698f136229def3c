package packaging

import (
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// TestSpecifiersEqualPackaging: whether a version fits is what the packaging
// library says.
func TestSpecifiersEqualPackaging(t *testing.T) {
	specifiers := []string{">=1", ">1", "<1", "<=1", "==1", "!=1", "~=1.4", "~=1.4.2", "==1.*", "!=1.4.*", "===1.0", ">=1,<2", ">=1.0a1", ">1.0a1", "<2.0",
		"<2.0b1", "==1.0+local", ">=1!0", "==1.4.post1", ">1.4", ">=1.4.dev1", "<1.4.dev2", "==1.4rc1", "~=2.0b1", ">=0.9,!=1.0,<3"}
	versions := []string{"1", "1.0", "1.0.0", "0.9", "1.4", "1.4.2", "1.4.5", "1.5", "2", "2.0a1", "2.0b1", "2.0rc1", "2.1", "1.0a1", "1.0a2", "1.0+local", "1.0+other",
		"1.4.post1", "1.4.post2", "1.4.dev1", "1.4.dev3", "1!0.1", "1!2", "1.4rc1", "2.0.post1.dev2", "3.0"}
	var oracle map[string]bool
	pyenvtest.Ask(t, pyenvtest.Python(t), `import json, sys
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
	pyenvtest.Ask(t, pyenvtest.Python(t), `import json, sys
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
