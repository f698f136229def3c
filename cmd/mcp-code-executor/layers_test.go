package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The layers of the program are held here, each rule with its reason: see
// ARCHITECTURE.md. Tests may import what they like.

const module = "github.com/mcp-code-executor/mcp-code-executor/"

// layer is a package and what it may import of ours.
type layer struct {
	pkg     string
	imports []string
	reason  string
}

// layers stand lowest first.
var layers = []layer{
	{"kernel/jupyter", nil, "plain data that everyone may import drags nothing behind it"},
	{"kernel/zmq", nil, "it carries frames and does not know what they mean"},
	{"kernel/launch", nil, "it is a file and a command line"},
	{"kernel/limits", nil, "it bounds processes, whatever they run"},
	{"kernel/confine", nil, "a sandbox is enforced without knowing for whom or why"},
	{"kernel/guard", []string{"kernel/confine", "kernel/limits"}, "the guard parses nothing that a kernel says, so that nothing can break it"},
	{"kernel/flock", nil, "it locks an open file, whatever that is for"},
	{"kernel/rundir", []string{"kernel/flock"}, "a private directory is made and kept without knowing what lies in it"},
	{"kernel/record", []string{"kernel/flock", "kernel/jupyter"}, "it keeps outputs, whoever produced them"},
	{"kernel/processtest", nil, "tests of processes look for what is left of them"},
	{"kernel/testneeds", nil, "tests of every package ask it what this machine has"},
	{"kernel/kerneltest", []string{"kernel/guard", "kernel/jupyter", "kernel/zmq"}, "a scripted kernel stands where the process and the wire are"},
	{"kernel/gateway", []string{"kernel/jupyter"}, "it speaks a server's protocol and does not know what the messages mean"},
	{"kernel/gateway/gatewaytest", []string{"kernel/gateway", "kernel/testneeds"}, "it starts Jupyter servers for tests of all that stands on them"},
	{"kernel/share", []string{"kernel/jupyter"}, "whose turn it is in a kernel is known without the kernel"},
	{"kernel", []string{"kernel/confine", "kernel/gateway", "kernel/jupyter", "kernel/zmq", "kernel/launch", "kernel/limits", "kernel/guard", "kernel/record", "kernel/rundir", "kernel/share"},
		"mechanism: it knows no environment, no session, no MCP"},
	{"session/spelling", nil, "how far names are apart is known without knowing what they name"},
	{"session/codefile", []string{"kernel/flock", "session/spelling"}, "files are confined without knowing what runs them"},
	{"session/pyenv/packaging", nil, "versions and requirements are read without a machine, an environment or a process"},
	{"session/pyenv/host", []string{"kernel/flock"}, "programs are started in one place, which does not know why"},
	{"session/pyenv/pyenvtest", []string{"kernel/testneeds", "session/pyenv/host"}, "it makes environments for tests of all the others"},
	{"session/pyenv/conda", []string{"session/pyenv/host"}, "where conda keeps things is known without choosing among them"},
	{"session/pyenv/kinds", []string{"session/pyenv/conda", "session/pyenv/host", "session/pyenv/packaging"},
		"a kind of environment is a file that says how one is known, where it lies, how it is activated"},
	{"session/pyenv/kernelspec", nil, "kernelspecs are read from files, without knowing who chose one or what starts it"},
	{"session/pyenv", []string{"session/pyenv/conda", "session/pyenv/host", "session/pyenv/kernelspec", "session/pyenv/kinds", "session/pyenv/packaging", "session/spelling"},
		"environments are found, activated and listed without changing any, and without knowing kernels"},
	{"session/pyenv/install", []string{"session/pyenv", "session/pyenv/host", "session/pyenv/kinds", "session/pyenv/packaging"},
		"packages are installed into an environment that was found, without knowing kernels"},
	{"session/pyenv/provision", []string{"session/pyenv", "session/pyenv/host", "session/pyenv/install", "session/pyenv/kernelspec", "session/pyenv/kinds", "session/pyenv/packaging"},
		"it decides how an environment gets a kernel; the others do it"},
	{"session/files", nil, "which files changed is known without knowing what ran, and what of it is told is asked"},
	{"session/cells", nil, "what a cell's file is called is known without a kernel"},
	{"session/variables", nil, "variables are compared without knowing whose they are"},
	{"session/figures", []string{"kernel/jupyter", "kernel/record"}, "a page is made of a display, whoever reads the record"},
	{"session/notebook", []string{"kernel/jupyter", "kernel/record"}, "a record is told as a notebook, and a notebook read, without knowing sessions, kernels or storage"},
	{"session/history", []string{"kernel/flock", "kernel/jupyter", "kernel/record", "session/codefile", "session/notebook"}, "what ran in servers of the past is found and written without knowing any that lives"},
	{"session/livenotebook", []string{"kernel/record", "session/codefile", "session/notebook"}, "it follows records and writes files, whatever runs in the kernels"},
	{"session/spare", []string{"kernel", "kernel/flock"}, "a kernel is started ahead without knowing for whom, or what an environment is"},
	{"session/elsewhere", []string{"kernel/flock", "kernel/gateway"}, "which servers there are is known without a session, and no model gives an address"},
	{"session/sandbox", []string{"kernel/confine"}, "what code may do is decided without knowing kernels, environments or settings"},
	{"session", []string{"kernel", "kernel/confine", "kernel/flock", "kernel/gateway", "kernel/share", "session/elsewhere", "session/pyenv/kinds", "session/spare", "kernel/guard", "kernel/jupyter", "kernel/limits", "kernel/record", "session/cells", "session/codefile", "session/figures", "session/files", "session/history", "session/livenotebook", "session/notebook",
		"session/pyenv", "session/pyenv/install", "session/pyenv/kernelspec", "session/pyenv/packaging", "session/pyenv/provision", "session/sandbox", "session/variables"},
		"policy: it knows both kernels and environments, but neither sockets nor words"},
	{"mcp/render", []string{"kernel/jupyter"}, "it shows outputs, whoever asks: an export or a viewer uses it too"},
	{"mcp/rpc", nil, "it carries requests and answers, whatever tools are behind it: a second transport uses it too"},
	{"mcp/streamable", []string{"mcp/rpc"}, "it carries messages over HTTP, whoever they belong to and whatever tools there are"},
	{"mcp/arguments", []string{"mcp/render", "session/spelling"}, "arguments are decoded without knowing the tool, or how they came"},
	{"mcp/clients", []string{"mcp/render", "mcp/rpc"}, "what a client shows and means is known without knowing the tools"},
	{"mcp", []string{"session/elsewhere", "mcp/arguments", "mcp/clients", "mcp/render", "mcp/rpc", "session", "session/codefile", "session/history", "session/notebook", "session/pyenv", "session/pyenv/host", "session/pyenv/install", "session/pyenv/kinds", "session/pyenv/packaging", "session/pyenv/provision", "kernel/jupyter"},
		"words: of a kernel it knows the outputs, never a socket or a process"},
	{"cmd/mcp-code-executor/terminal", nil, "it draws a line, whatever that says"},
	{"cmd/mcp-code-executor/settings", []string{"kernel/limits", "session/elsewhere", "session/pyenv/kinds", "session/pyenv", "session/pyenv/host", "session/sandbox"}, "the table says what was set, and starts nothing"},
	{"cmd/mcp-code-executor/server", []string{"cmd/mcp-code-executor/settings", "mcp", "session", "session/codefile", "session/elsewhere", "session/pyenv/host", "session/pyenv/provision", "session/sandbox", "session/spare", "kernel", "kernel/confine", "kernel/guard", "kernel/rundir"},
		"it wires the parts; frames and messages are no part of that"},
	{"cmd/mcp-code-executor/config/edit", nil, "it changes an entry in bytes, whatever the file is"},
	{"cmd/mcp-code-executor/config", []string{"cmd/mcp-code-executor/config/edit", "cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server"},
		"a client's entry is made of settings and places"},
	{"cmd/mcp-code-executor/setup", []string{"cmd/mcp-code-executor/terminal", "cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server", "cmd/mcp-code-executor/config", "cmd/mcp-code-executor/config/edit"},
		"it asks, shows and writes files; what goes into them config knows"},
	{"cmd/mcp-code-executor/keep", []string{"cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server", "kernel/flock", "kernel/rundir", "session"},
		"it carries lines between processes and knows none of them; what is kept, and for how long, session decides"},
	{"cmd/mcp-code-executor/serve", []string{"cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server", "kernel/flock", "mcp", "mcp/rpc", "mcp/streamable", "session"},
		"it decides who may come in and what is whose; of the protocol it knows an endpoint"},
	{"cmd/mcp-code-executor/doctor", []string{"cmd/mcp-code-executor/keep", "cmd/mcp-code-executor/terminal", "cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server", "cmd/mcp-code-executor/config", "session", "session/codefile", "session/pyenv", "session/pyenv/host", "session/pyenv/install", "session/pyenv/kinds", "session/pyenv/provision"},
		"it tries the server's own parts, and words what it finds for a person"},
	{"cmd/mcp-code-executor/history", []string{"cmd/mcp-code-executor/server", "session/history", "session/notebook"}, "what ran is shown to a person from the records, with no server"},
	{"cmd/mcp-code-executor", []string{"cmd/mcp-code-executor/history", "cmd/mcp-code-executor/keep", "cmd/mcp-code-executor/serve", "cmd/mcp-code-executor/terminal", "cmd/mcp-code-executor/settings", "cmd/mcp-code-executor/server", "cmd/mcp-code-executor/config", "cmd/mcp-code-executor/setup", "cmd/mcp-code-executor/doctor", "kernel/guard", "session/notebook"},
		"commands and signals; what they do stands in the packages below it"},
	{"cmd/dist", []string{"cmd/mcp-code-executor/settings"}, "it packs what go build makes; of the program it knows the settings, which packages ask for"},
}

