package main

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// insideTests are of every tool, and of what can be done to a run. None finds a process by
// its number, which can be another one's outside of a sandbox.
var insideTests = []struct {
	name string
	test func(*testing.T)
}{
	{"Tools", TestTools},
	{"Conversation", TestConversation},
	{"StatusLine", TestStatusLine},
	{"Prints", TestPrints},
	{"Plot", TestPlot},
	{"Pyplot", TestPyplotLive},
	{"MaxOutputChars", TestMaxOutputChars},
	{"Poll", TestPoll},
	{"Log", TestLog},
	{"Queue", TestQueue},
	{"BadInput", TestBadInput},
	{"CancelledAnswer", TestCancelledAnswer},
	{"UserCancel", TestUserCancel},
	{"Timeout", TestTimeout},
	{"Interrupt", TestKernelsInterrupt},
	{"Input", TestInput},
	{"Exit", TestExit},
	{"DeathRunning", TestKernelsDeathRunning},
	{"ExpectGeneration", TestExpectGeneration},
	{"CodeFiles", TestCodeFiles},
	{"RunFile", TestRunFile},
	{"Inspect", TestKernelsInspect},
	{"InspectKinds", TestInspectKinds},
	{"Notebook", TestNotebook},
	{"Venvs", TestVenvs},
	{"Conda", TestConda},
	{"Configure", TestConfigure},
	{"ConfigureWrong", TestConfigureWrong},
	{"ListAndChoose", TestListAndChoose},
	{"Install", TestInstall},
	{"PackagesRefused", TestPackagesRefused},
}

// TestMatrixInside: the server in somebody else's sandbox, of bubblewrap without network, in
// a system that it can only read but for the test's own directories. MCE_TEST_UNDER names
// another one.
func TestMatrixInside(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	under := os.Getenv("MCE_TEST_UNDER")
	if under == "" {
		needsBubblewrap(t)
		under = filepath.Join(t.TempDir(), "under")
		tmp := cmp.Or(os.Getenv("TMPDIR"), "/tmp")
		text := "#!/bin/sh\nexec bwrap --unshare-net --unshare-ipc --die-with-parent --ro-bind / / --dev /dev --proc /proc --bind " + tmp + " " + tmp + " -- \"$@\"\n"
		if err := os.WriteFile(under, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("sandbox", func(t *testing.T) {
		confinements.Store(t.Name(), &confinement{python: testneeds.Pythons(t)[0], under: under})
		for _, e := range insideTests {
			t.Run(e.name, e.test)
		}
	})
}
