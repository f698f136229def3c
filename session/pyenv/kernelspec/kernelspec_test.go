package kernelspec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes kernel.json files below dir, by the name of their kernelspec.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name, "kernel.json")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFind(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	put(t, first, map[string]string{
		"bash":   `{"argv":["bash-here"],"language":"Bash","display_name":"Bash","interrupt_mode":"message"}`,
		"broken": `{"argv":`, "no argv": `{}`, "empty": `{"argv":[]}`, "provisioned": `{"metadata":{"kernel_provisioner":{}}}`,
	})
	put(t, second, map[string]string{"Bash": `{"argv":["bash-there"]}`, "ir": `{"argv":["R"],"language":"R"}`, "broken": `{"argv":["x"]}`})
	dirs := []string{filepath.Join(first, "no such"), first, second}
	if spec, err := Find(dirs, "BASH"); err != nil || spec.Argv[0] != "bash-here" || spec.Name != "bash" || spec.Language != "bash" || !spec.ByMessage {
		t.Errorf("%+v %v", spec, err)
	}
	if spec, err := Find(dirs, "ir"); err != nil || spec.Dir != filepath.Join(second, "ir") {
		t.Errorf("%+v %v", spec, err)
	}
	for name, want := range map[string]string{
		"broken": filepath.Join(first, "broken", "kernel.json"), "empty": "nothing says what to start", "provisioned": "provisioner",
		"no argv": "no kernelspec", "../bash": "no kernelspec", "": "no kernelspec", "cobol": "there are bash, ir; searched: " + dirs[0],
	} {
		if _, err := Find(dirs, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Find(nil, "x"); !errors.As(err, new(*NotFoundError)) || !strings.Contains(err.Error(), "there is none") {
		t.Error(err)
	}
}

func TestCommand(t *testing.T) {
	prefix := t.TempDir()
	dir := filepath.Join(prefix, "share", "jupyter", "kernels", "x")
	python := filepath.Join(prefix, "bin", "python")
	put(t, filepath.Join(prefix, "share", "jupyter", "kernels"), map[string]string{"x": `{"argv":["x"]}`})
	look := func(name string) string {
		if name == "missing" {
			return ""
		}
		return "/path/" + name
	}
	for argv, want := range map[string]string{
		"python -m bash_kernel -f {connection_file}": "/env/python -m bash_kernel -f {connection_file}",
		"/opt/R --args {connection_file}":            "/opt/R --args {connection_file}",
		"xcpp {resource_dir}/a {prefix} {unknown}":   "/path/xcpp " + dir + "/a /env {unknown}",
		"missing": "",
	} {
		spec := Spec{Dir: dir, Argv: strings.Fields(argv)}
		if got := strings.Join(spec.Command(spec.Program("/env/python", look), "/env"), " "); got != want {
			t.Errorf("%s: %q, want %q", argv, got, want)
		}
	}
	spec := Spec{Dir: dir, Argv: []string{"python3", "{prefix}"}}
	if got := spec.Program("", look); got != "/path/python3" {
		t.Error(got)
	}
	if err := os.MkdirAll(filepath.Dir(python), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(python+"3", nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := spec.Program("", look); got != python+"3" {
		t.Error("the Python beside the kernelspec:", got)
	}
	for argv, want := range map[string]bool{
		"/v/bin/python3.12 -Xfrozen_modules=off -m ipykernel_launcher -f {connection_file}": true,
		"python -m ipykernel -f {connection_file}":                                          true,
		"setsid python -m ipykernel_launcher -f {connection_file}":                          false,
		"python -m bash_kernel -f {connection_file}":                                        false,
		"python -m": false,
	} {
		if got := (Spec{Argv: strings.Fields(argv)}).IPython(); got != want {
			t.Errorf("%s: %t", argv, got)
		}
	}
}

func TestVariables(t *testing.T) {
	have := map[string]string{"HOME": "/h", "PATH": "/bin"}
	spec := Spec{Env: map[string]string{"A": "$HOME/${PATH}", "B": "${NONE} $$HOME $1 $", "PATH": "/x:$PATH", "Z": "$A"}}
	set := map[string]string{}
	spec.Variables(func(n string) (string, bool) { v, ok := have[n]; return v, ok }, func(n, v string) { set[n] = v })
	for name, want := range map[string]string{"A": "/h//bin", "B": "${NONE} $HOME $1 $", "PATH": "/x:/bin", "Z": "$A"} {
		if set[name] != want {
			t.Errorf("%s: %q, want %q", name, set[name], want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"argv":["a","-f","{connection_file}"],"env":{"A":"$B"}}`, `{"argv":[""]}`, `{"argv":["python","-m"]}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := parse(raw)
		if err != nil {
			return
		}
		spec.IPython()
		spec.Command(spec.Program("", func(name string) string { return name }), "")
		spec.Variables(func(string) (string, bool) { return "", false }, func(string, string) {})
	})
}
