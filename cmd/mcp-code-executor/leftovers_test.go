package main

import (
	"strconv"
	"strings"
	"testing"
)

// TestKernelsReplacedStreams: code that has left sys.stdout, sys.stderr or a descriptor
// replaced is told so in each answer, in one line; a replacement that passes on
// what it gets is no news.
func TestKernelsReplacedStreams(t *testing.T) {
	t.Parallel()
	const back = "\nsys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__"
	tests := []struct {
		name  string
		cells []string // the answers to the last two are looked at, then all is put back
		want  string   // of the line in both answers, "" for none
	}{
		{"StringIO", []string{"kept = sys.stdout = io.StringIO(); print(1)", "print(2)"}, "[note: sys.stdout is io.StringIO"},
		{"an answer with a value", []string{"sys.stdout = io.StringIO()", "print(2); 3"}, "[note: sys.stdout is io.StringIO"},
		{"a file", []string{"sys.stdout = open('out.log', 'w')", "print(2)"}, "[note: sys.stdout is the file 'out.log'"},
		{"stderr", []string{"sys.stderr = open(os.devnull, 'w')", "print(2, file=sys.stderr)"}, "[note: sys.stderr is the file '/dev/null'"},
		{"contextlib left open", []string{"stack = contextlib.ExitStack(); stack.enter_context(contextlib.redirect_stdout(io.StringIO()))", "print(2)"}, "[note: sys.stdout is io.StringIO"},
		{"both", []string{"sys.stdout = sys.stderr = io.StringIO()", "print(2)"}, "[note: sys.stdout and sys.stderr are io.StringIO"},
		{"none", []string{"sys.stdout = None", "print(2)"}, "[note: sys.stdout is None"},
		{"left by an exception", []string{"sys.stdout = io.StringIO()\n1/0", "print(2)"}, "[note: sys.stdout is io.StringIO"},
		{"closed", []string{"f = open('out.log', 'w'); sys.stdout = f; f.close()", "2"}, "[note: sys.stdout is the closed file 'out.log'"},
		{"an object of the code's", []string{"class Sink:\n    def write(self, text): pass\nsys.stdout = Sink()", "print(2)"}, "[note: sys.stdout is Sink"},
		{"a descriptor", []string{"kept = os.dup(1); null = os.open(os.devnull, os.O_WRONLY); os.dup2(null, 1);", "os.system('echo 2')\n1"}, "[note: file descriptor 1 (stdout) leads to '/dev/null'"},
		{"a descriptor of a pipe", []string{"ours, theirs = os.pipe(); os.dup2(theirs, 1); 1", "2"}, "[note: file descriptor 1 (stdout) leads to a pipe, put there"},
		{"a closed descriptor", []string{"os.close(1)", "1"}, "[note: file descriptor 1 (stdout) leads to nothing, for the code has closed it: what"},
		{"a descriptor to the other", []string{"os.dup2(kept, 1); os.dup2(2, 1); os.system('echo b')", "2"}, ""},

		{"put back in time", []string{"os.dup2(kept, 1); sys.stdout = io.StringIO(); print(1)" + back, "print(2)"}, ""},
		{"with", []string{"with contextlib.redirect_stdout(io.StringIO()): print(1)", "print(2)"}, ""},
		{"Tee", []string{"class Tee:\n    def __init__(self, *s): self.s = s\n    def write(self, t): [s.write(t) for s in self.s]\nsys.stdout = Tee(sys.stdout, io.StringIO())", "print(2)"}, ""},
		{"a wrapper of the bytes", []string{"import codecs; sys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)", "print(2)"}, ""},
		{"a TextIOWrapper", []string{"sys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)", "print(2)"}, ""},
		{"the descriptor", []string{"sys.stdout = open(1, 'w', closefd=False)", "print(2)"}, ""},
		{"a closure", []string{"def via(s):\n    class W:\n        write = staticmethod(lambda t: s.write(t))\n    return W()\nsys.stdout = via(sys.stdout); print(1)", "print(2)"}, ""},
		{"stdout to stderr", []string{"sys.stdout = sys.stderr", "print(2)"}, ""},
		{"passes on by name", []string{"class Loud:\n    def write(self, t): sys.__stdout__.write(t.upper())\nsys.stdout = Loud(); print('a')", "3"}, ""},
		{"logging", []string{"import logging\nclass ToLog:\n    def write(self, t): logging.warning(t)\nsys.stdout = ToLog()\nprint('a')", "print(2)"}, ""},
	}
	eachKernel(t, func(t *testing.T, p *program) {
		p.run("import sys, io, os, contextlib")
		for _, test := range tests {
			for _, code := range test.cells {
				r := p.call("execute_code", args{"code": code})
				line := lineWith(r.text(), "[note: ")
				switch {
				case test.want == "" && line != "":
					t.Errorf("%s: %s\n%s", test.name, code, r.text())
				case !strings.HasPrefix(line, test.want):
					t.Errorf("%s: %s\nwant %s in\n%s", test.name, code, test.want, r.text())
				case strings.Count(r.text(), "[note: ") > 1:
					t.Errorf("%s: more than a line\n%s", test.name, r.text())
				}
			}
			p.call("execute_code", args{"code": back})
		}
		p.run("1" + step)
		p.run("sys.stdout = io.StringIO()")
		r := p.call("execute_code", args{"code": "print('hidden'); step(1)", "wait_seconds": 1})
		if line := lineWith(r.text(), "[note: "); !strings.HasPrefix(line, "[note: when this run began, sys.stdout is io.StringIO") {
			t.Errorf("while it runs:\n%s", r.text())
		}
		p.allow(1)
		if r := p.call("get_execution", args{"id": r.field("id")}); !strings.HasPrefix(lineWith(r.text(), "[note: "), "[note: sys.stdout is io.StringIO") {
			t.Errorf("at its end:\n%s", r.text())
		}
	})
}

