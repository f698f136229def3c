package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// authority signs certificates, as a company's own CA does.
type authority struct {
	t    *testing.T
	own  *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM, for JUPYTER_CA
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a company's own"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	der, a.key = a.sign(template, nil)
	own, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.own = own
	write(t, map[string]string{a.file: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
	return a
}

// sign signs a certificate for a new key; the authority's own signs itself.
func (a *authority) sign(template *x509.Certificate, parent *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	by := a.key
	if parent == nil {
		parent, by = template, key
	}
	der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// serve serves a handler over TLS, with a certificate for those names that ends then.
func (a *authority) serve(handler http.Handler, ends time.Time, names ...string) *httptest.Server {
	a.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: ends}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, key := a.sign(template, a.own)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail: that is what is tested
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return server
}

// connectProxy is a proxy as companies have them: it connects to the hosts it knows, and
// says no to others. Its address has a name and a password in it.
type connectProxy struct {
	net.Listener
	hosts map[string]string // where each is

	mu   sync.Mutex // protects the fields below
	seen []string   // what was asked for, with headers
}

const proxyPassword = "a-secret-password"

func startConnectProxy(t *testing.T, hosts map[string]string) *connectProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &connectProxy{Listener: l, hosts: hosts}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.connect(conn)
		}
	}()
	return p
}

func (p *connectProxy) URL() string { return "http://me:" + proxyPassword + "@" + p.Addr().String() }

func (p *connectProxy) connect(near net.Conn) {
	defer near.Close()
	request, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, fmt.Sprint(request.Method, " ", request.Host, " ", request.Header))
	p.mu.Unlock()
	far, err := net.Dial("tcp", p.hosts[request.Host])
	allowed := request.Method == http.MethodConnect && request.Header.Get("Proxy-Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+proxyPassword))
	if err != nil || !allowed {
		fmt.Fprint(near, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer far.Close()
	fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(near, far); near.Close() }()
	io.Copy(far, near)
}

// TestMatrixJupyterServerTLS: a Jupyter server behind TLS, with a certificate of a company's own
// CA, under a path, directly and through a proxy; and what is told when one of them is wrong.
// Nothing that is said has the token, or the proxy's password, and nobody else is sent one.
func TestMatrixJupyterServerTLS(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s, ca := gatewaytest.Start(t, "--ServerApp.allow_remote_access=True"), newAuthority(t)
	const prefix = "/user/me"
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	hub := http.StripPrefix(prefix, httputil.NewSingleHostReverseProxy(to))
	later, token := time.Now().Add(time.Hour), "?token="+gatewaytest.Token
	direct := ca.serve(hub, later, "127.0.0.1")
	named := ca.serve(hub, later, "hub.test")
	expired := ca.serve(hub, time.Now().Add(-time.Hour), "127.0.0.1")
	elsewhere := ca.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked: %s %v", r.URL, r.Header)
	}), later, "127.0.0.1")
	redirects := ca.serve(http.RedirectHandler(elsewhere.URL+"/api/kernelspecs", http.StatusFound), later, "127.0.0.1")
	page := ca.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>welcome") }), later, "127.0.0.1")
	proxy := startConnectProxy(t, map[string]string{"hub.test:443": named.Listener.Addr().String()})

	p := launch(t, "JUPYTER_CA="+ca.file, "HTTPS_PROXY="+proxy.URL(), "NO_PROXY=direct.test", "JUPYTER_SERVER_URL="+direct.URL+prefix+"/"+token, "JUPYTER_SERVERS="+strings.Join([]string{
		"proxied=https://hub.test" + prefix + token,
		"refused=https://other.test" + prefix + token,
		"noproxy=https://direct.test" + prefix + token,
		"expired=" + expired.URL + prefix + token,
		"name=" + named.URL + prefix + token,
		"nopath=" + direct.URL + token,
		"redirects=" + redirects.URL + token,
		"page=" + page.URL + token,
	}, " "))
	configure := func(p *program, server string) result {
		return p.call("configure_environment", args{"type": "jupyter", "server": server, "session": server})
	}
	run := func(session string) result {
		return p.call("execute_code", args{"code": "6 * 7", "session": session})
	}
	var said strings.Builder
	check := func(r result, parts ...string) {
		t.Helper()
		said.WriteString(r.text())
		has(t, r, parts...)
	}
	check(run("direct"), "[ok", "env=jupyter python3 on "+direct.URL+prefix, "]: 42")
	check(configure(p, "proxied"), `"status":"success"`)
	check(run("proxied"), "[ok", "on https://hub.test"+prefix, "]: 42")
	for server, want := range map[string]string{
		"refused":   "https://other.test/user/me: the proxy " + proxy.Addr().String() + " does not connect to it (407 Proxy Authentication Required)",
		"noproxy":   "no such host: direct.test",
		"expired":   "its certificate has expired",
		"name":      "its certificate is for another name",
		"nopath":    "it answers 404 Not Found",
		"redirects": "it redirects to " + elsewhere.URL + ", which its token is not for",
		"page":      "it answers with a web page",
	} {
		check(configure(p, server), "the environment was not changed", want)
	}
	unset := launch(t, "JUPYTER_SERVER_URL="+direct.URL+prefix+token, "HTTPS_PROXY=http://me:"+proxyPassword+"@127.0.0.1:1", "JUPYTER_SERVERS=proxied=https://hub.test"+token)
	check(unset.call("execute_code", args{"code": "1"}), "signed by nobody this machine trusts", "JUPYTER_CA")
	check(configure(unset, "proxied"), "the proxy that is set (HTTPS_PROXY, HTTP_PROXY) cannot be used: connection refused")
	missing := launch(t, "JUPYTER_SERVER_URL="+direct.URL+prefix+token, "JUPYTER_CA=/no/such/ca.pem")
	check(missing.call("execute_code", args{"code": "1"}), "reading JUPYTER_CA: open /no/such/ca.pem")

	proxy.mu.Lock()
	seen := strings.Join(proxy.seen, "\n")
	proxy.mu.Unlock()
	if strings.Contains(seen, gatewaytest.Token) || strings.Contains(seen, "direct.test") || strings.Contains(seen, "127.0.0.1") || !strings.Contains(seen, "CONNECT hub.test:443") {
		t.Errorf("the proxy was asked:\n%s", seen)
	}
	if strings.Contains(said.String(), gatewaytest.Token) || strings.Contains(said.String(), proxyPassword) {
		t.Errorf("something secret was said: %s", said.String())
	}
	p.stdin.Close()
	p.wait(30 * time.Second)
	s.Until(0)
}
