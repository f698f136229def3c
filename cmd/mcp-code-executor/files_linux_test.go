//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestHostileFiles: what is not a file of its own in the storage is refused at
// once, by every tool that takes a path, and nothing outside is touched.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.py")
	write(t, map[string]string{secret: "print('the secret')\n", filepath.Join(p.storage, "good.py"): "print('good')\n"})
	in := func(name string) string { return filepath.Join(p.storage, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(in("fifo.py"), 0o666))
	must(os.Mkdir(in("directory.py"), 0o755))
	must(os.Symlink(secret, in("link.py")))
	must(os.Symlink(outside, in("linkdir")))
	must(os.Symlink("loop.py", in("loop.py")))
	must(os.Symlink("/dev/zero", in("zero.py")))
	must(os.Link(secret, in("hard.py")))
	cases := map[string]string{ // path: a part of the reason
		"fifo.py":                      "FIFO",
		"directory.py":                 "directory",
		"link.py":                      "outside",
		"linkdir/secret.py":            "outside",
		"loop.py":                      "loop",
		"zero.py":                      "outside",
		"../" + filepath.Base(outside): "outside",
		"a/../../x":                    "outside",
		secret:                         "outside",
		"/dev/zero":                    "outside",
		"/proc/self/environ":           "outside",
		"x\x00y":                       "NUL",
		"x\ny":                         "control character",
		strings.Repeat("x", 300):       "300 bytes",
		strings.Repeat("x/", 3000):     "6000 bytes",
		"":                             "empty",
		".":                            "directory",
		"absent.py":                    "no code file",
	}
	if os.Getuid() == 0 {
		must(syscall.Mknod(in("device.py"), syscall.S_IFCHR|0o666, 1<<8|5))
		cases["device.py"] = "device"
	}
	for path, reason := range cases {
		for _, tool := range []string{"append_to_code_file", "read_code_file", "execute_code_file"} {
			begun := time.Now()
			r := p.call(tool, args{"file_path": path, "content": "harm\n"})
			refused(t, tool+" "+path[:min(len(path), 40)], r, reason)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s %.40q: answered after %s", tool, path, took)
			}
			if strings.Contains(r.text(), "the secret") {
				t.Errorf("%s %.40q: tells what is outside: %s", tool, path, r.text())
			}
		}
	}
	refused(t, "a hard link", p.call("append_to_code_file", args{"file_path": "hard.py", "content": "harm\n"}), "hard links")
	if b, err := os.ReadFile(secret); err != nil || string(b) != "print('the secret')\n" {
		t.Errorf("outside: %q, %v", b, err)
	}
	if r := p.call("execute_code_file", args{"file_path": "good"}); r.IsError || !strings.Contains(r.text(), "good") {
		t.Errorf("a good one beside them: %s", r.text())
	}
}

// TestMatrixSwappedLink: a name that is now a file and now a link out never leads out,
// whatever the moment.
func TestMatrixSwappedLink(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p := launch(t)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.py")
	write(t, map[string]string{secret: "secret", filepath.Join(p.storage, "x.py"): "inside"})
	name, link, file := filepath.Join(p.storage, "x.py"), filepath.Join(p.storage, "l.py"), filepath.Join(p.storage, "f.py")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Symlink(secret, link)
			os.Rename(link, name)
			os.WriteFile(file, []byte("inside"), 0o644)
			os.Rename(file, name)
		}
	}()
	outcomes := map[string]int{}
	for range 2000 { // the 10,000 opens are codefile's own test
		r := p.call("read_code_file", args{"file_path": "x.py"})
		switch {
		case strings.Contains(r.text(), "secret") && !strings.Contains(r.text(), "outside"):
			t.Fatalf("read what is outside: %s", r.text())
		case r.IsError:
			outcomes["refused"]++
		default:
			outcomes["read"]++
		}
		p.call("append_to_code_file", args{"file_path": "x.py", "content": "harm"})
	}
	close(stop)
	<-stopped
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("outside: %q, %v", b, err)
	}
	if outcomes["read"] == 0 || outcomes["refused"] == 0 {
		t.Errorf("no race was run: %v", outcomes)
	}
	t.Logf("%v", outcomes)
}

// sendAppend appends to log.txt. It writes JSON by hand: encoding 100 MiB of it
// in a binary built for the race detector takes longer than the appends.
func (p *program) sendAppend(line string) chan reply {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	answer := make(chan reply, 1)
	p.replies[p.next] = answer
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"append_to_code_file","arguments":{"file_path":"log.txt","content":"%s"}}}`,
		p.next, strings.ReplaceAll(line, "\n", `\n`))
	if _, err := p.stdin.Write([]byte(request + "\n")); err != nil {
		p.t.Errorf("writing to the server: %v", err)
	}
	return answer
}

// TestAppendWriters: eight writers over two servers lose and tear nothing.
func TestAppendWriters(t *testing.T) {
	t.Parallel()
	const writers, size = 8, 64 << 10
	appends := repeats(t, 25) // 200 are codefile's own test
	storage := "CODE_STORAGE_DIR=" + t.TempDir()
	servers := []*program{launch(t, storage), launch(t, storage)}
	file := servers[0].done("initialize_code_file", args{"content": "", "filename": "log.txt"})["file_path"].(string)
	line := func(writer, n int) string {
		head := fmt.Sprintf("%d %03d ", writer, n)
		return head + strings.Repeat(string(rune('a'+writer)), size-len(head)-1) + "\n"
	}
	begun := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		p := servers[w%2]
		wg.Go(func() {
			for n := range appends {
				answer := p.sendAppend(line(w, n))
				select {
				case r := <-answer:
					if r.Error != nil || r.Result.IsError {
						t.Errorf("writer %d, append %d: %v %s", w, n, r.Error, r.Result.text())
						return
					}
				case <-time.After(time.Minute):
					t.Errorf("writer %d, append %d: no answer", w, n)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d appends of %d bytes in %s", writers*appends, size, time.Since(begun).Round(time.Millisecond))
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) != writers*appends*size {
		t.Fatalf("%d bytes, want %d", len(content), writers*appends*size)
	}
	var next [writers]int
	for at := 0; at < len(content); at += size {
		got := string(content[at : at+size])
		w := int(got[0] - '0')
		if w < 0 || w >= writers || got != line(w, next[w]) {
			t.Fatalf("at %d: torn, lost or out of order: %.20q", at, got)
		}
		next[w]++
	}
}
