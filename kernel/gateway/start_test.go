package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStartRequest: a server is asked for a kernel of a given id, and once more without it
// where it does not let others choose. A gateway refuses an "env" that is no object, also
// null, and takes an empty one for all that the kernel gets.
func TestStartRequest(t *testing.T) {
	const plain, chosen = `{"id": "own"}`, `{"id": "given"}`
	for _, tt := range []struct {
		name    string
		env     map[string]string
		answers []string // the first ones; with a status before them where it is not 201
		bodies  []string
		id      string
		wrong   string
	}{
		{"by that id", nil, []string{chosen}, []string{`{"kernel_id":"given","name":"x"}`}, "given", ""},
		{"it takes no id", nil, []string{plain}, []string{`{"kernel_id":"given","name":"x"}`}, "own", ""},
		{"variables", map[string]string{"KERNEL_A": "1"}, []string{chosen}, []string{`{"env":{"KERNEL_A":"1","KERNEL_ID":"given"},"kernel_id":"given","name":"x"}`}, "given", ""},
		{"a person's own id", map[string]string{"KERNEL_ID": "2"}, []string{chosen}, []string{`{"env":{"KERNEL_ID":"2"},"kernel_id":"given","name":"x"}`}, "given", ""},
		{"it looks for one of that id", nil, []string{"null", plain}, []string{`{"kernel_id":"given","name":"x"}`, `{"name":"x"}`}, "own", ""},
		{"and finds none", nil, []string{"404 {}", plain}, []string{`{"kernel_id":"given","name":"x"}`, `{"name":"x"}`}, "own", ""},
		{"it refuses what it does not know", nil, []string{"400 {}", plain}, []string{`{"kernel_id":"given","name":"x"}`, `{"name":"x"}`}, "own", ""},
		{"it refuses", nil, []string{"403 {}"}, []string{`{"kernel_id":"given","name":"x"}`}, "", "it refuses (403 Forbidden)"},
		{"it fails", nil, []string{"500 {}"}, []string{`{"kernel_id":"given","name":"x"}`}, "", "it answers 500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var bodies []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				status, answer := 201, tt.answers[min(len(bodies), len(tt.answers)-1)]
				bodies = append(bodies, string(b))
				fmt.Sscanf(answer, "%d %s", &status, &answer)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				io.WriteString(w, answer)
			}))
			defer server.Close()
			s, err := New(Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			k, err := s.start(t.Context(), "given", "x", tt.env)
			if k.ID != tt.id || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%+v, %v", k, err)
			}
			if !slices.Equal(bodies, tt.bodies) {
				t.Errorf("%q, want %q", bodies, tt.bodies)
			}
		})
	}
}

// TestStartGivenUp: a kernel that has started when nobody waits for it any more is ended, and
// one whose start was refused is not there: neither is noted any longer. What was never
// answered stays noted.
func TestStartGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   []string // what is noted and asked, in order
	}{
		{"started", func(w http.ResponseWriter) { io.WriteString(w, `{"id": "own"}`) }, []string{"asked", "started own", "DELETE /api/kernels/own", "ended"}},
		{"refused", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, []string{"asked", "ended"}},
		{"cut", func(w http.ResponseWriter) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
		}, []string{"asked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen, asked, given := make(chan string, 9), make(chan struct{}), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodPost:
					close(asked)
					<-given
					tt.answer(w)
					if tt.name == "cut" {
						close(seen)
					}
				case http.MethodDelete:
					seen <- r.Method + " " + r.URL.Path
				}
			}))
			defer server.Close()
			s, err := New(Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			_, err = s.Open(ctx, Want{Log: slog.New(slog.DiscardHandler), Note: func(string) Noted {
				seen <- "asked"
				return Noted{Started: func(id string) { seen <- "started " + id }, Ended: func() { seen <- "ended"; close(seen) }}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			close(given)
			var got []string
			for s := range seen {
				got = append(got, s)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestSilent: a server that accepts connections and says nothing is not waited for as long
// as one that starts a kernel.
func TestSilent(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer server.Close()
	defer close(ended)
	s, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = s.Open(ctx, Want{Note: func(string) Noted { t.Error("a kernel was asked for"); return Nobody() }})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}
