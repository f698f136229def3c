package testneeds

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestChild lacks things, where it is asked to: TestLacks runs it.
func TestChild(t *testing.T) {
	need := os.Getenv("TESTNEEDS_CHILD")
	if need == "" {
		return
	}
	t.Run("part", func(t *testing.T) { Lacks(t, need, "a part") })
	t.Run("whole", func(t *testing.T) { Skip(t, need, "all of it\nand more") })
	t.Run("variable", func(t *testing.T) { Variable(t, "TESTNEEDS_UNSET", "a thing") })
}

// TestLacks: what is lacking is counted, and is a failure only where it is required.
func TestLacks(t *testing.T) {
	run := func(required string) (lines, output string, failed bool) {
		file := filepath.Join(t.TempDir(), "left-out")
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
		cmd.Env = append(os.Environ(), "TESTNEEDS_CHILD=python3.7", "MCE_TEST_REQUIRED="+required, "MCE_TEST_LEFT_OUT="+file)
		out, err := cmd.CombinedOutput()
		b, _ := os.ReadFile(file) // absent when nothing was left out
		return string(b), string(out), err != nil
	}
	lines, output, failed := run("python3.70 other")
	want := "python3.7\tTestChild/part\ta part\npython3.7\tTestChild/whole\tall of it and more\n" +
		"environments\tTestChild/variable\ta thing in TESTNEEDS_UNSET: run `make test`, which makes one\n"
	if failed || lines != want || !strings.Contains(output, "left out for want of python3.7: all of it") {
		t.Errorf("not required: failed=%t\n%s\n%s", failed, lines, output)
	}
	lines, output, failed = run("other python3.7")
	if !failed || strings.Contains(lines, "python3.7") || strings.Count(output, "this machine lacks python3.7") != 2 {
		t.Errorf("required: failed=%t\n%s\n%s", failed, lines, output)
	}
}

// TestRequired: a name in .ci/required that nothing asks for would require nothing.
func TestRequired(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", ".ci", "required"))
	if err != nil {
		t.Fatal(err)
	}
	constants, err := os.ReadFile("testneeds.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		need, _, _ := strings.Cut(line, "#")
		need = strings.TrimSpace(need)
		if need == "" || strings.Contains(string(constants), ` = "`+need+`"`) {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", "..", "testdata", "python", need+".txt")); err != nil {
			t.Errorf(".ci/required: %s is no need of a test", need)
		}
	}
}

// TestMain counts as any package's does.
func TestMain(m *testing.M) { os.Exit(Run(m)) }
