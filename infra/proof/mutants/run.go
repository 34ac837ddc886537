// Package mutants breaks Keypool on purpose, one small edit at a time, and expects
// a test to notice each. An edit is laid over the sources for one build only: no
// file is changed.
//
//	go run ./infra/proof mutants          each edit must make its test fail
//	go run ./infra/proof mutants -only 7  the seventh alone
//	go run ./infra/proof mutants -break   choose one and watch its test fail
package mutants

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Run tries the mutants that args name.
func Run(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ExitOnError)
	only := flags.Int("only", 0, "number of the one to try")
	choose := flags.Bool("break", false, "choose one and watch its test fail")
	flags.Parse(args)
	if *choose {
		return watch(os.Stdin)
	}
	return tryAll(*only)
}

// tryAll tries each mutant and returns an error if one goes unnoticed.
func tryAll(only int) error {
	if only < 0 || only > len(mutants) {
		return fmt.Errorf("there is no mutant %d: they are numbered from 1 to %d", only, len(mutants))
	}
	var unnoticed []string
	tried := 0
	for i, m := range mutants {
		if only != 0 && only != i+1 {
			continue
		}
		tried++
		start := time.Now()
		noticed, err := m.try(io.Discard)
		if err != nil {
			return fmt.Errorf("%d. %s: %w", i+1, m.breaks, err)
		}
		verdict := "noticed"
		if !noticed {
			verdict = "NOT NOTICED"
			unnoticed = append(unnoticed, fmt.Sprintf("%d. %s (%s)", i+1, m.breaks, m.file))
		}
		fmt.Printf("%2d. %-68s %s by %s in %s\n", i+1, m.breaks, verdict, m.test, time.Since(start).Round(time.Second))
	}
	fmt.Printf("%d passed, %d failed\n", tried-len(unnoticed), len(unnoticed))
	if len(unnoticed) > 0 {
		return fmt.Errorf("no test noticed:\n%s", strings.Join(unnoticed, "\n"))
	}
	return nil
}

// watch lets a reader choose a mutant and see the test fail.
func watch(choice io.Reader) error {
	for i, m := range mutants {
		fmt.Printf("%2d. %s\n", i+1, m.breaks)
	}
	fmt.Print("\nBreak which? ")
	lines := bufio.NewScanner(choice)
	lines.Scan()
	n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
	if err != nil || n < 1 || n > len(mutants) {
		return fmt.Errorf("choose a number from 1 to %d", len(mutants))
	}
	m := mutants[n-1]
	fmt.Printf("\nIn %s, for this one build,\n\n- %s\n+ %s\n\nand then %s says:\n\n", m.file, indent(m.old), indent(m.new), m.test)
	noticed, err := m.try(os.Stdout)
	if err != nil {
		return err
	}
	if !noticed {
		return errors.New("\nno test noticed")
	}
	fmt.Println("\nThat is what the line is for. Nothing was changed on disk.")
	return nil
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }

// try builds the mutant's package with the edit laid over it, runs its test, and
// reports whether the test failed.
func (m mutant) try(out io.Writer) (noticed bool, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return false, err
	}
	if strings.Count(string(source), m.old) != 1 {
		return false, fmt.Errorf("%s does not hold the text to edit once", m.file)
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	edited := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(edited, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		return false, err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: edited}})
	if err != nil {
		return false, err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return false, err
	}

	binary := filepath.Join(dir, "test")
	if said, err := exec.Command("go", "test", "-c", "-o", binary, "./"+m.in).CombinedOutput(); err != nil {
		return false, fmt.Errorf("the package does not compile as it is:\n%s", said)
	}
	if said, err := m.run(binary, io.Discard); err != nil {
		return false, fmt.Errorf("%s fails without the edit:\n%s", m.test, said)
	}
	if said, err := exec.Command("go", "test", "-overlay", overlayFile, "-c", "-o", binary, "./"+m.in).CombinedOutput(); err != nil {
		return false, fmt.Errorf("the edit does not compile:\n%s", said)
	}
	said, err := m.run(binary, out, "KEYPOOL_OVERLAY="+overlayFile) // for tests that read the source
	name, _, _ := strings.Cut(m.test, "/")
	return err != nil && strings.Contains(said, "--- FAIL: "+name), nil
}

// run runs the mutant's test in a test binary and returns what it said.
func (m mutant) run(binary string, out io.Writer, environment ...string) (string, error) {
	var said strings.Builder
	// Each part of a name with slashes is a pattern of its own.
	pattern := "^" + strings.ReplaceAll(m.test, "/", "$/^") + "$"
	test := exec.Command(binary, "-test.run", pattern, "-test.timeout", "5m")
	test.Dir = m.in
	test.Env = append(os.Environ(), environment...)
	test.Stdout, test.Stderr = io.MultiWriter(&said, out), io.MultiWriter(&said, out)
	err := test.Run()
	return said.String(), err
}
