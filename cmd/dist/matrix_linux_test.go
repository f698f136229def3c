package main

import (
	"bytes"
	"crypto/sha1"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixRelease makes a whole release, as make dist does, and tries everything of
// it that can be tried on one machine.
func TestMatrixRelease(t *testing.T) {
	testneeds.All(t)
	out := release1(t)
	t.Run("reproducible", func(t *testing.T) { sameBytes(t, out, release1(t)) })
	t.Run("binaries", func(t *testing.T) { checkBinaries(t, out) })
	t.Run("checksums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", "checksums.txt")
		cmd.Dir = filepath.Join(out, "release")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	})
	t.Run("server.json", func(t *testing.T) { checkServerJSON(t, filepath.Join(out, "registry", "server.json")) })
	t.Run("bill of materials", func(t *testing.T) { checkMaterials(t, only(t, out, "release", "*.cdx.json")) })
	t.Run("MCPB", func(t *testing.T) { checkBundles(t, out) })
	t.Run("Gemini CLI's extension", func(t *testing.T) {
		files := untar(t, readFile(t, only(t, out, "release", npmNames[here.os]+"."+npmNames[here.arch]+".*")))
		dir := t.TempDir()
		var manifest struct {
			Name, Version string
			McpServers    map[string]struct{ Command string }
		}
		if err := json.Unmarshal(files["gemini-extension.json"].content, &manifest); err != nil || manifest.Name != program || manifest.Version == "" {
			t.Fatalf("%+v, %v", manifest, err)
		}
		server := strings.NewReplacer("${extensionPath}", dir, "${/}", "/").Replace(manifest.McpServers["python"].Command)
		if err := os.WriteFile(server, files[filepath.Base(server)].content, 0o755); err != nil {
			t.Fatal(err)
		}
		converse(t, bare(t), server)
	})
	t.Run("pip", func(t *testing.T) {
		venv := t.TempDir()
		python := testneeds.List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")[0]
		command(t, nil, python, "-m", "venv", venv)
		command(t, []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}, filepath.Join(venv, "bin", "python"), "-m", "pip", "install",
			"--disable-pip-version-check", "--no-index", "--find-links", filepath.Join(out, "pypi"), "--pre", program)
		converse(t, bare(t), filepath.Join(venv, "bin", program))
	})
	t.Run("uvx by name", func(t *testing.T) {
		env := bare(t, "UV_OFFLINE=1", "UV_PYTHON="+testneeds.List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")[0])
		converse(t, env, testneeds.Variable(t, "MCE_TEST_UV", "uv"), "tool", "run", "--find-links", filepath.Join(out, "pypi"), "--prerelease", "allow", program)
	})
	t.Run("npx by name", func(t *testing.T) {
		registry := npmRegistry(t, out)
		converse(t, bare(t, "npm_config_registry="+registry.URL), "npx", "-y", program)
	})
	t.Run("npx of tarballs", func(t *testing.T) {
		env := bare(t, "npm_config_offline=true")
		converse(t, env, "npx", "-y", "--package", only(t, out, "npm", program+"-[0-9]*.tgz"),
			"--package", only(t, out, "npm", program+"-linux-"+npmNames[here.arch]+"-*.tgz"), program)
	})
	t.Run("killed", func(t *testing.T) { killOften(t, npmRegistry(t, out).URL) })
}

// release1 makes a release into a directory of its own, by make dist's program: with the
// race detector compression takes minutes.
func release1(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command("go", "run", "./cmd/dist", "-out", out)
	cmd.Dir = "../.."
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
	return out
}

func sameBytes(t *testing.T, a, b string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(a, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		if n++; !bytes.Equal(readFile(t, path), readFile(t, filepath.Join(b, name))) {
			t.Errorf("%s is another one the second time", name)
		}
		return nil
	})
	if err != nil || n < 30 {
		t.Errorf("%d files, %v", n, err)
	}
}

// checkBinaries: each is of its platform, and needs no library on Linux.
func checkBinaries(t *testing.T, out string) {
	t.Helper()
	path := func(target target) string { return filepath.Join(out, mark, target.os+"-"+target.arch, target.exe()) }
	for _, target := range targets() {
		arm := target.arch == "arm64"
		switch target.os {
		case "linux":
			f, err := elf.Open(path(target))
			if err != nil {
				t.Fatal(err)
			}
			libraries, err := f.ImportedLibraries()
			if arm != (f.Machine == elf.EM_AARCH64) || len(libraries) > 0 || err != nil {
				t.Errorf("%s: %s, %q, %v", target, f.Machine, libraries, err)
			}
		case "darwin":
			f, err := macho.Open(path(target))
			if err != nil {
				t.Fatal(err)
			}
			if arm != (f.Cpu == macho.CpuArm64) {
				t.Errorf("%s: %s", target, f.Cpu)
			}
		case "windows":
			f, err := pe.Open(path(target))
			if err != nil {
				t.Fatal(err)
			}
			if arm != (f.Machine == pe.IMAGE_FILE_MACHINE_ARM64) {
				t.Errorf("%s: %x", target, f.Machine)
			}
		}
	}
	fat := untar(t, readFile(t, only(t, out, "release", "*_darwin_universal.tar.gz")))[program].content
	f, err := macho.NewFatFile(bytes.NewReader(fat))
	if err != nil || len(f.Arches) != 2 {
		t.Fatalf("universal: %v, %v", f, err)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		a := f.Arches[i]
		if thin := readFile(t, path(target{"darwin", arch})); !bytes.Equal(fat[a.Offset:a.Offset+a.Size], thin) {
			t.Errorf("universal: %s is not that of darwin/%s", a.Cpu, arch)
		}
	}
}