// lineWith is the first line of text that begins with start, "" for none.
func lineWith(text, start string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, start) {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}

// TestLeftRunning: what a script has left running in the session is told; what only
// waits to be given work, what is a library's own, and what a fresh run has waited
// for is not.
func TestLeftRunning(t *testing.T) {
	t.Parallel()
	const head = "import threading, time, sys, subprocess, multiprocessing\nfrom concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor\nsteps = threading.Event()\n"
	tests := []struct{ name, code, want string }{
		{"thread", "threading.Thread(target=steps.wait, name='loader').start()", "[note: the script has ended, but it left running: thread loader. "},
		{"threads", "for i in range(3): threading.Thread(target=steps.wait, name=f'w{i}').start()", "[note: the script has ended, but it left running: thread w0, thread w1, thread w2. "},
		{"thread of a class", "class Worker(threading.Thread):\n    def run(self): steps.wait()\nWorker(name='own', daemon=True).start()", "[note: the script has ended, but it left running: daemon thread own. "},
		{"timer", "threading.Timer(3600, print).start()", "[note: the script has ended, but it left running: thread Thread-"},
		{"busy pool", "pool = ThreadPoolExecutor(2, thread_name_prefix='pool'); pool.submit(steps.wait)", "[note: the script has ended, but it left running: thread pool_0. "},
		{"process", "multiprocessing.get_context('fork').Process(target=time.sleep, args=(3600,), name='child').start()", "[note: the script has ended, but it left running: process child. "},
		{"after an error", "threading.Thread(target=steps.wait, name='late').start()\n1/0", "[note: the script has ended, but it left running: thread late. "},
		{"after an exit", "threading.Thread(target=steps.wait, name='late').start()\nsys.exit(3)", "[note: the script has ended, but it left running: thread late. "},
		{"atexit", "import atexit\n@atexit.register\ndef save(): print('saved')\natexit.register(print, 'bye')\natexit.register(steps.set); atexit.unregister(steps.set)",
			"[note: the script has ended, but its atexit callbacks have not run: save, print. They run when the session's kernel ends; "},
		{"atexit after an error", "import atexit\natexit.register(lambda: 0)\n1/0", "[note: the script has ended, but its atexit callbacks have not run: <lambda>. "},

		{"a library's callback", "import tempfile, weakref, logging, atexit\nclass C: pass\nweakref.finalize(C(), print)", ""},
		{"joined", "t = threading.Thread(target=print); t.start(); t.join()", ""},
		{"ends at once", "threading.Thread(target=print, args=('x',)).start()", ""},
		{"idle pool", "pool = ThreadPoolExecutor(2); list(pool.map(str, range(9)))", ""},
		{"idle processes", "pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')); print(list(pool.map(str, range(3))))", ""},
		{"a library's", "import queue, logging.handlers\nlistener = logging.handlers.QueueListener(queue.Queue()); listener.start()", ""},
	}
	p := launch(t, inScripts(t)...)
	for i, test := range tests {
		file := p.done("initialize_code_file", args{"content": head + test.code, "filename": "left" + strconv.Itoa(i)})["file_path"]
		r := p.call("execute_code_file", args{"file_path": file})
		if line := lineWith(r.text(), "[note: "); !strings.HasPrefix(line, test.want) || test.want == "" && line != "" {
			t.Errorf("%s: want %q in\n%s", test.name, test.want, r.text())
		}
	}
	r := p.call("execute_code", args{"code": "steps.set()"})
	if strings.Contains(r.text(), "left running") {
		t.Errorf("code is no script:\n%s", r.text())
	}
	file := p.done("initialize_code_file", args{"content": "import threading\nthreading.Timer(0.1, print, ['timer']).start()", "filename": "fresh"})["file_path"]
	if r := p.call("execute_code_file", args{"file_path": file, "fresh": true}); strings.Contains(r.text(), "[note: ") || !strings.HasSuffix(r.text(), "\ntimer") {
		t.Errorf("fresh:\n%s", r.text())
	}
	const alarm = "import signal, threading, time\ndef late(*_): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, late); signal.setitimer(signal.ITIMER_REAL, 0.1)\nthreading.Thread(target=lambda: (time.sleep(0.5), print('done'))).start()"
	file = p.done("initialize_code_file", args{"content": alarm, "filename": "alarm"})["file_path"]
	has(t, p.call("execute_code_file", args{"file_path": file, "fresh": true}), "[ok | ", "[exit status 0]", "Exception ignored in: <module 'threading'", "TimeoutError: late")
	for name, test := range map[string]struct{ code, want string }{
		"child":      {"import subprocess\nserver = subprocess.Popen(['sleep', '3600'])", "[note: the script has ended, and with its kernel ended what it had left running: sleep 3600. "},
		"shell":      {"import subprocess\nsubprocess.Popen('exec sleep 3600', shell=True)\n1/0", "[note: the script has ended, and with its kernel ended what it had left running: exec sleep 3600. "},
		"replaced":   {"import os\nif os.fork() == 0: os.execv('/bin/sleep', ['sleep', '3601'])", "[note: the script has ended, and with its kernel ended what it had left running: "},
		"forked":     {"import os, time\nif os.fork() == 0: time.sleep(3600)\nprint('parent')", "[note: the script has ended, and with its kernel ended what it had left running: forked process "},
		"tracked":    {"import multiprocessing\nlock = multiprocessing.get_context('spawn').Lock()", ""},
		"waited for": {"import subprocess\nsubprocess.Popen(['true']).wait()", ""},
		"ended":      {"import subprocess\nwith subprocess.Popen(['true'], stdout=subprocess.PIPE) as done: done.stdout.read()", ""},
	} {
		file := p.done("initialize_code_file", args{"content": test.code, "filename": "fresh"})["file_path"]
		r := p.call("execute_code_file", args{"file_path": file, "fresh": true})
		if line := lineWith(r.text(), "[note: "); !strings.HasPrefix(line, test.want) || test.want == "" && line != "" {
			t.Errorf("fresh, %s: want %q in\n%s", name, test.want, r.text())
		}
	}
}
