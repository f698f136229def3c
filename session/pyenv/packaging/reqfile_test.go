package packaging

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mapFiles are files by their path below /s.
type mapFiles map[string]string

func (m mapFiles) Bytes(name string, limit int) ([]byte, error) {
	text, ok := m[path.Clean(name)]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return []byte(text[:min(len(text), limit)]), nil
}

func (m mapFiles) Locate(name string) (string, bool, error) {
	name = path.Clean(name)
	if _, ok := m[name]; ok {
		return "/s/" + name, false, nil
	}
	for other := range m {
		if strings.HasPrefix(other, name+"/") {
			return "/s/" + name, true, nil
		}
	}
	return "", false, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

const sum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var projectText = `[project]
name = "My_Project"
dependencies = ["numpy>=2", "six ; python_version < '3'"]
[project.optional-dependencies]
Plot = ["matplotlib"]
all = ["my.project[plot]", "tqdm"]
[dependency-groups]
test = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
loop = [{include-group = "loop"}]
`

var wantFiles = mapFiles{
	"r.txt": "\ufeff# what we need\r\nnumpy >= 2 , < 3\r\npandas \\\n  ==2.0 # pinned\n\n" +
		"name @ https://example.org/a.zip#sha256=x\n-r more/r.txt\n-c c.txt\n",
	"more/r.txt":     "six ; python_version > '3'\n--requirement=../leaf.txt\n./w-1.0-py3-none-any.whl\n-e proj\n",
	"leaf.txt":       "leaf",
	"c.txt":          "numpy<2.5\n",
	"hash.txt":       "six==1.0 \\\n  --hash=" + sum + " \\\n  --hash " + sum + "\n",
	"loop.txt":       "-r loop2.txt\n",
	"loop2.txt":      "-r ./loop.txt\n",
	"empty.txt":      "# nothing\n",
	"index.txt":      "six\n--index-url https://example.org/simple\n",
	"out.txt":        "six\n\n-r ../out.txt\n$(id)\n",
	"badhash.txt":    "six --hash=md5:00\n",
	"latin.txt":      "caf\xe9\n",
	"badc.txt":       "-c badc2.txt\n",
	"badc2.txt":      "six[extra]\n",
	"big.txt":        strings.Repeat("#", maxRequirementsFile+1),
	"noproject/a.py": "",
	"w-1.0.whl":      "", "more/w-1.0-py3-none-any.whl": "", "more/proj/pyproject.toml": "",
	"proj/setup.py": "", "odd;name/setup.py": "",
	"pyproject.toml":        projectText,
	"poetry/pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.9'\n",
	"none/pyproject.toml":   "[build-system]\nrequires = []\n",
	"toml/pyproject.toml":   "[project\n",
	"bad/pyproject.toml":    "[project]\ndependencies = ['-r x']\n",
	"type/pyproject.toml":   "[project]\ndependencies = 5\n",
}

func TestWant(t *testing.T) {
	for _, c := range []struct {
		texts []string
		file  string
		want  string
	}{
		{[]string{"six"}, "", "six"},
		{[]string{"six"}, "leaf.txt", "six, leaf"},
		{nil, "r.txt", "numpy>=2,<3, pandas==2.0, name @ https://example.org/a.zip#sha256=x, six ; python_version > '3', leaf, /s/more/w-1.0-py3-none-any.whl, -e /s/more/proj | numpy<2.5"},
		{nil, "hash.txt", "six==1.0 " + sum + " " + sum},
		{[]string{"./w-1.0.whl", "./proj[a,b]"}, "", "/s/w-1.0.whl, /s/proj[a,b]"},
		{nil, "pyproject.toml", "numpy>=2, six ; python_version < '3'"},
		{nil, "pyproject.toml[plot]", "numpy>=2, six ; python_version < '3', matplotlib"},
		{nil, "./pyproject.toml[all, TEST]", "numpy>=2, six ; python_version < '3', matplotlib, tqdm, pytest, ruff"},
	} {
		got, err := Want(c.texts, c.file, wantFiles)
		if err != nil {
			t.Errorf("%v %s: %v", c.texts, c.file, err)
		} else if diff := cmp.Diff(c.want, wantedText(got)); diff != "" {
			t.Errorf("%v %s (-want +got)\n%s", c.texts, c.file, diff)
		}
	}
}

func wantedText(w Wanted) string {
	list := func(reqs []Requirement) string {
		var all []string
		for _, r := range reqs {
			text := r.String()
			if r.Editable {
				text = "-e " + text
			}
			all = append(all, strings.Join(append([]string{text}, r.Hashes...), " "))
		}
		return strings.Join(all, ", ")
	}
	if len(w.Constraints) > 0 {
		return list(w.Requirements) + " | " + list(w.Constraints)
	}
	return list(w.Requirements)
}

// TestWantRefused: each refusal names the file, the line and the reason.
func TestWantRefused(t *testing.T) {
	for _, c := range []struct {
		texts []string
		file  string
		parts []string
	}{
		{nil, "", []string{"no packages", "a file"}},
		{nil, "absent.txt", []string{"absent.txt"}},
		{nil, "empty.txt", []string{"empty.txt lists no packages"}},
		{nil, "loop.txt", []string{"loop.txt", "names itself", "loop2.txt"}},
		{nil, "index.txt", []string{"index.txt, line 2", "--index-url", "PIP_INDEX_URL"}},
		{nil, "out.txt", []string{"out.txt, line 3", "../out.txt", "line 4", "$(id)"}},
		{nil, "badhash.txt", []string{"line 1", "md5:00", "not a hash"}},
		{nil, "latin.txt", []string{"UTF-8"}},
		{nil, "badc.txt", []string{"badc.txt, line 1", "badc2.txt, line 1", "constraint"}},
		{nil, "big.txt", []string{"1048576"}},
		{[]string{"./absent.whl"}, "", []string{"./absent.whl"}},
		{[]string{"./noproject"}, "", []string{"./noproject", "pyproject.toml or setup.py"}},
		{[]string{"./leaf.txt"}, "", []string{"./leaf.txt", "argument file"}},
		{[]string{"./odd;name"}, "", []string{"rename"}},
		{[]string{"-r r.txt"}, "", []string{"option"}},
		{nil, "pyproject.toml[docs]", []string{"docs", "Plot, all, lint, loop, test"}},
		{nil, "pyproject.toml[loop]", []string{"includes itself"}},
		{nil, "poetry/pyproject.toml", []string{"Poetry"}},
		{nil, "none/pyproject.toml", []string{"no [project]"}},
		{nil, "toml/pyproject.toml", []string{"TOML"}},
		{nil, "bad/pyproject.toml", []string{"-r x", "option"}},
		{nil, "type/pyproject.toml", []string{"type/pyproject.toml"}},
	} {
		got, err := Want(c.texts, c.file, wantFiles)
		if err == nil {
			t.Errorf("%v %s: %s", c.texts, c.file, wantedText(got))
			continue
		}
		for _, part := range c.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v %s: %q lacks %q", c.texts, c.file, err, part)
			}
		}
	}
}

// FuzzWant: whatever a file holds, what is given to an installer is no option and
// lies nowhere but in the storage.
func FuzzWant(f *testing.F) {
	for _, text := range wantFiles {
		if len(text) < 4096 { // what is mutated from a megabyte takes its time
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range []string{"requirements.txt", "pyproject.toml"} {
			w, err := Want(nil, file, mapFiles{file: text, "w-1.0.whl": "", "proj/setup.py": ""})
			if err != nil {
				continue
			}
			for _, r := range append(w.Requirements, w.Constraints...) {
				s := r.String()
				if s == "" || s[0] == '-' || strings.ContainsAny(s, "\n\r\x00") || s[0] == '/' && !strings.HasPrefix(s, "/s/") {
					t.Errorf("%q", s)
				}
			}
		}
	})
}
