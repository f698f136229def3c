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
			{"import time\nfor i in range(5):\n    print('said', i)\n    sys.modules.clear()\n    time.sleep(0.05)\n1/0", "error ZeroDivisionError", "sys.modules has no builtins", "said 0\nsaid 1\nsaid 2\nsaid 3\nsaid 4"},
			{"for name in list(sys.modules):\n    if name.startswith('importlib') or name == 'json': del sys.modules[name]\nimport importlib", "ok", "sys.modules has no json", ""},
			{"import importlib.machinery\nimportlib.machinery.PathFinder", "ok", "", "PathFinder"},
			{"del sys.modules['sys']", "ok", "sys.modules has no sys", ""},
			{"for name in ('str', 'type', 'dict'): delattr(builtins, name)", "ok", "builtins.type is gone, builtins.str is gone, builtins.dict is gone", ""},
			{"import json, time\njson.dumps = None\nprint('said')\ntime.sleep(0.3)\nprint(6 * 7)", "ok", "json.dumps is NoneType", "said\n42"},
			{"import time, asyncio\ntime.monotonic = None\nawait asyncio.sleep(0.1)\nprint('slept')", "ok", "time.monotonic is NoneType", "slept"},
			{"import time\ndel time.time, time.sleep", "ok", "time.sleep is gone, time.time is gone", ""},
			{"os.getpid = None\n1/0", "error ZeroDivisionError", "os.getpid is NoneType", "ZeroDivisionError: division by zero"},
			{"import threading\nthreading.Lock = 3", "ok", "threading.Lock is int", ""},
			{"import inspect, functools\ninspect.isawaitable = functools.wraps = None", "ok", "functools.wraps is NoneType, inspect.isawaitable is NoneType", ""},
			{"import contextvars\ncontextvars.copy_context = None", "ok", "contextvars.copy_context is NoneType", ""},
			{"import signal\nsignal.signal = None", "ok", "signal.signal is NoneType", ""},
			{"import logging\nlogging.Logger.debug = None", "ok", "logging.Logger.debug is NoneType", ""},
			{"os.environ = os.path = None", "ok", "os.environ is NoneType, os.path is NoneType", ""},
			{"sys.exc_info = sys.path = sys.modules = None", "ok", "sys.exc_info is NoneType, sys.modules is NoneType, sys.path is NoneType", ""},
			{"sys.modules['json'] = sys.modules['time'] = None", "ok", "sys.modules has no json, sys.modules has no time", ""},
			{"from unittest import mock\nwith mock.patch('time.time', None): print('in')", "ok", "", "in"},
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

// TestKernelsBrokenForGood: functions that code has replaced by others, which fail, stay as it
// wants them; the kernel still runs code and tells of it.
func TestKernelsBrokenForGood(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		for _, replaced := range []string{"json.dumps = json.loads", "time.time = time.monotonic", "os.getpid", "asyncio.get_running_loop", "inspect.isawaitable"} {
			p.run("import json, time, os, asyncio, inspect\n" + replaced + " = lambda *a, **k: 1/0")
		}
		if r := p.run("print('still'); await asyncio.sleep(0.05); print(6 * 7)"); !strings.HasSuffix(r.text(), "still\n42") {
			t.Errorf("%s", r.text())
		}
		r := p.call("execute_code", args{"code": "time.time()"})
		if !r.IsError || !strings.Contains(r.text(), "ZeroDivisionError: division by zero") {
			t.Errorf("%s", r.text())
		}
	})
}

// TestKernelsBrokenSigns: a kernel that can sign no message any more is not waited for.
func TestKernelsBrokenSigns(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		r := p.call("execute_code", args{"code": "import hmac\nhmac.HMAC.copy = None"})
		if !strings.HasPrefix(r.text(), "[died | ") || !strings.Contains(r.text(), "mce-launch: the kernel failed: TypeError: 'NoneType' object is not callable") {
			t.Errorf("%s", r.text())
		}
	})
}

