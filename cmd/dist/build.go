package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// target is a platform, in Go's words.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// exe is the program's file on this platform.
func (t target) exe() string {
	if t.os == "windows" {
		return program + ".exe"
	}
	return program
}

// targets are the platforms of a release.
func targets() []target {
	return []target{
		{"linux", "amd64"}, {"linux", "arm64"},
		{"darwin", "amd64"}, {"darwin", "arm64"},
		{"windows", "amd64"}, {"windows", "arm64"},
	}
}

// universal stands for macOS on both processors.
const universal = "universal"

// build builds the program for t, in the same way at any time and place, and
// returns its path.
func (r *release) build(ctx context.Context, t target) (string, error) {
	path := filepath.Join(r.out, mark, t.os+"-"+t.arch, t.exe())
	cmd := exec.CommandContext(ctx, "sh", "cmd/dist/build.sh", path, r.version)
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "GO="+r.goCommand, "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building for %s: %w\n%s", t, err, out)
	}
	return path, nil
}

// withUniversal is content with one file for macOS on both processors in it, where
// both are there.
func withUniversal(content map[target][]byte) (map[target][]byte, error) {
	amd64, arm64 := content[target{"darwin", "amd64"}], content[target{"darwin", "arm64"}]
	all := map[target][]byte{}
	for t, b := range content {
		if t.os != "darwin" {
			all[t] = b
		}
	}
	if amd64 == nil || arm64 == nil {
		return all, nil
	}
	fat, err := joinMachO(amd64, arm64)
	if err != nil {
		return nil, err
	}
	all[target{"darwin", universal}] = fat
	return all, nil
}

// Numbers of Apple's mach-o/fat.h and mach-o/loader.h.
const (
	fatMagic   = 0xcafebabe
	thinMagic  = 0xfeedfacf // 64 bit
	alignment  = 14         // 2^14: the page of arm64; the kernel refuses less
	fatHeader  = 8
	fatArch    = 20
	thinHeader = 12
)

// joinMachO makes a universal binary of thin ones, as lipo does. Each keeps its own
// signature, which Go's linker makes.
func joinMachO(thin ...[]byte) ([]byte, error) {
	var head, body bytes.Buffer
	put := func(values ...uint32) {
		for _, v := range values {
			_ = binary.Write(&head, binary.BigEndian, v) // to memory
		}
	}
	put(fatMagic, uint32(len(thin)))
	at := len(padded(make([]byte, fatHeader+fatArch*len(thin))))
	for _, b := range thin {
		if len(b) < thinHeader || binary.LittleEndian.Uint32(b) != thinMagic {
			return nil, errors.New("not a 64-bit Mach-O file")
		}
		put(binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]), uint32(at+body.Len()), uint32(len(b)), alignment)
		body.Write(padded(b))
	}
	return append(padded(head.Bytes()), body.Bytes()...), nil
}

// padded is b filled up to the alignment.
func padded(b []byte) []byte {
	const page = 1 << alignment
	return append(b[:len(b):len(b)], make([]byte, (page-len(b)%page)%page)...)
}
