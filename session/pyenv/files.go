package pyenv

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

func binDir(prefix string) string { return filepath.Join(prefix, binName) }

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// executable reports whether path is a file that somebody may execute.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// maxConfig bounds configuration files: a wrong path must not be read whole.
const maxConfig = 1 << 20

// readSmall reads a regular file of at most maxConfig bytes.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

// readJSON reads a small JSON file; numbers keep their text.
func readJSON(path string, into any) error {
	data, err := readSmall(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// writeJSON writes a small file in one step.
func writeJSON(path string, value any) error {
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

// globEscape makes a directory's name safe in a pattern.
func globEscape(dir string) string {
	if runtime.GOOS == "windows" {
		return dir // has no escapes; "[" is rare
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// maxListed bounds how many entries of a directory are looked at for suggestions.
const maxListed = 500

// namesIn lists what is in dir, sorted, at most maxListed.
func namesIn(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxListed)
	slices.Sort(names)
	return names
}

// dirNames lists what is in dir, unsorted; the directories of packages are larger
// than others.
func dirNames(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(10_000)
	return names
}

// realPath is path without links, as far as it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func sameDir(a, b string) bool {
	one, errOne := os.Stat(a)
	two, errTwo := os.Stat(b)
	return errOne == nil && errTwo == nil && os.SameFile(one, two)
}

// distinct keeps the absolute directories that ok accepts, each once even when
// several names lead to it.
func distinct(dirs []string, ok func(string) bool) []string {
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

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
