package session

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestQueue: the queue does what a plain slice does, whatever the order of calls.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	var model []*Execution
	for step := range 20_000 {
		some := func() *Execution {
			if len(model) == 0 || r.IntN(4) == 0 {
				return &Execution{}
			}
			return model[r.IntN(len(model))]
		}
		switch r.IntN(6) {
		case 0, 1, 2:
			e := &Execution{}
			q.push(e)
			model = append(model, e)
		case 3:
			var want *Execution
			if len(model) > 0 {
				want, model = model[0], model[1:]
			}
			if got := q.pop(); got != want {
				t.Fatalf("step %d: pop", step)
			}
		case 4:
			e := some()
			i := slices.Index(model, e)
			if q.place(e) != i {
				t.Fatalf("step %d: place %d, want %d", step, q.place(e), i)
			}
			if q.remove(e) != (i >= 0) {
				t.Fatalf("step %d: remove", step)
			}
			if i >= 0 {
				model = slices.Delete(slices.Clone(model), i, i+1)
			}
		case 5:
			if r.IntN(50) == 0 {
				if all := q.drain(); !slices.Equal(all, model) {
					t.Fatalf("step %d: drain", step)
				}
				model = nil
			}
		}
		if q.len() != len(model) || !slices.Equal(q.waiting, model) && len(model) > 0 {
			t.Fatalf("step %d: the queues differ", step)
		}
	}
}

func TestCodeLine(t *testing.T) {
	long := strings.Repeat("x", maxCodeLine)
	for code, want := range map[string]string{
		"":                             "",
		"\n \n":                        "",
		"step(1)":                      "step(1)",
		"\n# a comment\nstep(1)  # it": "step(1)  # it",
		"import time\nstep(1)":         "step(1)",
		"import a\n\n# c\nfrom b import c\n  x = 1": "x = 1",
		"import time; time.sleep(9)\nx":             "import time; time.sleep(9)",
		"from a import (\n    b,\n    c,\n)\nb(c)":  "b(c)",
		"from a import (b)\nb(1)":                   "b(1)",
		"# a comment\nimport time":                  "import time",
		"import a\nimport b":                        "import a",
		"# nothing":                                 "# nothing",
		"important = 1":                             "important = 1",
		"%%bash\nls":                                "%%bash",
		long + "yz":                                 long + "…",
	} {
		if got := (Request{Code: code}).line(); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{nil, "train.py"},
		{[]string{"--epochs", "3"}, "train.py --epochs 3"},
		{[]string{long}, ("train.py " + long)[:maxCodeLine] + "…"},
	} {
		r := Request{Code: "get_ipython().run_script('/w/train.py')", File: "/w/train.py", Script: true, Arguments: c.arguments}
		if got := r.line(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestAhead: what waits knows what is before it, also in the moment in which the worker has
// ended one and has not come to the next.
func TestAhead(t *testing.T) {
	s := &Session{}
	at := func(code string, state State) *Execution {
		return &Execution{session: s, id: "id of " + code, state: state, asked: time.Now(), request: Request{Code: code}}
	}
	ended, first, second, again := at("ended", StateFinished), at("first", StateQueued), at("second", StateQueued), at("first", StateQueued)
	s.queue.waiting = []*Execution{first, second, again}
	for _, s.current = range []*Execution{nil, ended} {
		if a, _ := s.aheadLocked(first); a != nil {
			t.Errorf("before the first: %+v", a)
		}
		if a, between := s.aheadLocked(second); a == nil || a.ID != first.id || a.State != StatePreparing || a.Line != "first" || a.Same != "" || between != 0 {
			t.Errorf("before the second: %+v and %d", a, between)
		}
		if a, between := s.aheadLocked(again); a == nil || a.ID != first.id || a.Same != first.id || between != 1 {
			t.Errorf("before the third: %+v and %d", a, between)
		}
	}
}
