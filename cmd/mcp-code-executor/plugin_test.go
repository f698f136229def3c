package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPlugin: Claude Code's plugin starts this program, has its version, which is what
// an update goes by, and its skill speaks of tools that are there.
func TestPlugin(t *testing.T) {
	t.Parallel()
	const place = ".claude-plugin/plugin/"
	var plugin struct {
		Name, Version string
		McpServers    map[string]struct{ Command string }
	}
	if err := json.Unmarshal([]byte(document(t, place+".claude-plugin/plugin.json")), &plugin); err != nil {
		t.Fatal(err)
	}
	released, _, _ := strings.Cut(version, "-")
	if plugin.Version != released || plugin.McpServers["python"].Command != "mcp-code-executor" {
		t.Errorf("%+v; the program is %s", plugin, version)
	}
	var market struct {
		Plugins []struct{ Name, Source string }
	}
	if err := json.Unmarshal([]byte(document(t, ".claude-plugin/marketplace.json")), &market); err != nil {
		t.Fatal(err)
	}
	if len(market.Plugins) != 1 || market.Plugins[0].Name != plugin.Name || market.Plugins[0].Source+"/" != "./"+place {
		t.Errorf("the marketplace has %+v", market.Plugins)
	}
	tools := listTools(t)
	for _, m := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(document(t, place+"skills/python/SKILL.md"), -1) {
		known := slices.ContainsFunc(tools, func(tool listedTool) bool { return tool.Name == m[1] })
		if !known && m[1] != "wait_seconds" {
			t.Errorf("the skill speaks of %s, which is no tool", m[1])
		}
	}
}
