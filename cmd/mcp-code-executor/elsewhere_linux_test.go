package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// onServer is a Jupyter server, which gets a kernelspec for each program.
func onServer(s *gatewaytest.Server) site {
	var n atomic.Int64
	return func(t testing.TB, p *program, python string) []string {
		name := fmt.Sprintf("%s%d", filepath.Base(filepath.Dir(filepath.Dir(python))), n.Add(1))
		s.Kernelspec(name, "sh", "-c", `cd "$0" && exec "$1" -m ipykernel_launcher -f "$2"`, p.storage, python, "{connection_file}")
		return []string{"ENV_TYPE=jupyter", "JUPYTER_SERVER_URL=" + s.URL(), "JUPYTER_TOKEN=" + gatewaytest.Token, "KERNEL_NAME=" + name}
	}
}

// attached is a kernel that a person has started.
func attached(t testing.TB, p *program, python string) []string {
	file, _ := startKernel(t, python, p.storage)
	return []string{"ENV_TYPE=jupyter", "CONNECTION_FILE=" + file}
}

// executionTests are the tests of execution that need neither our guard nor our launcher.
// What needs them, and stays with kernels of our own: streams that native code, children
// and replaced objects write to (KernelsOutputWays, KernelsReplacedStreams, Flood's memory),
// files run as scripts (RunFile, Modules, Scripts, LeftRunning), which files a run has
// changed, limits, and the words about environments, processes and records. DisplayAboveCap
// is left out because a Jupyter server stands still for all while it packs 300 MB.
var executionTests = []struct {
	name     string
	test     func(*testing.T)
	attached string // why not in a kernel that a person has started, "" where it runs
}{
	{"Conversation", TestConversation, noLauncher},
	{"Plot", TestPlot, noLauncher},
	{"ManyCalls", TestMatrixManyCalls, oneKernel},
	{"Prints", TestPrints, ""},
	{"Poll", TestPoll, noLauncher},
	{"CancelledAnswer", TestCancelledAnswer, ""},
	{"UserCancel", TestUserCancel, ""},
	{"Log", TestLog, ""},
	{"Queue", TestQueue, ""},
	{"BadInput", TestBadInput, ""},
	{"EarlierGeneration", TestEarlierGeneration, neverEnded},
	{"LateOutput", TestKernelsLateOutput, ""},
	{"InputKinds", TestKernelsInputKinds, ""},
	{"Interrupt", TestKernelsInterrupt, ""},
	{"InterruptPrinting", TestKernelsInterruptPrinting, ""},
	{"NotInterruptible", TestKernelsNotInterruptible, neverEnded},
	{"InterruptContinued", TestKernelsInterruptContinued, ""},
	{"InterruptStart", TestKernelsInterruptStart, neverEnded},
	{"InterruptNothing", TestInterruptNothing, ""},
	{"InterruptedBeforeQueued", TestKernelsInterruptedBeforeQueued, ""},
	{"StopsAreTold", TestKernelsStopsAreTold, ""},
	{"QueuedBehindQuestion", TestKernelsQueuedBehindQuestion, ""},
	{"IdleLimitAtTheMoment", TestIdleLimitAtTheMoment, neverEnded},
	{"IdleLimitBesideRuns", TestIdleLimitBesideRuns, ""},
	{"IdleLimit", TestIdleLimit, neverEnded},
	{"Inspect", TestKernelsInspect, ""},
	{"InspectFrames", TestInspectFrames, ""},
	{"InspectBusy", TestKernelsInspectBusy, neverEnded},
	{"InspectKinds", TestInspectKinds, ""},
	{"InspectMore", TestInspectMore, ""},
	{"Timeout", TestTimeout, ""},
	{"ExpectGeneration", TestExpectGeneration, neverEnded},
	{"DeathRunning", TestKernelsDeathRunning, neverEnded},
	{"DeathIdle", TestKernelsDeathIdle, neverEnded},
	{"QueuedBehindDeath", TestQueuedBehindDeath, neverEnded},
	{"MemoryError", TestKernelsMemoryError, ""},
	{"LoopsOfLibraries", TestLoopsOfLibraries, noLauncher},
	{"DisplaysOfLibraries", TestMatrixDisplaysOfLibraries, noLauncher},
	{"Pages", TestPagesLive, ""},
	{"Widgets", TestWidgetsLive, ""},
	{"Gallery", TestGalleryLive, noLauncher},
	{"MaxOutputChars", TestMaxOutputChars, ""},
	{"Prelude", TestPrelude, noLauncher},
	{"HostileStrings", TestHostileStrings, ""},
	{"Notebook", TestNotebook, oneKernel},
	{"Pyplot", TestPyplotLive, noLauncher},
	{"Media", TestMediaLive, noLauncher},
	{"ErrorsShown", TestErrorsShownLive, noLauncher},
	{"Exit", TestExit, noLauncher},
	{"OwnErrors", TestOwnErrors, noLauncher},
	{"SideBySide", TestSideBySide, ""},
}

// Why a test does not run in a kernel that a person has started.
const (
	noLauncher = "nothing of ours is in that kernel: no display settings, no policy for interrupts, exits and names"
	neverEnded = "that kernel is never ended or restarted"
	oneKernel  = "all sessions have that one kernel"
)

// onEnterprise are the tests that run with an Enterprise Gateway too. It is built on an
// older Jupyter server, and speaks the older form of the protocol: what is its own is how
// kernels start, are interrupted, die and end.
var onEnterprise = []string{"Conversation", "Poll", "EarlierGeneration", "InputKinds", "Interrupt", "InterruptStart", "Inspect", "DeathRunning", "DeathIdle", "Notebook"}

// TestMatrixElsewhere: the tests of execution again, with kernels of a Jupyter server in both
// forms of its protocol, of a Kernel Gateway and an Enterprise Gateway, and with a kernel that a person has started.
func TestMatrixElsewhere(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	jupyterServer := func(protocol string) func(t *testing.T) site {
		return func(t *testing.T) site {
			return onServer(gatewaytest.Start(t, gatewaytest.Unlimited, "--ZMQChannelsWebsocketConnection.kernel_ws_protocol="+protocol))
		}
	}
	for _, one := range []struct {
		name string
		make func(t *testing.T) site
	}{
		{"v1", jupyterServer("v1.kernel.websocket.jupyter.org")},
		{"older", jupyterServer("")},
		{"gateway", func(t *testing.T) site {
			return onServer(gatewaytest.StartGateway(t, gatewaytest.KernelGateway, gatewaytest.Unlimited))
		}},
		{"enterprise", func(t *testing.T) site {
			there := onServer(gatewaytest.StartGateway(t, gatewaytest.EnterpriseGateway))
			return func(t testing.TB, p *program, python string) []string {
				return append(there(t, p, python), "KERNEL_USERNAME=somebody") // it starts none for root
			}
		}},
		{"attached", func(*testing.T) site { return attached }},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			sites.Store(t.Name(), one.make(t))
			t.Run("", func(t *testing.T) { // done when the parallel ones are
				for _, e := range executionTests {
					if runs := one.name != "attached" || e.attached == ""; runs && (one.name != "enterprise" || slices.Contains(onEnterprise, e.name)) {
						t.Run(e.name, e.test)
					}
				}
			})
		})
	}
}
