package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// registrySchema is the schema of server.json.
const registrySchema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

// registryPackage is a way to install the server.
type registryPackage struct {
	Type       string             `json:"registryType"`
	Identifier string             `json:"identifier"`
	Version    string             `json:"version,omitempty"`
	SHA256     string             `json:"fileSha256,omitempty"`
	Hint       string             `json:"runtimeHint,omitempty"`
	Transport  map[string]string  `json:"transport"`
	Variables  []registryVariable `json:"environmentVariables,omitempty"`
}

type registryVariable struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Format      string `json:"format,omitempty"`
}

// serverJSON is what the MCP registry is told: every package there is.
func (r *release) serverJSON(assets map[string][]byte) (map[string][]byte, error) {
	var variables []registryVariable
	for _, s := range settings.Table() {
		v := registryVariable{Name: s.Name, Description: s.Does + " (" + s.Values + ")"}
		if s.Kind == settings.Path {
			v.Format = "filepath"
		}
		variables = append(variables, v)
	}
	stdio := map[string]string{"type": "stdio"}
	packages := []registryPackage{
		{Type: "pypi", Identifier: program, Version: r.pep440(), Hint: "uvx", Transport: stdio, Variables: variables},
		{Type: "npm", Identifier: program, Version: r.version, Hint: "npx", Transport: stdio, Variables: variables},
		{Type: "oci", Identifier: image + ":" + r.version, Hint: "docker", Transport: stdio, Variables: variables},
	}
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		if strings.HasSuffix(name, ".mcpb") {
			packages = append(packages, registryPackage{Type: "mcpb", Identifier: r.download(name), Version: r.version,
				SHA256: sha256Hex(assets[name]), Transport: stdio})
		}
	}
	type object = map[string]any
	return map[string][]byte{"server.json": asJSON(object{
		"$schema":     registrySchema,
		"name":        registryName,
		"title":       title,
		"description": summary,
		"version":     r.version,
		"repository":  map[string]string{"url": repository, "source": "github"},
		"packages":    packages,
	})}, nil
}

// asJSON is v as people read it.
func asJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // strings, lists and maps of such
	return b.Bytes()
}