// outside says which packages may import a module of others. Modules that are
// not named may be imported anywhere.
var outside = []struct {
	prefix string
	by     []string
	reason string
}{
	{"github.com/go-zeromq/zmq4", []string{"kernel/zmq"}, "its sockets can hang or end the process: only the wrapper that bounds them touches it"},
	{"github.com/mark3labs/mcp-go", []string{"mcp", "mcp/rpc", "mcp/streamable"}, "the protocol's next revision must be these packages' affair, and mcp.X mean one thing in a package"},
	{"golang.org/x/net", []string{"mcp/render"}, "its HTML tokenizer is the one part used: the server speaks to no network"},
	{"golang.org/x/image", []string{"mcp/render"}, "pictures from a kernel are decoded in one place, behind its limits"},
	{"go.yaml.in/yaml", []string{"session/pyenv/conda", "cmd/mcp-code-executor/config/edit"}, "only a condarc and Goose's configuration are YAML"},
	{"github.com/tailscale/hujson", []string{"cmd/mcp-code-executor/config/edit"}, "its tree is for changing files; what is only read encoding/json reads"},
	{"github.com/spf13/cobra", []string{"cmd/mcp-code-executor"}, "the command line is one package's affair"},
	{"github.com/spf13/pflag", []string{"cmd/mcp-code-executor", "cmd/mcp-code-executor/settings"}, "a setting is a flag, and nothing else is outside of the commands"},
	{"golang.org/x/term", []string{"cmd/mcp-code-executor/terminal"}, "whether a person watches is asked in one place"},
	{"github.com/google/go-cmp", nil, "it is for tests and panics by design"},
	{"github.com/rogpeppe/go-internal", []string{"cmd/mcp-code-executor/setup"}, "its diff is shown to a person; the rest is for tests"},
	{"net/http", []string{"mcp/streamable", "cmd/mcp-code-executor/serve", "kernel/gateway", "kernel/gateway/gatewaytest"},
		"only who starts \"serve\" has a port opened, and only Jupyter servers that a person has named are called"},
	{"github.com/coder/websocket", []string{"kernel/gateway"}, "only a Jupyter server is spoken to that way"},
	{"log", nil, "it writes where nobody chose; log/slog goes where cmd says"},
	{"plugin", nil, "the binary is static"},
}

