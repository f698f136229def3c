package main

import (
	"fmt"
)

// bundleName is the file of a platform's MCPB bundle.
func (r *release) bundleName(t target) string {
	return fmt.Sprintf("%s_%s_%s_%s.mcpb", program, r.version, t.os, t.arch)
}

// bundles are MCPB bundles, which Claude Desktop installs with one click. A
// manifest names systems but no processors, so there is one bundle for each.
func (r *release) bundles(content map[target][]byte) (map[string][]byte, error) {
	content, err := withUniversal(content)
	if err != nil {
		return nil, err
	}
	text, err := r.document("LICENSE")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for t, b := range content {
		files := []file{{"manifest.json", asJSON(r.bundleManifest(t)), false}, {"server/" + t.exe(), b, true}, {"LICENSE", text, false}}
		if made[r.bundleName(t)], err = r.zip(files); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// bundleManifest is manifest.json, version 0.3: all hosts know that one. What a
// person leaves empty is "" in the variable, which the server takes for unset.
func (r *release) bundleManifest(t target) any {
	type object = map[string]any
	return object{
		"manifest_version": "0.3",
		"name":             program,
		"display_name":     "Python",
		"version":          r.version,
		"description":      summary,
		"long_description": "Code runs step by step in a persistent Python, as in a notebook. Without settings the server makes an environment of its own, with numpy, pandas, matplotlib, pyarrow, jinja2 and tqdm. It is not a sandbox: code runs with your rights.",
		"author":           object{"name": author, "url": repository},
		"repository":       object{"type": "git", "url": repository + ".git"},
		"homepage":         repository,
		"documentation":    repository + "/blob/main/docs/clients.md",
		"support":          repository + "/issues",
		"license":          license,
		"keywords":         []string{"python", "jupyter", "data analysis"},
		"tools_generated":  true,
		"server": object{
			"type":        "binary",
			"entry_point": "server/" + t.exe(),
			"mcp_config": object{
				"command": "${__dirname}/server/" + t.exe(),
				"args":    []string{},
				"env": object{
					"VENV_PATH":        "${user_config.environment}",
					"CODE_STORAGE_DIR": "${user_config.storage}",
				},
			},
		},
		"user_config": object{
			"environment": object{"type": "directory", "title": "Python environment", "required": false, "default": "",
				"description": "A virtual environment or a conda environment. Leave it empty to use one that the server makes."},
			"storage": object{"type": "directory", "title": "Working directory", "required": false, "default": "",
				"description": "Where code runs and code files are kept. Leave it empty to use the server's data directory."},
		},
		"compatibility": object{"platforms": []string{npmNames[t.os]}},
	}
}
