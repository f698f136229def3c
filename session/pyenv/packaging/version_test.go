package packaging

import (
	"slices"
	"strings"
	"testing"
)

// In the order of PEP 440, each smaller than the next.
func orderedVersions() []string {
	return []string{"0.9", "1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2",
		"1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5",
		"1.0.post456.dev34", "1.0.post456", "1.0.15", "1.1.dev1", "1.1", "1.10", "2013.10", "99999999999999999999999", "1!0.1"}
}

func TestVersionOrder(t *testing.T) {
	all := orderedVersions()
	for i, a := range all {
		for j, b := range all {
			v, ok := parseVersion(a)
			w, ok2 := parseVersion(b)
			if !ok || !ok2 {
				t.Fatalf("%s or %s is not parsed", a, b)
			}
			want := min(1, max(-1, i-j))
			if got := v.compare(w); got != want {
				t.Errorf("compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestVersionForms(t *testing.T) {
	for _, same := range [][]string{
		{"1.0", "1", "v1.0.0", "1.00", "0!1", " 1.0 "},
		{"1.0a1", "1.0.alpha-1", "1.0_a1", "1.0A01"},
		{"1.0rc2", "1.0c2", "1.0-preview2", "1.0.pre.2"},
		{"1.0a0", "1.0a", "1.0.alpha"},
		{"1.0.post3", "1.0-3", "1.0-r3", "1.0.rev.3", "1.0post3"},
		{"1.0.dev0", "1.0dev", "1.0-dev"},
		{"1.0+ubuntu.1", "1.0+ubuntu-1", "1.0+Ubuntu_1"},
	} {
		first, _ := parseVersion(same[0])
		for _, text := range same[1:] {
			if v, ok := parseVersion(text); !ok || first.compare(v) != 0 {
				t.Errorf("%q is not %q: %+v, %v", text, same[0], v, ok)
			}
		}
	}
	for _, text := range []string{"", "x", "1.", "1..2", "1.0+", "1.0+a..b", "1.0 2", "1.0-x", "1!", "!1", "1.0a1a2", "1\n"} {
		if v, ok := parseVersion(text); ok && strings.TrimSpace(text) != "1" {
			t.Errorf("%q is parsed: %+v", text, v)
		}
	}
}

func TestSpecifierMatches(t *testing.T) {
	tests := []struct{ spec, yes, no string }{
		{"==1.0", "1 1.0.0 1.0+cpu", "1.0.1 1.0a1 1.0.post1"},
		{"==1.0+cpu", "1.0+cpu 1.0+CPU", "1.0 1.0+gpu"},
		{"==1.1.*", "1.1 1.1.9 1.1a1 1.1.post1 1.1.dev1", "1.10 1.2 1!1.1"},
		{"!=1.1.*", "1.0 1.10", "1.1 1.1.2"},
		{"!=1.0", "1.0.1 1.0rc1", "1.0 1.0+cpu"},
		{">=2", "2 2.0.0 2.1 2+cpu 3rc1", "1.9 2rc1 2.dev1"},
		{"<=2.1", "2.1 2.1+cpu 2.0 2.1rc1", "2.1.1 2.1.post1"},
		{"<3.0", "2.9 2.9.post1", "3.0 3.0rc1 3.0.dev1 3.1"},
		{"<3.0rc2", "3.0rc1 3.0b1", "3.0rc2 3.0"},
		{">1.7", "1.7.1 1.8 2rc1", "1.7 1.7.post1 1.7+cpu 1.7rc1"},
		{">1.7.post2", "1.7.post3 1.7.1", "1.7.post1 1.7"},
		{"~=2.2", "2.2 2.9 2.2.post3", "3.0 2.1 2.2rc1"},
		{"~=1.4.5", "1.4.5 1.4.99", "1.5 1.4.4"},
		{"~=2.2.post3", "2.2.post3 2.3", "2.2 3"},
		{"===foobar", "foobar FooBar", "foo"},
		{"==1!2.0", "1!2.0", "2.0"},
	}
	for _, tt := range tests {
		r, err := ParseRequirement("x" + tt.spec)
		if err != nil {
			t.Errorf("%s: %v", tt.spec, err)
			continue
		}
		for _, version := range strings.Fields(tt.yes) {
			if !Satisfies(version, r.Specifiers) {
				t.Errorf("%s does not satisfy %s", version, tt.spec)
			}
		}
		for _, version := range strings.Fields(tt.no) {
			if Satisfies(version, r.Specifiers) {
				t.Errorf("%s satisfies %s", version, tt.spec)
			}
		}
	}
	if Satisfies("garbage", []Specifier{{">=", "1"}}) {
		t.Error("garbage satisfies >=1")
	}
}

func FuzzVersion(f *testing.F) {
	for _, v := range orderedVersions() {
		f.Add(v, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, ok := parseVersion(a)
		w, ok2 := parseVersion(b)
		if !ok || !ok2 {
			return
		}
		if v.compare(v) != 0 || v.compare(w) != -w.compare(v) {
			t.Errorf("compare(%q, %q) is not antisymmetric", a, b)
		}
		specs := []Specifier{{"<=", b}, {">", b}, {"==", b}, {">=", b}, {"~=", b}, {"<", b}}
		if slices.ContainsFunc(specs, func(s Specifier) bool { return s.check() != "" }) {
			return
		}
		for _, s := range specs { // must not panic
			s.matches(a)
		}
		if !(Specifier{"==", b}).matches(b) || (Specifier{"!=", b}).matches(b) {
			t.Errorf("%q is not itself", b)
		}
	})
}
