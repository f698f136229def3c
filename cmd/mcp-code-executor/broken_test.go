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
