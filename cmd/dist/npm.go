package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed launcher.js
var launcher []byte

// npmScope is the scope of the packages that hold a binary.
const npmScope = "@mcp-code-executor"

// npmNames are Node's words for a platform: process.platform, process.arch.
var npmNames = map[string]string{"linux": "linux", "darwin": "darwin", "windows": "win32", "amd64": "x64", "arm64": "arm64"}

// npmPackage is a package.json.
type npmPackage struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Description string            `json:"description"`
	Keywords    []string          `json:"keywords,omitempty"`
	License     string            `json:"license"`
	Homepage    string            `json:"homepage"`
	Repository  map[string]string `json:"repository"`
	MCPName     string            `json:"mcpName,omitempty"` // by which the MCP registry knows it
	Bin         map[string]string `json:"bin,omitempty"`
	Files       []string          `json:"files,omitempty"`
	OS          []string          `json:"os,omitempty"`
	CPU         []string          `json:"cpu,omitempty"`
	Engines     map[string]string `json:"engines,omitempty"`
	Optional    map[string]string `json:"optionalDependencies,omitempty"`
	Preferred   bool              `json:"preferUnplugged,omitempty"` // a binary cannot be run from an archive
	PublishAs   map[string]string `json:"publishConfig"`
}

// npmPackages are the package that people name, and one with the binary for each
// platform, of which npm installs the one that fits. No script runs at install.
func (r *release) npmPackages(content map[target][]byte) (map[string][]byte, error) {
	text, err := r.document("LICENSE")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for t, b := range content {
		p := r.npmPlatform(t)
		name := fmt.Sprintf("%s-%s-%s-%s.tgz", strings.TrimPrefix(npmScope, "@"), npmNames[t.os], npmNames[t.arch], r.version)
		files := []file{{"package/bin/" + t.exe(), b, true}, {"package/LICENSE", text, false}}
		if made[name], err = r.npmTarball(p, files); err != nil {
			return nil, err
		}
	}
	readme, err := r.readme()
	if err != nil {
		return nil, err
	}
	files := []file{{"package/bin/" + program + ".js", launcher, true}, {"package/README.md", []byte(readme), false}, {"package/LICENSE", text, false}}
	made[fmt.Sprintf("%s-%s.tgz", program, r.version)], err = r.npmTarball(r.npmMain(), files)
	return made, err
}

func (r *release) npmTarball(p npmPackage, files []file) ([]byte, error) {
	return r.tarGz(append([]file{{"package/package.json", asJSON(p), false}}, files...))
}

// npmPlatformName is the package with the binary for a platform.
func npmPlatformName(t target) string {
	return npmScope + "/" + npmNames[t.os] + "-" + npmNames[t.arch]
}

func (r *release) npmBase(name, description string) npmPackage {
	tag := "latest"
	if r.prerelease() {
		tag = "next"
	}
	return npmPackage{Name: name, Version: r.version, Description: description, License: license, Homepage: repository,
		Repository: map[string]string{"type": "git", "url": "git+" + repository + ".git"},
		PublishAs:  map[string]string{"access": "public", "tag": tag}}
}

func (r *release) npmPlatform(t target) npmPackage {
	p := r.npmBase(npmPlatformName(t), fmt.Sprintf("The program of %s for %s on %s", program, npmNames[t.os], npmNames[t.arch]))
	p.OS, p.CPU, p.Preferred = []string{npmNames[t.os]}, []string{npmNames[t.arch]}, true
	return p
}

func (r *release) npmMain() npmPackage {
	p := r.npmBase(program, summary)
	p.MCPName = registryName
	p.Keywords = []string{"mcp", "mcp-server", "python", "jupyter", "ipykernel"}
	p.Bin = map[string]string{program: "bin/" + program + ".js"}
	p.Engines = map[string]string{"node": ">=18"}
	p.Optional = map[string]string{}
	for _, t := range targets() {
		p.Optional[npmPlatformName(t)] = r.version
	}
	return p
}
