//go:build unix

package codefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// childEnv makes the test binary play another process; see TestMain.
const childEnv = "CODEFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch job, dir, _ := strings.Cut(os.Getenv(childEnv), "="); job {
	case "":
		os.Exit(m.Run())
	case "append":
		childAppends(dir)
	case "open": // prints what Open says
		_, err := Open(dir)
		fmt.Print(err)
	case "readonly": // prints what Create and Append say in an open storage made read-only
		s, err := Open(dir)
		if err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		os.Chmod(dir, 0o555)
		_, err = s.Create("a", "x", nil)
		fmt.Println(err)
		_, err = s.Append("locked.py", "x")
		fmt.Println(err)
	}
}

// child gives a command that runs this test binary as a child with a job; as
// nobody when the tests are root, for whom nothing is read-only.
func child(t *testing.T, job, dir string, unprivileged bool) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	drop := unprivileged && os.Getuid() == 0
	if drop { // `go test` builds into a directory of mode 0700
		public, err := os.MkdirTemp("/tmp", "codefile")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(public) })
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		self = filepath.Join(public, "child")
		if err := errors.Join(os.Chmod(public, 0o755), os.WriteFile(self, b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+job+"="+dir)
	if drop {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

func nobodys(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "codefile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.Chmod(dir, 0o700) // the child has made it read-only
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if os.Getuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadOnlyStorage(t *testing.T) {
	dir := nobodys(t)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "sub")} {
		out, err := child(t, "open", d, true).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "permission denied") || !strings.Contains(string(out), "CODE_STORAGE_DIR") {
			t.Errorf("Open(%s) says %q, %v", d, out, err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "locked.py"), []byte("old"), 0o444); err != nil {
		t.Fatal(err)
	}
	out, err := child(t, "readonly", dir, true).CombinedOutput()
	if n := strings.Count(string(out), "permission denied"); err != nil || n != 2 {
		t.Errorf("in a storage gone read-only: %q, %v", out, err)
	}
}

const (
	appendWriters = 8
	appendTimes   = 200
	appendSize    = 64 << 10
)

// record is a block in which a torn write would show.
func record(writer, n int) string {
	head := fmt.Sprintf("%02d %03d ", writer, n)
	return head + strings.Repeat(string(rune('a'+writer)), appendSize-len(head)-1) + "\n"
}

func childAppends(dir string) {
	s, err := Open(dir)
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := appendWriters / 2; w < appendWriters; w++ {
		wg.Go(func() {
			for n := range appendTimes {
				if _, err := s.Append("log", record(w, n)); err != nil {
					fmt.Print(err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
}

// Eight writers in two processes: no block torn, none lost, each writer's in order.
func TestAppendWriters(t *testing.T) {
	s := open(t)
	f := create(t, s, "log", "")
	other := child(t, "append", s.Dir(), false)
	var said strings.Builder
	other.Stdout, other.Stderr = &said, &said
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range appendWriters / 2 {
		wg.Go(func() {
			for n := range appendTimes {
				if _, err := s.Append(f.Path, record(w, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := other.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	file, err := os.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var next [appendWriters]int
	block := make([]byte, appendSize)
	for i := range appendWriters * appendTimes {
		if _, err := file.ReadAt(block, int64(i)*appendSize); err != nil {
			t.Fatal(err)
		}
		var w, n int
		if _, err := fmt.Sscanf(string(block[:7]), "%d %d", &w, &n); err != nil || w >= appendWriters {
			t.Fatalf("block %d begins %q", i, block[:20])
		}
		if n != next[w] || string(block) != record(w, n) {
			t.Fatalf("block %d is torn or out of order: writer %d, number %d, want %d", i, w, n, next[w])
		}
		next[w]++
	}
	if info, err := file.Stat(); err != nil || info.Size() != appendWriters*appendTimes*appendSize {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

// A real full disk where the tests may mount one; TestDiskFaults injects it everywhere.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := mountTiny(dir); err != nil {
		t.Logf("no tiny disk here (%v): only the injected one is tested", err)
		return
	}
	defer unmountTiny(dir)
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := create(t, s, "a", strings.Repeat("x", 512<<10))
	for what, call := range map[string]func() error{
		"Append": func() error { _, err := s.Append("a", strings.Repeat("y", 768<<10)); return err },
		"Create": func() error { _, err := s.Create("b", strings.Repeat("y", 768<<10), nil); return err },
	} {
		err := call()
		if !is[*StorageError](err) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "bytes free") {
			t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	if names, _ := s.names(); len(names) != 1 {
		t.Errorf("left %q", names)
	}
	old := strings.Repeat("x", 512<<10)
	if b, _ := os.ReadFile(f.Path); string(b) != old {
		t.Errorf("the old file has %d bytes", len(b))
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling: %v", err)
	}
	for i := range 1000 { // not a byte is free
		text := strings.Repeat("y", 1+i*613%(64<<10))
		var err error
		switch i % 3 {
		case 0:
			_, err = s.Append("a", "y"+strings.Repeat(text, 2))
		case 1:
			_, err = s.Create("b", text, nil)
		case 2:
			_, err = s.Save("a.py", true, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		}
		if b, _ := os.ReadFile(f.Path); string(b) != old && (err != nil || i%3 != 0) {
			t.Fatalf("write %d: %v, and the old file has %d bytes", i, err, len(b))
		} else if err == nil { // the last page of a file has room
			old = string(b)
		}
	}
	if names, _ := s.names(); len(names) != 2 {
		t.Errorf("left %q", names)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append("a", "z"); err != nil {
		t.Errorf("with space: %v", err)
	}
	if b, _ := os.ReadFile(f.Path); string(b) != old+"z" {
		t.Errorf("with space: %d bytes", len(b))
	}
}

// each tries all the ways to a file and wants an error of type E from each, soon.
func each[E error](t *testing.T, s *Store, path string) {
	t.Helper()
	for what, call := range map[string]func() error{
		"Path":   func() error { _, err := s.Path(path); return err },
		"Read":   func() error { _, err := s.Read(path, 0, 0); return err },
		"Append": func() error { _, err := s.Append(path, "x"); return err },
	} {
		start := time.Now()
		err := call()
		if !is[E](err) {
			t.Errorf("%s(%.60q) says %T: %v", what, path, err, err)
		} else if len(err.Error()) > 2000 {
			t.Errorf("%s(%.60q): an error of %d bytes", what, path, len(err.Error()))
		}
		if d := time.Since(start); d > 10*time.Second { // it waits for something
			t.Errorf("%s(%.60q) took %v", what, path, d)
		}
	}
}

func TestHostilePaths(t *testing.T) {
	s := open(t)
	outside := filepath.Join(t.TempDir(), "secret.py")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(s.Dir(), name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(in("dir"), 0o755))
	must(unix.Mkfifo(in("fifo.py"), 0o644))
	must(os.Symlink("fifo.py", in("tofifo.py")))
	must(os.Symlink(outside, in("abs.py")))
	must(os.Symlink(filepath.Dir(outside), in("out")))
	must(os.Symlink("../../../../../../../etc/passwd", in("rel.py")))
	must(os.Symlink(os.DevNull, in("null.py")))
	must(os.Symlink("loop.py", in("loop.py")))
	sibling := s.Dir() + "_evil"
	must(os.Mkdir(sibling, 0o755))
	must(os.WriteFile(filepath.Join(sibling, "x.py"), nil, 0o644))
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	defer unix.Close(sock)
	t.Chdir(s.Dir()) // socket paths are short
	must(unix.Bind(sock, &unix.SockaddrUnix{Name: "sock.py"}))

	for _, path := range []string{"../x.py", "../../etc/passwd", "dir/../../x", outside, "/etc/passwd", "/proc/self/environ", "/dev/zero",
		"/proc/self/root" + s.Dir() + "/a.py", "abs.py", "out/secret.py", "rel.py", "null.py", "out", "..", filepath.Join(sibling, "x.py"), s.Dir() + "/../x"} {
		each[*OutsideError](t, s, path)
	}
	for _, path := range []string{"", "  ", "a\x00.py", "a\n.py", strings.Repeat("x", 300), strings.Repeat("x/", 3000), "\xff", "dir/" + strings.Repeat("y", 256)} {
		each[*NameError](t, s, path)
	}
	for _, path := range []string{"fifo.py/x.py", "loop.py/x.py", "dir/x.py"} { // what is near is looked for there
		if _, err := s.Path(path); err == nil {
			t.Errorf("Path(%q) is there", path)
		}
	}
	for _, path := range []string{"dir", ".", "fifo.py", "tofifo.py", "sock.py", "loop.py", s.Dir()} {
		each[*NotRegularError](t, s, path)
	}
	for _, path := range []string{"nothing.py", "dir/nothing.py", "~/x.py", "$(id)", "%2e%2e/x", "nothing/x.py"} {
		each[*NotFoundError](t, s, path)
	}
	_, err = s.Path("../x.py")
	if want := "%run " + filepath.Join(filepath.Dir(s.Dir()), "x.py"); !strings.Contains(err.Error(), want) {
		t.Errorf("the error %q does not say %q", err, want)
	}
	if b, _ := os.ReadFile(outside); string(b) != "secret" {
		t.Errorf("the file outside holds %q", b)
	}
}

func TestDevice(t *testing.T) {
	s := open(t)
	path := filepath.Join(s.Dir(), "zero.py")
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Logf("no device can be made here (%v); TestHostilePaths has /dev/zero and a link to /dev/null", err)
		return
	}
	each[*NotRegularError](t, s, "zero.py")
}

func TestHardLinkIsNotWrittenTo(t *testing.T) {
	s := open(t)
	outside := filepath.Join(filepath.Dir(s.Dir()), "outside.py")
	if err := os.WriteFile(outside, []byte("theirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(outside, filepath.Join(s.Dir(), "linked.py")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append("linked", "ours\n"); !is[*NotRegularError](err) || !strings.Contains(err.Error(), "2 hard links") {
		t.Errorf("Append says %v", err)
	}
	if got, err := s.Read("linked", 0, 0); err != nil || got.Content != "theirs\n" {
		t.Errorf("Read gives %q, %v", got.Content, err)
	}
}

// While a name is a file, a link out and a FIFO in turn, 10,000 opens and more
// never reach the file outside.
func TestSwappedSymlink(t *testing.T) {
	s := open(t)
	outside := filepath.Join(t.TempDir(), "outside.py")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(s.Dir(), name) }
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			switch i % 3 {
			case 0:
				os.WriteFile(in("next"), []byte("mine"), 0o644)
			case 1:
				os.Symlink(outside, in("next"))
			case 2:
				unix.Mkfifo(in("next"), 0o644)
			}
			os.Rename(in("next"), in("x.py"))
		}
	})
	read, refused := 0, 0
	for i := 0; i < 10_000 || (read == 0 || refused == 0) && i < 10_000_000; i++ { // a busy machine swaps late
		if i%2 == 0 {
			got, err := s.Read("x.py", 0, 0)
			if strings.Contains(got.Content, "secret") {
				t.Fatalf("open %d read the file outside", i)
			}
			if err == nil {
				read++
			} else {
				refused++
			}
		} else if _, err := s.Append("x.py", "+"); err == nil {
			read++
		} else {
			refused++
		}
	}
	close(stop)
	swapper.Wait()
	if b, _ := os.ReadFile(outside); string(b) != "secret" {
		t.Errorf("the file outside holds %q", b)
	}
	t.Logf("%d opened, %d refused", read, refused)
	if read == 0 || refused == 0 {
		t.Error("the swap was not tried")
	}
}

// A program that holds the lock makes an append fail in bounded time.
func TestLockIsBounded(t *testing.T) {
	s := open(t)
	f := create(t, s, "a", "")
	holder, err := os.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := lock(holder, 0); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(f.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := lock(other, 20*time.Millisecond); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("a held lock: %v", err)
	}
	flock.Unlock(holder.Fd())
	if _, err := lock(other, 0); err != nil {
		t.Errorf("a free lock: %v", err)
	}
}
