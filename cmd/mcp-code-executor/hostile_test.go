//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// hostileStrings are what somebody sends to have something run or written that
// should not be. CANARY is a path that must never exist.
func hostileStrings(canary string) []any {
	texts := strings.Split(strings.ReplaceAll(strings.TrimSpace(`
; touch CANARY
& touch CANARY &
| tee CANARY
&& touch CANARY
|| touch CANARY
$(touch CANARY)
`+"`touch CANARY`"+`
${IFS}touch${IFS}CANARY
> CANARY
>> CANARY
< /etc/passwd
x; touch CANARY #
x" && touch CANARY && "
x' && touch CANARY && '
x$(touch CANARY)y
a;b
a|b
a&b
a>CANARY
__import__('os').system('touch CANARY')
x[__import__('os').system('touch CANARY')]
{__import__('os').system('touch CANARY')}
'+__import__('os').system('touch CANARY')+'
{{7*7}}
${jndi:ldap://127.0.0.1:9/x}
%s%s%s%n
%(x)s
{0.__class__}
-
--
-r /etc/passwd
-r/etc/passwd
-e .
-e git+https://127.0.0.1:9/x
-c CANARY
-m this
-h
--help
--version
--upgrade
--target=CANARY
--prefix CANARY
--root CANARY
--python CANARY
--index-url=http://127.0.0.1:9/
--find-links=/tmp
--log=CANARY
--report=CANARY
-t CANARY
@/etc/passwd
@CANARY
six --target CANARY
six==1; python_version>'0' --target CANARY
six @ file:///etc/passwd
six @ http://127.0.0.1:9/x.whl
six @ git+ssh://127.0.0.1/x
git+file:///tmp
git+https://127.0.0.1:9/x@--upload-pack=touch
git+https://-oProxyCommand=touch/x
ext::sh -c touch% CANARY
file:///etc/passwd
http://127.0.0.1:9/x
ftp://127.0.0.1/x
data:text/plain,x
javascript:alert(1)
../x
../../../../../../tmp/x
..\..\x
....//x
./../x
x/../../y
%2e%2e%2fx
..%c0%afx
/etc/passwd
/etc/cron.d/x
//etc/passwd
/dev/null
/dev/full
/dev/stdin
/proc/self/environ
/proc/self/fd/0
~/x
~root/x
$HOME/x
C:\Windows\x
\\127.0.0.1\share
\\?\C:\x
CON
nul
aux.txt
x.py:stream
.
..
...
.bashrc
.git/config
*
?
[a-z]*
{a,b}
!ls
!!
%run /etc/passwd
%%bash
'
"
'''
\
\\
`), "CANARY", canary), "\n")
	texts = append(texts, "", " ", "\t", "\n", "a\nb", "x\n; touch "+canary, "x\r\ny", "\r", "a\x00b", "\x00", "x.py\x00.txt", "\x1b[31mred\x1b]0;title\x07",
		"\x7f", "\u202egnp.py", "\u200b", "a\u200bb", "\ufeffx", "\u0430dmin", "\uff0e\uff0e\uff0fx", "\u2215etc\u2215passwd", "\uff04(touch)", "\u2028", "e\u0301\u0301\u0301", "\U0001f4a9", "caf\u00e9", "-\u00adx",
		"x ", "x.", " x", "CON ", strings.Repeat("n", 300), strings.Repeat("é", 200), strings.Repeat("../", 400)+"x", strings.Repeat("d/", 2000)+"x",
		strings.Repeat("a/../", 1<<20/5), strings.Repeat("[", 5000), strings.Repeat("(", 5000), strings.Repeat("a,", 5000),
		"x\n[global]\nindex-url = http://127.0.0.1:9/", "six\n--target "+canary)
	// Halves of surrogate pairs, and bytes that are no UTF-8.
	all := []any{json.RawMessage(`"\ud800"`), json.RawMessage(`"\udc00.py"`), json.RawMessage(`"a\ud83d"`),
		json.RawMessage("\"\xff\""), json.RawMessage("\"x\xc0\xaf..\xc0\xafy.py\""), json.RawMessage("\"\xed\xa0\x80\"")}
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}

