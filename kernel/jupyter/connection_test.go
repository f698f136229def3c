package jupyter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestConnectionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.json")
	want := NewIPCInfo("/run/k")
	want.KernelName = "python3"
	if err := WriteConnectionFile(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadConnectionFile(path)
	if err != nil || got != want {
		t.Errorf("read %+v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v", info.Mode())
	}
	if err := WriteConnectionFile(path, NewIPCInfo("/other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("written over a file: %v", err)
	}
	if again, err := ReadConnectionFile(path); err != nil || again != want {
		t.Errorf("the old file is %+v, %v", again, err)
	}
}

func TestConnectionFileWithoutPorts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.json")
	if err := WriteConnectionFile(path, NewTCPInfo()); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConnectionFile(path); !errors.Is(err, ErrNoPorts) {
		t.Errorf("error = %v, want ErrNoPorts", err)
	}
}

func TestReadConnectionFileErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "half": `{"ip":`, "list": `[]`, "giant": strings.Repeat(" ", maxConnectionFile) + `{}`, "mistyped": `{"shell_port":"x"}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := ReadConnectionFile(path); err == nil || c != (ConnectionInfo{}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := ReadConnectionFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		alter func(c *ConnectionInfo)
		want  string // in the error
	}{
		{"good", func(c *ConnectionInfo) {}, ""},
		{"transport", func(c *ConnectionInfo) { c.Transport = "udp" }, "transport"},
		{"ip", func(c *ConnectionInfo) { c.IP = "" }, "ip"},
		{"scheme", func(c *ConnectionInfo) { c.SignatureScheme = "hmac-md5" }, "signature_scheme"},
		{"key", func(c *ConnectionInfo) { c.Key = "" }, "key"},
		{"negative port", func(c *ConnectionInfo) { c.StdinPort = -1 }, "stdin_port is -1"},
		{"large port", func(c *ConnectionInfo) { c.HBPort = 65536 }, "hb_port is 65536"},
		{"same port", func(c *ConnectionInfo) { c.IOPubPort = c.ShellPort }, "shell_port and iopub_port"},
		{"no port", func(c *ConnectionInfo) { c.ControlPort = 0 }, "no ports"},
		{"long path", func(c *ConnectionInfo) { c.IP = "/" + strings.Repeat("x", 101) }, "104 bytes"},
		{"longest path", func(c *ConnectionInfo) { c.IP = "/" + strings.Repeat("x", 100) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewIPCInfo("/run/k")
			tt.alter(&c)
			err := c.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	ipc := NewIPCInfo("/run/k")
	tcp := ConnectionInfo{Transport: TransportTCP, IP: "127.0.0.1", ShellPort: 1001, IOPubPort: 1002, StdinPort: 1003, ControlPort: 1004, HBPort: 1005}
	v6 := ConnectionInfo{Transport: TransportTCP, IP: "::1", HBPort: 9}
	tests := []struct {
		c                ConnectionInfo
		ch               Channel
		network, address string
	}{
		{ipc, Shell, "unix", "/run/k-1"},
		{ipc, IOPub, "unix", "/run/k-2"},
		{tcp, Stdin, "tcp", "127.0.0.1:1003"},
		{tcp, Control, "tcp", "127.0.0.1:1004"},
		{v6, Heartbeat, "tcp", "[::1]:9"},
	}
	for _, tt := range tests {
		if network, address := tt.c.Address(tt.ch); network != tt.network || address != tt.address {
			t.Errorf("%s: %s %s, want %s %s", tt.ch, network, address, tt.network, tt.address)
		}
	}
}

func TestNewKey(t *testing.T) {
	if a, b := NewKey(), NewKey(); a == b || len(a) != 64 {
		t.Errorf("keys %q, %q", a, b)
	}
}
