//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// faultyIndex serves packages whose names say what goes wrong with them; "mcefine"
// is fine, and the wheels of all others need it. It returns the index's URL.
func faultyIndex(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wheel := func(name string) string { return name + "-1.0-py3-none-any.whl" }
	makeWheel(t, dir, "mcefine", "1.0", "fine")
	file := func(name string) []byte {
		makeWheel(t, dir, name, "1.0", name, "Requires-Dist: mcefine")
		b, err := os.ReadFile(filepath.Join(dir, wheel(name)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	refusing := "http://" + refusingAddress(t) + "/"
	over := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
	mux := http.NewServeMux()
	page := func(name, fragment string) {
		mux.HandleFunc("/simple/"+name+"/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!DOCTYPE html><html><body><a href="/files/%s%s">%[1]s</a></body></html>`, wheel(name), fragment)
		})
	}
	serve := func(name string, write func(w http.ResponseWriter, b []byte)) {
		b := file(name)
		page(name, "")
		mux.HandleFunc("/files/"+wheel(name), func(w http.ResponseWriter, r *http.Request) { write(w, b) })
	}
	page("mcefine", "")
	mux.HandleFunc("/files/"+wheel("mcefine"), func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, wheel("mcefine")))
	})
	serve("mcedrop", func(w http.ResponseWriter, b []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:len(b)/2])
		w.(http.Flusher).Flush()
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
	})
	serve("mcecorrupt", func(w http.ResponseWriter, b []byte) {
		for i := range b {
			b[i] ^= 0x5a
		}
		w.Write(b)
	})
	serve("mcecut", func(w http.ResponseWriter, b []byte) { w.Write(b[:len(b)/2]) })
	file("mceforged")
	page("mceforged", "#sha256="+strings.Repeat("0", 64))
	mux.HandleFunc("/files/"+wheel("mceforged"), func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, wheel("mceforged")))
	})
	mux.HandleFunc("/simple/mcerefuse/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, refusing, http.StatusFound)
	})
	mux.HandleFunc("/simple/mcehang/", hang)
	mux.HandleFunc("/simple/mceerror/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
	mux.HandleFunc("/simple/mceprivate/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		http.Error(w, "who are you", http.StatusUnauthorized)
	})
	mux.HandleFunc("/simple/mcehtml/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>Please log in to the hotel's network")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() { close(over); s.CloseClientConnections(); s.Close() })
	return strings.Replace(s.URL, "http://", "http://user:sesame@", 1) + "/simple"
}

// refusingAddress is one where connections are refused until the test ends: the
// port is taken, but nobody listens. A port that was closed could be the next one's.
func refusingAddress(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", address.(*unix.SockaddrInet4).Port)
}

// TestFaultyIndex: an index that does not do what it should ends an installation
// with the reason and the package's name; nothing is installed, also none of what
// was fine, and the kernel lives. pip, which is slow, and the faults that are like another
// are in TestMatrixFaultyIndex.
func TestFaultyIndex(t *testing.T) {
	t.Parallel()
	atFaultyIndex(t, map[string][]string{"venv-uv": {"mcerefuse", "mcecorrupt", "mceforged", "mceabsent", "mceprivate"}})
}

func TestMatrixFaultyIndex(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	atFaultyIndex(t, map[string][]string{
		"venv":    {"mcerefuse", "mcehang", "mcedrop", "mcecorrupt", "mcecut", "mceforged", "mceabsent", "mcehtml", "mceerror", "mceprivate"},
		"venv-uv": {"mcehang", "mcedrop", "mcecut", "mcehtml", "mceerror"},
	})
}

