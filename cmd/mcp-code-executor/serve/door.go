package serve

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Paths that are served; all others are not found.
const (
	endpointPath = "/mcp"
	healthPath   = "/healthz"
)

// doorPatience is how long a request may take that is refused here.
const doorPatience = 5 * time.Second

// door is what each request passes before anything is read of its body: the names by
// which it calls the server, where it comes from, and its token.
type door struct {
	names  names
	tokens *Tokens
	// owner is who serves the requests of a token, nil when the server is ending.
	owner func(Token) http.Handler
	log   *slog.Logger
}

// ServeHTTP implements [http.Handler].
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(doorPatience)) // the endpoint sets its own
	_ = control.SetWriteDeadline(time.Now().Add(doorPatience))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case !d.names.known(r.Host):
		d.refuse(w, r, http.StatusForbidden, fmt.Sprintf("this server is not called %.100q; if it is, start it with --host and that name", r.Host))
	case !sameOrigin(r):
		d.refuse(w, r, http.StatusForbidden, "web pages of other origins may not use this server")
	case r.URL.EscapedPath() == healthPath:
		health(w, r)
	case r.URL.EscapedPath() != endpointPath:
		d.refuse(w, r, http.StatusNotFound, "there is nothing here; MCP is at "+endpointPath)
	default:
		d.admit(w, r)
	}
}

// admit lets in who has a token.
func (d *door) admit(w http.ResponseWriter, r *http.Request) {
	token, known, err := d.tokens.Known(bearer(r))
	switch {
	case err != nil:
		d.log.Error("nobody is let in", "err", err)
		d.refuse(w, r, http.StatusServiceUnavailable, "the server cannot read its tokens; its log says why")
		return
	case !known:
		w.Header().Set("WWW-Authenticate", `Bearer realm="mcp-code-executor"`)
		d.refuse(w, r, http.StatusUnauthorized, "send a token that this server knows: Authorization: Bearer TOKEN")
		return
	}
	owner := d.owner(token)
	if owner == nil {
		d.refuse(w, r, http.StatusServiceUnavailable, "the server is ending")
		return
	}
	owner.ServeHTTP(w, r)
}

// refuse answers in plain text and ends the connection, so that nothing more of the
// request is read.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	d.log.Info("refused", "status", status, "method", r.Method, "from", r.RemoteAddr)
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// health answers who watches over the server. It tells nothing but that it lives.
func health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// bearer is the secret that a request carries, "" for none. One in the address would
// stand in logs, and is not looked at.
func bearer(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, secret, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// names are those by which clients may call the server. A page that has made a name of
// its own lead here (DNS rebinding) calls it by that one.
type names struct {
	more        []string // by --host, and the address it listens on
	certificate *x509.Certificate
}

func (n names) known(host string) bool {
	name := strings.ToLower(withoutPort(host))
	if name == "" {
		return false
	}
	if address, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && address.IsLoopback() {
		return true
	}
	if name == "localhost" || slices.Contains(n.more, strings.Trim(name, "[]")) {
		return true
	}
	return n.certificate != nil && n.certificate.VerifyHostname(name) == nil
}

// withoutPort is the name of a host with or without a port, "" for what is neither.
func withoutPort(host string) string {
	if strings.ContainsAny(host, "/@ ") {
		return ""
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return strings.TrimSuffix(name, ".")
	}
	return strings.TrimSuffix(host, ".")
}

// sameOrigin reports whether a request comes from no web page, or one of this server.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	origin, err := url.Parse(origins[0])
	return len(origins) == 1 && err == nil && (origin.Scheme == "http" || origin.Scheme == "https") && strings.EqualFold(origin.Host, r.Host)
}
