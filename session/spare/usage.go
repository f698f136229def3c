package spare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

const (
	keptKernels = 8       // of an environment
	keptFiles   = 100     // of environments
	mostUsage   = 1 << 16 // bytes of a file that are read
)

// usage is which large libraries the last kernels of each environment have imported:
// names and nothing else, the newest kernel last.
type usage struct {
	dir   string                // "" keeps nothing longer than the server lives
	alive map[string][][]string // by interpreter, then
}

// kernels are those of an interpreter's environment. What cannot be read is none.
func (u *usage) kernels(python string) [][]string {
	if u.dir == "" {
		return u.alive[python]
	}
	file, err := os.Open(u.path(python))
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostUsage))
	if err != nil {
		return nil
	}
	return parseUsage(text, python)
}

type usageFile struct {
	Python  string     `json:"python"`
	Kernels [][]string `json:"kernels"`
}

func parseUsage(text []byte, python string) [][]string {
	var content usageFile
	if json.Unmarshal(text, &content) != nil || content.Python != python {
		return nil
	}
	all := content.Kernels[max(0, len(content.Kernels)-keptKernels):]
	for i := range all {
		all[i] = kernel.Libraries(all[i])
	}
	return all
}

func (u *usage) path(python string) string {
	sum := sha256.Sum256([]byte(python))
	return filepath.Join(u.dir, hex.EncodeToString(sum[:8])+".json")
}

// add notes what kernels of an environment have imported.
func (u *usage) add(python string, kernels [][]string) error {
	all := slices.Concat(u.kernels(python), kernels)
	all = all[max(0, len(all)-keptKernels):]
	if u.dir == "" {
		u.alive[python] = all
		return nil
	}
	text, err := json.Marshal(usageFile{python, all})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(u.dir, 0o700); err != nil {
		return err
	}
	u.forgetOldest()
	file, err := os.CreateTemp(u.dir, "new") // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(file.Name(), u.path(python))
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// forgetOldest bounds how many files there are: environments come and go.
func (u *usage) forgetOldest() {
	entries, _ := os.ReadDir(u.dir)
	if len(entries) < keptFiles {
		return
	}
	age := func(entry os.DirEntry) int64 {
		if info, err := entry.Info(); err == nil {
			return info.ModTime().UnixNano()
		}
		return 0
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return int(min(max(age(a)-age(b), -1), 1)) })
	for _, entry := range entries[:len(entries)-keptFiles+1] {
		os.Remove(filepath.Join(u.dir, entry.Name()))
	}
}

// usual are the libraries that more than half of the kernels have imported.
func usual(kernels [][]string) []string {
	count := map[string]int{}
	for _, names := range kernels {
		for _, name := range names {
			count[name]++
		}
	}
	var all []string
	for name, n := range count {
		if 2*n > len(kernels) {
			all = append(all, name)
		}
	}
	return kernel.Libraries(all)
}
