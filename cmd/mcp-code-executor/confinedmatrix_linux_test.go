package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// confinedTests are those that, with executionTests, run in a sandbox too. Left out, and
// what is seen there instead:
//   - DeathAtStart: ~/.ipython is not read (IPYTHONDIR is in the private directory for
//     temporary files), so the start-up file that ends the kernel does not run.
//   - Situations: environments below /tmp are hidden where they are not the session's, and
//     variables named like credentials are not handed on.
//   - DeniedKeys: an activation script cannot write in the home directory.
//     TestSandboxActivation has what it does instead.
var confinedTests = []struct {
	name string
	test func(*testing.T)
}{
	{"OutputWays", TestKernelsOutputWays},
	{"ReplacedStreams", TestKernelsReplacedStreams},
	{"LeftRunning", TestLeftRunning},
	{"RunFile", TestRunFile},
	{"Modules", TestModules},
	{"Scripts", TestScripts},
	{"ShadowedModules", TestShadowedModules},
	{"FilesMade", TestFilesMade},
	{"FigureFiles", TestFigureFiles},
	{"Input", TestInput},
	{"Progress", TestProgress},
	{"Flood", TestFlood},
	{"StdoutIsOurs", TestStdoutIsOurs},
	{"StoppersAreTold", TestStoppersAreTold},
	{"QueuedBehind", TestQueuedBehind},
	{"OutOfMemory", TestOutOfMemory},
	{"DeathAgainAndAgain", TestMatrixDeathAgainAndAgain},
	{"ServerKilled", TestServerKilled},
	{"GuardKilled", TestGuardKilled},
	{"Ends", TestEnds},
	{"LostNames", TestLostNames},
	{"Venvs", TestVenvs},
	{"Conda", TestConda},
	{"Kinds", TestKinds},
	{"Configure", TestConfigure},
	{"ConfigureWrong", TestConfigureWrong},
	{"KernelInstall", TestKernelInstall},
	{"Beside", TestBeside},
	{"ListAndChoose", TestListAndChoose},
	{"BackToManaged", TestBackToManaged},
	{"Broken", TestKernelsBroken},
	{"BrokenForGood", TestKernelsBrokenForGood},
	{"Install", TestInstall},
	{"InstallFromFiles", TestInstallFromFiles},
	{"PackagesRefused", TestPackagesRefused},
	{"CodeFiles", TestCodeFiles},
	{"StatusLine", TestStatusLine},
	{"Sessions", TestSessions},
	{"Gone", TestKernelsGone},
	{"MissingKernel", TestMissingKernel},
	{"NothingConfigured", TestNothingConfigured},
	{"Limits", TestLimits},
	{"LimitsEndKernel", TestLimitsEndKernel},
}

// newestAlone are those that the old ipykernel does not run: its environment has neither
// pandas nor comm, and where one is installed it is not the old one. All others see the
// same on both.
var newestAlone = []string{"KernelInstall", "NothingConfigured", "Media", "Widgets", "InspectFrames", "InspectKinds"}

// TestMatrixConfined: the tests of execution again in SANDBOX=workspace with the network
// on, made by bubblewrap and by Landlock, on the newest and the oldest of
// testneeds.Pythons. With Landlock, what code of the tests needs of terminals and locks is allowed, as
// docs/sandbox.md says.
func TestMatrixConfined(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	all := testneeds.Pythons(t)
	newest, oldest := all[0], all[len(all)-1]
	t.Run("bubblewrap", func(t *testing.T) { inBubblewrap(t, newest) })
	t.Run("landlock", func(t *testing.T) { inLandlock(t, newest) })
	t.Run("bubblewrap-old", func(t *testing.T) { inBubblewrap(t, oldest) })
	t.Run("landlock-old", func(t *testing.T) { inLandlock(t, oldest) })
}

func inBubblewrap(t *testing.T, python string) {
	t.Parallel()
	needsBubblewrap(t)
	runConfined(t, &confinement{python: python, settings: append(confinedSettings(t), "SANDBOX=workspace")})
}

func inLandlock(t *testing.T, python string) {
	t.Parallel()
	needsLandlock(t)
	runConfined(t, &confinement{python: python, under: withoutBubblewrapProgram(t),
		settings: append(confinedSettings(t), "SANDBOX=workspace", "SANDBOX_ALLOW_PARTIAL=on", "SANDBOX_WRITE=/dev/shm:/dev/pts")})
}

// confinedSettings open what the tests use: the network, all Pythons of the tests, files of
// a person's as packages.
func confinedSettings(t *testing.T) []string {
	var read []string
	for _, python := range testneeds.Pythons(t) {
		read = append(read, filepath.Dir(filepath.Dir(python)))
	}
	return []string{"SANDBOX_NETWORK=on", "SANDBOX_INSTALL=any", "SANDBOX_READ=" + strings.Join(read, ":")}
}

// withoutBubblewrapProgram is a program that starts another one where there is no
// bubblewrap.
func withoutBubblewrapProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "under")
	text := "#!/bin/sh\nexec " + unshareMounts(t) + " /bin/sh -ec '" + withoutBubblewrap + "\nexec \"$0\" \"$@\"' \"$@\"\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func runConfined(t *testing.T, c *confinement) {
	confinements.Store(t.Name(), c)
	old := c.python != testneeds.Pythons(t)[0]
	run := func(t *testing.T, name string, test func(*testing.T)) {
		if !old || !slices.Contains(newestAlone, name) {
			t.Run(name, test)
		}
	}
	t.Run("all", func(t *testing.T) { // done when the parallel ones are
		for _, e := range executionTests {
			run(t, e.name, e.test)
		}
		for _, e := range confinedTests {
			run(t, e.name, e.test)
		}
	})
}
