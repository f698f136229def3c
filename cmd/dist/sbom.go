package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// sbomTool reads what a binary is made of out of the binary itself. It is pinned,
// and built with a module graph of its own: it is no dependency of the program.
const sbomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// materials is a CycloneDX bill of materials. The binaries are made of the same
// modules on each platform, so one tells of all.
func (r *release) materials(ctx context.Context, binaries map[target]string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.goCommand, "run", sbomTool, "bin", "-json", "-noserial", "-std",
		"-output-version", "1.6", "-version", "v"+r.version, binaries[target{"linux", "amd64"}])
	cmd.Dir = r.source
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", sbomTool, err, stderrOf(err))
	}
	var bill map[string]any
	if err := json.Unmarshal(out, &bill); err != nil {
		return nil, fmt.Errorf("%s: %w", sbomTool, err)
	}
	// The time of making would make each run's bytes others.
	if metadata, ok := bill["metadata"].(map[string]any); ok {
		metadata["timestamp"] = r.time.Format(time.RFC3339)
	}
	return asJSON(bill), nil
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return ": " + string(exit.Stderr)
	}
	return ""
}
