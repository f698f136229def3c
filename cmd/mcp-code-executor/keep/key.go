package keep

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// keyOf names the background server that serves these settings: who, where code and
// files lie, and what decides which Python runs and with which rights. Nothing else
// is part of it: an edited configuration or a rotated token must not hide the user's
// state. secret hashes the values of KEEP_SPLIT, which may be credentials.
func keyOf(getenv func(string) string, secret func() ([]byte, error)) (string, error) {
	set, places := settings.Read(getenv), server.FindPlaces(getenv)
	sum := sha256.New()
	add(sum, "uid", strconv.Itoa(os.Getuid()))
	add(sum, "storage", withoutLinks(places.Storage))
	add(sum, "work", withoutLinks(places.WorkDir.Path))
	add(sum, "data", withoutLinks(places.Data))
	for _, row := range settings.Table() {
		if row.Rights {
			add(sum, row.Name, row.Absolute(getenv(row.Name), places.Home))
		}
	}
	if len(set.KeepSplit) > 0 {
		key, err := secret()
		if err != nil {
			return "", err
		}
		split := hmac.New(sha256.New, key)
		for _, name := range set.KeepSplit {
			add(split, name, getenv(name))
		}
		sum.Write(split.Sum(nil))
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// add writes a pair so that no two different ones look the same.
func add(w io.Writer, name, value string) { fmt.Fprintf(w, "%s %d %s\n", name, len(value), value) }

// withoutLinks is a path without the links in what there is of it: the rest may be
// made later, and must not change it.
func withoutLinks(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(withoutLinks(parent), filepath.Base(path))
}
