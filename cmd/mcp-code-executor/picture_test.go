package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

const pictureFile = "docs/conversation.svg"

// TestMatrixPicture: README's picture shows what the server answers today. What differs
// from run to run, and from machine to machine, is not compared; -update draws it.
func TestMatrixPicture(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	client := required(t, "MCE_TEST_CLIENT", "Python with the mcp package")
	venv := filepath.Dir(filepath.Dir(pythons(t)[0]))
	drawn := filepath.Join(t.TempDir(), "drawn.svg")
	cmd := exec.Command(client, "testdata/clients/picture.py", testProgram(t), venv, drawn)
	cmd.Dir = repository
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	now, err := os.ReadFile(drawn)
	if err != nil {
		t.Fatal(err)
	}
	changing := regexp.MustCompile(`\d+\.\d+ s|\w{4}-\d+|env=[^|]*|cursor=\d+|\d+x\d+ PNG \d+ kB|<image .*|<(svg|rect) .*| y="\d+"`)
	mask := func(text string) string { return changing.ReplaceAllString(text, "…") }
	if shown := document(t, pictureFile); mask(shown) != mask(string(now)) {
		if !*update {
			t.Errorf("%s is not current: make picture draws it. Now it is\n%s", pictureFile, mask(string(now)))
			return
		}
		writeDocument(t, pictureFile, string(now))
	}
}