// goPackage is what `go list -json` tells of a package.
type goPackage struct {
	Dir, ImportPath string
	GoFiles         []string
	Imports         []string
}

func (p *goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// systems are those that must build; each has files of its own.
var systems = []string{"linux", "darwin", "windows"}

// packages lists the packages of this module as they are built for a system.
func packages(t *testing.T, system string) []*goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles,Imports", "./...")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.Bytes())
	}
	var list []*goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(goPackage)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 { // not only tests
			list = append(list, p)
		}
	}
}

func TestLayers(t *testing.T) {
	there := map[string]bool{}
	for _, system := range systems {
		for _, p := range packages(t, system) {
			there[p.name()] = true
			i := slices.IndexFunc(layers, func(l layer) bool { return l.pkg == p.name() })
			if i < 0 {
				t.Errorf("%s has no rule: say in layers what it may import, and why", p.name())
				continue
			}
			for _, imported := range p.Imports {
				if ours, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(layers[i].imports, ours) {
					t.Errorf("%s (%s) imports %s: %s", p.name(), system, ours, layers[i].reason)
				}
				if p.name() == "kernel/jupyter" && strings.Contains(imported, ".") {
					t.Errorf("kernel/jupyter (%s) imports %s: %s", system, imported, layers[i].reason)
				}
				for _, o := range outside {
					if (imported == o.prefix || strings.HasPrefix(imported, o.prefix+"/") && strings.Contains(o.prefix, ".")) && !slices.Contains(o.by, p.name()) {
						t.Errorf("%s (%s) imports %s: %s", p.name(), system, imported, o.reason)
					}
				}
			}
		}
	}
	for _, l := range layers {
		if !there[l.pkg] {
			t.Errorf("%s has a rule and is not there", l.pkg)
		}
	}
}

