package kernel_test

import (
	"fmt"
	"regexp"
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
	{1, "streams and result", "print('a')\nimport sys\nprint('b', file=sys.stderr)\n1+1", "", "", "a\nb\n<execute_result 2>", "", "", false},
	{2, "blank cell", " \n\t\n", "", "", "", "", "", false},
	{3, "top-level await", "import asyncio\nawait asyncio.sleep(0, 'slept')", "", "", "<execute_result 'slept'>", "", "", false},
	{4, "async comprehension", "async def g():\n    for i in range(3): yield i\n[i async for i in g()]", "", "", `<execute_result \[0, 1, 2\]>`, "", "", false},
	{5, "asyncio.run inside a loop", "async def q(): pass\nasyncio.run(q())", raised, "RuntimeError", `.*<error RuntimeError: asyncio.run\(\) cannot be called from a running event loop>.*`, "", "", false},
	{6, "queued behind an error", "kept = 6\n1/0", raised, "ZeroDivisionError", "<error ZeroDivisionError: division by zero>", "", "", false},
	{7, "state outlives an error", "kept", "", "", "<execute_result 6>", "", "", false},
	{8, "shadowed builtin", "print = 5", "", "", "", "", "", false},
	{9, "shadowed builtin fails", "print(1)", raised, "TypeError", "<error TypeError: 'int' object is not callable>", "", "", false},
	{10, "shadowed builtin heals", "del print\nprint(1)", "", "", "1\n", "", "", false},
	{11, "reset", "gone = 1\nget_ipython().run_line_magic('reset', '-f')", "", "", "", "", "", false},
	{12, "names after reset", "gone", raised, "NameError", "<error NameError: name 'gone' is not defined>", "", "", false},
	{13, "isatty and fileno", "import sys\nsys.stdout.isatty(), sys.stdout.fileno() > 0, hasattr(sys.stdout, 'buffer')", "", "", `<execute_result \(False, True, False\)>`, "", "", false},

	// Text and displays.
	{20, "carriage returns", "import time\nfor i in range(4): print(f'\\r{i*25}%', end='', flush=True); time.sleep(.02)\nprint()", "", "", "\r0%\r25%\r50%\r75%\n", "", "", false},
	{21, "a million lines", "for i in range(10**6): print(i)", "", "", `0\n1\n.{6888878}99999[89]\n.*`, "", "", false},
	{22, "10 MB in one print", "print('x' * 10_000_000)", "", "", "x+\n", "", "", false},
	{23, "2,000 displays", "for i in range(2000): display(i)", "", "", "(<display_data \\d+>){2000}", "", "", false},
	{24, "large result", "'y' * 5_000_000", "", "", ".*", "", "", false},
	{25, "long list", "list(range(10**6))", "", "", `<execute_result \[0,\n 1,\n.*999,\n \.\.\.\]>`, "", "", false},
	{26, "display updated", "h = display('one', display_id='abc')\nh.update('three')", "", "", "<display_data 'one'><update_display_data >", "", "", false},
	{27, "clear and wait", "from IPython.display import clear_output\nfor i in range(3): clear_output(wait=True); print(i)", "", "", "(<clear_output >\\d\n){3}", "", "", false},
	{28, "clear at once", "print('gone'); clear_output(); print('kept')", "", "", "gone\n<clear_output >kept\n", "", "", false},
	{29, "NaN in a display", "display({'application/json': {'a': float('nan')}, 'text/plain': 'n'}, raw=True)", "", "", "<display_data n>", "", "", false},
	{30, "bytes in a display", "display({'image/png': b'\\x89PNG', 'text/plain': 'p'}, raw=True)", "", "", "<display_data p>", "", "", false},
	{31, "12,000 levels", "import sys\nsys.setrecursionlimit(10**5)\nd = []\nfor i in range(12000): d = [d]\ndisplay({'application/json': d, 'text/plain': 'deep'}, raw=True)", "", "", "<display_data deep>", "", "", false},
	{32, "pager", "len?", "", "", `<page .*Return the number of items in a container.*>`, "", "", false},
	{33, "next input", "get_ipython().set_next_input('x = 1')", "", "", "<set_next_input x = 1>", "", "", false},
	{34, "captured", "%%capture\nprint('unseen')", "", "", "", "", "", false},
	{35, "plot", "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()", "", "", `<display_data <Figure size \d+x\d+ with 1 Axes>>`, "", "", false},
	{36, "data frame", "import pandas\npandas.DataFrame({'a': [1]})", "", "", `<execute_result    a\n0  1>`, "", "", true},
	{37, "comm with buffers", "from comm import create_comm\nc = create_comm(target_name='t')\nc.send({'a': 1}, buffers=[b'\\x00\\xff'])", "", "", "", "", "", true},
	{38, "null character", "print('\\x00')", "", "", "\x00\n", "", "", false},
	{39, "lone surrogates", "print('a\\ud800b\\udc80c')\n'\\ud800'", "", "", "a\ufffdb\ufffdc\n<execute_result '\\\\ud800'>", "", "", false},

	// Errors.
	{40, "null in the source", "1 +\x00 1", raised, "SyntaxError", "(?s).*", "", "", false},
	{41, "surrogate in an exception", "raise ValueError('\\ud800')", raised, "ValueError", "<error ValueError: \ufffd>", "", "", false},
	{42, "unknown magic", "%nosuch", raised, "UsageError", "(?s).*nosuch.*", "", "", false},
	{43, "failing repr", "class R:\n    def __repr__(self): raise RuntimeError('no repr')\nR()", raised, "RuntimeError", "(?s).*<error RuntimeError: no repr>.*", "", "", false},
	{44, "failing rich repr", "class H:\n    def __repr__(self): return 'plain'\n    def _repr_html_(self): raise RuntimeError('no html')\nH()", raised, "RuntimeError", "<error RuntimeError: no html><execute_result plain>", "", "", false},
	{45, "cause", "try: 1/0\nexcept Exception as e: raise ValueError('outer') from e", raised, "ValueError", "<error ValueError: outer>", "", "", false},
	{46, "exception group", "e = ExceptionGroup('eg', [ValueError(1), TypeError(2)])\ne.add_note('a note')\nraise e", raised, "ExceptionGroup", `.*eg \(2 sub-exceptions\).*`, "", "", false},
	{47, "syntax error", "def (", raised, "SyntaxError", "<error SyntaxError: .*>", "", "", false},
	{48, "endless recursion", "def f(): return f()\nf()", raised, "RecursionError", "<error RecursionError: maximum recursion depth exceeded.*>", "", "", false},
	{49, "3 MB of message", "raise ValueError('m' * 3_000_000)", raised, "ValueError", "<error ValueError: m{65536}>", "", "", false},
	{50, "failing str of an exception", "class E(Exception):\n    def __str__(self): raise ValueError('inner')\nraise E()", raised, "E", ".*", "", "", false},
	{51, "sys.exit", "import sys\nsys.exit(3)", raised, "SystemExit", `.*<error SystemExit: 3>.*`, "", "", false},
	{52, "memory limit", "import resource\nlimits = resource.getrlimit(resource.RLIMIT_AS)\nresource.setrlimit(resource.RLIMIT_AS, (4 << 30, limits[1]))\ntry: bytearray(8 << 30)\nfinally: resource.setrlimit(resource.RLIMIT_AS, limits)", raised, "MemoryError", "<error MemoryError: >", "", "", false},

	// Input when it is not allowed.
	{60, "input refused", "input('name? ')", raised, "StdinNotImplementedError", "<error StdinNotImplementedError: .*>", "", "", false},
	{61, "stdin is empty", "import sys\nsys.__stdin__.read()", "", "", "<execute_result ''>", "", "", false},
	{62, "breakpoint without input", "breakpoint()", "", "", ".*", "", "", false},

	// Children and threads.
	{70, "shell command", "!echo out; echo err >&2; exit 3", "", "", `(?s).*out.*`, "", "", false},
	{71, "exit status of a shell command", "_exit_code", "", "", "<execute_result 3>", "", "", false},
	{72, "failing script magic", "%%bash\necho out\nexit 3", raised, "CalledProcessError", `out\n<error CalledProcessError: .*>`, "", "", false},
	{73, "children write to the streams", "import os\nfor i in range(50): os.system('echo c; echo e >&2')", "", "", "([ce]\n){100}", "", "", false},
	{74, "a child writes 300 KB", "os.system('head -c 300000 /dev/zero | tr \"\\\\0\" z')", "", "", "z{300000}<execute_result 0>|<execute_result 0>z{300000}", "", "", false},
	{75, "writes past sys.stdout", "print('py1'); os.write(1, b'fd\\n'); print('py2')", "", "", "py1\npy2\nfd\n|fd\npy1\npy2\n|py1\nfd\npy2\n", "", "", false},
	{76, "failing thread", "import threading\nt = threading.Thread(target=lambda: 1/0); t.start(); t.join()", "", "", ".*ZeroDivisionError.*", "", "", false},
	{77, "forked child exits", "pid = os.fork()\nif pid == 0:\n    os.write(1, b'child\\n'); os._exit(0)\nos.waitpid(pid, 0)[1]", "", "", ".*<execute_result 0>.*", "", "", false},
	{78, "pool", "import multiprocessing as mp\ndef sq(x): return x * x\nwith mp.get_context('fork').Pool(2) as p: r = p.map(sq, range(4))\nr", "", "", `<execute_result \[0, 1, 4, 9\]>`, "", "", false},
	{79, "spawned notebook function", "p = mp.get_context('spawn').Process(target=sq, args=(2,)); p.start(); p.join(); p.exitcode", "", "", `.*<execute_result 1>.*`, "", "", false},
	{80, "interrupt with nothing to stop", "import signal\nsignal.getsignal(signal.SIGINT) is signal.default_int_handler", "", "", "<execute_result True>", "", "", false},
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
			c = c.on(old)
			t.Run(fmt.Sprintf("%d %s", c.number, c.name), func(t *testing.T) {
				k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * c.number}
				result, output := k.run(c.code)
				if result.Outcome != c.outcome || result.Ename != c.ename {
					t.Errorf("%s %s: %.200s, want %s %s", result.Outcome, result.Ename, result.Evalue, c.outcome, c.ename)
				}
				if result.NoReply || result.OutputLost || result.Exit != nil {
					t.Errorf("NoReply=%t OutputLost=%t Exit=%v", result.NoReply, result.OutputLost, result.Exit)
				}
				if !regexp.MustCompile("(?s)^(" + c.output + ")$").MatchString(output) {
					t.Errorf("output %.400q, want %.200q", output, c.output)
				}
				if _, output := k.run("1+1"); output != "<execute_result 2>" {
					t.Fatalf("afterwards 1+1 is %q", output)
				}
			})
		}
	})
}

// isOld says whether it is a kernel of ipykernel 6.
func isOld(k *testKernel) bool {
	k.t.Helper()
	_, version := k.run("import ipykernel; ipykernel.__version__")
	return strings.Contains(version, "'6.")
}
