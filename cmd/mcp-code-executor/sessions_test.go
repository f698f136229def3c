package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestSessions: what list_sessions tells, and what stopping and restarting do.
func TestSessions(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	if r := p.call("list_sessions", nil); !strings.Contains(r.text(), "no session is open") {
		t.Errorf("none: %s", r.text())
	}
	p.run("x = 1")
	p.call("execute_code", args{"session": "other", "code": "y = bytearray(200_000_000)"})
	id := p.call("execute_code", args{"session": "other", "code": "while True: pass", "wait_seconds": 0.1}).field("id")
	p.call("execute_code", args{"session": "other", "code": "1", "wait_seconds": 0})
	r := p.call("list_sessions", nil)
	for _, want := range []string{
		`\[ok \| 2 sessions\]`,
		`default \| idle for [\d.]+ s \| env=.*\(Python 3[\d.]+\) \| generation=1 \| pid=\d+ \| \d+ processes, [\d.]+ MB, CPU [\d.]+ s \| record=/`,
		`other \| running \| id=` + id + ` since [\d.]+ s \| 1 queued \| .* \| generation=1 \| pid=\d+ \| \d+ processes, [23]\d\d MB`,
	} {
		if !regexp.MustCompile(want).MatchString(r.text()) {
			t.Errorf("%s is missing in:\n%s", want, r.text())
		}
	}
	if r := p.call("stop_session", args{"session": "other"}); r.IsError || !strings.Contains(r.text(), "state lost") {
		t.Errorf("stopped: %s", r.text())
	}
	if r := p.call("get_execution", args{"id": id}); strings.HasPrefix(r.text(), "[running") {
		t.Errorf("what ran in it: %s", r.text())
	}
	if r := p.call("list_sessions", nil); strings.Contains(r.text(), "other |") || !strings.Contains(r.text(), "[ok | 1 session]") {
		t.Errorf("after the stop: %s", r.text())
	}
	if r := p.run("x"); r.rest() != "Out[2]: 1" {
		t.Errorf("the other session: %s", r.text())
	}
	if r := p.call("stop_session", args{"restart": true}); r.IsError || !strings.Contains(r.text(), "state lost") || !strings.Contains(r.text(), "restarted") {
		t.Errorf("restarted: %s", r.text())
	}
	if r := p.call("stop_session", args{"restart": true}); r.IsError || !strings.Contains(r.text(), "no kernel") {
		t.Errorf("restarted twice: %s", r.text())
	}
	if r := p.run("'x' in globals()"); !strings.HasSuffix(r.text(), ": False") || r.field("generation") != "2" || !strings.Contains(r.text(), "generation 1 are gone") {
		t.Errorf("after the restart: %s", r.text())
	}
}

// TestIdleLimit: a session's kernel ends when it has been idle for the limit, but
// not while it runs; the next call is told and not run.
func TestIdleLimit(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, append(inVenv(t), "SESSION_IDLE_LIMIT=1s")...)
	p.run("x = 1")
	if r := p.call("execute_code", args{"code": "import time; time.sleep(2.5); x"}); r.rest() != "Out[2]: 1" {
		t.Errorf("a run longer than the limit: %s", r.text())
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.call("list_sessions", nil).text(), "no kernel"); {
		if time.Now().After(deadline) {
			t.Fatal("the kernel of an idle session goes on")
		}
		time.Sleep(20 * time.Millisecond) // polling, not ordering
	}
	r := p.call("execute_code", args{"code": "open('ran', 'w')"})
	refused(t, "the next call", r, "[not run | ", "NOT run", "idle for 1s", "its limit", "SESSION_IDLE_LIMIT")
	if _, err := os.Stat(filepath.Join(p.storage, "ran")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the code ran: %v", err)
	}
	if r := p.run("'x' in globals()"); !strings.HasSuffix(r.text(), ": False") {
		t.Errorf("%s", r.text())
	}
}

