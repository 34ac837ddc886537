// Bench measures what Keypool promises about itself and writes its part of
// infra/bench/RESULTS.md: the figure and the bar.
//
//	go run ./infra/bench                     everything but the two longest, a quarter of an hour
//	go run ./infra/bench -only large,memory  those: ten million keys, and a file of 1 GB; another twenty minutes
//	go run ./infra/bench -only stock,zips    these parts anew, the others as last measured
//	go run ./infra/bench -only own -profile .local
//	                                         and where their processor time goes, for go tool pprof
//
// Two engines stand for DynamoDB. DynamoDB Local says what a call consumes;
// MiniStack carries load. Neither is as fast as DynamoDB, so what is held against
// a bar is a ratio: of two things measured in turn, in one run, on one engine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"keypool/infra/bench/results"
)

// figure is one line of the results.
type figure struct {
	Name string
	Bar  string // "" where the figure is only shown
	Got  string
	Met  bool
	Note string
}

// record is what a part measured.
type record struct {
	Figures []figure
	Facts   map[string]float64
}

// benches are the parts, in the order they are run.
var benches = []struct {
	name string
	run  func(context.Context, *bench) error
	long bool // run only if named
}{
	{"zips", zips, false},
	{"start", starts, false},
	{"units", units, false},
	{"own", ownWork, false},
	{"claim", claimThroughput, false},
	{"ingest", ingestThroughput, false},
	{"sizes", smallFiles, false},
	{"large", largeFiles, true},
	{"workers", rangeWorkers, false},
	{"memory", ingestMemory, true},
	{"mails", mailsASecond, false},
	{"stock", stockCheck, false},
	{"waiting", waitingLine, false},
}

func main() {
	only := flag.String("only", "", "parts to measure anew, separated by commas")
	profiles := flag.String("profile", "", "folder that a processor profile of each part is written to")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of what is measured here
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *profiles); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, profiles string) error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	if os.Getenv("DYNAMODB_ENDPOINT") == "" {
		// The script starts DynamoDB Local, runs us once more and stops it.
		self, err := os.Executable()
		if err != nil {
			return err
		}
		again := exec.CommandContext(ctx, filepath.Join(checkout, "infra/local/with-dynamodb.sh"), append([]string{self}, os.Args[1:]...)...)
		again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
		again.Cancel = func() error { return again.Process.Signal(syscall.SIGTERM) }
		return again.Run()
	}
	b := &bench{checkout: checkout}
	defer b.close()
	measured, err := b.recall()
	if err != nil {
		return err
	}
	wanted := strings.Split(only, ",")
	for _, part := range benches {
		if only != "" && !slices.Contains(wanted, part.name) || only == "" && part.long {
			continue
		}
		fmt.Fprintf(os.Stderr, "%-8s ", part.name)
		start := time.Now()
		b.record = record{Facts: map[string]float64{}}
		if err := profiled(profiles, part.name, func() error { return part.run(ctx, b) }); err != nil {
			fmt.Fprintln(os.Stderr)
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s\n", time.Since(start).Round(time.Second))
		for _, f := range b.record.Figures {
			fmt.Fprintf(os.Stderr, "           %s: %s\n", f.Name, f.Got)
		}
		measured[part.name] = b.record
		if err := b.remember(measured); err != nil {
			return err
		}
	}
	plots, err := b.plots(measured)
	if err != nil {
		return err
	}
	if err := results.Write("speed", "make bench", page(measured)+plots); err != nil {
		return err
	}
	bill, err := b.bill(measured)
	if err != nil || bill == "" {
		return err
	}
	return results.Write("cost", "make bench", bill)
}

// profiled runs a part, and writes where its processor time went if asked to.
func profiled(folder, part string, run func() error) error {
	if folder == "" {
		return run()
	}
	file, err := os.Create(filepath.Join(folder, part+".pprof"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return run()
}

// recall returns what was measured before, by part.
func (b *bench) recall() (map[string]record, error) {
	measured := map[string]record{}
	content, err := os.ReadFile(b.memory())
	if errors.Is(err, os.ErrNotExist) {
		return measured, nil
	}
	if err != nil {
		return nil, err
	}
	return measured, json.Unmarshal(content, &measured)
}

func (b *bench) remember(measured map[string]record) error {
	content, err := json.Marshal(measured)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.memory()), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.memory(), content, 0o644)
}

func (b *bench) memory() string { return filepath.Join(b.checkout, ".local", "bench.json") }

// bench is a run of all parts.
type bench struct {
	checkout string
	record   record // of the part that runs
	closers  []func()

	ministackEngine *engine
}

func (b *bench) add(f figure) { b.record.Figures = append(b.record.Figures, f) }

// fact keeps what a part measured for another to reckon with.
func (b *bench) fact(name string, value float64) { b.record.Facts[name] = value }

func (b *bench) close() {
	for _, c := range slices.Backward(b.closers) {
		c()
	}
}

// page writes the figures down.
func page(measured map[string]record) string {
	var table, notes strings.Builder
	for _, part := range benches {
		for _, f := range measured[part.name].Figures {
			verdict := ""
			switch {
			case f.Bar == "":
			case f.Met:
				verdict = "met"
			default:
				verdict = "**missed**"
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", f.Name, f.Bar, f.Got, verdict)
			if f.Note != "" {
				fmt.Fprintf(&notes, "\n**%s.** %s\n", f.Name, f.Note)
			}
		}
	}
	return "| figure | bar | measured | |\n|---|---|---|---|\n" + table.String() + "\n### How, and why\n" + notes.String()
}

// inTurn does things one after the other, in each round beginning with another,
// so that none is always the first or the last, and returns how long each took.
func inTurn(round int, do ...func() error) ([]time.Duration, error) {
	took := make([]time.Duration, len(do))
	for i := range do {
		which := (round + i) % len(do)
		start := time.Now()
		if err := do[which](); err != nil {
			return nil, err
		}
		took[which] = time.Since(start)
	}
	return took, nil
}

// median returns the middle of what was measured in several rounds.
func median[T ~float64 | ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
