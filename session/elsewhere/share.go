package elsewhere

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sharedPrefix begins the names of connection files of kernels of ours that other
// clients may use. A session's name follows, this machine's (several may have one home
// directory), and what sets the kernel apart.
const sharedPrefix = "mcp-code-executor-"

// external is where JupyterLab with allow_external_kernels looks.
const external = "external_kernels"

// SharedFiles are new paths for the connection file of a session's kernel: in Jupyter's
// runtime directory, where a console looks, and with lab in the one for JupyterLab.
func SharedFiles(runtimeDir, session string, lab bool) []string {
	var id [4]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program first
	name := sharedPrefix + plain(session) + "-" + machine() + "-" + hex.EncodeToString(id[:]) + ".json"
	paths := []string{filepath.Join(runtimeDir, name)}
	if lab {
		paths = append(paths, filepath.Join(runtimeDir, external, name))
	}
	return paths
}

// plain is a name in the name of a file.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, name)
}

func machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return strings.ReplaceAll(plain(name), "-", "_")
}

// sharedBy is the session of such a file of this machine's.
func sharedBy(path string) (session string, ok bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), sharedPrefix), ".json")
	last := strings.LastIndexByte(name, '-')
	if last < 0 {
		return "", false
	}
	return strings.CutSuffix(name[:last], "-"+machine())
}

// FindShared lists the connection files of a session's kernels on this machine, of all
// with "". Those of servers that were killed are among them.
func FindShared(runtimeDir, session string) []string {
	all, _ := filepath.Glob(filepath.Join(runtimeDir, sharedPrefix+"*.json"))
	return slices.DeleteFunc(all, func(path string) bool {
		of, ok := sharedBy(path)
		return !ok || session != "" && of != plain(session)
	})
}

// SweepShared removes the files of kernels that have gone with a server that was killed.
func SweepShared(runtimeDir string, lives func(file string) bool) {
	for _, dir := range []string{runtimeDir, filepath.Join(runtimeDir, external)} {
		for _, file := range FindShared(dir, "") {
			if !lives(file) {
				os.Remove(file)
			}
		}
	}
}
