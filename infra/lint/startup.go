package main

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// startup reports regular expressions that a function would compile while it starts:
// those of package variables, and of init. Package lazy compiles them by their first use.
var startup = &analysis.Analyzer{
	Name: "startup",
	Doc:  "reports regular expressions that are compiled before main",
	Run: func(pass *analysis.Pass) (any, error) {
		for _, file := range pass.Files {
			name, err := filepath.Rel(root, pass.Fset.File(file.Pos()).Name())
			if err != nil || strings.HasSuffix(name, "_test.go") || !strings.HasPrefix(name, "shared/") && !strings.HasPrefix(name, "functions/") {
				continue
			}
			for _, decl := range file.Decls {
				if early(decl) {
					ast.Inspect(decl, func(n ast.Node) bool { return compiles(pass, n) })
				}
			}
		}
		return nil, nil
	},
}

// early reports whether a declaration is evaluated before main.
func early(decl ast.Decl) bool {
	f, isFunc := decl.(*ast.FuncDecl)
	return !isFunc || f.Name.Name == "init" && f.Recv == nil
}

// compiles reports a node that compiles a regular expression, and whether to look below it:
// a function's body waits for its call.
func compiles(pass *analysis.Pass, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncLit:
		return false
	case *ast.SelectorExpr:
		f, ok := pass.TypesInfo.Uses[n.Sel].(*types.Func)
		if ok && f.Pkg() != nil && f.Pkg().Path() == "regexp" && strings.Contains(f.Name(), "Compile") {
			pass.Reportf(n.Pos(), "every start of a function would wait for this: use lazy.Regexp")
		}
	}
	return true
}
