package kinds

import (
	"runtime"
	"testing"
)

// What Poetry 2.2 and Pipenv 2025.0 called their environments.
func TestPathHash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Fatal("these hashes are of unix paths")
	}
	for path, want := range map[string]string{"/tmp/findtmp/pp/shop": "N9UcxD0f", "/tmp/findtmp/pp/pe/Pipfile": "ZmidsbXv"} {
		if got := pathHash(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
