package main

import (
	"strings"
	"testing"
)

// TestKernelsBroken: code that takes from Python what nothing works without ends as it
// should, is told so, and shows its own errors; the session goes on with its variables.
func TestKernelsBroken(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		p.run("import builtins, sys, os\nkept = 41")
		for _, test := range []struct{ code, status, missing, shows string }{
			{"builtins.__import__ = None", "ok", "builtins.__import__ is NoneType", ""},
			{"del builtins.open", "ok", "builtins.open is gone", ""},
			{"builtins.print = None\n1/0", "error ZeroDivisionError", "builtins.print is NoneType", "ZeroDivisionError: division by zero"},
			{"builtins.len = 3", "ok", "builtins.len is int", ""},
			{"del builtins.isinstance", "ok", "builtins.isinstance is gone", ""},
			{"def f():\n    del builtins.getattr\n    raise LookupError('lost')\nf()", "error LookupError", "builtins.getattr is gone", "LookupError: lost"},
			{"builtins.Exception = None", "ok", "builtins.Exception is NoneType", ""},
			{"sys.modules.clear()", "ok", "sys.modules has no builtins", ""},
			{"del sys.modules['sys']", "ok", "sys.modules has no sys", ""},
			{"for name in ('str', 'type', 'dict'): delattr(builtins, name)", "ok", "builtins.type is gone, builtins.str is gone, builtins.dict is gone", ""},
			{"wrapped = builtins.print\nbuiltins.print = lambda *a: wrapped('>', *a)\nprint(1)\nbuiltins.print = wrapped", "ok", "", "> 1"},
			{"del sys.modules['json.tool']" + "\nopen = 3", "error KeyError", "", "KeyError: 'json.tool'"},
		} {
			r := p.call("execute_code", args{"code": test.code})
			note := "[note: the code had taken from Python what nothing works without (" + test.missing + "): it was put back]"
			if !strings.HasPrefix(r.text(), "["+test.status+" | ") || !strings.Contains(r.text(), test.shows) || strings.Contains(r.text(), note) != (test.missing != "") {
				t.Errorf("%s\n%s", test.code, r.text())
			}
			if r := p.call("execute_code", args{"code": "import math\nopen(os.devnull).close()\nprint(len(str(kept)), math.floor(1.5))"}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.HasSuffix(r.text(), "\n2 1") || strings.Contains(r.text(), "[note: ") {
				t.Errorf("after %s\n%s", test.code, r.text())
			}
		}
	})
}

// TestReplacedIsForgotten: that the code had replaced a stream is not told of the next kernel.
func TestReplacedIsForgotten(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	has(t, p.call("execute_code", args{"code": "import sys; sys.stdout = None"}), "[note: sys.stdout is None")
	p.call("stop_session", args{"restart": true})
	r := p.call("execute_code", args{"code": "import time; time.sleep(60)", "wait_seconds": 1})
	for strings.HasPrefix(r.text(), "[preparing | ") { // a busy machine's kernel
		r = p.call("get_execution", args{"id": r.field("id"), "wait_seconds": 0.1})
	}
	if !strings.HasPrefix(r.text(), "[running | ") || strings.Contains(r.text(), "sys.stdout is") {
		t.Errorf("%s", r.text())
	}
}
