package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// maxConnections is how many connections are served at a time.
const maxConnections = 256

// Listening is where and how the server listens.
type Listening struct {
	Address string // HOST:PORT; port 0 is any that is free
	// Remote allows other addresses than those of this machine alone.
	Remote bool
	// Certificate and Key are files in PEM, "" for no TLS.
	Certificate, Key string
	// Hosts are names by which clients call the server, beside those of the address
	// and the certificate.
	Hosts []string
}

// check judges what was asked for, before anything is opened.
func (l Listening) check() error {
	host, _, err := net.SplitHostPort(l.Address)
	switch {
	case err != nil:
		return fmt.Errorf("--http %q is not HOST:PORT, such as 127.0.0.1:8765", l.Address)
	case (l.Certificate == "") != (l.Key == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case l.onLoopback(host):
		return nil
	case !l.Remote:
		return fmt.Errorf("--http %s would let other machines connect: use 127.0.0.1, or add --allow-remote and TLS files (--tls-cert, --tls-key)", l.Address)
	case l.Certificate == "":
		return fmt.Errorf("--allow-remote needs TLS, or tokens could be read on the way: add --tls-cert and --tls-key, or let a proxy with TLS on this machine connect to 127.0.0.1")
	}
	return nil
}

func (Listening) onLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// open listens, and tells by which names the server may be called.
func (l Listening) open() (net.Listener, names, error) {
	if err := l.check(); err != nil {
		return nil, names{}, err
	}
	var n names
	var files *certificate
	if l.Certificate != "" {
		files = &certificate{cert: l.Certificate, key: l.Key}
		now, err := files.get(nil)
		if err != nil {
			return nil, n, err
		}
		if n.certificate, err = x509.ParseCertificate(now.Certificate[0]); err != nil {
			return nil, n, fmt.Errorf("reading %s: %w", l.Certificate, err)
		}
	}
	for _, host := range l.Hosts {
		n.more = append(n.more, strings.ToLower(strings.TrimSuffix(host, ".")))
	}
	listener, err := net.Listen("tcp", l.Address)
	if err != nil {
		return nil, n, err
	}
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsUnspecified() {
		n.more = append(n.more, address.IP.String())
	}
	limited := &limited{Listener: listener, places: make(chan struct{}, maxConnections), plain: files == nil}
	if files == nil {
		return limited, n, nil
	}
	return tls.NewListener(limited, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get, NextProtos: []string{"http/1.1"}}), n, nil
}

// limited is a listener that refuses at once what is beyond the limit: it would wait
// in the system's queue for ever.
type limited struct {
	net.Listener
	places chan struct{} // holds a token for each connection
	plain  bool          // no TLS: a refusal can be read
}

// Accept implements [net.Listener].
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &counted{Conn: conn, release: sync.OnceFunc(func() { <-l.places })}, nil
		default:
		}
		if l.plain {
			_ = conn.SetDeadline(time.Now().Add(time.Second)) // a new connection has room for this
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
		}
		conn.Close()
	}
}

// counted is a connection that has a place.
type counted struct {
	net.Conn
	release func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// certificate is read again when its file has changed: certificates are renewed more
// often than servers are started.
type certificate struct {
	cert, key string

	mu   sync.Mutex // protects the fields below
	now  *tls.Certificate
	time time.Time // of the file
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.cert)
	if err == nil && c.now != nil && info.ModTime().Equal(c.time) {
		return c.now, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	switch {
	case err == nil:
		c.now, c.time = &pair, info.ModTime()
	case c.now == nil: // else the one there was is still good: its files are being replaced
		return nil, fmt.Errorf("reading the TLS files: %w", err)
	}
	return c.now, nil
}
