package main

import (
	"bytes"
	"embed"
	"path"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// facts are what the templates are filled with.
type facts struct {
	Program, Summary, Repository, Version, License, Author, Date string
	Mac, LinuxAMD64, LinuxARM64, WindowsAMD64, WindowsARM64      asset
}

// asset is a file of the release as package managers name it.
type asset struct{ URL, SHA256 string }

func (r *release) asset(assets map[string][]byte, t target) asset {
	name := r.archiveName(t)
	return asset{r.download(name), sha256Hex(assets[name])}
}

func (r *release) facts(assets map[string][]byte) facts {
	of := func(system, arch string) asset { return r.asset(assets, target{system, arch}) }
	return facts{
		program, summary, repository, r.version, license, author, r.time.Format("2006-01-02"),
		of("darwin", universal), of("linux", "amd64"), of("linux", "arm64"), of("windows", "amd64"), of("windows", "arm64"),
	}
}

// filled are the templates whose names end so, filled with what the archives are.
func (r *release) filled(assets map[string][]byte, suffix string) (map[string][]byte, error) {
	all, err := template.New("").Funcs(template.FuncMap{"upper": strings.ToUpper}).ParseFS(templates, "templates/*"+suffix)
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for _, t := range all.Templates() {
		if t.Name() == "" {
			continue
		}
		var b bytes.Buffer
		if err := t.Execute(&b, r.facts(assets)); err != nil {
			return nil, err
		}
		made[path.Base(t.Name())] = b.Bytes()
	}
	return made, nil
}

// formula is a Homebrew formula for a tap.
func (r *release) formula(assets map[string][]byte) (map[string][]byte, error) {
	return r.filled(assets, ".rb")
}

// winget are the three manifests of a package in winget's repository.
func (r *release) winget(assets map[string][]byte) (map[string][]byte, error) {
	return r.filled(assets, ".yaml")
}
