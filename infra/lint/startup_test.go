package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis"
)

func TestStartup(t *testing.T) {
	const early, inInit = `var x = regexp.MustCompile("a")`, `func init() { _, _ = regexp.Compile("a") }`
	for _, c := range []struct {
		file, source string
		reports      int
	}{
		{"shared/pool/pool.go", early, 1},
		{"functions/webhook/main.go", early, 1},
		{"shared/pool/pool.go", inInit, 1},
		{"shared/pool/pool.go", `var x = []*regexp.Regexp{regexp.MustCompile("a"), regexp.MustCompilePOSIX("b")}`, 2},
		{"shared/pool/pool.go", `var x = func() *regexp.Regexp { return regexp.MustCompile("a") }`, 0},
		{"shared/pool/pool.go", `func x() *regexp.Regexp { return regexp.MustCompile("a") }`, 0},
		{"shared/pool/pool.go", `var x = regexp.QuoteMeta("a")`, 0},
		{"shared/pool/pool_test.go", early, 0},
		{"infra/stack/stack.go", early, 0},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, c.file), "package p\nimport \"regexp\"\n"+c.source, 0)
		if err != nil {
			t.Fatal(err)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		if _, err := (&types.Config{Importer: importer.ForCompiler(fset, "source", nil)}).Check("p", fset, []*ast.File{file}, info); err != nil {
			t.Fatal(err)
		}
		reports := 0
		pass := &analysis.Pass{Fset: fset, Files: []*ast.File{file}, TypesInfo: info, Report: func(analysis.Diagnostic) { reports++ }}
		if _, err := startup.Run(pass); err != nil {
			t.Fatal(err)
		}
		if reports != c.reports {
			t.Errorf("%s: %s: %d reports, want %d", c.file, c.source, reports, c.reports)
		}
	}
}
