package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sizeLimits are what a person's download may have, in MB, by a part of the path;
// the first that fits counts. Growth is to be noticed before a release, not after.
func sizeLimits() []sizeLimit {
	return []sizeLimit{
		{mark + "/", 14.8},
		{universal, 11.5},
		{"pypi/", 6}, {"npm/", 6}, {".mcpb", 6}, {"release/", 6},
	}
}

type sizeLimit struct {
	part      string
	megabytes float64
}

// checkSizes refuses a release that has grown too large.
func (r *release) checkSizes() error {
	return filepath.WalkDir(r.out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.out, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		for _, limit := range sizeLimits() {
			if strings.Contains(name, limit.part) {
				if size := float64(info.Size()) / 1e6; size > limit.megabytes {
					return fmt.Errorf("%s has %.1f MB, at most %g (cmd/dist/sizes.go)", name, size, limit.megabytes)
				}
				break
			}
		}
		return nil
	})
}
