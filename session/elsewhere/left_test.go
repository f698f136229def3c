package elsewhere

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

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
	// A killed server's file is there, without a lock.
	leave := func(k Left) string {
		t.Helper()
		before, _ := os.ReadDir(string(ledger))
		ended, err := ledger.Begin(k)
		if err != nil {
			t.Fatal(err)
		}
		after, _ := os.ReadDir(string(ledger))
		i := slices.IndexFunc(after, func(e os.DirEntry) bool {
			return !slices.ContainsFunc(before, func(b os.DirEntry) bool { return b.Name() == e.Name() })
		})
		path := filepath.Join(string(ledger), after[i].Name())
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
	lives, err := ledger.Begin(Left{ID: "runs", Address: server.URL, Session: "lives", Place: here, Started: now})
	if err != nil {
		t.Fatal(err)
	}
	defer lives()

	got := servers.StillThere(t.Context(), ledger, place)
	if len(got) != 2 || got[0].ID != "runs" || got[0].Session != "a" || got[0].Server != "lab" || got[0].Prefix != "abcd" || got[1].ID != "older" {
		t.Errorf("%+v", got)
	}
	for path, stays := range map[string]bool{broken: true, unnamed: true, gone: false, old: false} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v, stays %t", path, err, stays)
		}
	}
}
