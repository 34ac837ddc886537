// Proof proves and measures Keypool. Each part is one subcommand; all but race
// write their part of the page infra/proof/RESULTS.md.
//
//	go run ./infra/proof                     the list of the parts
//	go run ./infra/proof bench -only claim   one part, with its options
//	go run ./infra/proof bench -h            the options of a part
//
// A part that is a test is started with go test. Its options are those of the test
// and follow the defaults of the list below, so that they override them:
//
//	go run ./infra/proof faults -seed 7 -ministack 0
//
// A part that needs a DynamoDB runs behind infra/local/with-dynamodb.sh, which
// starts DynamoDB Local, unless DYNAMODB_ENDPOINT names one already.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"keypool/infra/proof/bench"
	"keypool/infra/proof/fuzz"
	"keypool/infra/proof/mutants"
	"keypool/infra/proof/results"
	"keypool/infra/proof/rights"
)

// part is one subcommand.
type part struct {
	name     string
	does     string // one line
	dynamodb bool   // needs a DynamoDB
	run      func(ctx context.Context, args []string) error
}

// parts are all parts, in the order of the page.
var parts = []part{
	{name: "simulate", does: "millions of steps of the real code on models of everything else, and how it scales: -steps -seed", run: simulate},
	{name: "faults", does: "storms of faults on DynamoDB Local and MiniStack: -local -ministack -seed", dynamodb: true, run: faults},
	{name: "kills", does: "a deployment whose processes are killed, each at the worst moment: -record=false", run: kills},
	{name: "fuzz", does: "random bad input: -time -only", run: fuzz.Run},
	{name: "rights", does: "secrets where they must not be, rights that nobody should have: -e2e", dynamodb: true, run: rights.Run},
	{name: "mutants", does: "edits that break the promise, and the test that must notice each: -only -break", run: mutants.Run},
	{name: "bench", does: "speed and cost: -only -profile", dynamodb: true, run: bench.Run},
	{name: "race", does: "500 orders for 400 keys under the race detector, drawn while it runs", dynamodb: true, run: race},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs the part that the first argument names.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		list(os.Stdout)
		return nil
	}
	for _, p := range parts {
		if p.name != args[0] {
			continue
		}
		if p.dynamodb && os.Getenv("DYNAMODB_ENDPOINT") == "" {
			return behindDynamoDB(args)
		}
		if err := p.run(ctx, args[1:]); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		return nil
	}
	list(os.Stderr)
	return fmt.Errorf("there is no part %q", args[0])
}

func list(to io.Writer) {
	for _, p := range parts {
		fmt.Fprintf(to, "%-9s %s\n", p.name, p.does)
	}
}

// behindDynamoDB turns this process into one that runs the part with a DynamoDB
// Local of its own.
func behindDynamoDB(args []string) error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	script := filepath.Join(checkout, "infra/local/with-dynamodb.sh")
	return syscall.Exec(script, append([]string{script, self}, args...), os.Environ())
}

func simulate(ctx context.Context, args []string) error {
	// A new seed each time: histories that nobody has seen.
	return test(ctx, []string{"-timeout=0", "-run=TestHistories|TestSale|TestScale", "./infra/proof/simulate"},
		[]string{"-record", "-steps=5000000", "-seed=" + strconv.FormatInt(time.Now().Unix(), 10)}, args)
}

func faults(ctx context.Context, args []string) error {
	return test(ctx, []string{"-timeout=0", "-v", "-run=^TestStorm$", "./infra/proof/faults"},
		[]string{"-record", "-local=50000", "-ministack=500000"}, args)
}

func kills(ctx context.Context, args []string) error {
	return test(ctx, []string{"-tags=deployment", "-timeout=1h", "-v", "./infra/proof/faults/kills"}, []string{"-record"}, args)
}

func race(ctx context.Context, args []string) error {
	fmt.Fprintln(os.Stderr, "compiling with the race detector, the first time a minute")
	return test(ctx, []string{"-race", "-v", "-run=^TestRace$", "./shared/claim"}, []string{"-show"}, args)
}

// test runs go test. The test's own options are the defaults, then args: of an
// option that is named twice, the flag package takes the last.
func test(ctx context.Context, goTest, defaults, args []string) error {
	line := append([]string{"test", "-count=1"}, goTest...)
	line = append(line, "-args")
	line = append(line, defaults...)
	return command(ctx, "go", append(line, args...)...)
}

// command runs a command in the foreground. An interrupt is passed on, so that a
// command ends in its own way: a storm still records what it came to.
func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Run()
}