// atFaultyIndex installs these packages in an environment of each type.
func atFaultyIndex(t *testing.T, packages map[string][]string) {
	for typ, names := range packages {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			dir, settings := makeEnv(t, typ)
			p := launch(t, append(settings, "UV="+testUV(t), "PIP_INDEX_URL="+faultyIndex(t), "PIP_NO_CACHE_DIR=1", "UV_NO_CACHE=1",
				"PIP_DEFAULT_TIMEOUT=1", "PIP_RETRIES=1", "UV_HTTP_RETRIES=1")...)
			p.run("x = 41")
			before := sitePackages(t, dir)
			all := map[string]map[string]string{
				"mcerefuse": {"*": "network"}, "mcehang": {"*": "network"}, "mcedrop": {"venv": "corrupt file", "venv-uv": "network"},
				"mcecorrupt": {"*": "corrupt file"}, "mcecut": {"*": "corrupt file"}, "mceforged": {"*": "hash mismatch"},
				"mceabsent": {"*": "not found"}, "mcehtml": {"*": "not found"},
				// pip keeps to itself what the index has answered; the error says so.
				"mceerror":   {"venv": "not found", "venv-uv": "network"},
				"mceprivate": {"venv": "not found", "venv-uv": "login"},
			}
			for _, name := range names {
				reasons := all[name]
				reason := reasons["*"] + reasons[typ]
				r := p.call("install_dependencies", args{"packages": []string{"mcefine", name}, "wait_seconds": 50})
				refused(t, name, r, name, "("+reason+")", "nothing was changed")
				if reasons[typ] == "not found" && !strings.Contains(r.text(), "401 or 500") {
					t.Errorf("%s: %s", name, r.text())
				}
				if strings.Contains(r.text(), "sesame") {
					t.Errorf("%s: the password is told: %s", name, r.text())
				}
				if after := sitePackages(t, dir); !slices.Equal(before, after) {
					t.Errorf("%s: before %v, after %v", name, before, after)
				}
			}
			if r := p.run("print(x + 1)"); strings.TrimSpace(r.rest()) != "42" {
				t.Errorf("afterwards: %s", r.text())
			}
			if o := p.done("install_dependencies", args{"packages": "mcefine"}); changes(o) != "mcefine <nil> 1.0" {
				t.Errorf("the one that is fine: %v", o)
			}
		})
	}
}

// TestInstallDiskFull: a disk without room for a package ends its installation
// with that reason, and what is half there is no package.
func TestInstallDiskFull(t *testing.T) {
	t.Parallel()
	fillDisk(t, "venv-uv", testUV(t))
}

// TestMatrixInstallDiskFull is that with pip.
func TestMatrixInstallDiskFull(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	fillDisk(t, "venv", "/none")
}

func fillDisk(t *testing.T, typ, uv string) {
	t.Helper()
	links := t.TempDir()
	makeWheel(t, links, "mcesmall", "1.0", "small")
	makeBigWheel(t, links, "mcebig", "1.0", "big", "# "+strings.Repeat("0123456789", 300_000)+"\n", "Requires-Dist: mcesmall")
	ask := "import sysconfig; print(sysconfig.get_path('purelib'))"
	shared := execute(t, pythons(t)[0], "-c", ask) + "\n" + execute(t, base(t), "-c", ask) + "\n" // the second has pip
	dir := emptyEnv(t, "venv-uv")
	site := execute(t, filepath.Join(dir, "bin", "python"), "-c", ask)
	pth := filepath.Join(t.TempDir(), "shared.pth")
	write(t, map[string]string{pth: shared})
	p := launchMounted(t, fmt.Sprintf("mount -t tmpfs -o size=1m none %s\ncp %s %[1]s", site, pth),
		append(typeSettings(typ, dir), "UV="+uv, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+links)...)
	p.run("x = 41")
	r := p.call("install_dependencies", args{"packages": []string{"mcesmall", "mcebig"}, "wait_seconds": 50})
	refused(t, typ, r, "(disk full)")
	t.Logf("%s", r.text())
	o := p.done("check_installed_packages", args{"packages": []string{"mcesmall", "mcebig"}})
	small := fmt.Sprint(o["package_details"].(map[string]any)["mcesmall"])
	told := strings.Contains(r.text(), "mcesmall 1.0 (new)")
	if there := strings.Contains(small, "version:1.0"); there != told {
		t.Errorf("%s\nbut then: %v", r.text(), o)
	}
	if big := fmt.Sprint(o["package_details"].(map[string]any)["mcebig"]); strings.Contains(big, "version:1.0") && !strings.Contains(big, "is broken") {
		t.Errorf("half a package is told to be whole: %s", big)
	}
	if r := p.run("print(x + 1)"); strings.TrimSpace(r.rest()) != "42" {
		t.Errorf("afterwards: %s", r.text())
	}
}
