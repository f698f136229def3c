package launch

import (
	"fmt"
	"os"
	"strings"
)

// maxSources bounds how many paths are believed: a start reads some hundreds.
const maxSources = 20_000

// ReadSources reads the file of Options.Sources: the paths of files and directories
// that the kernel's start has read or looked for, absolute. What changes none of them
// changes no start.
func ReadSources(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading what a start has read: %w", err)
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(all) > maxSources || all[0] == "" {
		return nil, fmt.Errorf("reading what a start has read: %d lines", len(all))
	}
	return all, nil
}
