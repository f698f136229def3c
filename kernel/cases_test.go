package kernel_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

// codeCase is code run to its end on a real kernel. The numbers are those of
// docs/protocol.md.
type codeCase struct {
	number  int
	name    string
	code    string
	outcome kernel.Outcome // "" is ok
	ename   string
	// output is a regular expression (?s) for all of the output; old is the one
	// for ipykernel 6 where that differs, oldEname its exception.
	output, old, oldEname string
	size                  int  // of the output in bytes, if not 0
	newest                bool // on the newest kernel only: it needs pandas
}

func (c codeCase) on(old bool) codeCase {
	if c.outcome == "" {
		c.outcome = kernel.OutcomeOK
	}
	if old && c.old != "" {
		c.output = c.old
	}
	if old && c.oldEname != "" {
		c.ename = c.oldEname
	}
	return c
}

const raised = kernel.OutcomeError

var codeCases = []codeCase{
	// Running.
	{number: 1, name: "streams and result", code: "print('a')\nimport sys\nprint('b', file=sys.stderr)\n1+1", output: "a\nb\n<execute_result 2>"},
	{number: 2, name: "blank cell", code: " \n\t\n"},
	{number: 3, name: "top-level await", code: "import asyncio\nawait asyncio.sleep(0, 'slept')", output: "<execute_result 'slept'>"},
	{number: 4, name: "async comprehension", code: "async def g():\n    for i in range(3): yield i\n[i async for i in g()]", output: `<execute_result \[0, 1, 2\]>`},
	{number: 5, name: "asyncio.run", code: "async def q(): return 5\nasyncio.run(q())", output: "<execute_result 5>"},
	{number: 6, name: "queued behind an error", code: "kept = 6\n1/0", outcome: raised, ename: "ZeroDivisionError", output: "<error ZeroDivisionError: division by zero>"},
	{number: 7, name: "state outlives an error", code: "kept", output: "<execute_result 6>"},
	{number: 8, name: "shadowed builtin", code: "print = 5"},
	{number: 9, name: "shadowed builtin fails", code: "print(1)", outcome: raised, ename: "TypeError", output: "<error TypeError: 'int' object is not callable>"},
	{number: 10, name: "shadowed builtin heals", code: "del print\nprint(1)", output: "1\n"},
	{number: 13, name: "isatty, fileno and buffer", code: "import sys\nsys.stdout.isatty(), sys.stdout.fileno() > 0, hasattr(sys.stdout, 'buffer')", output: `<execute_result \(False, True, True\)>`},

	// Text and displays.
	{number: 20, name: "carriage returns", code: "import time\nfor i in range(4): print(f'\\r{i*25}%', end='', flush=True); time.sleep(.02)\nprint()", output: "\r0%\r25%\r50%\r75%\n"},
	{number: 22, name: "10 MB in one print", code: "print('x' * 10_000_000)", output: "x+\n", size: 10_000_001},
	{number: 23, name: "2,000 displays", code: "for i in range(1000, 3000): display(i)", output: "(<display_data \\d+>)+", size: 38_000},
	{number: 24, name: "large result", code: "'y' * 5_000_000", output: "<execute_result 'y+'>", size: 5_000_019},
	{number: 25, name: "long list", code: "list(range(10**6))", output: `<execute_result \[0, 1, .*999, \.\.\.\]>`},
	{number: 26, name: "display updated", code: "h = display('one', display_id='abc')\nh.update('three')", output: "<display_data 'one'><update_display_data >"},
	{number: 27, name: "clear and wait", code: "from IPython.display import clear_output\nfor i in range(3): clear_output(wait=True); print(i)", output: "(<clear_output >\\d\n){3}"},
	{number: 28, name: "clear at once", code: "print('gone'); clear_output(); print('kept')", output: "gone\n<clear_output >kept\n"},
	{number: 29, name: "NaN in a display", code: "display({'application/json': {'a': float('nan')}, 'text/plain': 'n'}, raw=True)", output: "<display_data n>"},
	{number: 30, name: "bytes in a display", code: "display({'image/png': b'\\x89PNG', 'text/plain': 'p'}, raw=True)", output: "<display_data p>"},
	{number: 31, name: "12,000 levels", code: "import sys\nlimit = sys.getrecursionlimit(); sys.setrecursionlimit(10**5)\nd = []\nfor i in range(12000): d = [d]\ndisplay({'application/json': d, 'text/plain': 'deep'}, raw=True)\nd = sys.setrecursionlimit(limit)", output: "<display_data deep>"},
	{number: 32, name: "pager", code: "len?", output: `<page .*Return the number of items in a container.*>`},
	{number: 33, name: "next input", code: "get_ipython().set_next_input('x = 1')", output: "<set_next_input x = 1>"},
	{number: 34, name: "captured", code: "%%capture\nprint('unseen')"},
	{number: 35, name: "plot", code: "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()", output: `<display_data <Figure size \d+x\d+ with 1 Axes>>`},
	{number: 36, name: "data frame", code: "import pandas\npandas.DataFrame({'a': [1]})", output: `<execute_result    a\n0  1>`, newest: true},
	{number: 37, name: "comm with buffers", code: "from comm import create_comm\nc = create_comm(target_name='t')\nc.send({'a': 1}, buffers=[b'\\x00\\xff'])", newest: true},
	{number: 38, name: "null character", code: "print('\\x00')", output: "\x00\n"},
	{number: 39, name: "lone surrogates", code: "print('a\\ud800b\\udc80c')\n'\\ud800'", output: "a\ufffdb\ufffdc\n<execute_result '\\\\ud800'>"},

	// Errors.
	// Python before 3.11.4 raises ValueError there.
	{number: 40, name: "null in the source", code: "1 +\x00 1", outcome: raised, ename: "SyntaxError or ValueError", output: "(?s).*"},
	{number: 41, name: "surrogate in an exception", code: "raise ValueError('\\ud800')", outcome: raised, ename: "ValueError", output: "<error ValueError: \ufffd>"},
	{number: 42, name: "unknown magic", code: "%nosuch", outcome: raised, ename: "UsageError", output: "(?s).*nosuch.*"},
	{number: 43, name: "failing repr", code: "class R:\n    def __repr__(self): raise RuntimeError('no repr')\nR()", outcome: raised, ename: "RuntimeError", output: "(?s).*<error RuntimeError: no repr>.*"},
	{number: 44, name: "failing rich repr", code: "class H:\n    def __repr__(self): return 'plain'\n    def _repr_html_(self): raise RuntimeError('no html')\nH()", output: "<error RuntimeError: no html><execute_result plain>"},
	{number: 45, name: "cause", code: "try: 1/0\nexcept Exception as e: raise ValueError('outer') from e", outcome: raised, ename: "ValueError", output: "<error ValueError: outer>"},
	{number: 46, name: "exception group", code: "e = ExceptionGroup('eg', [ValueError(1), TypeError(2)])\ne.add_note('a note')\nraise e", outcome: raised, ename: "ExceptionGroup", output: `.*eg \(2 sub-exceptions\).*`},
	{number: 47, name: "syntax error", code: "def (", outcome: raised, ename: "SyntaxError", output: "<error SyntaxError: .*>"},
	{number: 48, name: "endless recursion", code: "def f(): return f()\nf()", outcome: raised, ename: "RecursionError", output: "<error RecursionError: maximum recursion depth exceeded.*>"},
	{number: 49, name: "3 MB of message", code: "raise ValueError('m' * 3_000_000)", outcome: raised, ename: "ValueError", output: "<error ValueError: m+>", size: 65_556},
	{number: 50, name: "failing str of an exception", code: "class E(Exception):\n    def __str__(self): raise ValueError('inner')\nraise E()", outcome: raised, ename: "E", output: "<error E: <exception str\\(\\) failed>>"},
	{number: 51, name: "sys.exit", code: "import sys\nsys.exit(3)", outcome: raised, ename: "SystemExit"},
	{number: 52, name: "memory limit", code: "import resource\nlimits = resource.getrlimit(resource.RLIMIT_AS)\nresource.setrlimit(resource.RLIMIT_AS, (4 << 30, limits[1]))\ntry: bytearray(8 << 30)\nfinally: resource.setrlimit(resource.RLIMIT_AS, limits)", outcome: raised, ename: "MemoryError", output: "<error MemoryError: >"},

	// Input when it is not allowed.
	{number: 60, name: "input refused", code: "input('name? ')", outcome: raised, ename: "StdinNotImplementedError", output: "<error StdinNotImplementedError: .*>"},
	{number: 61, name: "stdin is empty", code: "import sys\nsys.__stdin__.read()", output: "<execute_result ''>"},
	{number: 62, name: "breakpoint without input", code: "breakpoint()", outcome: raised, ename: "StdinNotImplementedError", output: ".*"},

	// Children and threads.
	{number: 70, name: "shell command", code: "!echo out; echo err >&2; exit 3", output: `(?s).*out.*`},
	{number: 71, name: "exit status of a shell command", code: "_exit_code", output: "<execute_result 3>"},
	{number: 72, name: "failing script magic", code: "%%bash\necho out\nexit 3", outcome: raised, ename: "CalledProcessError", output: `out\n<error CalledProcessError: .*>`},
	{number: 73, name: "children write to the streams", code: "import os\nfor i in range(50): os.system('echo c; echo e >&2')", output: "([ce]\n){100}"},
	{number: 74, name: "a child writes 300 KB", code: "os.system('head -c 300000 /dev/zero | tr \"\\\\0\" z')", output: "(<execute_result 0>|z+)+", size: 300_018},
	{number: 75, name: "writes past sys.stdout", code: "print('py1'); os.write(1, b'fd\\n'); print('py2')", output: "py1\npy2\nfd\n|fd\npy1\npy2\n|py1\nfd\npy2\n"},
	{number: 76, name: "failing thread", code: "import threading\nt = threading.Thread(target=lambda: 1/0); t.start(); t.join()", output: ".*ZeroDivisionError.*"},
	{number: 77, name: "forked child exits", code: "pid = os.fork()\nif pid == 0:\n    os.write(1, b'child\\n'); os._exit(0)\nos.waitpid(pid, 0)[1]", output: ".*<execute_result 0>.*"},
	{number: 78, name: "pool", code: "import multiprocessing as mp\ndef sq(x): return x * x\nwith mp.get_context('fork').Pool(2) as p: r = p.map(sq, range(4))\nr", output: `<execute_result \[0, 1, 4, 9\]>`},
	{number: 79, name: "spawned notebook function", code: "p = mp.get_context('spawn').Process(target=sq, args=(2,)); p.start(); p.join(); p.exitcode", output: `.*<execute_result 1>.*`},
	{number: 80, name: "interrupt with nothing to stop", code: "import signal\nsignal.getsignal(signal.SIGINT) is signal.default_int_handler", output: "<execute_result True>"},

	// At the end: they take away what other cases made.
	{number: 90, name: "reset", code: "gone = 1\nget_ipython().run_line_magic('reset', '-f')"},
	{number: 91, name: "names after reset", code: "gone", outcome: raised, ename: "NameError", output: "<error NameError: name 'gone' is not defined>"},
}