// TestKernelsImportGuard: a function at builtins.__import__ that forbids imports, as tests and
// sandboxes have it, is for the code's imports alone: the kernel runs on, shows values and
// errors, and the function stays until it is taken away.
func TestKernelsImportGuard(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		const guard = "import builtins\nreal = builtins.__import__\ndef guard(name, *a, **k):\n    if name != 'math': raise ImportError('blocked ' + name)\n    return real(name, *a, **k)\nbuiltins.__import__ = guard\n"
		for _, test := range []struct{ code, status, shows string }{
			{guard + "try:\n    import socket\nexcept ImportError as e: print(e)\nfinally: builtins.__import__ = real\nprint('after')", "ok", "blocked socket\nafter"},
			{guard + "import math\nprint('set')\nmath.floor(1.5)", "ok", "set\nOut["},
			{"for i in range(3): print(i, flush=True)\n6 * 7", "ok", "0\n1\n2\nOut["},
			{"1/0", "error ZeroDivisionError", "ZeroDivisionError: division by zero"},
			{"import json", "error ImportError", "ImportError: blocked json"},
			{"await __import__('math').missing", "error AttributeError", "missing"},
			{"builtins.__import__ = real\nimport json\njson.dumps(1)", "ok", "'1'"},
			{"from unittest import mock\nwith mock.patch('builtins.__import__', side_effect=ImportError('none')):\n    try: import yaml\n    except ImportError as e: print('caught', e); sum(range(10**5))\nprint('restored')", "ok", "caught none\nrestored"},
			{"builtins.__import__ = lambda *a, **k: 1/0\nprint('kept')", "ok", "kept"},
			{"builtins.__import__ is real, builtins.__import__.__name__", "ok", "(False, '<lambda>')"},
		} {
			r := p.call("execute_code", args{"code": test.code})
			if !strings.HasPrefix(r.text(), "["+test.status+" | ") || !strings.Contains(r.text(), test.shows) || strings.Contains(r.text(), "[stderr]") || strings.Contains(r.text(), "[note: ") {
				t.Errorf("%s\n%s", test.code, r.text())
			}
		}
	})
}

// TestKernelsAlarmLeft: an alarm that code has left set, and whose handler raises, costs no
// variables: what it raises is shown with the run that set it.
func TestKernelsAlarmLeft(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		r := p.run("import signal\nkept = 41\ndef late(*_):\n    raise TimeoutError('left set')\nsignal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.3)")
		until(t, "the alarm", func() bool {
			return strings.Contains(p.call("get_execution", args{"id": r.field("id"), "since": 0}).text(), "TimeoutError: left set")
		})
		has(t, p.run("kept + 1"), "[ok | ", "42")
	})
}

// breaksZMQ takes from the kernel what it answers with: its code ends, and nothing says so.
const breaksZMQ = "import zmq; zmq.Socket.send_multipart = None"

// TestKernelsBrokenSockets: where a kernel cannot say that its code has ended, a time limit
// does not say that it ended it, and stop_session gets out of it. TestKernelsNotInterruptible
// shows interrupt_execution.
func TestKernelsBrokenSockets(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		p.run("kept = 'kept'")
		id := p.call("execute_code", args{"code": breaksZMQ, "timeout_seconds": 1, "wait_seconds": 1}).field("id")
		r := p.call("execute_code", args{"code": "kept", "wait_seconds": 0.1})
		has(t, r, "[queued behind "+id+": ", "interrupt_execution id="+id+" stops what runs")
		until(t, "the limit strikes", func() bool {
			r = p.call("get_execution", args{"id": id, "wait_seconds": 0.1})
			return strings.Contains(r.text(), "its limit timeout_seconds=1 struck")
		})
		has(t, r, "[running | ", "the code has not ended so far, and may not heed it", "with force: true kills the kernel, and the session's variables are lost")
		has(t, p.call("stop_session", args{"restart": true}), "restarted", "[state lost: its variables and imports are gone; what was queued was not run]")
		has(t, p.run("'kept' in globals()"), "new kernel, generation 2", "[earlier run "+id+" ended: died", "stop_session ended its kernel", "]: False")
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
