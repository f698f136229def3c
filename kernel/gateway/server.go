package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options says where a server is and how to be let in.
type Options struct {
	// URL is the server's address, http or https, with its path prefix.
	URL string
	// Token is sent in a header. Empty sends none.
	Token string
	// CA are more certificates to trust, PEM.
	CA []byte
}

// Server is a Jupyter Server or gateway. It is safe for concurrent use.
type Server struct {
	base   *url.URL
	token  string
	client *http.Client
}

// requestTime bounds a REST request; starting a kernel may wait for a machine.
const (
	requestTime = 10 * time.Second
	connectTime = 8 * time.Second // a host that is not there says nothing
	// handshakeTime is less, so that what is missing can be told.
	handshakeTime = 6 * time.Second
	// idleTime is how long a connection is kept for the next request: one that is older may
	// have been forgotten on the way. Each look at a silent kernel has its own.
	idleTime = lookEvery - time.Second
	// maxAnswer bounds an answer, in bytes: a list of all kernels of a busy gateway.
	maxAnswer = 8 << 20
)

// New checks the options; it asks nobody.
func New(o Options) (*Server, error) {
	base, err := url.Parse(strings.TrimSpace(o.URL))
	if err != nil || base.Host == "" {
		return nil, &URLError{Reason: "it is no URL such as http://localhost:8888"}
	}
	if base.Scheme != "http" && base.Scheme != "https" {
		return nil, &URLError{Reason: fmt.Sprintf("it begins with %q, not with http:// or https://", base.Scheme)}
	}
	token := o.Token
	if in := base.Query().Get("token"); in != "" && token == "" {
		token = in // as `jupyter server list` prints it
	}
	base.RawQuery, base.Fragment, base.User = "", "", nil
	base.Path = strings.TrimRight(base.Path, "/")
	for _, page := range []string{"/lab", "/tree"} { // copied from a browser
		base.Path = strings.TrimSuffix(base.Path, page)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dial := transport.DialContext
	transport.TLSHandshakeTimeout = handshakeTime
	transport.IdleConnTimeout = idleTime
	transport.OnProxyConnectResponse = connectedByProxy
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return acknowledging(conn), nil
	}
	if len(o.CA) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(o.CA) {
			return nil, &URLError{Reason: "its file of certificates has none"}
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	s := &Server{base: base, token: token}
	s.client = &http.Client{Transport: transport, CheckRedirect: s.redirected}
	return s, nil
}

// URLError says why an address cannot be one of a server. It does not repeat it:
// it may have a token in it.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return e.Reason }

// String is the server's address without what is secret.
func (s *Server) String() string { return s.base.String() }

// redirected refuses to follow to another host: the token is this one's.
func (s *Server) redirected(next *http.Request, via []*http.Request) error {
	if next.URL.Scheme != s.base.Scheme || next.URL.Host != s.base.Host {
		return fmt.Errorf("it redirects to %s://%s, which its token is not for", next.URL.Scheme, next.URL.Host)
	}
	if strings.Contains(next.URL.Path, "/login") {
		return errLogin
	}
	if len(via) >= 5 {
		return errors.New("it redirects in circles")
	}
	return nil
}

var errLogin = errors.New("it wants a login: the token is missing or wrong")

// connectedByProxy words what a proxy says that does not connect.
func connectedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy %s does not connect to it (%s). HTTPS_PROXY names the proxy, and NO_PROXY the hosts that are reached without it", proxy.Host, answer.Status)
}

// Error is a request that a server did not answer as it should. Reason is a
// sentence without the address.
type Error struct {
	Doing  string // "starting a kernel"
	Server string
	Status int // of the answer, 0 for none
	Reason string
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s on %s: %s", e.Doing, e.Server, e.Reason) }
func (e *Error) Unwrap() error { return e.Err }

// Refused reports whether the server answers that this is not allowed.
func Refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusForbidden
}

// NotFound reports whether the server says that there is no such kernel.
func NotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

// do sends a request and reads its answer into out, unless out is nil.
func (s *Server) do(ctx context.Context, doing, method, path string, in, out any) error {
	patience := requestTime
	if method == http.MethodPost {
		patience = StartTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, body)
	if err != nil {
		return err
	}
	request.Header = s.header()
	request.Header.Set("Content-Type", "application/json")
	failed := func(status int, reason string, err error) error {
		return &Error{Doing: doing, Server: s.String(), Status: status, Reason: reason, Err: err}
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return failed(0, reason(err), err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return failed(answer.StatusCode, "its answer broke off: "+reason(err), err)
	}
	if answer.StatusCode >= 300 {
		return failed(answer.StatusCode, refusal(answer, data), nil)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return failed(answer.StatusCode, notJupyter(answer, data), err)
	}
	return nil
}

func (s *Server) header() http.Header {
	h := http.Header{}
	if s.token != "" {
		h.Set("Authorization", "token "+s.token)
	}
	return h
}

// refusal words an answer that is none of success.
func refusal(answer *http.Response, data []byte) string {
	usual := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	var said struct{ Message, Reason string }
	_ = json.Unmarshal(data, &said) // a gateway has its words in the status line
	own := firstOf(said.Message, said.Reason)
	if own == "" && answer.Status != usual {
		own = strings.TrimSpace(strings.TrimPrefix(answer.Status, strconv.Itoa(answer.StatusCode)))
	}
	refuses := answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden
	switch {
	case refuses && (own == "" || own == http.StatusText(answer.StatusCode) || strings.Contains(own, "_xsrf")): // for whom the token does not speak
		return fmt.Sprintf("it refuses (%s): the token is missing, wrong or not allowed to", usual)
	case refuses:
		return fmt.Sprintf("it refuses (%s): %s. Look at the token, and for a gateway at the variables KERNEL_*", usual, strings.TrimRight(own, "."))
	case own != "":
		return fmt.Sprintf("it answers %s: %s", usual, own)
	}
	if answer.StatusCode == http.StatusNotFound {
		return "it answers 404 Not Found: no Jupyter server there; look at the path of the URL"
	}
	return "it answers " + usual
}

func notJupyter(answer *http.Response, data []byte) string {
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return "it answers with a web page: no Jupyter server there, or a login before it; look at the URL and the token"
	}
	return "its answer is not what a Jupyter server says"
}

// reason words an error of the network in a sentence for a person.
func reason(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	var way *net.OpError
	switch {
	case errors.As(err, &way) && way.Op == "proxyconnect":
		return "the proxy that is set (HTTPS_PROXY, HTTP_PROXY) cannot be used: " + reason(way.Err)
	case errors.Is(err, errLogin):
		return errLogin.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &unknown):
		return "its certificate is signed by nobody this machine trusts: name its CA's file in JUPYTER_CA"
	case errors.As(err, &name):
		return "its certificate is for another name"
	case errors.As(err, &dns):
		return "no such host: " + dns.Name
	case strings.HasSuffix(err.Error(), "TLS handshake timeout"):
		return "no answer to TLS in time: its address may begin with http:, not https:"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time: it stands still or cannot be reached, or the address is another program's"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), strings.HasSuffix(err.Error(), "http: server closed idle connection"): // before the request was written
		return "it broke off: that server, or a proxy before it, closed the connection without an answer"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS: its address begins with http:, not https:"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there. Start it, or correct the address in the settings"
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the address
	}
	return err.Error()
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