// TestLayersPointDown: the table itself has no circle, and nothing below cmd
// imports cmd or what is for tests.
func TestLayersPointDown(t *testing.T) {
	above := map[string]bool{}
	for _, l := range slices.Backward(layers) {
		above[l.pkg] = true
		for _, imported := range l.imports {
			if above[imported] {
				t.Errorf("%s may import %s, which stands above it", l.pkg, imported)
			}
			if strings.HasPrefix(imported, "cmd/") && !strings.HasPrefix(l.pkg, "cmd/") || imported == "kernel/kerneltest" || imported == "kernel/processtest" || (imported == "kernel/testneeds" || imported == "session/pyenv/pyenvtest") && l.pkg != "session/pyenv/pyenvtest" && l.pkg != "kernel/gateway/gatewaytest" {
				t.Errorf("%s may import %s, which nothing imports", l.pkg, imported)
			}
		}
	}
}

// eachFile parses the program's Go files, of all systems, without tests.
func eachFile(t *testing.T, do func(path string, file *ast.File)) {
	t.Helper()
	files := token.NewFileSet()
	for _, dir := range []string{"cmd", "kernel", "mcp", "session"} {
		err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(repository, path)
			do(filepath.ToSlash(name), file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestProcessGlobals: only cmd touches the process's own stdin, stdout and exit,
// so that one server can have many connections and stdout holds nothing but the
// protocol. There is no work in init.
func TestProcessGlobals(t *testing.T) {
	forbidden := map[string][]string{
		"os":  {"Stdin", "Stdout", "Exit"},
		"fmt": {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	}
	exempt := map[string]string{
		"kernel/guard/guard_unix.go":    "a guard is a process of its own, whose stdin and stdout are its pipes to the server",
		"kernel/guard/confined_unix.go": "what tries a sandbox is a process of its own, whose stdout the guard reads",
		"kernel/guard/guard_windows.go": "a guard is a process of its own, whose stdin and stdout are its pipes to the server",
		"kernel/testneeds/testneeds.go": "it is part of tests, whose stdout is go test's",
	}
	used := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: func init: what is done at start is done by cmd, in order", path)
				}
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if !ok || !slices.Contains(forbidden[x.Name], n.Sel.Name) || strings.HasPrefix(path, "cmd/") {
					break
				}
				if used[path] = true; exempt[path] == "" {
					t.Errorf("%s: %s.%s: only cmd touches the process's stdin, stdout and exit", path, x.Name, n.Sel.Name)
				}
			}
			return true
		})
	})
	for path := range exempt {
		if !used[path] {
			t.Errorf("%s needs no exemption any more", path)
		}
	}
}

