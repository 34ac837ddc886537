package fuzz

import (
	"context"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"keypool/infra/proof/results"
)

// target is a fuzz target of the module.
type target struct {
	Name   string
	Folder string // relative to the checkout
	Holds  string // its promise: the first sentence of its comment
}

// find returns the fuzz targets of the checkout, by folder.
func find(checkout string) ([]target, error) {
	var found []target
	err := filepath.WalkDir(checkout, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != checkout && (name[0] == '.' || name == "node_modules" || name == "cdk.out") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(checkout, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
				found = append(found, target{Name: f.Name.Name, Folder: filepath.ToSlash(folder), Holds: holds(f)})
			}
		}
		return nil
	})
	return found, err
}

// holds returns the promise of a target: the first sentence of its comment, without
// "FuzzX holds that".
func holds(f *ast.FuncDecl) string {
	sentence := new(doc.Package).Synopsis(f.Doc.Text())
	for _, opening := range []string{f.Name.Name, " holds", " that"} {
		sentence = strings.TrimPrefix(sentence, opening)
	}
	return strings.TrimSpace(strings.TrimSuffix(sentence, "."))
}

// outcome is the result of fuzzing a target.
type outcome struct {
	Took        time.Duration
	Executions  int
	Interesting int    // new inputs that reached new code
	Broken      string // file of the input that broke it, "" for none
	results.Stamp
}

func (o outcome) verdict() string {
	if o.Broken != "" {
		return "**broken** by " + o.Broken
	}
	return "held"
}

// fuzz fuzzes one target. The output of go test goes to .local/fuzz.
func (c *campaign) fuzz(ctx context.Context, t target) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.Name+"$", "-parallel", "1",
		"-fuzztime", c.each.String(), "-fuzzminimizetime", "10x", "./"+t.Folder)
	cmd.Dir = c.checkout
	cmd.Env = append(os.Environ(), "DYNAMODB_ENDPOINT=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	log, err := os.Create(c.local(t.Name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	start := time.Now()
	failed := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		return err
	}
	got, ok := read(said)
	if !ok && failed == nil {
		return fmt.Errorf("%s: %s did not do for reading the corpus that is kept; give it more, such as TIME=1m", t.Name, c.each)
	}
	if !ok || failed != nil && got.Broken == "" {
		return fmt.Errorf("%s could not be fuzzed, see %s", t.Name, log.Name())
	}
	got.Took, got.Stamp = c.each, results.Now(c.command)
	if got.Broken != "" { // it was not fuzzed any further
		got.Took = time.Since(start)
	}
	fmt.Printf("%-16s %11d executions, %5d new inputs: %s\n", t.Name, got.Executions, got.Interesting, got.verdict())
	if _, err := c.remember(func(all *tried) { all.Targets[t.Name] = got }); err != nil {
		return err
	}
	if got.Broken != "" {
		return fmt.Errorf("%s is broken by %s/%s", t.Name, t.Folder, got.Broken)
	}
	return nil
}

var (
	progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+) `)
	failing  = regexp.MustCompile(`Failing input written to (\S+)`)
)

// read reads the output of go test, and returns false if the target was never fuzzed.
func read(said []byte) (outcome, bool) {
	all := progress.FindAllSubmatch(said, -1)
	if len(all) == 0 {
		return outcome{}, false
	}
	var got outcome
	for i, n := range []*int{&got.Executions, &got.Interesting} {
		*n, _ = strconv.Atoi(string(all[len(all)-1][i+1])) // digits, by the pattern
	}
	if input := failing.FindSubmatch(said); input != nil {
		got.Broken = string(input[1])
	}
	return got, true
}