// attack is a call of a tool that is right but for one argument, so that nothing
// else is refused before that one is looked at.
func attack(tool, argument string, hostile any, venv string) args {
	a := map[string]args{
		"append_to_code_file":      {"file_path": "ok.py", "content": "1"},
		"check_installed_packages": {"packages": []string{"mceabsent"}},
		"configure_environment":    {"type": "venv-uv", "uv_venv_path": venv},
		"execute_code":             {"code": "1"},
		"execute_code_file":        {"file_path": "ok.py"},
		"initialize_code_file":     {"content": "1"},
		"install_dependencies":     {"packages": []string{"mceabsent"}},
		"read_code_file":           {"file_path": "ok.py"},
		"send_input":               {"text": "1"},
	}[tool]
	if a == nil {
		a = args{}
	}
	switch argument {
	case "venv_path":
		a = args{"type": "venv"}
	case "conda_name":
		a = args{"type": "conda"}
	case "file":
		a = args{}
	}
	if strings.HasPrefix(tool, "execute_code") || tool == "install_dependencies" {
		a["wait_seconds"] = 20
	}
	a[argument] = hostile
	if argument == "packages" {
		a[argument] = []any{"mceabsent", hostile}
	}
	return a
}

// TestHostileStrings: a hundred hostile strings in every string argument of every
// tool. Each has its answer, nothing of them runs, nothing is written outside the
// storage directory, and the kernel keeps its variables. Here each argument gets every
// twelfth, the next one the next; in TestMatrixHostileStrings each gets all.
func TestHostileStrings(t *testing.T) {
	t.Parallel()
	callHostile(t, 24)
}

func TestMatrixHostileStrings(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	callHostile(t, 1)
}

func callHostile(t *testing.T, step int) {
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	venv, settings := makeEnv(t, "venv-uv")
	p := launch(t, append(settings, "UV="+testUV(t), "PIP_NO_INDEX=1", "UV_INSTALL=never", "KERNEL_INSTALL=never")...)
	p.done("initialize_code_file", args{"filename": "ok.py", "content": "1\n"})
	p.run("x = 42")
	seen := snapshot(t, p, outside, venv)
	count, arguments := 0, 0
	for _, tool := range listTools(t) {
		for name, schema := range tool.InputSchema.Properties {
			// Code is there to be run, and what is in it may do anything.
			if kind := schemaType(schema); kind == "" || name == "code" && tool.Name == "execute_code" {
				continue
			}
			missing, made := 0, count
			arguments++
			for i, text := range hostileStrings(canary) {
				if i%step != arguments%step {
					continue
				}
				count++
				r := p.call(tool.Name, attack(tool.Name, name, text, venv))
				if strings.TrimSpace(r.text()) == "" {
					t.Errorf("%s %s=%.80q: an empty answer", tool.Name, name, text)
				}
				if len(r.text()) > 100_000 {
					t.Errorf("%s %s=%.80q: an answer of %d bytes: %.200s", tool.Name, name, text, len(r.text()), r.text())
				}
				if strings.Contains(r.text(), "is missing") {
					missing++
				}
			}
			if missing > max(1, (count-made)/10) {
				t.Errorf("%s %s: %d of %d calls were refused for what they lack: %v", tool.Name, name, missing, count-made, attack(tool.Name, name, "x", venv))
			}
		}
		now := snapshot(t, p, outside, venv)
		if d := cmp.Diff(seen, now); d != "" {
			t.Errorf("%s changed files: %s", tool.Name, d)
		}
		seen = now
		if tool.Name != "stop_session" {
			if r := p.call("execute_code", args{"code": "print(x)"}); strings.TrimSpace(r.rest()) != "42" {
				t.Fatalf("after %s: %s", tool.Name, r.text())
			}
		}
	}
	if count < 100*10/step {
		t.Errorf("only %d calls were made", count)
	}
	t.Logf("%d calls", count)
}

// schemaType is "string" or "array" (of strings), "" for other arguments.
func schemaType(schema argument) string {
	if schema.Type == "string" || schema.Type == "array" {
		return schema.Type
	}
	return ""
}

// snapshot lists what lies where the server must not write, with sizes and times:
// beside its storage, in the home but for its own directories, and in dirs.
func snapshot(t *testing.T, p *program, dirs ...string) []string {
	t.Helper()
	var files []string
	for _, root := range append(dirs, filepath.Dir(p.storage), p.home) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if path == p.storage || path == filepath.Join(p.home, ".cache") || path == filepath.Join(p.home, ".local") {
				return fs.SkipDir
			}
			if d.Name() == ".lock" { // uv's, in the environment it looks at
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if !d.IsDir() { // a directory's own time may be another's doing
				path = fmt.Sprint(path, " ", info.Size(), " ", info.Mode(), " ", info.ModTime().UnixNano())
			}
			files = append(files, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
