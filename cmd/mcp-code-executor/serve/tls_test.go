package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// makeCertificate writes a certificate for that name, and its key.
func makeCertificate(t *testing.T, dir, name string, serial int64) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestRemote: with TLS other machines may connect, by the names of the certificate and
// those given; a renewed certificate is used at once; plain HTTP gets nothing.
func TestRemote(t *testing.T) {
	dir := t.TempDir()
	cert, key := makeCertificate(t, dir, "box.example", 1)
	s := runWith(t, Options{Tokens: []string{"a"}, Listening: Listening{Address: "0.0.0.0:0", Remote: true, Certificate: cert, Key: key, Hosts: []string{"Other.Example"}}})
	_, port, err := net.SplitHostPort(s.address)
	if err != nil || !strings.Contains(s.out.String(), "serving MCP at https://") {
		t.Fatal(s.out, err)
	}
	var serial int64
	get := func(host string) int {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "box.example"}}} // the name is checked below
		r, err := http.NewRequest("POST", "https://127.0.0.1:"+port+"/mcp", strings.NewReader(initialize))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Authorization", "Bearer "+s.secrets["a"])
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		serial = response.TLS.PeerCertificates[0].SerialNumber.Int64()
		return response.StatusCode
	}
	for host, want := range map[string]int{"box.example": 200, "BOX.example:" + port: 200, "other.example": 200, "evil.example": 403, "0.0.0.0": 403, "127.0.0.1": 200} {
		if got := get(host); got != want || serial != 1 {
			t.Errorf("%s: %d, want %d", host, got, want)
		}
	}
	makeCertificate(t, dir, "box.example", 2)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil { // some file systems count seconds
		t.Fatal(err)
	}
	if get("box.example"); serial != 2 {
		t.Errorf("after the renewal: certificate %d", serial)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if get("box.example"); serial != 2 {
		t.Error("files that are being replaced ended the server")
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write([]byte("POST /mcp HTTP/1.1\r\nHost: box.example\r\nAuthorization: Bearer " + s.secrets["a"] + "\r\n\r\n"))
	answer := make([]byte, 64)
	if n, _ := conn.Read(answer); !strings.HasPrefix(string(answer[:n]), "HTTP/1.0 400") {
		t.Errorf("plain HTTP: %q", answer[:n])
	}
}
