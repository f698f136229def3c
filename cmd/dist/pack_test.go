package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"debug/macho"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a release of binaries that are none, but for the head of a Mach-O file.
func sample(t *testing.T, out string) (*release, map[target]string) {
	t.Helper()
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := &release{source: source, out: out, version: "1.2.3-rc.4", commit: "0123456789abcdef", time: time.Unix(1_750_000_000, 0).UTC(), level: flate.BestSpeed}
	binaries := map[target]string{}
	for _, target := range targets() {
		content := []byte("the program for " + target.String())
		if target.os == "darwin" {
			content = thinMachO(map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[target.arch])
		}
		path := filepath.Join(t.TempDir(), target.exe())
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
		binaries[target] = path
	}
	return r, binaries
}

// thinMachO is a Mach-O file without load commands.
func thinMachO(cpu macho.Cpu) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, []uint32{macho.Magic64, uint32(cpu), 3, uint32(macho.TypeExec), 0, 0, 0, 0})
	return b.Bytes()
}

// packed is what a release of the sample consists of, by path.
func packed(t *testing.T) map[string][]byte {
	t.Helper()
	out := t.TempDir()
	r, binaries := sample(t, out)
	if err := r.pack(binaries, map[string][]byte{"bill.cdx.json": []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	made := map[string][]byte{}
	err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err == nil {
			made[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestPack: which files there are, and that a second run makes the same bytes.
func TestPack(t *testing.T) {
	made := packed(t)
	want := `homebrew/mcp-code-executor.rb
npm/mcp-code-executor-1.2.3-rc.4.tgz
npm/mcp-code-executor-darwin-arm64-1.2.3-rc.4.tgz
npm/mcp-code-executor-darwin-x64-1.2.3-rc.4.tgz
npm/mcp-code-executor-linux-arm64-1.2.3-rc.4.tgz
npm/mcp-code-executor-linux-x64-1.2.3-rc.4.tgz
npm/mcp-code-executor-win32-arm64-1.2.3-rc.4.tgz
npm/mcp-code-executor-win32-x64-1.2.3-rc.4.tgz
pypi/mcp_code_executor-1.2.3rc4-py3-none-macosx_12_0_arm64.whl
pypi/mcp_code_executor-1.2.3rc4-py3-none-macosx_12_0_x86_64.whl
pypi/mcp_code_executor-1.2.3rc4-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl
pypi/mcp_code_executor-1.2.3rc4-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64.whl
pypi/mcp_code_executor-1.2.3rc4-py3-none-win_amd64.whl
pypi/mcp_code_executor-1.2.3rc4-py3-none-win_arm64.whl
registry/server.json
release/bill.cdx.json
release/checksums.txt
release/darwin.arm64.mcp-code-executor.tar.gz
release/darwin.x64.mcp-code-executor.tar.gz
release/linux.arm64.mcp-code-executor.tar.gz
release/linux.x64.mcp-code-executor.tar.gz
release/mcp-code-executor_1.2.3-rc.4_darwin_universal.mcpb
release/mcp-code-executor_1.2.3-rc.4_darwin_universal.tar.gz
release/mcp-code-executor_1.2.3-rc.4_linux_amd64.mcpb
release/mcp-code-executor_1.2.3-rc.4_linux_amd64.tar.gz
release/mcp-code-executor_1.2.3-rc.4_linux_arm64.mcpb
release/mcp-code-executor_1.2.3-rc.4_linux_arm64.tar.gz
release/mcp-code-executor_1.2.3-rc.4_windows_amd64.mcpb
release/mcp-code-executor_1.2.3-rc.4_windows_amd64.zip
release/mcp-code-executor_1.2.3-rc.4_windows_arm64.mcpb
release/mcp-code-executor_1.2.3-rc.4_windows_arm64.zip
release/win32.arm64.mcp-code-executor.zip
release/win32.x64.mcp-code-executor.zip
winget/mcp-code-executor.mcp-code-executor.installer.yaml
winget/mcp-code-executor.mcp-code-executor.locale.en-US.yaml
winget/mcp-code-executor.mcp-code-executor.yaml
`
	if got := strings.Join(slices.Sorted(maps.Keys(made)), "\n") + "\n"; got != want {
		t.Errorf("files:\n%s", got)
	}
	for name, again := range packed(t) {
		if !bytes.Equal(made[name], again) {
			t.Errorf("%s is another one the second time", name)
		}
	}
	for line := range strings.Lines(string(made["release/checksums.txt"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if sum != sha256Hex(made["release/"+name]) {
			t.Errorf("checksums.txt: %s", line)
		}
	}
}

// TestNames: what package managers are told to download is there, with its sum;
// templates are filled.
func TestNames(t *testing.T) {
	made := packed(t)
	address := regexp.MustCompile(regexp.QuoteMeta(repository) + `/releases/download/v1\.2\.3-rc\.4/([^"\s]+)`)
	sums := strings.ToLower(string(made["homebrew/mcp-code-executor.rb"]) + string(made["winget/mcp-code-executor.mcp-code-executor.installer.yaml"]) + string(made["registry/server.json"]))
	found := map[string]bool{}
	for name, content := range made {
		if !strings.HasPrefix(name, "homebrew/") && !strings.HasPrefix(name, "winget/") && !strings.HasPrefix(name, "registry/") {
			continue
		}
		if bytes.Contains(content, []byte("{{")) || bytes.Contains(content, []byte("<no value>")) {
			t.Errorf("%s:\n%s", name, content)
		}
		for _, m := range address.FindAllStringSubmatch(string(content), -1) {
			file := made["release/"+m[1]]
			if found[m[1]] = true; file == nil || !strings.Contains(sums, sha256Hex(file)) {
				t.Errorf("%s: %s is not there, or without its sum", name, m[0])
			}
		}
	}
	if len(found) != 10 { // 5 archives and 5 bundles
		t.Errorf("named: %v", found)
	}
}

// TestUniversal: Apple's format as debug/macho reads it, each part on a page.
func TestUniversal(t *testing.T) {
	fat, err := joinMachO(thinMachO(macho.CpuAmd64), thinMachO(macho.CpuArm64))
	if err != nil {
		t.Fatal(err)
	}
	f, err := macho.NewFatFile(bytes.NewReader(fat))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []macho.Cpu{macho.CpuAmd64, macho.CpuArm64} {
		if a := f.Arches[i]; a.Cpu != want || a.Offset%(1<<14) != 0 || a.Size != 32 {
			t.Errorf("%+v", a.FatArchHeader)
		}
	}
	for _, wrong := range []string{"", "MZ", "\x7fELF and more of it"} {
		if _, err := joinMachO([]byte(wrong)); err == nil {
			t.Errorf("%q is taken for a Mach-O file", wrong)
		}
	}
}

// TestWheels: each has the binary as a script, tags that agree with its name, and a
// RECORD in which every other file is right.
func TestWheels(t *testing.T) {
	for name, content := range packed(t) {
		if !strings.HasPrefix(name, "pypi/") {
			continue
		}
		files, modes := unzip(t, content)
		record := string(files["mcp_code_executor-1.2.3rc4.dist-info/RECORD"])
		for file, b := range files {
			sum := sha256.Sum256(b)
			line := fmt.Sprintf("%s,sha256=%s,%d\n", file, base64.RawURLEncoding.EncodeToString(sum[:]), len(b))
			if strings.HasSuffix(file, "/RECORD") {
				line = file + ",,\n"
			}
			if !strings.Contains(record, line) {
				t.Errorf("%s: RECORD has no %s", name, line)
			}
		}
		if strings.Count(record, "\n") != len(files) {
			t.Errorf("%s: RECORD:\n%s", name, record)
		}
		script := "mcp_code_executor-1.2.3rc4.data/scripts/mcp-code-executor"
		if strings.Contains(name, "win_") {
			script += ".exe"
		}
		if files[script] == nil || modes[script]&0o111 == 0 {
			t.Errorf("%s: no program %s", name, script)
		}
		tags := strings.TrimSuffix(name[strings.Index(name, "py3-none-")+len("py3-none-"):], ".whl")
		for _, tag := range strings.Split(tags, ".") {
			if !strings.Contains(string(files["mcp_code_executor-1.2.3rc4.dist-info/WHEEL"]), "\nTag: py3-none-"+tag+"\n") {
				t.Errorf("%s: WHEEL does not have %s", name, tag)
			}
		}
		metadata := string(files["mcp_code_executor-1.2.3rc4.dist-info/METADATA"])
		for _, part := range []string{"\nVersion: 1.2.3rc4\n", "mcp-name: " + registryName, "](" + repository + "/blob/v1.2.3-rc.4/docs/docker.md)", "](" + repository + "/raw/v1.2.3-rc.4/docs/conversation.svg)"} {
			if !strings.Contains(metadata, part) {
				t.Errorf("%s: METADATA lacks %q", name, part)
			}
		}
	}
}

// TestNPM: the main package names all the others, at its own version, and each
// says where it fits.
func TestNPM(t *testing.T) {
	var main npmPackage
	platforms := map[string]npmPackage{}
	for name, content := range packed(t) {
		if !strings.HasPrefix(name, "npm/") {
			continue
		}
		files := untar(t, content)
		var p npmPackage
		if err := json.Unmarshal(files["package/package.json"].content, &p); err != nil {
			t.Fatal(err)
		}
		if p.Version != "1.2.3-rc.4" || p.PublishAs["tag"] != "next" {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Name == program {
			main = p
			continue
		}
		platforms[p.Name] = p
		exe := files["package/bin/mcp-code-executor"]
		if p.OS[0] == "win32" {
			exe = files["package/bin/mcp-code-executor.exe"]
		}
		if !exe.executable || p.Name != npmScope+"/"+p.OS[0]+"-"+p.CPU[0] {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if len(platforms) != len(targets()) || len(main.Optional) != len(platforms) {
		t.Errorf("%v, of which the main package names %v", platforms, main.Optional)
	}
	for name := range platforms {
		if main.Optional[name] != main.Version {
			t.Errorf("the main package wants %s %q", name, main.Optional[name])
		}
	}
	if main.MCPName != registryName {
		t.Errorf("mcpName %q", main.MCPName)
	}
}

// TestVersions: what may be released, and what PyPI calls it.
func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"1.0.0": "1.0.0", "0.1.0-dev": "0.1.0.dev0", "1.2.3-alpha.1": "1.2.3a1", "1.2.3-beta.10": "1.2.3b10", "1.2.3-rc.0": "1.2.3rc0",
		"v1.0.0": "", "1.0": "", "1.0.0-rc1": "", "1.0.0+meta": "", "01.0.0": "", "1.0.0-preview.1": "", "": "",
	} {
		if good := semantic.MatchString(version); good != (want != "") {
			t.Errorf("%q is a version: %v", version, good)
		} else if got := (&release{version: version}).pep440(); good && got != want {
			t.Errorf("%s is %s on PyPI, want %s", version, got, want)
		}
	}
}

// TestClear: a directory that is something else is left alone.
func TestClear(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(precious, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := (&release{out: dir}).clear()
	if _, gone := os.Stat(precious); gone != nil || err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, %v", err, gone)
	}
	if err := os.Mkdir(filepath.Join(dir, mark), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (&release{out: dir}).clear(); err != nil {
		t.Error(err)
	}
}

func unzip(t *testing.T, content []byte) (map[string][]byte, map[string]os.FileMode) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	files, modes := map[string][]byte{}, map[string]os.FileMode{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		modes[f.Name] = f.Mode()
	}
	return files, modes
}

func untar(t *testing.T, content []byte) map[string]file {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]file{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = file{h.Name, b, h.Mode&0o111 != 0}
	}
}
