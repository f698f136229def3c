package main

import "fmt"

// extensions are Gemini CLI's extensions. Of a release's files it takes the one whose
// name begins with Node's words for the platform and its processor.
func (r *release) extensions(content map[target][]byte) (map[string][]byte, error) {
	text, err := r.document("LICENSE")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for t, b := range content {
		files := []file{{"gemini-extension.json", asJSON(r.extensionManifest(t)), false}, {t.exe(), b, true}, {"LICENSE", text, false}}
		name, pack := fmt.Sprintf("%s.%s.%s", npmNames[t.os], npmNames[t.arch], program), r.tarGz
		if t.os == "windows" {
			name, pack = name+".zip", r.zip
		} else {
			name += ".tar.gz"
		}
		if made[name], err = pack(files); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// extensionManifest is gemini-extension.json. The server's own instructions say how to
// use it: a context file would cost a model the same words twice.
func (r *release) extensionManifest(t target) any {
	type object = map[string]any
	return object{
		"name":        program,
		"version":     r.version,
		"description": summary,
		"mcpServers": object{
			"python": object{"command": "${extensionPath}${/}" + t.exe()},
		},
	}
}
