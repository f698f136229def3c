// Command dist makes everything of a release from one commit: the binaries,
// archives, wheels for PyPI, packages for npm, MCPB bundles, the registry's
// server.json, a Homebrew formula, winget manifests, an SBOM and the checksums.
// Nothing is published. Two runs at one commit make the same bytes; RELEASING.md
// says what becomes of each file.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// run makes the release that args ask for and says on stderr what it makes.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "dist", "the `directory` to write to; what is in it is removed")
	version := flags.String("version", "", "the `version`; default: the tag vX.Y.Z of this commit, else "+development)
	goCommand := flags.String("go", "go", "the go `command` that builds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := newRelease(ctx, *out, *version)
	if err != nil {
		return err
	}
	r.goCommand = *goCommand
	fmt.Fprintf(stderr, "%s %s, commit %.12s\n", program, r.version, r.commit)
	if err := r.clear(); err != nil {
		return err
	}
	binaries := map[target]string{}
	for _, t := range targets() {
		fmt.Fprintln(stderr, "building", t)
		if binaries[t], err = r.build(ctx, t); err != nil {
			return err
		}
	}
	bill, err := r.materials(ctx, binaries)
	if err != nil {
		return err
	}
	if err := r.pack(binaries, map[string][]byte{program + ".cdx.json": bill}); err != nil {
		return err
	}
	if err := r.list(stderr); err != nil {
		return err
	}
	return r.checkSizes()
}

// pack makes all packages from the binaries of any number of platforms. more are
// files to be published beside the archives.
func (r *release) pack(binaries map[target]string, more map[string][]byte) error {
	content, err := readAll(binaries)
	if err != nil {
		return err
	}
	assets, err := r.archives(content)
	if err != nil {
		return err
	}
	bundles, err := r.bundles(content)
	if err != nil {
		return err
	}
	extensions, err := r.extensions(content)
	if err != nil {
		return err
	}
	for _, files := range []map[string][]byte{bundles, extensions, more} {
		for name, b := range files {
			assets[name] = b
		}
	}
	checked := checksums(assets)
	steps := []struct {
		dir  string
		make func() (map[string][]byte, error)
	}{
		{"release", func() (map[string][]byte, error) { return withFile(assets, "checksums.txt", checked), nil }},
		{"pypi", func() (map[string][]byte, error) { return r.wheels(content) }},
		{"npm", func() (map[string][]byte, error) { return r.npmPackages(content) }},
		{"registry", func() (map[string][]byte, error) { return r.serverJSON(assets) }},
		{"homebrew", func() (map[string][]byte, error) { return r.formula(assets) }},
		{"winget", func() (map[string][]byte, error) { return r.winget(assets) }},
	}
	for _, step := range steps {
		files, err := step.make()
		if err != nil {
			return fmt.Errorf("making %s: %w", step.dir, err)
		}
		if err := r.write(step.dir, files); err != nil {
			return err
		}
	}
	return nil
}

// withFile is files with one more.
func withFile(files map[string][]byte, name string, content []byte) map[string][]byte {
	files[name] = content
	return files
}

func readAll(paths map[target]string) (map[target][]byte, error) {
	content := map[target][]byte{}
	for t, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		content[t] = b
	}
	return content, nil
}

// list says what was made and how large it is.
func (r *release) list(to io.Writer) error {
	return filepath.WalkDir(r.out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.out, path)
		fmt.Fprintf(to, "%9.2f MB  %s\n", float64(info.Size())/1e6, filepath.ToSlash(name))
		return err
	})
}
