package elsewhere

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
)

// leave notes a kernel, as a server does that is killed before its start, or after: the file
// is there, without a lock.
func leave(t *testing.T, ledger Ledger, k Left, isStarted bool) (path string) {
	t.Helper()
	before, _ := os.ReadDir(string(ledger))
	started, ended, err := ledger.Begin(k)
	if err == nil && isStarted {
		err = started(k.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadDir(string(ledger))
	i := slices.IndexFunc(after, func(e os.DirEntry) bool {
		return !slices.ContainsFunc(before, func(b os.DirEntry) bool { return b.Name() == e.Name() })
	})
	path = filepath.Join(string(ledger), after[i].Name())
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("%s %v", text, err)
	}
	ended()
	ended()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("ended, and noted still: %v", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLeft: only kernels whose servers do not live are asked for, those of the same place,
// of servers that are named; those that have ended are forgotten.
func TestLeft(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch id := strings.TrimPrefix(r.URL.Path, "/api/kernels/"); id {
		case "runs", "older":
			w.Write([]byte(`{"id": "` + id + `"}`))
		case "broken":
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	ledger, here := Ledger(filepath.Join(t.TempDir(), "elsewhere")), Place{Storage: "/s", WorkDir: "/w"}
	place := func() Place { return here }
	servers := New([]Address{{Name: "lab", URL: server.URL + "/?token=secret"}})
	if got := servers.StillThere(t.Context(), ledger, place); got != nil {
		t.Errorf("none was started: %v", got)
	}
	leave := func(k Left) string {
		t.Helper()
		return leave(t, ledger, k, true)
	}
	now := time.Now()
	leave(Left{ID: "older", Address: server.URL, Place: here, Started: now.Add(-time.Hour)})
	leave(Left{ID: "runs", Address: server.URL, Session: "a", Prefix: "abcd", Place: here, Started: now})
	leave(Left{ID: "runs", Address: server.URL, Place: Place{Storage: "/s", WorkDir: "/other"}})
	leave(Left{ID: "runs", Address: server.URL, Place: Place{Storage: "/s", WorkDir: "/w", Owner: "somebody"}})
	broken := leave(Left{ID: "broken", Address: server.URL, Place: here})
	gone := leave(Left{ID: "gone", Address: server.URL, Place: here})
	unnamed := leave(Left{ID: "runs", Address: "http://127.0.0.1:1", Place: here})
	old := leave(Left{ID: "runs", Address: "http://127.0.0.1:1", Place: here})
	long := now.Add(-2 * ledgerMemory)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(ledger), "damaged"), []byte(`{"kernel_id`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, lives, err := ledger.Begin(Left{ID: "runs", Address: server.URL, Session: "lives", Place: here, Started: now})
	if err != nil {
		t.Fatal(err)
	}
	defer lives()

	got := servers.StillThere(t.Context(), ledger, place)
	if len(got) != 3 || got[0].ID != "runs" || got[0].Session != "a" || got[0].Server != "lab" || got[0].Prefix != "abcd" || got[1].ID != "older" ||
		got[2].ID != "broken" || !got[2].Unknown || got[0].Unknown {
		t.Errorf("%+v", got)
	}
	for path, stays := range map[string]bool{broken: true, unnamed: true, gone: false, old: false} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v, stays %t", path, err, stays)
		}
	}
}

// TestAsked: a kernel that was asked for by a server that was killed then is found by the id
// that it was to have, or looked for among those that are like it.
func TestAsked(t *testing.T) {
	const given, minute = "given", time.Minute
	one := gateway.Running{ID: "one", Name: "python3"}
	with := func(k gateway.Running, change func(k *gateway.Running)) []gateway.Running {
		change(&k)
		return []gateway.Running{k}
	}
	for _, tt := range []struct {
		name  string
		runs  []gateway.Running // as the server lists them, nil for one that lists none; started with it, where nothing else is said
		ago   time.Duration     // when it was asked for
		left  bool
		maybe []string
	}{
		{"there", with(one, func(k *gateway.Running) { k.ID = given }), 24 * time.Hour, true, nil},
		{"by another id", []gateway.Running{one}, 24 * time.Hour, true, []string{"one"}},
		{"one of two", []gateway.Running{one, {ID: "two", Name: "python3"}}, 0, true, []string{"one", "two"}},
		{"in use", with(one, func(k *gateway.Running) { k.Connections = 1 }), time.Hour, false, nil},
		{"another kernelspec", with(one, func(k *gateway.Running) { k.Name = "ir" }), time.Hour, false, nil},
		{"older", with(one, func(k *gateway.Running) { k.LastActivity = time.Now().Add(-2 * time.Hour) }), time.Hour, false, nil},
		{"used since", with(one, func(k *gateway.Running) { k.LastActivity = time.Now() }), time.Hour, false, nil},
		{"known", with(one, func(k *gateway.Running) { k.ID = "known" }), time.Hour, false, nil},
		{"may start yet", []gateway.Running{}, minute, true, []string{}},
		{"never started", []gateway.Running{}, time.Hour, false, nil},
		{"not listed", nil, minute, true, []string{}},
		{"not listed, long ago", nil, 2 * time.Hour, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun := time.Now().Add(-tt.ago)
			for i := range tt.runs {
				if tt.runs[i].LastActivity.IsZero() {
					tt.runs[i].LastActivity = begun.Add(3 * time.Second)
				}
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := strings.TrimPrefix(r.URL.Path, "/api/kernels/")
				switch listed := slices.ContainsFunc(tt.runs, func(k gateway.Running) bool { return k.ID == id }); {
				case listed:
					json.NewEncoder(w).Encode(gateway.Running{ID: id})
				case r.URL.Path != "/api/kernels":
					w.WriteHeader(http.StatusNotFound)
				case tt.runs == nil:
					w.WriteHeader(http.StatusForbidden)
				default:
					json.NewEncoder(w).Encode(tt.runs)
				}
			}))
			defer server.Close()
			ledger, here := Ledger(filepath.Join(t.TempDir(), "elsewhere")), Place{Storage: "/s"}
			path := leave(t, ledger, Left{ID: given, Address: server.URL, Place: here, Kernelspec: "python3", Started: begun}, false)
			leave(t, ledger, Left{ID: "known", Address: server.URL, Place: here, Started: begun.Add(-minute)}, true)
			got := New([]Address{{Name: "lab", URL: server.URL}}).StillThere(t.Context(), ledger, func() Place { return here })
			got = slices.DeleteFunc(got, func(k Left) bool { return k.ID == "known" })
			if (len(got) == 1) != tt.left || tt.left && (!got[0].Asked || !slices.Equal(got[0].Maybe, tt.maybe) || (got[0].Maybe == nil) != (tt.maybe == nil)) {
				t.Errorf("%+v", got)
			}
			if _, err := os.Stat(path); (err == nil) != tt.left {
				t.Errorf("left %t: %v", tt.left, err)
			}
		})
	}
}