// TestSessionLimit: no more than 16 sessions; the error names those that are
// idle, and one that is stopped makes room.
func TestSessionLimit(t *testing.T) {
	t.Parallel()
	// Sessions without a kernel: their environment is not there.
	p := launchRaced(t, "ENV_TYPE=venv", "VENV_PATH="+filepath.Join(t.TempDir(), "nowhere"))
	for i := range 16 {
		p.call("execute_code", args{"code": "1", "session": fmt.Sprintf("s%02d", i)})
	}
	refused(t, "a 17th", p.call("execute_code", args{"code": "1", "session": "more"}), "16 sessions", "s00, s01", "s15")
	p.call("stop_session", args{"session": "s03"})
	if r := p.call("execute_code", args{"code": "1", "session": "more"}); !strings.Contains(r.text(), "nowhere") {
		t.Errorf("%s", r.text())
	}
}

// hostile are objects that tell when anybody touches them.
const hostile = `
touched = []
def touch(what):
    touched.append(what); raise RuntimeError(what)
class Meta(type):
    def __eq__(self, other): touch('meta eq')
    def __hash__(self): touch('meta hash')
    def __instancecheck__(self, other): touch('meta instancecheck')
    def __subclasscheck__(self, other): touch('meta subclasscheck')
    def __getattribute__(self, name): touch('meta ' + name)
    def __repr__(self): touch('meta repr')
    @property
    def __name__(self): touch('meta name')
    @property
    def __module__(self): touch('meta module')
class Hostile(metaclass=Meta):
    def __repr__(self): touch('repr')
    def __str__(self): touch('str')
    def __len__(self): touch('len')
    def __sizeof__(self): touch('sizeof')
    def __eq__(self, other): touch('eq')
    def __hash__(self): touch('hash')
    def __bool__(self): touch('bool')
    def __getattribute__(self, name): touch('attribute ' + name)
    @property
    def shape(self): touch('shape')
    @property
    def dtype(self): touch('dtype')
    @property
    def __class__(self): touch('class')
class HostileDict(dict):
    def __repr__(self): touch('dict repr')
    def __len__(self): touch('dict len')
    def items(self): touch('dict items')
class HostileList(list):
    def __len__(self): touch('list len')
    def __iter__(self): touch('list iter')
class HostileInt(int):
    def __repr__(self): touch('int repr')
    def __sizeof__(self): touch('int sizeof')
class HostileStr(str):
    def __repr__(self): touch('str repr')
    def __len__(self): touch('str len')
one, two, three, four, five = Hostile(), HostileDict(a=1), HostileList([1]), HostileInt(5), HostileStr('x')
inside = [one, two, three, four, five]
within = {'k': one, 'd': two}
import functools
partial = functools.partial(print)
`

