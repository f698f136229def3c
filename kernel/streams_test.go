package kernel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// cell is code and all that must come of it.
type cell struct{ code, output string }

const tee = `
class Tee:
    def __init__(self, *streams): self.streams = streams
    def write(self, text):
        for s in self.streams: s.write(text)
    def flush(self):
        for s in self.streams: s.flush()
`

// streamCases are ways to write. The cells of one run one after the other in a
// kernel that all share, so each puts back what it changed.
var streamCases = []struct {
	name  string
	cells []cell
}{
	{"Tee kept for later cells", []cell{
		{"import io, os, sys, subprocess, threading, logging, contextlib, time, ctypes, faulthandler" + tee + "old, log = sys.stdout, io.StringIO()\nsys.stdout = Tee(old, log); print(1)", "1\n"},
		{"print(2); 3", "2\n<execute_result 3>"},
		{"print(4); 1/0", "4\n<error ZeroDivisionError: division by zero>"},
		{"print(5, file=sys.stderr); print(6)", "5\n6\n"},
		{"sys.stdout = sys.__stdout__; print(7)", "7\n"},
		{"print(log.getvalue().split())", "['1', '2', '4', '6']\n"},
	}},
	{"replacement without flush", []cell{
		{"class Only:\n    def __init__(self, s): self.s = s\n    def write(self, text): self.s.write(text)\nsys.stdout = Only(sys.stdout); print(1)", "1\n"},
		{"print(2); display('d'); print(3)", "2\n<display_data 'd'>3\n"},
		{"sys.stdout = sys.__stdout__; print(4)", "4\n"},
	}},
	{"replacement whose flush fails", []cell{
		{"class Bad(Tee):\n    def flush(self): raise ValueError('no')\nsys.stderr = Bad(sys.stderr); sys.stderr.write('1\\n');", "1\n"},
		{"sys.stderr.write('2\\n');", "2\n"},
		{"sys.stderr = sys.__stderr__", ""},
	}},
	{"no stream at all", []cell{
		{"sys.stdout = None; print(1)", ""},
		{"sys.stdout = 5; 6", "<execute_result 6>"},
		{"print(7)", "<error AttributeError: 'int' object has no attribute 'write'>"},
		{"sys.stdout = sys.__stdout__; print(8)", "8\n"},
	}},
	{"restored by an exception", []cell{
		{"with contextlib.redirect_stdout(io.StringIO()): print(1); 1/0", "<error ZeroDivisionError: division by zero>"},
		{"print(2)", "2\n"},
	}},
	{"left by an exception", []cell{
		{"sys.stdout = Tee(sys.stdout)\nprint(1)\n1/0\nsys.stdout = sys.__stdout__", "1\n<error ZeroDivisionError: division by zero>"},
		{"print(2)", "2\n"},
		{"sys.stdout = old; print(3)", "3\n"},
	}},
	{"replacement that holds text back", []cell{
		{"sys.stdout = os.fdopen(1, 'w', closefd=False); print(1)", "1\n"},
		{"print(2)", "2\n"},
		{"sys.stdout = sys.__stdout__; print(3)", "3\n"},
	}},
	{"logging keeps a stream", []cell{
		{"sys.stderr = Tee(sys.stderr); h = logging.StreamHandler(); log = logging.getLogger('streams'); log.addHandler(h); log.warning('1')", "1\n"},
		{"sys.stderr = sys.__stderr__; log.warning('2')", "2\n"},
		{"log.removeHandler(h); log.addHandler(logging.StreamHandler(sys.__stdout__)); log.warning('3')", "3\n"},
		{"log.warning('4')", "4\n"},
	}},
	{"closed", []cell{
		{"with sys.stdout as f: f.write('1\\n')", "1\n"},
		{"sys.stdout.close(); print(2)", "2\n"},
		{"print(3, sys.stdout.closed)", "3 False\n"},
	}},
	{"the original", []cell{
		{"print(1); print(2, file=sys.__stdout__); print(3); print(4, file=sys.__stderr__); print(5)", "1\n2\n3\n4\n5\n"},
	}},
	{"stdout and stderr in order", []cell{
		{"for i in range(3): print('o', i); print('e', i, file=sys.stderr)", "o 0\ne 0\no 1\ne 1\no 2\ne 2\n"},
	}},
	{"fileno", []cell{
		{"print(1); subprocess.run(['echo', '2'], stdout=sys.stdout); print(3); subprocess.run('echo 4 >&2', shell=True, stderr=sys.stderr); print(5)", "1\n2\n3\n4\n5\n"},
		{"os.write(sys.stderr.fileno(), b'x\\n'); print('y'); os.write(sys.stdout.fileno(), b'z\\n'); sys.stdout.fileno(), sys.__stderr__.fileno()", "x\ny\nz\n<execute_result (1, 2)>"},
	}},
	{"descriptors", []cell{
		{"print(1); os.write(1, b'2\\n'); print(3); os.write(2, b'4\\n'); print(5)", "1\n2\n3\n4\n5\n"},
		{"print(1); os.system('echo 2'); os.system('true'); print(3); os.system('echo 4 >&2'); print(5)", "1\n2\n3\n4\n5\n"},
		{"kept = os.dup(1); w = os.open(os.devnull, os.O_WRONLY); os.dup2(w, 1); os.write(1, b'nowhere'); os.dup2(kept, 1); os.write(1, b'back\\n'); os.close(kept)", "back\n"},
		{"open('/dev/stdout', 'w').write('1\\n'); print(2)", "1\n2\n"},
	}},
	{"C's stdout", []cell{
		{"libc = ctypes.CDLL(None); print(1); libc.puts(b'2'); print(3); libc.printf(b'4 '); libc.printf(b'no newline')", "1\n2\n3\n4 no newline<execute_result 10>"},
		{"print(5)", "5\n"},
	}},
	{"faulthandler", []cell{
		{"import types\ndef shown():\n    faulthandler.dump_traceback(all_threads=False)\nshown()", "line 3 in shown\n"},
		{"faulthandler.dump_traceback_later(0.05); time.sleep(0.3); print('after')", "Timeout (0:00:00.050000)!"},
	}},
	{"threads and tasks of a cell", []cell{
		{"t = threading.Thread(target=print, args=('thread',)); t.start(); t.join(); print('main')", "thread\nmain\n"},
		{"import asyncio\nasync def f(): print('task')\nawait asyncio.create_task(f()); print('main')", "task\nmain\n"},
	}},
	{"IPython's history", []cell{
		{"print('a', 1); print('e', file=sys.stderr); display('d'); print('b')", "a 1\ne\n<display_data 'd'>b\n"},
		{`m = get_ipython().history_manager  # since IPython 9 it has outputs
not hasattr(m, 'outputs') or [(o.output_type, ''.join(o.bundle.get('stream', ''))) for o in m.outputs[max(m.outputs)]] == [
    ('out_stream', 'a 1\n'), ('err_stream', 'e\n'), ('out_stream', 'b\n')]`, "<execute_result True>"},
	}},
	{"a forked child", []cell{
		{"sys.stdout = Tee(sys.stdout)\npid = os.fork()\nif pid == 0: print('child', flush=True); os._exit(0)\nos.waitpid(pid, 0)[1]", "child\n<execute_result 0>"},
		{"sys.stdout = sys.__stdout__; print(1)", "1\n"},
	}},
}

