package rights

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a stranger sends is never compared with a secret byte by byte: how long
// that takes tells how much was right. Signatures are compared by hmac.Equal,
// and tokens are looked up by their hash.
//
// It is the source that is looked at, not the clock: a comparison of 32 bytes
// differs by nanoseconds, which no test tells apart on a machine that does other
// things too, and a test that mostly cannot fail is worse than none.
func TestSecrets_areComparedInConstantTime(t *testing.T) {
	ofSignatures := []string{"digest", "sum", "Sum", "Given", "Reveal"}
	for _, c := range []struct {
		folder    string
		strangers []string // names of what holds, or returns, what a stranger sent, or what it is held against
		want      string   // the comparison that is to be there; empty: none, it leaves that to package platform
	}{
		{"shared/platform", []string{"given", "Given", "signature", "want", "sum", "secrets", "Reveal"}, "hmac.Equal"},
		{"shared/platform/generic", []string{"given", "signature", "signatures", "digest", "secret", "Secrets", "Reveal"}, "platform.Signer"},
		{"shared/platform/noventiq", ofSignatures, ""},
		{"shared/platform/paddle", ofSignatures, ""},
		{"shared/platform/shopify", ofSignatures, ""},
		{"shared/platform/standard", ofSignatures, ""},
		{"shared/platform/stripe", ofSignatures, ""},
		{"shared/platform/woocommerce", ofSignatures, ""},
		{"functions/api", []string{"authorization"}, "Principal"},
		{"functions/portal", []string{"signInCookie", "sessionCookie"}, "ByLink"},
		{"functions/portal", []string{"signInCookie", "sessionCookie"}, "Visitor"},
		{"shared/access", []string{"token"}, "HashToken"},
		{"shared/access", []string{"link", "typed", "code", "given"}, "subtle.ConstantTimeCompare"},
	} {
		files, err := filepath.Glob(filepath.Join("../../..", c.folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := c.want == ""
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, built(t, file), parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, declared := range parsed.Decls {
				fn, ok := declared.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				f := &flow{names: slices.Clone(c.strangers)}
				for before := -1; before != len(f.names); {
					before = len(f.names)
					ast.Inspect(fn.Body, f.spread)
				}
				ast.Inspect(fn.Body, func(n ast.Node) bool {
					if f.compares(n) {
						t.Errorf("%s compares what a stranger sent in a time that depends on it", set.Position(n.Pos()))
					}
					if call, ok := n.(*ast.CallExpr); ok && called(call) == c.want && slices.ContainsFunc(call.Args, f.holds) {
						found = true
					}
					return true
				})
			}
		}
		if !found {
			t.Errorf("%s nowhere gives what a stranger sent to %s", c.folder, c.want)
		}
	}
}

// flow is how values spread in a function: by the names that hold them.
type flow struct{ names []string }

// safe are the calls that may see the values, and whose results tell nothing.
var safe = []string{"hmac.Equal", "subtle.ConstantTimeCompare", "HashToken", "HashName", "Principal", "len"}

// spread adds the names to which a statement gives a value that is followed.
func (f *flow) spread(n ast.Node) bool {
	var to, from []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		to, from = n.Lhs, n.Rhs
	case *ast.RangeStmt:
		to, from = []ast.Expr{n.Key, n.Value}, []ast.Expr{n.X}
	}
	if slices.ContainsFunc(from, f.holds) {
		for _, target := range to {
			if index, ok := target.(*ast.IndexExpr); ok {
				target = index.X
			}
			if name, ok := target.(*ast.Ident); ok && name.Name != "_" && !slices.Contains(f.names, name.Name) {
				f.names = append(f.names, name.Name)
			}
		}
	}
	return true
}

// holds tells whether an expression is made of a value that is followed.
func (f *flow) holds(e ast.Expr) (yes bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if slices.Contains(safe, called(n)) {
				return false
			}
		case *ast.Ident:
			yes = yes || slices.Contains(f.names, n.Name)
		}
		return !yes
	})
	return yes
}

// compares tells whether a node holds such a value against another that is not
// written there as a constant.
func (f *flow) compares(n ast.Node) bool {
	var sides []ast.Expr
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			sides = []ast.Expr{n.X, n.Y}
		}
	case *ast.CallExpr:
		switch pkg, _, _ := strings.Cut(called(n), "."); pkg {
		case "bytes", "slices", "reflect", "cmp", "maps":
			sides = n.Args
		case "strings":
			if slices.Contains([]string{"strings.Compare", "strings.EqualFold", "strings.HasPrefix", "strings.HasSuffix", "strings.Contains", "strings.Index"}, called(n)) {
				sides = n.Args
			}
		}
	case *ast.SwitchStmt:
		return n.Tag != nil && f.holds(n.Tag)
	}
	constants := slices.ContainsFunc(sides, func(e ast.Expr) bool {
		_, literal := e.(*ast.BasicLit)
		name, named := e.(*ast.Ident)
		return literal || named && (name.Name == "nil" || strings.HasSuffix(name.Name, "Prefix"))
	})
	return !constants && slices.ContainsFunc(sides, f.holds)
}

// called is the name of the function that is called, with its package.
func called(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok {
			return x.Name + "." + fun.Sel.Name
		}
		return fun.Sel.Name
	}
	return ""
}

// built returns a source as this test was built from it: make mutants lays edits
// over files and says so in the environment.
func built(t *testing.T, file string) []byte {
	t.Helper()
	var overlay struct{ Replace map[string]string }
	if laid := os.Getenv("KEYPOOL_OVERLAY"); laid != "" {
		content, err := os.ReadFile(laid)
		if err == nil {
			err = json.Unmarshal(content, &overlay)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	if edited, ok := overlay.Replace[absolute]; ok {
		absolute = edited
	}
	source, err := os.ReadFile(absolute)
	if err != nil {
		t.Fatal(err)
	}
	return source
}