// TestKernelsInspect: only values of exactly known types are looked into, whatever the
// others do when they are touched; and nothing of the session changes.
func TestKernelsInspect(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		refused(t, "no session", p.call("inspect_variables", nil), "no session is open")
		p.run(hostile)
		p.run("n = 10 ** 5000; f = 1.5; s = 'text' * 1000; b = b'bytes'; l = list(range(1000)); d = {'a': 1, (1, 2): [3]}; none = None; deep = []; deep.append(deep)")
		p.run("'the last value'")
		before := p.run("(_, len(Out), len(In), sorted(k for k in globals() if not k.startswith('_')))")
		r := p.call("inspect_variables", nil)
		if r.IsError {
			t.Fatalf("%s", r.text())
		}
		for _, want := range []string{
			`(?m)^one +Hostile$`, `(?m)^two +HostileDict +len 1$`, `(?m)^three +HostileList +len 1$`, `(?m)^four +HostileInt +5$`, `(?m)^five +HostileStr +'x'$`,
			`(?m)^inside +list +len 5 `, `(?m)^within +dict +len 2 `, `(?m)^partial +functools.partial`, `(?m)^Hostile +class +Hostile`,
			`(?m)^n +int +int of 16610 bits`, `(?m)^f +float +1.5 `, `(?m)^s +str +'texttext.*… \(4000\)`, `(?m)^b +bytes +b'bytes'`,
			`(?m)^l +list +len 1000`, `(?m)^none +NoneType +None`, `(?m)^touch +function +\(.*\), line 2`, `modules: functools`,
		} {
			if !regexp.MustCompile(want).MatchString(r.text()) {
				t.Errorf("%s is missing in:\n%s", want, r.text())
			}
		}
		for _, name := range []string{"one", "two", "three", "four", "five", "inside", "within", "Hostile", "Meta", "d", "deep", "n", "s", "partial"} {
			if r := p.call("inspect_variables", args{"name": name}); r.IsError || !strings.Contains(r.text(), "\n"+name+"  ") {
				t.Errorf("%s: %s", name, r.text())
			}
		}
		if r := p.call("inspect_variables", args{"name": "d"}); !strings.Contains(r.text(), "'a': 1") || !strings.Contains(r.text(), "(1, 2): list of 1") {
			t.Errorf("d: %s", r.text())
		}
		refused(t, "an unknown one", p.call("inspect_variables", args{"name": "nothing"}), `"nothing"`, "five")
		refused(t, "no name", p.call("inspect_variables", args{"name": "one.shape"}), `"one.shape"`)
		if r := p.run("touched"); !strings.HasSuffix(r.text(), ": []") {
			t.Errorf("objects were touched: %s", r.text())
		}
		// _ is now what the last run showed, and no run came between.
		after := p.run("(_, len(Out), len(In), sorted(k for k in globals() if not k.startswith('_')))")
		if got := strings.Join(strings.Fields(before.rest()), " "); !strings.Contains(got, "('the last value', 1, 5,") {
			t.Errorf("before: %s", before.text())
		}
		if got := strings.Join(strings.Fields(after.rest()), " "); !strings.Contains(got, "([], 3, 7,") {
			t.Errorf("after: %s", after.text())
		}
		history := p.run("%history")
		if strings.Contains(history.text(), "inspect") || strings.Count(history.text(), "touched") < 1 {
			t.Errorf("the history: %s", history.text())
		}
	})
}

// TestInspectFrames: a DataFrame's columns with dtype, nulls and range; none of
// a large one.
func TestInspectFrames(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run(`
import numpy as np, pandas as pd
df = pd.DataFrame({"i": [1, 2, 3], "f": [0.5, None, 2.5], "s": ["a", None, "c"], "t": pd.to_datetime(["2024-01-01", None, "2024-03-01"]), 5: [True, False, True], "c": pd.Categorical(["x", "y", "x"])})
a = np.arange(12.0).reshape(3, 4)
series = pd.Series([1, None, 3], name="series")
big = pd.DataFrame(np.zeros((1_000_000, 6)))
wide = pd.DataFrame(np.zeros((2, 400)))
empty = pd.DataFrame()
class Bad:
    def __repr__(self): raise RuntimeError
objects = pd.DataFrame({"o": [Bad(), Bad(), None]})
`)
	for name, wants := range map[string][]string{
		"": {`df +pandas.DataFrame +3 rows × 6 columns`, `a +numpy.ndarray +3×4 float64 +96 B`, `series +pandas.Series +len 3 float64`, `big +pandas.DataFrame +1000000 rows × 6 columns +48 MB`, `modules: np, pd`},
		"df": {`i +int64 +0 +1 … 3 +1, 2, 3`, `f +float64 +1 +0.5 … 2.5 +0.5, nan, 2.5`, `s +(object|str) +1 `, `t +datetime64.* +1 +2024-01-01.* … 2024-03-01`,
			`(?m)^5 +bool +0`, `c +category +0`},
		"a":       {`min 0.0, max 11.0, mean 5.5`},
		"series":  {`nulls: 1`},
		"big":     {`(?m)^0 +float64 +\? +\?`},
		"wide":    {`100 more columns`},
		"empty":   {`0 rows × 0 columns`},
		"objects": {`o +object +1 +<Bad>, <Bad>, None`},
	} {
		begun := time.Now()
		r := p.call("inspect_variables", args{"name": name})
		took := time.Since(begun)
		for _, want := range wants {
			if r.IsError || !regexp.MustCompile(want).MatchString(r.text()) {
				t.Errorf("%q: %s is missing in:\n%s", name, want, r.text())
			}
		}
		t.Logf("%q took %s", name, took)
	}
}