// TestStreams: whatever is written, by whatever way, is with the cell that wrote
// it, in order.
func TestStreams(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		for i, c := range streamCases {
			t.Run(c.name, func(t *testing.T) {
				k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * i}
				for _, cell := range c.cells {
					result, output := k.run(cell.code)
					if ok := output == cell.output || c.name == "faulthandler" && strings.Contains(output, cell.output); !ok || result.OutputLost || result.NoReply {
						t.Errorf("%s\ngives %q, want %q (OutputLost %t, NoReply %t)", cell.code, output, cell.output, result.OutputLost, result.NoReply)
					}
				}
				if late := k.TakeLate(); len(late) > 0 {
					t.Errorf("late output of %v", late)
				}
			})
		}
	})
}

// TestHeldLock: native code that prints more than a pipe holds while no other
// Python code may run ends, and nothing is lost.
func TestHeldLock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		const prepare = "import ctypes, os\nheld = ctypes.PyDLL(None)\n"
		for _, test := range []struct{ name, code, text string }{
			{"one puts", "held.puts(b'x' * 1_000_000);", strings.Repeat("x", 1_000_000) + "\n"},
			{"many lines", "held.puts(b'\\n'.join(b'line %d' % i for i in range(100_000)));", lines(100_000)},
			{"much printed before", "print('y' * 300_000, end='')\nheld.puts(b'x' * 1_000_000);", ""},
			{"write to stderr", "held.write(2, b'\\xc3\\xa4' * 300_000, 600_000);", strings.Repeat("ä", 300_000)},
		} {
			result, output := k.run(prepare + "print('before')\n" + test.code + "\nprint('after')")
			if test.text == "" { // its place is not known: the kernel could not tell what it has printed
				if x, y := strings.Count(output, "x"), strings.Count(output, "y"); y < 300_000 || y > 300_010 || x < 1_000_000 || x > 1_000_010 { // the notice has some
					t.Errorf("%s: %d and %d characters", test.name, x, y)
				}
				continue
			}
			head, text, _ := strings.Cut(output, "<notice ")
			said, text, _ := strings.Cut(text, ">")
			if result.Outcome != kernel.OutcomeOK || head != "before\n" || !strings.Contains(said, "past the kernel") {
				t.Errorf("%s: %s, begins %.80q, says %q", test.name, result.Outcome, head, said)
			}
			// What the kernel reads itself after the standstill may overtake the last
			// that the guard has read.
			if text = strings.Replace(text, "after\n", "", 1); len(text) != len(test.text) || text[:500_000] != test.text[:500_000] {
				t.Errorf("%s: %d bytes, want %d; end %q", test.name, len(text), len(test.text), text[max(0, len(text)-80):])
			}
			if _, output := k.run("os.write(1, b'1\\n'); print(2)"); output != "1\n2\n" {
				t.Errorf("%s: afterwards %.200q", test.name, output)
			}
		}
	})
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

