package packaging

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRequirement(t *testing.T) {
	for text, want := range map[string]Requirement{
		"six":                       {Name: "six"},
		" NumPy ":                   {Name: "NumPy"},
		"ruamel.yaml":               {Name: "ruamel.yaml"},
		"discord.py":                {Name: "discord.py"},
		"pandas>=2":                 {Name: "pandas", Specifiers: []Specifier{{">=", "2"}}},
		"pandas >= 2.0 , < 3":       {Name: "pandas", Specifiers: []Specifier{{">=", "2.0"}, {"<", "3"}}},
		"pandas (>=2,!=2.1.*)":      {Name: "pandas", Specifiers: []Specifier{{">=", "2"}, {"!=", "2.1.*"}}},
		"torch==2.1+cpu":            {Name: "torch", Specifiers: []Specifier{{"==", "2.1+cpu"}}},
		"x===weird-1":               {Name: "x", Specifiers: []Specifier{{"===", "weird-1"}}},
		"x~=1.4":                    {Name: "x", Specifiers: []Specifier{{"~=", "1.4"}}},
		"requests[socks]":           {Name: "requests", Extras: []string{"socks"}},
		"requests [a, b-c] >=1":     {Name: "requests", Extras: []string{"a", "b-c"}, Specifiers: []Specifier{{">=", "1"}}},
		"x[]":                       {Name: "x"},
		`x; python_version < "3.9"`: {Name: "x", Marker: `python_version < "3.9"`},
		`x>1 ; (os_name=='nt' or sys_platform != "linux") and 'a' in extra`: {Name: "x", Specifiers: []Specifier{{">", "1"}},
			Marker: `(os_name=='nt' or sys_platform != "linux") and 'a' in extra`},
		`x; "2" not  in platform_release`:      {Name: "x", Marker: `"2" not  in platform_release`},
		"x @ https://host/x-1.0.whl":           {Name: "x", URL: "https://host/x-1.0.whl"},
		"x[e]@git+https://h.org/a/b.git@v1#y":  {Name: "x", Extras: []string{"e"}, URL: "git+https://h.org/a/b.git@v1#y"},
		`x @ https://h:8080/y ; os_name=="nt"`: {Name: "x", URL: "https://h:8080/y", Marker: `os_name=="nt"`},
		"git+https://u:p@github.com/a/b":       {URL: "git+https://u:p@github.com/a/b"},
		"https://host/x-1.0-py3-none-any.whl":  {URL: "https://host/x-1.0-py3-none-any.whl"},
		"https://[::1]:8/x.whl":                {URL: "https://[::1]:8/x.whl"},
	} {
		got, err := ParseRequirement(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if again, err := ParseRequirement(got.String()); err != nil || !cmp.Equal(got, again) {
			t.Errorf("%q → %q → %+v, %v", text, got.String(), again, err)
		}
	}
}

func TestParseRequirementRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "is empty",
		"  ":                          "is empty",
		"-r x":                        "is an option",
		"-rx.txt":                     "is an option",
		"--index-url=http://evil":     "is an option",
		"-e .":                        "is an option",
		"–r x":                        "printable ASCII", // an en dash
		"a;b":                         "not an environment marker",
		"a; python_version":           "not an environment marker",
		"a; import os":                "not an environment marker",
		`a; os_name == "nt`:           "not an environment marker",
		`a; os_name == "nt" --pre`:    "not an environment marker",
		`a; (os_name == "nt"`:         "not an environment marker",
		"$(id)":                       "does not begin with a package's name",
		"a$(id)":                      "expected",
		"a`id`":                       "expected",
		"a && b":                      "expected",
		"a | b":                       "expected",
		"a b":                         "several packages: give each",
		"a,b":                         "several packages: give each",
		"numpy, pandas scipy":         "several packages: give each",
		"a==1 --hash=x":               "expected",
		"a -r x":                      "expected",
		"git+https://x;y":             `";" in its URL`,
		"git+https://x/y;z":           `";" in its URL`,
		"git+https://x/y ; z":         "not an environment marker",
		"git+https://x/y z":           "a space in its URL",
		"git+https://":                "proper host",
		"git+https:///x":              "proper host",
		"https://host":                "without a path",
		"https://-oProxy/x":           "proper host",
		"https://h/$(id)":             "percent-encoded",
		"https://h/`id`":              "percent-encoded",
		"git+https://h/--upload-pack": `begins with "-"`,
		"git+https://h/a@--x":         `begins with "-"`,
		"git+ssh://git@h/x":           "scheme git+ssh",
		"http://h/x.whl":              "scheme http",
		"file:///etc/passwd":          "scheme file",
		"x @ file:///x":               "scheme file",
		"x @ ./x":                     "no https",
		"x @ git+https://h/y;z":       `";" in its URL`,
		"ssh:x":                       "scheme ssh",
		"./x":                         "a path",
		"/abs/x.whl":                  "a path",
		"~/x":                         "a path",
		"..":                          "a path",
		"dir/x":                       "a path",
		`dir\x`:                       "a path",
		"requirements.txt":            "a file",
		"x-1.0-py3-none-any.whl":      "a file",
		"x-1.0.tar.gz":                "a file",
		"a\x00b":                      "printable ASCII",
		"a\nb":                        "printable ASCII",
		"a\tb":                        "printable ASCII",
		"раndas":                      "printable ASCII", // Cyrillic а
		strings.Repeat("a", 513):      "512",
		"a[":                          `without a "]"`,
		"a[b c]":                      "not a name",
		"a[-x]":                       "not a name",
		"a>=":                         "expected",
		"a>=x":                        "PEP 440",
		"a>=1.*":                      `".*" after >=`,
		"a==1rc1.*":                   "more than numbers",
		"a~=1":                        "~=1.0",
		"a>=1+cpu":                    "local version",
		"numpy 1.26":                  `did you mean "numpy==1.26"`,
		"numpy=1.26":                  `did you mean "numpy==1.26"`,
		"5":                           "", // a valid name, if an odd one
	} {
		_, err := ParseRequirement(text)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if _, ok := errors.AsType[*RequirementError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

func TestWantList(t *testing.T) {
	_, err := Want([]string{"six", "-r x", "a;b"}, "", nil)
	if err == nil || !strings.Contains(err.Error(), `"-r x"`) || !strings.Contains(err.Error(), `"a;b"`) || strings.Contains(err.Error(), "six") {
		t.Errorf("got %v", err)
	}
	if _, err := Want(nil, "", nil); err == nil {
		t.Error("an empty list is taken")
	}
	if _, err := Want(make([]string, 201), "", nil); err == nil || !strings.Contains(err.Error(), "200") {
		t.Errorf("201: %v", err)
	}
	if w, err := Want([]string{"six", "numpy>1"}, "", nil); err != nil || len(w.Requirements) != 2 {
		t.Errorf("got %v, %v", w, err)
	}
}

func TestNormalizeName(t *testing.T) {
	for name, want := range map[string]string{"Ruamel.Yaml_Clib": "ruamel-yaml-clib", "a__--..b": "a-b", "X": "x"} {
		if got := NormalizeName(name); got != want {
			t.Errorf("NormalizeName(%q) = %q", name, got)
		}
	}
}

// Whatever is taken is one operand that is no option, no path and no other
// scheme, and parses to itself again.
func FuzzRequirement(f *testing.F) {
	for _, s := range []string{"six", "a[b,c]>=1,<2; os_name=='nt'", "x @ git+https://h/y@v1#subdirectory=z ; extra=='a'", "a(>=1)", "-r", "$(id)",
		"git+https://x;y", "a===b", "https://h/x", "a @ file:///x", "a;b", "a\x00", "é", "a[]", "a=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRequirement(text)
		if err != nil {
			if _, ok := errors.AsType[*RequirementError](err); !ok || !cmp.Equal(r, Requirement{}) {
				t.Fatalf("%q: %T with %+v", text, err, r)
			}
			return
		}
		s := r.String()
		switch {
		case s == "" || strings.ContainsAny(s[:1], `-./\~ `):
			t.Errorf("%q → %q begins badly", text, s)
		case strings.ContainsAny(s, "\x00\n\r\t`$\\|{}^") && r.Marker == "":
			t.Errorf("%q → %q holds what no requirement needs", text, s)
		case r.URL != "" && !strings.HasPrefix(r.URL, "https://") && !strings.HasPrefix(r.URL, "git+https://"):
			t.Errorf("%q → URL %q", text, r.URL)
		case strings.ContainsAny(r.URL, "; "):
			t.Errorf("%q → URL %q", text, r.URL)
		case r.Name == "" && r.URL == "":
			t.Errorf("%q is nothing", text)
		}
		if len(s) > MaxRequirement { // a space was added
			return
		}
		if again, err := ParseRequirement(s); err != nil || !cmp.Equal(r, again) {
			t.Errorf("%q → %q → %+v, %v; had %+v", text, s, again, err, r)
		}
	})
}