// TestKernelsInspectBusy: while a cell runs the newest kernel answers beside it; an old
// one is told to be busy, at once.
func TestKernelsInspectBusy(t *testing.T) {
	t.Parallel()
	all := testneeds.Kernels(t)
	if siteOf(t) != nil || confinementOf(t) != nil {
		all = pythons(t)
	}
	for _, python := range all {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(python))), func(t *testing.T) {
			p := launchRaced(t, venvOf(python)...)
			old := strings.HasSuffix(p.run("import ipykernel; ipykernel.version_info < (7,)").text(), ": True")
			p.run("x = 41")
			p.call("inspect_variables", nil) // makes the subshell
			p.call("execute_code", args{"code": "import time\nfor i in range(10**9):\n    time.sleep(0.001); y = i", "wait_seconds": 0.3})
			var slowest time.Duration
			for range 5 {
				begun := time.Now()
				r := p.call("inspect_variables", nil)
				slowest = max(slowest, time.Since(begun))
				if old {
					refused(t, "an old kernel", r, "busy")
				} else if r.IsError || !strings.Contains(r.text(), "41") {
					t.Errorf("%s", r.text())
				}
			}
			t.Logf("answered within %s", slowest)
			if !old {
				p.call("interrupt_execution", nil)
				p.call("execute_code", args{"code": "import time; time.sleep(0.3)\n" + lockedInC, "wait_seconds": 1})
				begun := time.Now()
				refused(t, "a kernel in a C call", p.call("inspect_variables", nil), "busy")
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("told after %s", took)
				}
				p.call("interrupt_execution", args{"force": true})
			} else {
				p.call("interrupt_execution", nil)
				if r := p.call("inspect_variables", nil); r.IsError || !strings.Contains(r.text(), "41") {
					t.Errorf("when it is idle again: %s", r.text())
				}
			}
		})
	}
}

// lockedInC is a call of C code that holds the interpreter, and waits for a lock that it
// has itself.
const lockedInC = "import ctypes\nc = ctypes.PyDLL(None); lock = ctypes.create_string_buffer(64)\nwhile True: c.pthread_mutex_lock(lock)"

// TestTimeout: a run is interrupted when its time is over, and told as such; one
// that cannot be interrupted goes on and says so.
func TestTimeout(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("kept = 'kept'")
	r := p.call("execute_code", args{"code": "while True: pass", "timeout_seconds": 0.5})
	if !strings.HasPrefix(r.text(), "[interrupted | ") || !strings.Contains(r.text(), "timeout_seconds") || !strings.Contains(r.text(), "variables are kept") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("execute_code", args{"code": "kept", "timeout_seconds": 30}); r.rest() != "Out[3]: 'kept'" {
		t.Errorf("%s", r.text())
	}
	// The time counts from the run's own start, not from the queue.
	p.begin("execute_code", args{"code": "import time; time.sleep(2)"})
	if r := p.call("execute_code", args{"code": "'waited'", "timeout_seconds": 1}); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Errorf("behind another: %s", r.text())
	}
	r = p.call("execute_code", args{"code": lockedInC, "timeout_seconds": 0.5, "wait_seconds": 2})
	if !strings.HasPrefix(r.text(), "[running | ") || !strings.Contains(r.text(), "timeout_seconds=0.5 struck after ") {
		t.Errorf("not interruptible: %s", r.text())
	}
}

