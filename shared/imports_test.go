package shared_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The technologies that are each spoken by one package. A function's main opens
// their clients, and does no more with them.
var spokenBy = map[string]string{
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue": "shared/dynamo",
	"github.com/aws/aws-sdk-go-v2/service/dynamodb":                "shared/dynamo",
	"github.com/aws/aws-sdk-go-v2/service/kms":                     "shared/kms",
	"github.com/aws/aws-sdk-go-v2/service/s3":                      "shared/s3",
	"github.com/aws/aws-sdk-go-v2/service/sesv2":                   "shared/ses",
	"github.com/aws/aws-sdk-go-v2/service/sqs":                     "shared/sqs",
}

// The packages that know a technology. All others under shared/ are the domain.
var adapters = []string{"shared/boot", "shared/config", "shared/dynamo", "shared/kms", "shared/s3", "shared/ses", "shared/sqs", "shared/web"}

// source is a file of the module, not a test, and what it imports.
type source struct {
	file    string // from the module's root, with slashes
	folder  string
	imports []string
}

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	for _, top := range []string{"shared", "functions", "infra"} {
		root := filepath.Join("..", top)
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (entry.Name() == "node_modules" || strings.HasSuffix(entry.Name(), ".out")) {
				return filepath.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			s := source{file: strings.TrimPrefix(filepath.ToSlash(file), "../")}
			s.folder = path.Dir(s.file)
			for _, spec := range parsed.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				s.imports = append(s.imports, name)
			}
			found = append(found, s)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d sources were found", len(found))
	}
	return found
}

func TestImports_domainKnowsNoTechnology(t *testing.T) {
	for _, s := range sources(t) {
		if !isDomain(s.folder) {
			continue
		}
		for _, name := range s.imports {
			if strings.HasPrefix(name, "github.com/aws/") {
				t.Errorf("%s imports %s: the domain declares what it needs, an adapter brings it", s.file, name)
			}
			if within(strings.TrimPrefix(name, "keypool/"), adapters...) && strings.HasPrefix(name, "keypool/") {
				t.Errorf("%s imports %s: dependencies point inwards", s.file, name)
			}
		}
	}
}

func TestImports_eachTechnologyIsSpokenByOnePackage(t *testing.T) {
	for _, s := range sources(t) {
		wiring := strings.HasPrefix(s.file, "functions/") && path.Base(s.file) == "main.go"
		if wiring || within(s.folder, "infra") {
			continue
		}
		for _, name := range s.imports {
			for technology, home := range spokenBy {
				if within(name, technology) && !within(s.folder, home) {
					t.Errorf("%s imports %s, which only %s speaks", s.file, name, home)
				}
			}
		}
	}
}

func TestImports_onlyInfraKnowsTheCDK(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range s.imports {
			cdk := strings.HasPrefix(name, "github.com/aws/aws-cdk-go/") || strings.HasPrefix(name, "github.com/aws/constructs-go/") || strings.HasPrefix(name, "github.com/aws/jsii-runtime-go")
			if cdk && !within(s.folder, "infra") {
				t.Errorf("%s imports %s", s.file, name)
			}
		}
	}
}

func TestImports_pointInwards(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range s.imports {
			switch {
			case within(s.folder, "shared") && within(name, "keypool/functions", "keypool/infra"):
				t.Errorf("%s imports %s: shared is at the bottom", s.file, name)
			case within(s.folder, "functions") && within(name, "keypool/functions", "keypool/infra"):
				t.Errorf("%s imports %s: a function stands for itself", s.file, name)
			case within(s.folder, "infra") && within(name, "keypool/functions"):
				t.Errorf("%s imports %s: infra deploys functions, it does not call them", s.file, name)
			}
		}
	}
}

// An adapter knows the domain, never another adapter: main brings them together.
func TestImports_adaptersDoNotKnowEachOther(t *testing.T) {
	for _, s := range sources(t) {
		i := slices.IndexFunc(adapters, func(a string) bool { return within(s.folder, a) })
		if i < 0 || adapters[i] == "shared/boot" {
			continue // boot reads the settings
		}
		for _, name := range s.imports {
			other := strings.TrimPrefix(name, "keypool/")
			if other != name && within(other, adapters...) && !within(other, adapters[i]) {
				t.Errorf("%s imports %s", s.file, name)
			}
		}
	}
}

func isDomain(folder string) bool {
	return within(folder, "shared") && !within(folder, adapters...)
}

// within tells whether a path is one of the roots, or below it.
func within(name string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return name == root || strings.HasPrefix(name, root+"/") })
}