// TestCases runs code on one kernel of each version, and asks it after every
// case whether it still works.
func TestCases(t *testing.T) {
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		old := isOld(k)
		for _, c := range codeCases {
			if c.newest && old {
				continue
			}
			c.on(old).run(t, k)
		}
	})
}

// run runs the case on k, as a test of its own.
func (c codeCase) run(t *testing.T, k *testKernel) {
	t.Run(fmt.Sprintf("%d %s", c.number, c.name), func(t *testing.T) {
		k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * c.number}
		result, output := k.run(c.code)
		if result.Outcome != c.outcome || !slices.Contains(strings.Split(c.ename, " or "), result.Ename) {
			t.Errorf("%s %s: %.200s, want %s %s", result.Outcome, result.Ename, result.Evalue, c.outcome, c.ename)
		}
		if result.NoReply || result.OutputLost || result.Exit != nil {
			t.Errorf("NoReply=%t OutputLost=%t Exit=%v", result.NoReply, result.OutputLost, result.Exit)
		}
		if c.size != 0 && len(output) != c.size {
			t.Errorf("%d bytes of output, want %d", len(output), c.size)
		}
		if n := len(output); n > 1<<20 {
			// The race detector makes an expression slow: of megabytes of one
			// character, only the ends are matched.
			if strings.Count(output, output[n/2:n/2+1]) < n-100 {
				t.Errorf("output %.400q is not all alike", output)
			}
			output = output[:100] + output[n-100:]
		}
		if !regexp.MustCompile("(?s)^(" + c.output + ")$").MatchString(output) {
			t.Errorf("output %.400q, want %.200q", output, c.output)
		}
		if _, output := k.run("1+1"); output != "<execute_result 2>" {
			t.Fatalf("afterwards 1+1 is %q", output)
		}
	})
}

// isOld says whether it is a kernel of ipykernel 6.
func isOld(k *testKernel) bool {
	k.t.Helper()
	_, version := k.run("import ipykernel; ipykernel.__version__")
	return strings.Contains(version, "'6.")
}
