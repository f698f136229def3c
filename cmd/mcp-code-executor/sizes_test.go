package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSizes: a package has at most 20 files beside its tests, and of 20 functions
// 19 have at most 35 lines. What outgrows this gets a package of its own.
func TestSizes(t *testing.T) {
	const maxFiles, maxLines = 20, 35
	root := filepath.Join("..", "..")
	files, lengths := map[string]int{}, []int{}
	set := token.NewFileSet()
	for _, dir := range []string{"cmd", "kernel", "mcp", "session"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files[filepath.Dir(path)]++
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			for _, declared := range file.Decls {
				if f, ok := declared.(*ast.FuncDecl); ok {
					lengths = append(lengths, set.Position(f.End()).Line-set.Position(f.Pos()).Line+1)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir, n := range files {
		if n > maxFiles {
			t.Errorf("%s has %d files, at most %d", dir, n, maxFiles)
		}
	}
	slices.Sort(lengths)
	if p95 := lengths[len(lengths)*95/100]; p95 > maxLines {
		t.Errorf("one function in 20 has %d lines or more, at most %d", p95, maxLines)
	}
}
