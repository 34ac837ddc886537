package mutants

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every edit still fits the sources, so that the list does not go stale between
// two runs of make mutants.
func TestMutants_fitTheSources(t *testing.T) {
	t.Chdir("../../..")
	for _, m := range mutants {
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(source), m.old); n != 1 {
			t.Errorf("%s: %s holds the text to edit %d times", m.breaks, m.file, n)
		}
		name, _, _ := strings.Cut(m.test, "/")
		if !testExists(t, m.in, name) {
			t.Errorf("%s: %s has no %s", m.breaks, m.in, name)
		}
	}
}

func TestRun_refusesANumberThatNoneHas(t *testing.T) {
	for _, only := range []int{-1, len(mutants) + 1} {
		if err := Run(t.Context(), []string{"-only", strconv.Itoa(only)}); err == nil {
			t.Errorf("number %d was tried", only)
		}
	}
}

func testExists(t *testing.T, dir, name string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(dir + "/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "func "+name+"(") {
			return true
		}
	}
	return false
}