// schemaModule has the registry's schemas, as a Go module.
const schemaModule = "github.com/modelcontextprotocol/registry@v1.8.9"

func checkServerJSON(t *testing.T, path string) {
	t.Helper()
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(command(t, os.Environ(), "go", "mod", "download", "-json", schemaModule)), &module); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(module.Dir, "internal", "validators", "schemas", "2025-12-11.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(readFile(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
}

func checkMaterials(t *testing.T, path string) {
	t.Helper()
	var bill struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(readFile(t, path), &bill); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, c := range bill.Components {
		names[c.Name] = c.Version
	}
	for _, module := range []string{"github.com/go-zeromq/zmq4", "github.com/mark3labs/mcp-go", "std"} {
		if bill.Format != "CycloneDX" || names[module] == "" {
			t.Errorf("%s is not in it: %v", module, names)
		}
	}
}

// checkBundles: the official tool finds each bundle right, and what it unpacks runs.
func checkBundles(t *testing.T, out string) {
	t.Helper()
	tool := filepath.Join(testneeds.Variable(t, "MCE_TEST_PACKAGING", "a directory with the MCPB tool"), "node_modules", ".bin", "mcpb")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
	bundles, err := filepath.Glob(filepath.Join(out, "release", "*.mcpb"))
	if err != nil || len(bundles) != 5 {
		t.Fatalf("%q, %v", bundles, err)
	}
	for _, bundle := range bundles {
		dir := filepath.Join(t.TempDir(), "unpacked")
		command(t, env, tool, "unpack", bundle, dir)
		command(t, env, tool, "validate", filepath.Join(dir, "manifest.json"))
		if strings.HasSuffix(bundle, "_"+here.os+"_"+here.arch+".mcpb") {
			converseBundle(t, dir)
		}
	}
}

// npmRegistry is a registry of npm's kind with nothing but our packages.
func npmRegistry(t *testing.T, out string) *httptest.Server {
	t.Helper()
	type document = map[string]any
	tarballs, packages := map[string][]byte{}, map[string]document{}
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	files, err := filepath.Glob(filepath.Join(out, "npm", "*.tgz"))
	if err != nil || len(files) != len(targets())+1 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, path := range files {
		content := readFile(t, path)
		var p document
		if err := json.Unmarshal(untar(t, content)["package/package.json"].content, &p); err != nil {
			t.Fatal(err)
		}
		sum := sha1.Sum(content)
		tarballs[filepath.Base(path)] = content
		p["dist"] = document{"tarball": s.URL + "/-/" + filepath.Base(path), "shasum": hex.EncodeToString(sum[:])}
		version := p["version"].(string)
		packages[p["name"].(string)] = document{"name": p["name"], "dist-tags": document{"latest": version}, "versions": document{version: p}}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if tarball := tarballs[filepath.Base(r.URL.Path)]; tarball != nil {
			_, _ = w.Write(tarball)
		} else if p := packages[strings.TrimPrefix(r.URL.Path, "/")]; p != nil {
			_ = json.NewEncoder(w).Encode(p)
		} else {
			http.NotFound(w, r)
		}
	})
	return s
}

// killOften kills npx and the launcher in turn, while the client holds stdin: nothing
// is left of the server, nor of its kernel.
func killOften(t *testing.T, registry string) {
	t.Helper()
	times := 100
	if s := os.Getenv("MCE_TEST_REPEATS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		times = n
	}
	home := t.TempDir()
	for i := range times {
		mark := fmt.Sprintf("MCE_TEST_MARK=killed often %d", i)
		env := append(bare(t, mark, "npm_config_registry="+registry, "npm_config_prefer_offline=true", "npm_config_update_notifier=false"), "HOME="+home)
		s := begin(t, env, "npx", "-y", program)
		if i%4 < 2 { // with a kernel
			s.run("x = 1")
		}
		pid := s.cmd.Process.Pid
		if i%2 == 1 {
			pid = launcherOf(t, mark)
		}
		if err := kill(pid); err != nil {
			t.Fatal(err)
		}
		processtest.NothingLeft(t, mark)
	}
}

func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// launcherOf is the launcher's process among those with this mark.
func launcherOf(t *testing.T, mark string) int {
	t.Helper()
	all := processtest.Marked(t, mark)
	for pid, command := range all {
		if strings.HasPrefix(command, "node ") && strings.Contains(command, "/.bin/"+program) {
			return pid
		}
	}
	t.Fatalf("no launcher in %v", all)
	return 0
}

// command runs a program that must succeed and returns its stdout.
func command(t *testing.T, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", argv, err, out, said.String())
	}
	return string(out)
}
