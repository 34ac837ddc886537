package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keypool/infra/proof/results"
)

// The Makefile's targets call parts that exist, and the page has a place for
// every part that is written on it.
func TestParts_areWhatTheMakefileCalls(t *testing.T) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(checkout + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if !strings.Contains(string(makefile), "go run ./infra/proof "+p.name) {
			t.Errorf("no target of the Makefile calls %s", p.name)
		}
	}
	if err := run(t.Context(), []string{"typo"}); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("a part that does not exist: %v", err)
	}
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")

// The README shows what Keypool does by tests: each that it names is there.
func TestReadme_namesTestsThatAreThere(t *testing.T) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(checkout + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, folder := range []string{"functions", "shared", "infra"} {
		err := filepath.WalkDir(filepath.Join(checkout, folder), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.Name() == "node_modules":
				return filepath.SkipDir
			case !strings.HasSuffix(path, "_test.go"):
				return nil
			}
			source, err := os.ReadFile(path)
			for _, declared := range declaredTest.FindAllSubmatch(source, -1) {
				there[string(declared[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := testName.FindAllSubmatch(readme, -1)
	if len(named) < 50 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !there[string(name[1])] {
			t.Errorf("the README names %s, and there is no such test", name[1])
		}
	}
}

var declaredTest = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
