package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// wheelTags are the platform tags of each target. The Linux binary is static: it
// needs neither glibc nor musl. Go 1.26 needs macOS 12.
var wheelTags = map[target][]string{
	{"linux", "amd64"}:   {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "musllinux_1_1_x86_64"},
	{"linux", "arm64"}:   {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"},
	{"darwin", "amd64"}:  {"macosx_12_0_x86_64"},
	{"darwin", "arm64"}:  {"macosx_12_0_arm64"},
	{"windows", "amd64"}: {"win_amd64"},
	{"windows", "arm64"}: {"win_arm64"},
}

// distribution is the project's name as it stands in names of files.
const distribution = "mcp_code_executor"

// wheels are one wheel for each platform: the binary as a script of the wheel, and
// no Python. Tools put it where a person's other commands are.
func (r *release) wheels(content map[target][]byte) (map[string][]byte, error) {
	metadata, err := r.coreMetadata()
	if err != nil {
		return nil, err
	}
	text, err := r.document("LICENSE")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for t, b := range content {
		stem := distribution + "-" + r.pep440()
		info := stem + ".dist-info/"
		files := []file{
			{stem + ".data/scripts/" + t.exe(), b, true},
			{info + "METADATA", []byte(metadata), false},
			{info + "WHEEL", []byte(wheelFile(wheelTags[t])), false},
			{info + "licenses/LICENSE", text, false},
		}
		files = append(files, file{info + "RECORD", []byte(recordFile(files, info+"RECORD")), false})
		name := stem + "-py3-none-" + strings.Join(wheelTags[t], ".") + ".whl"
		if made[name], err = r.zip(files); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// wheelFile is the file WHEEL of the binary distribution format.
func wheelFile(tags []string) string {
	var b strings.Builder
	b.WriteString("Wheel-Version: 1.0\nGenerator: " + program + " cmd/dist\nRoot-Is-Purelib: false\n")
	for _, tag := range tags {
		b.WriteString("Tag: py3-none-" + tag + "\n")
	}
	return b.String()
}

// recordFile lists each file with its hash and size, and itself without.
func recordFile(files []file, self string) string {
	var b strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.content))
	}
	return b.String() + self + ",,\n"
}

// coreMetadata is the file METADATA, version 2.4 (PEP 639).
func (r *release) coreMetadata() (string, error) {
	readme, err := r.readme()
	if err != nil {
		return "", err
	}
	head := [][2]string{
		{"Metadata-Version", "2.4"}, {"Name", program}, {"Version", r.pep440()}, {"Summary", summary},
		{"Author", author}, {"License-Expression", license}, {"License-File", "LICENSE"},
		{"Project-URL", "Source, " + repository}, {"Project-URL", "Changelog, " + repository + "/blob/main/CHANGELOG.md"},
		{"Project-URL", "Issues, " + repository + "/issues"},
		{"Keywords", "mcp,python,jupyter,ipykernel,repl"},
		{"Classifier", "Operating System :: POSIX :: Linux"}, {"Classifier", "Operating System :: MacOS"},
		{"Classifier", "Operating System :: Microsoft :: Windows"}, {"Classifier", "Programming Language :: Go"},
		{"Requires-Python", ">=3.8"}, {"Description-Content-Type", "text/markdown"},
	}
	var b strings.Builder
	for _, field := range head {
		b.WriteString(field[0] + ": " + field[1] + "\n")
	}
	return b.String() + "\n" + readme, nil
}
