package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// childEnv makes the test binary a writer: its value is <what>:<directory>.
const childEnv = "MCE_RECORD_TEST_CHILD"

func TestMain(m *testing.M) {
	if what, dir, ok := strings.Cut(os.Getenv(childEnv), ":"); ok {
		if err := child(what, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child writes entries until it is killed, and says each that was acknowledged.
func child(what, dir string) error {
	if err := prepareChild(what); err != nil {
		return err
	}
	r, err := Create(dir, testInfo(), Options{})
	if err != nil {
		return err
	}
	fmt.Println(r.Dir())
	for i := 0; ; i++ {
		if _, err := r.Append("a-1", stream(childText(i))); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString(strconv.Itoa(i) + "\n"); err != nil {
			return err
		}
		if what == "limit" && i == 400 {
			return checkLimited(r, i+1)
		}
	}
}

// childText is the text of entry i: sizes on both sides of what is inline.
func childText(i int) string {
	n := i * 37 % 300
	switch i % 50 {
	case 7:
		n = 60 << 10
	case 23:
		n = 100 << 10
	case 24:
		n = 70 << 10
	}
	return strconv.Itoa(i) + " " + strings.Repeat("x", n)
}

func childCommand(what, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what+":"+dir)
	return cmd
}

// checkEntries reads what a child left: entries 0, 1, 2, … without a gap.
func checkEntries(r readable) (n int, err error) {
	for e, err := range r.Read("a-1", 0, -1) {
		if err != nil {
			return n, fmt.Errorf("after %d entries: %w", n, err)
		}
		b, err := e.Output.Text.Bytes(1 << 20)
		if err != nil {
			return n, err
		}
		if string(b) != childText(n) {
			return n, fmt.Errorf("entry %d is %.20q, %d bytes", n, b, len(b))
		}
		n++
	}
	return n, nil
}

func TestKilledWriter(t *testing.T) {
	t.Parallel()
	for range 30 {
		cmd := childCommand("kill", t.TempDir())
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(stdout)
		in.Scan()
		dir, acknowledged := in.Text(), 0
		kill := 1 + rand.IntN(600)
		for in.Scan() {
			acknowledged++
			if acknowledged == kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		n, err := checkEntries(r)
		r.Close()
		// One entry may have been written and not yet acknowledged.
		if err != nil || n < acknowledged || n > acknowledged+1 {
			t.Fatalf("%d entries of %d acknowledged: %v", n, acknowledged, err)
		}
		if removed, err := Sweep(filepath.Dir(dir), Policy{MaxBytes: 1}); err != nil || len(removed) != 1 {
			t.Fatalf("the dead writer's record still counts as in use: %v, %v", removed, err)
		}
	}
}

// checksummed makes a line of JSON that may be none.
func checksummed(json string) []byte {
	var b bytes.Buffer
	sum := crc32.ChecksumIEEE([]byte(json))
	b.WriteString(hex.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}))
	b.WriteString(" " + json + "\n")
	return b.Bytes()
}