// TestNoAliases: the SDK has packages named as ours are. No file needs both, so
// each goes by its own name: mcp.X is the SDK's in mcp and mcp/rpc, ours in cmd.
func TestNoAliases(t *testing.T) {
	eachFile(t, func(path string, file *ast.File) {
		for _, i := range file.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			if i.Name != nil && (strings.HasPrefix(name, "github.com/mark3labs/mcp-go") || strings.HasPrefix(name, module+"mcp")) {
				t.Errorf("%s imports %s as %s", path, name, i.Name.Name)
			}
		}
	})
}

// TestProgramsStartInOnePlace: what is started in or for an environment can be
// confined there.
func TestProgramsStartInOnePlace(t *testing.T) {
	const place = "session/pyenv/host/run.go"
	there := false
	eachFile(t, func(path string, file *ast.File) {
		if !strings.HasPrefix(path, "session/") || strings.HasPrefix(path, "session/pyenv/pyenvtest/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var starts ast.Expr
			switch n := n.(type) {
			case *ast.CompositeLit:
				starts = n.Type
			case *ast.CallExpr:
				starts = n.Fun
			}
			sel, ok := starts.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch name := types.ExprString(sel); name {
			case "exec.Cmd", "exec.Command", "exec.CommandContext", "os.StartProcess", "syscall.ForkExec":
				if path != place {
					t.Errorf("%s: %s: programs are started by Host.start in %s alone", path, name, place)
				}
				there = true
			}
			return true
		})
	})
	if !there {
		t.Errorf("nothing starts a program: is it %s still?", place)
	}
}

// TestNoMutableState: a package-level variable is an error, a regular
// expression, an embedded file or a table, and nothing writes to it: state
// belongs to values, so that two servers in one process do not disturb each other.
func TestNoMutableState(t *testing.T) {
	for _, system := range systems {
		for _, p := range packages(t, system) {
			for _, problem := range stateProblems(t, p.Dir, p.GoFiles) {
				t.Errorf("%s (%s): %s", p.name(), system, problem)
			}
		}
	}
}

