package main

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// clients reports fields that are a client of an AWS service. A binary with html/template keeps
// every exported method of every type that an interface may lead to, since a template may call
// any of them by name: of SES alone, 117 operations for the five that are called. A field for
// each operation, a function, keeps only those. The client of S3 is left out: its own package
// puts it into an interface.
var clients = &analysis.Analyzer{
	Name: "clients",
	Doc:  "reports fields that bring all operations of an AWS service into a binary",
	Run: func(pass *analysis.Pass) (any, error) {
		for _, file := range pass.Files {
			name, err := filepath.Rel(root, pass.Fset.File(file.Pos()).Name())
			if err != nil || strings.HasSuffix(name, "_test.go") || !strings.HasPrefix(name, "shared/") && !strings.HasPrefix(name, "functions/") {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.StructType); ok {
					for _, field := range s.Fields.List {
						if isClient(pass.TypesInfo.TypeOf(field.Type)) {
							pass.Reportf(field.Pos(), "a client in a struct brings all of its operations into the portal: have a field for each that is called")
						}
					}
				}
				return true
			})
		}
		return nil, nil
	},
}

func isClient(t types.Type) bool {
	pointer, ok := t.(*types.Pointer)
	if !ok {
		return false
	}
	named, ok := pointer.Elem().(*types.Named)
	if !ok || named.Obj().Name() != "Client" || named.Obj().Pkg() == nil {
		return false
	}
	service, ok := strings.CutPrefix(named.Obj().Pkg().Path(), "github.com/aws/aws-sdk-go-v2/service/")
	return ok && service != "s3"
}
