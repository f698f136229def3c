package main

import (
	"strings"
	"testing"
)

// TestKernelsOutputWays: what a model sees of text that takes an unusual way.
func TestKernelsOutputWays(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		const tee = "import sys, os, ctypes, faulthandler, subprocess\nclass Tee:\n    def __init__(self, s): self.s = s\n    def write(self, text): self.s.write(text)\n"
		for _, test := range []struct {
			name, code string
			want       []string // lines, in order
			not        []string
		}{
			{"Tee", tee + "sys.stdout = Tee(sys.stdout)\nprint('one')", []string{"one"}, []string{"no output"}},
			{"the run after it", "print('two')", []string{"two"}, []string{"late output", "no output"}},
			{"restored", "sys.stdout = sys.__stdout__\nprint('three')", []string{"three"}, []string{"late output", "no output"}},
			{"buffered", "import io\nold = sys.stdout\nsys.stdout = io.TextIOWrapper(open(1, 'wb', closefd=False), write_through=True)\nprint('four')", []string{"four"}, []string{"no output"}},
			{"put back while it holds text", "print('five')\nsys.stdout = old", []string{"five"}, []string{"no output"}},
			{"fileno", "subprocess.run(['echo', 'x'], stdout=sys.stdout)\nprint('-')\nos.write(sys.stderr.fileno(), b'y\\n');", []string{"x", "-", "[stderr]", "y"}, []string{"no output"}},
			{"in order", "print('a')\nprint('b', file=sys.stderr)\nprint('c')\nos.write(1, b'd\\n')\nprint('e')", []string{"a", "[stderr]", "b", "[stdout]", "c", "d", "e"}, nil},
			{"traceback on request", "def place():\n    faulthandler.dump_traceback()\nplace()", []string{"[stderr]", "Current thread", "line 2 in place", "line 3 in <module>"}, []string{"IPython", "ipykernel/", "mce_launch", "\nThread "}},
			{"held lock", "print('before')\nctypes.PyDLL(None).puts(b'x' * 1_000_000)\nprint('after')", []string{"[ok | ", "before", "[notice] The process printed more than its pipe holds", "xxxx"}, nil},
			{"last words", "print('first')\nos.write(2, b'OMP: Error #15\\n')\nctypes.CDLL(None).abort()", []string{"[died | ", "first", "OMP: Error #15"}, []string{"no output", "last lines the kernel"}},
			{"fault", tee + "faulthandler.enable()\ndef fault():\n    ctypes.string_at(0)\nfault()", []string{"[died | ", "Fatal Python error: Segmentation fault", "in string_at", "in fault", "in <module>"}, []string{"no output", "IPython/", "ipykernel/", "mce_launch"}},
		} {
			text := p.call("execute_code", args{"code": test.code}).text()
			rest := text
			for _, part := range test.want {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("%s: %q is missing, or not in its place, in:\n%.3000s", test.name, part, text)
				}
				rest = after
			}
			for _, part := range test.not {
				if strings.Contains(text, part) {
					t.Errorf("%s: %q is in:\n%.3000s", test.name, part, text)
				}
			}
		}
	})
}