// TestMatrixLastWords: of 200 crashes right after a write(2) or a flushed print none
// loses a word.
func TestMatrixLastWords(t *testing.T) {
	testneeds.All(t)
	const prepare = "import ctypes, os, signal\n"
	writes := []string{"os.write(2, b'OMP: Error #15\\n')", "print('OMP: Error #15', flush=True)"}
	ends := []string{"ctypes.CDLL(None).abort()", "os._exit(1)", "ctypes.string_at(0)", "os.kill(os.getpid(), signal.SIGKILL)"}
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		for i := range 200 {
			code := writes[i%2] + "; " + ends[i/2%4]
			k := start(t, host, python)
			if result, output := k.run(prepare + code); result.Exit == nil || output != "OMP: Error #15\n" {
				t.Errorf("%d: %s: exit %v, output %q", i, code, result.Exit, output)
			}
			k.Close()
		}
	})
}

// TestLastWords: what was written before a death is with the run, whole and once.
func TestLastWords(t *testing.T) {
	t.Parallel()
	lastWords(t, false)
}

func TestMatrixWords(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	lastWords(t, true)
}

// lastWordsLeft are left to TestMatrixWords; TestMatrixLastWords has the first ends 200 times.
var lastWordsLeft = []string{"write, then abort", "print, then a segmentation fault", "20,000 characters", "puts under the lock", "a thread's", "a dump of the fault handler", "what was sent is not told twice", "the moment between a read of the pipe and what is taken from it"}

func lastWords(t *testing.T, matrix bool) {
	t.Helper()
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		const prepare = "import os, sys, ctypes, signal, subprocess, threading, time\n"
		long := strings.Repeat("ä", 20_000) + "\n"
		for _, test := range []struct{ name, code, output string }{
			{"write, then abort", "os.write(2, b'OMP: Error #15: libiomp5\\n'); ctypes.CDLL(None).abort()", "OMP: Error #15: libiomp5\n"},
			{"print, then abort", "print('to the end'); ctypes.CDLL(None).abort()", "to the end\n"},
			{"print, then a segmentation fault", "print('no newline', end=''); ctypes.string_at(0)", "no newline"},
			{"print, then exit", "print('seven'); print('err', file=sys.stderr); os._exit(7)", "seven\nerr\n"},
			{"what was sent is not told twice", "print('sent', flush=True); time.sleep(0.3); print('unsent'); os.kill(os.getpid(), signal.SIGKILL)", "sent\nunsent\n"},
			{"more than is kept", "print('x' * 200_000); os._exit(1)", "<notice 134473 characters of stdout are lost: the kernel had not sent them when it stopped.>" + strings.Repeat("x", 65_527) + "\n"},
			{"20,000 characters", "print('ä' * 20_000); os._exit(1)", long},
			{"the moment between a read of the pipe and what is taken from it", `class Dies:
    def decode(self, data): os._exit(1)
sys.stderr._mce_decoder = Dies()
os.write(2, 'read: \u00e4'.encode()); time.sleep(60)`, "read: ä"},
			{"puts under the lock", "print('first'); ctypes.PyDLL(None).puts(b'then'); ctypes.PyDLL(None).abort()", "first\nthen\n"},
			{"a child's words", "subprocess.run('echo child >&2', shell=True); os._exit(1)", "child\n"},
			{"a thread's", "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join(); os._exit(1)", "thread\n"},
			{"at exit", "import atexit; atexit.register(print, 'at exit'); print('run'); exit()", "run\nat exit\n"},
			{"a dump of the fault handler", "import faulthandler; faulthandler.enable(); ctypes.string_at(0)", "Fatal Python error: Segmentation fault\n"},
		} {
			if slices.Contains(lastWordsLeft, test.name) != matrix {
				continue
			}
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				k := start(t, host, python)
				result, output := k.run(prepare + test.code)
				if test.name == "more than is kept" && output == strings.Repeat("x", 200_000)+"\n" {
					return // a busy machine: it was sent before
				}
				if result.Exit == nil || output != test.output && !(strings.HasPrefix(test.output, "Fatal") && strings.HasPrefix(output, test.output)) {
					t.Errorf("%s, exit %v, output %.200q (%d bytes), want %.200q", result.Outcome, result.Exit, output, len(output), test.output)
				}
				if result.Exit != nil && strings.Contains(string(result.Exit.Tail), strings.TrimSpace(test.output)) {
					t.Errorf("it is told a second time: %q", result.Exit.Tail)
				}
				k.Close()
			})
		}
	})
}
