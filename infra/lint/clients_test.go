package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis"
)

// services has a type Client in each package.
type services struct{}

func (services) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, filepath.Base(path))
	client := types.NewTypeName(token.NoPos, pkg, "Client", nil)
	types.NewNamed(client, types.NewStruct(nil, nil), nil)
	pkg.Scope().Insert(client)
	pkg.MarkComplete()
	return pkg, nil
}

func TestClients(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	for _, c := range []struct {
		file, from, source string
		reports            int
	}{
		{"shared/ses/ses.go", sdk + "sesv2", "type x struct { client *sesv2.Client; name string }", 1},
		{"functions/api/main.go", sdk + "kms", "type x struct { *kms.Client }", 1},
		{"shared/ses/ses.go", sdk + "sesv2", "func open(c *sesv2.Client) { var y struct { c *sesv2.Client }; y.c = c }", 1},
		{"shared/ses/ses.go", sdk + "sesv2", "type x struct { send func(string) error }; func open(*sesv2.Client) *x { return nil }", 0},
		{"shared/s3/s3.go", sdk + "s3", "type x struct { client *s3.Client }", 0},
		{"shared/s3/s3.go", "net/http", "type x struct { client *http.Client }", 0},
		{"shared/ses/ses_test.go", sdk + "sesv2", "type x struct { client *sesv2.Client }", 0},
		{"infra/doctor/main.go", sdk + "sesv2", "type x struct { client *sesv2.Client }", 0},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, c.file), "package p\nimport \""+c.from+"\"\nvar _ *"+filepath.Base(c.from)+".Client\n"+c.source, 0)
		if err != nil {
			t.Fatal(err)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		if _, err := (&types.Config{Importer: services{}}).Check("p", fset, []*ast.File{file}, info); err != nil {
			t.Fatal(err)
		}
		reports := 0
		pass := &analysis.Pass{Fset: fset, Files: []*ast.File{file}, TypesInfo: info, Report: func(analysis.Diagnostic) { reports++ }}
		if _, err := clients.Run(pass); err != nil {
			t.Fatal(err)
		}
		if reports != c.reports {
			t.Errorf("%s: %s: %d reports, want %d", c.file, c.source, reports, c.reports)
		}
	}
}
