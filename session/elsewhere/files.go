package elsewhere

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// File is a kernel that runs on this machine and that a person has named by its
// connection file.
type File struct {
	// Name is what it is called here, Path the connection file.
	Name, Path string
	// Since is when the file was written, Notebook what it was started for, Kernelspec
	// from what; zero where that is not known. Err says why it cannot be read.
	Since                time.Time
	Notebook, Kernelspec string
	Err                  error
}

// NameOf is what the kernel of a connection file is called.
func NameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

// WithFiles adds kernels of this machine, by paths; a bare name is a file of the
// directory where Jupyter keeps them.
func (s *Servers) WithFiles(paths []string, runtimeDir string) *Servers {
	for _, path := range paths {
		if !strings.ContainsRune(path, filepath.Separator) {
			if path = filepath.Join(runtimeDir, path); filepath.Ext(path) != ".json" {
				path += ".json"
			}
		}
		s.files = append(s.files, path)
	}
	return s
}

// Paths are the connection files.
func (s *Servers) Paths() []string { return s.files }

// File returns the connection file of a kernel by the name it has here.
func (s *Servers) File(name string) (path string, err error) {
	var names []string
	for _, path := range s.files {
		if name == NameOf(path) || name == path {
			return path, nil
		}
		names = append(names, NameOf(path))
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no kernel %q may be joined: a person names its connection file in CONNECTION_FILE", name)
	}
	return "", fmt.Errorf("no kernel %q may be joined: CONNECTION_FILE names %s", name, strings.Join(names, ", "))
}

// Files tells of the kernels that may be joined, never of their keys.
func (s *Servers) Files() []File {
	var all []File
	for _, path := range s.files {
		all = append(all, look(path))
	}
	return all
}

// maxFile bounds a connection file, in bytes.
const maxFile = 64 << 10

func look(path string) File {
	f := File{Name: NameOf(path), Path: path}
	file, err := os.Open(path)
	if err != nil {
		f.Err = err
		return f
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil {
		f.Since = info.ModTime()
	}
	var known struct {
		Notebook   string `json:"jupyter_session"`
		Kernelspec string `json:"kernel_name"`
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err == nil {
		err = json.Unmarshal(raw, &known)
	}
	f.Notebook, f.Kernelspec, f.Err = known.Notebook, known.Kernelspec, err
	return f
}
