// Package mutants breaks Keypool on purpose, one small edit at a time, and expects
// a test to notice each. An edit is laid over the sources for one build only: no
// file is changed.
//
//	go run ./infra/proof mutants          each edit must make its test fail
//	go run ./infra/proof mutants -only 7  the seventh alone
//	go run ./infra/proof mutants -break   choose one and watch its test fail
//
// An edit stands on a condition or a signature: a condition of a write, a version, a
// lease, a fencing token, a signature, a right. A test that pins a text or a limit
// needs no mutant.
//
// The tests run on the DynamoDB in their own process, or on the one that
// DYNAMODB_ENDPOINT names. A run of all mutants writes its part of
// infra/proof/RESULTS.md.
package mutants

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/infra/proof/results"
)

// Run tries the mutants that args name.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ExitOnError)
	only := flags.Int("only", 0, "number of the mutant to try")
	choose := flags.Bool("break", false, "choose a mutant and watch its test fail")
	atOnce := flags.Int("at-once", runtime.NumCPU(), "mutants that are built and tested side by side")
	flags.Parse(args)
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	work, err := newBuilder(checkout)
	if err != nil {
		return err
	}
	defer work.close()
	switch {
	case *choose:
		return watch(ctx, work, os.Stdin)
	case *only == 0:
		return tryAll(ctx, work, *atOnce)
	case *only < 0 || *only > len(mutants):
		return fmt.Errorf("there is no mutant %d: they are numbered from 1 to %d", *only, len(mutants))
	}
	_, err = try(ctx, work, *only)
	return err
}

// tryAll tries every mutant, so many at once, and writes what came of it.
func tryAll(ctx context.Context, work *builder, atOnce int) error {
	began := time.Now()
	took := make([]time.Duration, len(mutants))
	failed := make([]error, len(mutants))
	var trials errgroup.Group
	trials.SetLimit(atOnce)
	for i := range mutants {
		trials.Go(func() error {
			took[i], failed[i] = try(ctx, work, i+1)
			return nil
		})
	}
	trials.Wait()
	total := time.Since(began).Round(time.Second)
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("after %s:\n%w", total, err)
	}
	fmt.Printf("%d mutants, each noticed, in %s\n", len(mutants), total)
	return results.Write("mutants", "make mutants", page(took, total))
}

// try tries one mutant, and returns an error unless its test notices.
func try(ctx context.Context, work *builder, number int) (time.Duration, error) {
	m, start := mutants[number-1], time.Now()
	noticed, err := work.try(ctx, m, io.Discard)
	took := time.Since(start)
	verdict := "noticed"
	switch {
	case err != nil:
		verdict = "NOT TRIED"
	case !noticed:
		verdict = "NOT NOTICED"
		err = fmt.Errorf("%s does not notice the edit of %s", m.test, m.file)
	}
	if err != nil {
		err = fmt.Errorf("%d. %s: %w", number, m.breaks, err)
	}
	fmt.Printf("%2d. %-72s %s by %s in %s\n", number, m.breaks, verdict, m.test, took.Round(time.Second))
	return took, err
}

// page is the table of all mutants.
func page(took []time.Duration, total time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d edits, each noticed, in %s. The time of an edit is that of its build and its test.\n\n", len(mutants), total)
	b.WriteString("| | what the edit breaks | the test that fails | |\n|---:|---|---|---:|\n")
	for i, m := range mutants {
		fmt.Fprintf(&b, "| %d | %s | `%s` in %s | %s |\n", i+1, m.breaks, m.test, m.in, took[i].Round(time.Second))
	}
	return b.String()
}

// watch lets a reader choose a mutant and see its test fail.
func watch(ctx context.Context, work *builder, choice io.Reader) error {
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
	noticed, err := work.try(ctx, m, os.Stdout)
	if err != nil {
		return err
	}
	if !noticed {
		return fmt.Errorf("%s did not notice", m.test)
	}
	fmt.Println("\nThis is the line's purpose. Nothing was changed on disk.")
	return nil
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }
