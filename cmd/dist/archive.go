package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// file is a file to be packed.
type file struct {
	name       string
	content    []byte
	executable bool
}

func (f file) mode() int64 {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// tarGz packs files in their order. The same files make the same bytes.
func (r *release) tarGz(files []file) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, r.level)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode(), Size: int64(len(f.content)), ModTime: r.time, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// zipped packs files in their order. The same files make the same bytes.
func (r *release) zip(files []file) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, r.level) })
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: r.time}
		h.SetMode(0o644)
		if f.executable {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// archiveName is the file of a platform's archive.
func (r *release) archiveName(t target) string {
	name := fmt.Sprintf("%s_%s_%s_%s", program, r.version, t.os, t.arch)
	if t.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// archives are what a person downloads: the program with its documents.
func (r *release) archives(content map[target][]byte) (map[string][]byte, error) {
	content, err := withUniversal(content)
	if err != nil {
		return nil, err
	}
	var documents []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		b, err := r.document(name)
		if err != nil {
			return nil, err
		}
		documents = append(documents, file{name: name, content: b})
	}
	made := map[string][]byte{}
	for t, b := range content {
		files := append([]file{{t.exe(), b, true}}, documents...)
		pack := r.tarGz
		if t.os == "windows" {
			pack = r.zip
		}
		if made[r.archiveName(t)], err = pack(files); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// checksums are lines as sha256sum writes and reads them.
func checksums(files map[string][]byte) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "%s  %s\n", sha256Hex(files[name]), name)
	}
	return []byte(b.String())
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
