package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// The documents are held against the code here: what a user looks up in a table
// is true or the test fails.

// repository is where the documents lie, seen from this package.
const repository = "../.."

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeDocument(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(repository, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// row is the line of a table whose first cell is the name, or "".
func row(text, name string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `"+name+"` |") {
			return line
		}
	}
	return ""
}

// listedTool is a tool as tools/list shows it.
type listedTool struct {
	Name        string
	Description string
	Annotations struct {
		Title                         string
		ReadOnlyHint, DestructiveHint bool
	}
	InputSchema struct {
		Properties map[string]argument
		Required   []string
	}
}

// argument is the schema of one.
type argument struct {
	Type, Description string
	Enum              []string
	Items             struct{ Type string }
}

// listTools asks a server that has no Python for its tools.
func listTools(t *testing.T) []listedTool {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sessions := session.NewManager(session.Config{
		Host: &kernel.Host{Log: log}, Provisioner: provision.New(&host.Host{}), StateDir: t.TempDir(), Log: log,
	})
	defer sessions.Close(t.Context())
	in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"documents","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}
`
	var out bytes.Buffer
	server := mcp.New(mcp.Config{Sessions: sessions, Version: version, Log: log})
	if err := server.Serve(context.Background(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out.Bytes()) {
		var answer struct {
			ID     int
			Result struct{ Tools []listedTool }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		if answer.ID == 2 {
			return answer.Result.Tools
		}
	}
	t.Fatalf("no answer to tools/list in %.500s", out.Bytes())
	return nil
}

// TestDocumentedTools: README's list of tools has each of them once, and no other.
func TestDocumentedTools(t *testing.T) {
	section := between(t, document(t, "README.md"), "\n## Tools\n", "\n## ")
	var listed, want []string
	for _, m := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	for _, tool := range listTools(t) {
		want = append(want, tool.Name)
	}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("README.md lists the tools\n%q, the server has\n%q", listed, want)
	}
}

// TestDocumentedMigration: the predecessor's nine tools are there, and the
// migration page has a row for each and names the others.
func TestDocumentedMigration(t *testing.T) {
	page := document(t, "docs/migrating.md")
	nine := []string{
		"execute_code", "execute_code_file", "initialize_code_file", "append_to_code_file", "read_code_file",
		"install_dependencies", "check_installed_packages", "configure_environment", "get_environment_config",
	}
	var names []string
	for _, tool := range listTools(t) {
		names = append(names, tool.Name)
		if !strings.Contains(page, "`"+tool.Name+"`") {
			t.Errorf("docs/migrating.md does not name the tool %s", tool.Name)
		}
	}
	for _, name := range nine {
		if row(page, name) == "" {
			t.Errorf("docs/migrating.md has no row for %s", name)
		}
		if !slices.Contains(names, name) {
			t.Errorf("the predecessor's tool %s is gone", name)
		}
	}
}

// settingsPage has the tables of settings, variables and limits.
const settingsPage = "docs/settings.md"

// TestDocumentedSettings: the table of settings is the program's; -update writes it.
func TestDocumentedSettings(t *testing.T) {
	page := document(t, settingsPage)
	have := between(t, page, "\n## Settings\n", "\n\nPaths")
	const head = "| variable | default | meaning |\n|---|---|---|\n"
	want := head
	for _, s := range settings.Table() {
		want += "| `" + s.Name + "` | " + s.Default + " | " + s.Page + " |\n"
	}
	_, table, _ := strings.Cut(have, head)
	if head+table+"\n" == want {
		return
	}
	if !*update {
		t.Fatalf("%s: go test -run %s -update ./cmd/mcp-code-executor writes this:\n%s", settingsPage, t.Name(), want)
	}
	writeDocument(t, settingsPage, strings.Replace(page, head+table+"\n", want, 1))
}

// TestDocumentedVariables: the page names each environment variable the code reads.
func TestDocumentedVariables(t *testing.T) {
	page := document(t, settingsPage)
	internal := map[string]string{
		"MCE_GUARD":    "the server sets it for the guards it starts; no setting",
		"MCE_LAUNCHER": "the launcher of the npm package sets it; no setting",
	}
	read := variablesRead(t)
	for _, s := range settings.Table() {
		read[s.Name] = "the table of settings"
	}
	for name, where := range read {
		if internal[name] == "" && !strings.HasPrefix(name, "MCE_TEST_") && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s does not name the variable %s, read in %s", settingsPage, name, where)
		}
	}
	for _, name := range []string{"CODE_STORAGE_DIR", "ENV_TYPE", "HOME", "CONDA_ENVS_DIRS", "MCE_GUARD"} {
		if read[name] == "" {
			t.Errorf("this test does not see that %s is read any more: correct variablesRead", name)
		}
	}
}

// variablesRead finds the names of environment variables in the code, with the
// file each is in: in functions that call getenv, Getenv, Variable or LookupEnv, the
// strings that look like a variable's name, and constants that are passed.
func variablesRead(t *testing.T) map[string]string {
	t.Helper()
	looksLike := regexp.MustCompile(`^_?[A-Z][A-Z0-9_]+$`)
	constants, found := map[string]string{}, map[string]string{}
	var functions []func()
	eachFile(t, func(path string, file *ast.File) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				collectStrings(d, constants)
			case *ast.FuncDecl:
				functions = append(functions, func() {
					calls, names := false, []string{}
					ast.Inspect(d, func(n ast.Node) bool {
						switch n := n.(type) {
						case *ast.CallExpr:
							if len(n.Args) == 1 && readsVariable(n.Fun) {
								calls = true
								if id, ok := n.Args[0].(*ast.Ident); ok && constants[id.Name] != "" {
									names = append(names, constants[id.Name])
								} else if s, ok := stringValue(n.Args[0]); ok {
									names = append(names, s)
								}
							}
						case *ast.BasicLit:
							if s, ok := stringValue(n); ok && looksLike.MatchString(s) {
								names = append(names, s)
							}
						}
						return true
					})
					for _, name := range names {
						if calls {
							found[name] = path
						}
					}
				})
			}
		}
	})
	for _, look := range functions { // when all constants are known
		look()
	}
	return found
}

func readsVariable(fun ast.Expr) bool {
	name := ""
	switch f := fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	return name == "getenv" || name == "Variable" || name == "Getenv" || name == "LookupEnv"
}

// collectStrings adds the string constants of a declaration.
func collectStrings(d *ast.GenDecl, constants map[string]string) {
	if d.Tok != token.CONST {
		return
	}
	for _, spec := range d.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, value := range spec.Values {
			if s, ok := stringValue(value); ok {
				constants[spec.Names[i].Name] = s
			}
		}
	}
}

func stringValue(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// TestDocumentedLimits: a limit that changes in the code changes on the page too.
func TestDocumentedLimits(t *testing.T) {
	limits := between(t, document(t, settingsPage), "\n## Limits\n", "\n## ")
	for _, limit := range []struct{ file, constant, value, words string }{
		{"session/manager.go", "maxSessions", "16", "| sessions | 16 |"},
		{"session/manager.go", "maxQueue", "64", "| calls waiting in one session | 64 |"},
		{"session/manager.go", "keptExecutions", "2000", "the last 2000"},
		{"session/codefile/store.go", "MaxContent", "4 << 20", "content of one file call | 4 MiB |"},
		{"mcp/tool_execute.go", "maxCode", "4 << 20", "| code of one call, "},
		{"mcp/tool_packages.go", "maxPackages", "200", "| 200 |"},
		{"mcp/clients/clients.go", "defaultCharacters", "30_000", "30,000 characters"},
		{"mcp/clients/clients.go", "codexCharacters", "11_000", "11,000 for Codex"},
		{"mcp/clients/clients.go", "errorCharacters", "10_000", "10,000 when the run failed"},
		{"mcp/clients/clients.go", "imageCount", "5", "| 5, at most"},
		{"mcp/clients/clients.go", "imageBytes", "450_000", "450 kB each"},
		{"mcp/clients/clients.go", "totalImageBytes", "600_000", "600 kB together"},
		{"mcp/clients/clients.go", "lineBytes", "900_000", "| 900 kB |"},
		{"mcp/render/image.go", "maxSide", "1568", "1568 px"},
		{"mcp/rpc/serve.go", "DefaultMaxLine", "64 << 20", "| 64 MiB |"},
		{"kernel/zmq/conn.go", "DefaultFrameLimit", "256 << 20", "| 256 MiB; "},
	} {
		if got := constant(t, limit.file, limit.constant); got != limit.value {
			t.Errorf("%s: %s is %s, not %s any more: change %s and this table", limit.file, limit.constant, got, limit.value, settingsPage)
		}
		if !strings.Contains(limits, limit.words) {
			t.Errorf("%s, limits: %q is missing (%s is %s)", settingsPage, limit.words, limit.constant, limit.value)
		}
	}
	waits := constant(t, "mcp/tool_execute.go", "defaultWait") + ", 0 to " + constant(t, "mcp/tool_execute.go", "maxWait")
	if !strings.Contains(document(t, "docs/behaviour.md"), "(default "+waits+")") {
		t.Errorf("docs/behaviour.md does not say that wait_seconds has (default %s)", waits)
	}
}

// constant returns the source text of a constant's value.
func constant(t *testing.T, path, name string) string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join(repository, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := "not there"
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, id := range spec.Names {
				if id.Name == name && i < len(spec.Values) {
					var b strings.Builder
					if err := format.Node(&b, files, spec.Values[i]); err != nil {
						t.Fatal(err)
					}
					text = b.String()
				}
			}
		}
		return true
	})
	return text
}

var (
	jsonBlock = regexp.MustCompile("(?ms)^```json\n(.*?)^```")
	link      = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unslugged = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are what links to a page's headings end with, as GitHub makes them.
func anchors(page []byte) map[string]bool {
	found := map[string]bool{"": true}
	for _, m := range heading.FindAllSubmatch(page, -1) {
		text := unslugged.ReplaceAllString(strings.ToLower(string(m[1])), "")
		found["#"+strings.ReplaceAll(text, " ", "-")] = true
	}
	return found
}

// TestDocuments: JSON in the documents parses, and links lead to files and headings.
func TestDocuments(t *testing.T) {
	pages, blocks := 0, 0
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules" || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md" && d.Name() != "llms.txt" || d.Name() == "instructions.md":
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pages++
		for _, m := range jsonBlock.FindAllSubmatch(b, -1) {
			blocks++
			if !json.Valid(m[1]) {
				t.Errorf("%s: not JSON:\n%s", path, m[1])
			}
		}
		for _, m := range link.FindAllSubmatch(b, -1) {
			target := filepath.Join(filepath.Dir(path), string(m[1]))
			if len(m[1]) == 0 {
				target = path
			}
			page, err := os.ReadFile(target)
			if errors.Is(err, fs.ErrNotExist) || err == nil && filepath.Ext(target) == ".md" && !anchors(page)[string(m[2])] {
				t.Errorf("%s: a link leads to %s%s, which is not there", path, m[1], m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 8 || blocks < 5 {
		t.Errorf("%d documents with %d blocks of JSON: some were not found", pages, blocks)
	}
}

// TestDocumentsForModels: llms.txt names every page of the documentation.
func TestDocumentsForModels(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%q, %v", pages, err)
	}
	index := document(t, "llms.txt")
	for _, page := range pages {
		if !strings.Contains(index, "(docs/"+filepath.Base(page)+")") {
			t.Errorf("llms.txt does not name docs/%s", filepath.Base(page))
		}
	}
}

// between is what lies after start and before the next end.
func between(t *testing.T, text, start, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, start)
	if !found {
		t.Fatalf("no %q", start)
	}
	part, _, _ := strings.Cut(rest, end)
	return part
}
