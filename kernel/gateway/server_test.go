package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const secret = "a-secret-token"

// TestRefusals: whatever stands at the address, the error says what is wrong and
// shows no token.
func TestRefusals(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "token "+secret {
				t.Errorf("authorization %q", got)
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"a web page", answer(200, "text/html", "<!doctype html><p>welcome"), "a web page"},
		{"another program's JSON", answer(200, "application/json", `"hello"`), "not what a Jupyter server says"},
		{"forbidden", answer(403, "application/json", `{"message": "Forbidden", "reason": null}`), "token is missing, wrong"},
		{"forbidden, in words", answer(403, "application/json", `{"message": "nobody is not authorized. Set KERNEL_USERNAME."}`), "it refuses (403 Forbidden): nobody is not authorized. Set KERNEL_USERNAME. Look at the token"},
		{"forbidden, in its first line", func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				fmt.Fprint(conn, "HTTP/1.1 403 User 'root' is not authorized.\r\nContent-Length: 0\r\n\r\n")
				conn.Close()
			}
		}, "it refuses (403 Forbidden): User 'root' is not authorized. Look at the token, and for a gateway at the variables KERNEL_*"},
		{"forbidden, for a browser", answer(403, "application/json", `{"message": "'_xsrf' argument missing from POST"}`), "token is missing, wrong"},
		{"unauthorized", answer(401, "text/html", ""), "token is missing, wrong"},
		{"no such page", answer(404, "text/html", "<h1>not found"), "look at the path of the URL"},
		{"its own words", answer(500, "application/json", `{"message": "no more machines"}`), "500 Internal Server Error: no more machines"},
		{"login", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login?next=x", http.StatusFound) }, "wants a login"},
		{"to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/api", http.StatusFound)
		}, "redirects to http://127.0.0.1"},
	} {
		server := httptest.NewServer(tt.handler)
		s, err := New(Options{URL: server.URL + "/?token=" + secret})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Kernelspecs(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		server.Close()
		if tt.name == "a web page" {
			if _, err = s.Kernelspecs(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused: nothing listens there. Start") {
				t.Errorf("nobody there: %v", err)
			}
		}
	}
}

// certificate is one that signs itself, valid for so long from now.
func certificate(t *testing.T, valid time.Duration) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(valid),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestCertificates(t *testing.T) {
	for _, tt := range []struct {
		name    string
		valid   time.Duration
		trusted bool
		want    string
	}{
		{"trusted", time.Hour, true, ""},
		{"unknown", time.Hour, false, "name its CA's file in JUPYTER_CA"},
		{"expired", -time.Hour, true, "expired"},
	} {
		own, ca := certificate(t, tt.valid)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"default": "python3", "kernelspecs": {"python3": {"name": "python3", "spec": {"display_name": "Python 3", "language": "python"}}}}`)
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
		server.Config.ErrorLog = nil
		server.StartTLS()
		if !tt.trusted {
			ca = nil
		}
		s, err := New(Options{URL: server.URL, Token: secret, CA: ca})
		if err != nil {
			t.Fatal(err)
		}
		specs, err := s.Kernelspecs(t.Context())
		if tt.want == "" && (err != nil || len(specs) != 1 || !specs[0].Default) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v %v, want %q", tt.name, specs, err, tt.want)
		}
		server.Close()
	}
	if _, err := New(Options{URL: "https://x", CA: []byte("nothing")}); err == nil || !strings.Contains(err.Error(), "certificates") {
		t.Errorf("no certificates: %v", err)
	}
}

// TestBrokenOff: where each connection is closed at once, the error says so, whether that was
// before the request was written, during it or after it.
func TestBrokenOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	s, err := New(Options{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if _, err := s.Kernelspecs(t.Context()); err == nil || !strings.Contains(err.Error(), "it broke off: ") {
			t.Fatal(err)
		}
	}
}
