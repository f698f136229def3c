package kernel_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/kerneltest"
)

// TestProtocolPage: the page that promises names tests that are there, and
// every numbered case is on it.
func TestProtocolPage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	promised := map[int]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \|`).FindAllStringSubmatch(page, -1) {
		n, _ := strconv.Atoi(m[1])
		if promised[n] != "" {
			t.Errorf("number %d stands twice", n)
		}
		promised[n] = m[2]
	}
	source := testSource(t)
	for n, name := range numberedCases(t) {
		if promised[n] != name {
			t.Errorf("case %d is %q on the page, %q in the tests", n, promised[n], name)
		}
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)(?:/([^`]+))?`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(source, "\nfunc "+m[1]+"(t *testing.T)") {
			t.Errorf("no test %s", m[1])
		}
		// go test writes a space as _, as the page does.
		name := strings.ReplaceAll(m[2], "_", " ")
		switch {
		case m[2] == "":
		case m[1] == "TestMisbehaviour" && !slices.Contains(kerneltest.Cells(), kerneltest.Cell(name)),
			m[1] == "TestStarts" && !slices.Contains(kerneltest.Starts(), kerneltest.Start(name)):
			t.Errorf("%s has no case %q", m[1], name)
		case m[1] != "TestMisbehaviour" && m[1] != "TestStarts" && !strings.Contains(source, `"`+name+`"`) &&
			!slices.Contains(kerneltest.Cells(), kerneltest.Cell(name)) && name != string(kerneltest.Ask):
			t.Errorf("%s has no case %q", m[1], name)
		}
	}
}

// numberedCases are the cases of this package's tables.
func numberedCases(t *testing.T) map[int]string {
	cases := map[int]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t+\{(?:number: )?(\d+), (?:name: )?"([^"]+)", `).FindAllStringSubmatch(sourceOf(t, "*_test.go"), -1) {
		n, _ := strconv.Atoi(m[1])
		if cases[n] != "" {
			t.Errorf("number %d is %q and %q", n, cases[n], m[2])
		}
		cases[n] = m[2]
	}
	if len(cases) < 60 {
		t.Errorf("only %d numbered cases found", len(cases))
	}
	return cases
}

// testSource is the text of all tests of kernel, mcp and cmd.
func testSource(t *testing.T) string {
	return sourceOf(t, "*_test.go", "*/*_test.go", "../mcp/*_test.go", "../mcp/*/*_test.go", "../cmd/*/*_test.go")
}

func sourceOf(t *testing.T, patterns ...string) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return b.String()
}

// TestNamedMisbehaviours: the table in kerneltest's doc has every name.
func TestNamedMisbehaviours(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("kerneltest", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	has := func(name string) {
		if !strings.Contains(string(doc), "\n//\t"+name+" ") {
			t.Errorf("%q is not in the doc's table", name)
		}
	}
	for _, cell := range kerneltest.Cells() {
		has(string(cell))
	}
	for _, start := range kerneltest.Starts() {
		has(string(start))
	}
}