// TestStateRule: the rule finds what it is for.
func TestStateRule(t *testing.T) {
	for _, test := range []struct {
		source  string
		problem string // "" when it is allowed
	}{
		{`import "errors"; var ErrGone = errors.New("gone")`, ""},
		{`import "regexp"; var form = regexp.MustCompile("^a$")`, ""},
		{`import "sync"; var table = sync.OnceValue(func() int { return 1 })`, ""},
		{`var table = []struct{ a, b string }{{"x", "y"}}; func f() string { return table[0].a }`, ""},
		{`import _ "embed"` + "\n//go:embed x.txt\nvar text string", ""},
		{`var names = []string{"a"}; func f() { names := names; names[0] = "b" }`, ""}, // a local of that name
		{`var _ interface{ f() } = T{}; type T struct{}; func (T) f() {}`, ""},
		{`var count int`, "count has no value"},
		{`import "sync"; var mu sync.Mutex`, "mu has no value"},
		{`import "sync"; var mu = sync.Mutex{}`, "mu may be state"},
		{`var cache = map[string]int{}; func f() { cache["a"] = 1 }`, "writes to the package's variable cache"},
		{`var cache = make(map[string]int)`, "cache may be state"},
		{`var shared = &T{}; type T struct{ n int }`, "shared may be state"},
		{`var limit = 5; func f() { limit++ }`, "writes to the package's variable limit"},
		{`var limit = 5; func f() *int { return &limit }`, "takes its address"},
		{`var table = map[int]int{1: 2}; func f() { delete(table, 1) }`, "writes to the package's variable table"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte("package x\n"+test.source+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(stateProblems(t, dir, []string{"x.go"}), "; ")
		if (got == "") != (test.problem == "") || !strings.Contains(got, test.problem) {
			t.Errorf("%s\ngot %q, want %q", test.source, got, test.problem)
		}
	}
}

// stateProblems says what in a package is, or may be, state of the process.
func stateProblems(t *testing.T, dir string, names []string) (problems []string) {
	t.Helper()
	files := token.NewFileSet()
	say := func(at token.Pos, words string) {
		position := files.Position(at)
		problems = append(problems, fmt.Sprintf("%s:%d: %s", filepath.Base(position.Filename), position.Line, words))
	}
	var parsed []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(files, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	// Imports are not loaded: who means which variable is known without them.
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Error: func(error) {}, Importer: noImports{}}
	checked, _ := config.Check("x", files, parsed, info)
	for _, f := range parsed {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.VAR {
				for _, spec := range d.Specs {
					checkVariable(d, spec.(*ast.ValueSpec), say)
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			for _, target := range written(n) {
				id := root(target)
				if id == nil {
					continue
				}
				if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == checked.Scope() {
					say(id.Pos(), "writes to the package's variable "+id.Name+", or takes its address")
				}
			}
			return true
		})
	}
	return problems
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not loaded") }

// checkVariable judges how a package-level variable gets its value.
func checkVariable(d *ast.GenDecl, spec *ast.ValueSpec, say func(token.Pos, string)) {
	embedded := strings.Contains(docText(spec.Doc)+docText(d.Doc), "//go:embed")
	for i, name := range spec.Names {
		switch {
		case name.Name == "_" || embedded:
		case i >= len(spec.Values):
			say(name.Pos(), name.Name+" has no value: a variable that is set later is state of the process")
		case !constantValue(spec.Values[i]):
			say(name.Pos(), name.Name+" may be state of the process: make it a field, or a constant")
		}
	}
}

func docText(g *ast.CommentGroup) string {
	var b strings.Builder
	if g == nil {
		return ""
	}
	for _, c := range g.List {
		b.WriteString(c.Text + "\n")
	}
	return b.String()
}

// constantValue holds for literals, for tables of such (no pointers, nothing of
// sync), and for calls that make an error, a regular expression or a replacer,
// also when they are made at their first use.
func constantValue(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.SelectorExpr:
		return true
	case *ast.BinaryExpr:
		return constantValue(e.X) && constantValue(e.Y)
	case *ast.KeyValueExpr:
		return constantValue(e.Value)
	case *ast.FuncLit:
		return true // of a table; it can keep nothing
	case *ast.CompositeLit:
		if s, ok := e.Type.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				return false
			}
		}
		return !slices.ContainsFunc(e.Elts, func(e ast.Expr) bool { return !constantValue(e) })
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "lazily" {
			return true
		}
		s, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "sync.OnceValue", "sync.OnceValues"}, x.Name+"."+s.Sel.Name)
	}
	return false
}

// written are the expressions a statement writes to or takes the address of.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		if _, literal := n.X.(*ast.CompositeLit); n.Op == token.AND && !literal {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

// root is the variable at the bottom of x.f, x[i], *x and (x).
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