// TestExpectGeneration: code that counts on variables runs only where they are.
func TestExpectGeneration(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	refused(t, "before any kernel", p.call("execute_code", args{"code": "open('ran', 'w')", "expect_generation": 1}), "nothing was run", "generation 1")
	p.run("x = 1")
	if r := p.call("execute_code", args{"code": "x", "expect_generation": 1}); r.rest() != "Out[2]: 1" {
		t.Errorf("%s", r.text())
	}
	refused(t, "a later one", p.call("execute_code", args{"code": "open('ran', 'w')", "expect_generation": 2}), "nothing was run", "generation 1")
	p.call("stop_session", args{"restart": true})
	refused(t, "none", p.call("execute_code", args{"code": "open('ran', 'w')", "expect_generation": 1}), "nothing was run", "gone")
	p.run("1")
	refused(t, "an earlier one", p.call("execute_code", args{"code": "open('ran', 'w')", "expect_generation": 1}), "nothing was run", "generation 2")
	if r := p.call("execute_code", args{"code": "'x' in globals()", "expect_generation": 2}); !strings.HasSuffix(r.text(), ": False") {
		t.Errorf("%s", r.text())
	}
	if _, err := os.Stat(filepath.Join(p.storage, "ran")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("code ran: %v", err)
	}
}

