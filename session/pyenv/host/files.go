package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func BinDir(prefix string) string { return filepath.Join(prefix, binName) }

func IsFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func IsDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Executable reports whether path is a file that somebody may execute.
func Executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0)
}

func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// maxConfig bounds configuration files: a wrong path must not be read whole.
const maxConfig = 1 << 20

// ReadSmall reads a regular file of at most maxConfig bytes.
func ReadSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

// ReadJSON reads a small JSON file; numbers keep their text.
func ReadJSON(path string, into any) error {
	data, err := ReadSmall(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// WriteJSON writes a small file in one step.
func WriteJSON(path string, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// GlobEscape makes a directory's name safe in a pattern.
func GlobEscape(dir string) string {
	if runtime.GOOS == "windows" {
		return dir // has no escapes; "[" is rare
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// MaxListed bounds how many entries of a directory are looked at for suggestions.
const MaxListed = 500

// NamesIn lists what is in dir, sorted, at most maxListed.
func NamesIn(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(MaxListed)
	slices.Sort(names)
	return names
}

// DirNames lists what is in dir, unsorted; the directories of packages are larger
// than others.
func DirNames(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(10_000)
	return names
}

// RealPath is path without links, as far as it exists.
func RealPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func SameDir(a, b string) bool {
	one, errOne := os.Stat(a)
	two, errTwo := os.Stat(b)
	return errOne == nil && errTwo == nil && os.SameFile(one, two)
}

// Distinct keeps the absolute directories that ok accepts, each once even when
// several names lead to it.
func Distinct(dirs []string, ok func(string) bool) []string {
	var kept, real []string
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || !ok(dir) {
			continue
		}
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil || slices.Contains(real, resolved) {
			continue
		}
		kept, real = append(kept, filepath.Clean(dir)), append(real, resolved)
	}
	return kept
}

func IgnoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