// TestInspectKinds: what an analysis holds beside numbers and tables, in a few words;
// what is not what it says it is, or cannot tell, has its type.
func TestInspectKinds(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run(`
import collections, dataclasses, enum, functools, io, os, re, sqlite3, sys, threading, types
import numpy as np, pandas as pd, matplotlib
def f(a, b=2, *args, c=3, **kw):
    "Adds."
async def co(x): pass
def gen():
    yield 1
df = pd.DataFrame({'g': ['a', 'a', 'b'], 'x': [1, 2, 3]})
number, stamp, wide = np.float64(1.5), pd.Timestamp('2024-01-02'), pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([['a'], ['x', 'y']]))
na, nat, sl, pat, part = pd.NA, pd.NaT, slice(1, 10), re.compile('[0-9]', re.I), functools.partial(f, 1, b=3)
counter = collections.Counter('aab'); groups, one_group = df.groupby('g'), df.groupby('g')['x']
dates = pd.date_range('2024-01-01', periods=3); multi = pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['l', 'n'])
rows = pd.DataFrame({'v': [1, 2, 3, 4]}, index=multi); cat = pd.Categorical(['a', 'b', 'a']); ints = pd.array([1, None], dtype='Int64')
class Color(enum.Enum): RED = 1; BLUE = 2
red = Color.RED
@dataclasses.dataclass
class Point:
    x: int
    y: list
point = Point(1, [2, 3])
class Slots:
    __slots__ = ('a', 'b')
slots = Slots(); slots.a = 1
fresh, begun, done = gen(), gen(), gen(); next(begun); list(done)
text, raw, memory = open(os.devnull), open(os.devnull, 'rb'), io.BytesIO(b'abc'); raw.close()
con, gone = sqlite3.connect(':memory:'), sqlite3.connect(':memory:'); gone.close()
err, view, masked = ValueError('bad', 3), {'a': 1}.keys(), np.ma.array([1, 2])
lock = threading.Lock()
base = types.ModuleType('sklearn.base'); sys.modules['sklearn.base'] = base
exec("class BaseEstimator:\n    def __repr__(self): touched.append(1)", base.__dict__)
class Linear(base.BaseEstimator):
    def __init__(self, alpha=1.0): self.alpha = alpha
model, fitted = Linear(), Linear(); fitted.coef_ = np.array([1.5]); fitted.n_iter_ = 3
touched = []
os.makedirs('torch', exist_ok=True)
with open('torch/__init__.py', 'w') as file:
    file.write("class Tensor:\n    shape = property(lambda self: (2, 3)); dtype = 'float32'; device = 'cpu'\n")
import torch; tensor = torch.Tensor()
class Own:
    @property
    def shape(self): touched.append(2)
own = Own()
class Pattern(dict):
    __module__ = 're'
    @property
    def flags(self): touched.append(3)
fake = Pattern()
class Grouper:
    def __hash__(self): touched.append(4); return 1
odd = pd.DataFrame({'o': [Grouper(), Grouper()]}).groupby('o')
`)
	overview := p.call("inspect_variables", nil).text()
	for _, want := range []string{
		`number +numpy.float64 +1.5`, `stamp +pandas.Timestamp +2024-01-02 00:00:00`, `wide +pandas.DataFrame +1 rows × 2 columns`,
		`na +pandas.NAType +<NA>`, `nat +pandas.NaTType +NaT`, `sl +slice +1:10:$`, `pat +re.Pattern +'\[0-9\]', flags re.IGNORECASE`, `part +functools.partial +f\(1, b=3\)`,
		`f +function +\(a, b=2, \*args, c=3, \*\*kw\), line 3 of In\[1\]$`, `co +function +async \(x\)`, `gen +function +generator \(\)`,
		`counter +collections.Counter +len 2: 'a': 2, 'b': 1`, `groups +pandas.DataFrameGroupBy +by 'g': 2 groups of 3 rows`, `one_group +pandas.SeriesGroupBy +by 'g': 2 groups of 3 rows`,
		`dates +pandas.DatetimeIndex +len 3 datetime64.*, 2024-01-01 … 2024-01-03, freq D`, `multi +pandas.MultiIndex +len 4, levels: 'l' of 2, 'n' of 2, \('a', 1\) … \('b', 2\)`,
		`cat +pandas.Categorical +len 3, 2 categories: 'a', 'b'`, `ints +pandas.IntegerArray +len 2 Int64`,
		`Color +class +Color\(enum.Enum\): RED, BLUE`, `red +Color +.RED = 1`, `Point +class +Point: x, y`, `point +Point +x=1, y=list of 2`, `slots +Slots +a=1$`,
		`fresh +generator +gen, not started`, `begun +generator +gen, at line 7`, `done +generator +gen, finished`,
		`text +_io.TextIOWrapper +'/dev/null', mode 'r', (UTF|utf)-8`, `raw +_io.BufferedReader +'/dev/null', mode 'rb', closed`, `memory +_io.BytesIO +3 B, at 0`,
		`con +sqlite3.Connection +open, 0 changes`, `gone +sqlite3.Connection +closed`, `err +ValueError +'bad', 3`, `view +dict_keys +len 1`, `masked +numpy.MaskedArray +2 int64`,
		`lock +_thread.lock +not locked`, `model +Linear +not fitted: alpha=1.0`, `fitted +Linear +fitted: coef_=<numpy.ndarray 1 float64>, n_iter_=3`, `tensor +torch.Tensor +2×3 float32 cpu`,
		`own +Own$`, `fake +re.Pattern +len 0$`, `odd +pandas.DataFrameGroupBy +by 'o' of 2 rows`,
	} {
		if !regexp.MustCompile("(?m)^" + want).MatchString(overview) {
			t.Errorf("%s is missing in:\n%s", want, overview)
		}
	}
	for name, want := range map[string]string{
		"f": "\nAdds.", "wide": "('a', 'x')", "rows": "\nindex: len 4, levels: 'l' of 2", "multi": "\nfirst values: ('a', 1), ('a', 2), ", "counter": "\n'a': 2", "fitted": "\ncoef_ = [1.5]", "text": "mode 'r'", "odd": "by 'o'", "fake": "re.Pattern",
	} {
		if r := p.call("inspect_variables", args{"name": name}); r.IsError || !strings.Contains(r.text(), want) {
			t.Errorf("%s: %s", name, r.text())
		}
	}
	if r := p.run("touched"); !strings.HasSuffix(r.text(), ": []") && !strings.HasSuffix(r.text(), ": [4, 4]") {
		t.Errorf("objects were touched: %s", r.text())
	}
}
