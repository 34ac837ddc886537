// Package bench measures how fast Keypool is and how little it costs, and writes
// its two parts of infra/proof/RESULTS.md: each figure with its bar.
//
//	go run ./infra/proof bench                     all parts but the two longest, some ten minutes
//	go run ./infra/proof bench -only large,memory  the two longest, ten million keys and a file of 1 GB
//	go run ./infra/proof bench -only stock,zips    these parts anew, the others as last measured
//	go run ./infra/proof bench -only cpu -profile .local
//	                                               and a processor profile of each part, for go tool pprof
//
// Each part keeps the day and the command that measured it, and the page shows both.
// The page is written only if every part but the two longest has been measured in
// this checkout.
//
// Three engines stand for DynamoDB. A model in this process tells what a call
// consumes; DynamoDB Local takes claims; MiniStack takes key files. None is as fast
// as DynamoDB, so a bar is held against a ratio: of two things measured in turn, in
// one run, on one engine.
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"keypool/infra/proof/results"
)

// figure is one row of the results.
type figure struct {
	Name string
	Bar  string // "" if the figure has none
	Got  string
	Met  bool
}

// note explains how figures were measured, or why they are as they are.
type note struct{ Title, Text string }

// record is the result of a part.
type record struct {
	Figures []figure
	Notes   []note
	Facts   map[string]float64
	results.Stamp
}

// benches are the parts, in the order in which they run.
var benches = []struct {
	name string
	run  func(context.Context, *bench) error
	long bool // run only if named
}{
	{"zips", zips, false},
	{"start", starts, false},
	{"units", units, false},
	{"cpu", processorWork, false},
	{"claim", claimThroughput, false},
	{"ingest", ingestThroughput, false},
	{"sizes", smallFiles, false},
	{"large", largeFiles, true},
	{"workers", rangeWorkers, false},
	{"memory", ingestMemory, true},
	{"mails", mailsASecond, false},
	{"stock", stockCheck, false},
	{"finding", finding, false},
	{"pages", pages, false},
	{"lists", lists, false},
	{"judge", judging, false},
	{"waiting", waitingLine, false},
}

// Run measures the parts that args name. It needs a DynamoDB at DYNAMODB_ENDPOINT.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	only := flags.String("only", "", "parts to measure anew, separated by commas")
	profiles := flags.String("profile", "", "folder that a processor profile of each part is written to")
	flags.Parse(args)
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the measured code logs
	return run(ctx, *only, *profiles)
}

func run(ctx context.Context, only, profiles string) error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	wanted, err := choose(only)
	if err != nil {
		return err
	}
	command := "make bench"
	if only != "" {
		command += " ONLY=" + only
	}
	b := &bench{checkout: checkout}
	defer b.close()
	measured, began := map[string]record{}, time.Now()
	if err := results.Recall(memory, &measured); err != nil {
		return err
	}
	for _, part := range benches {
		if !wanted[part.name] {
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
		b.record.Stamp = results.Now(command)
		measured[part.name] = b.record
		if err := results.Keep(memory, measured); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "together %s\n", time.Since(began).Round(time.Second))
	return b.write(measured)
}

// choose returns the parts that are named; all but the long ones, if none is.
func choose(only string) (map[string]bool, error) {
	wanted := map[string]bool{}
	var names []string
	for _, part := range benches {
		names = append(names, part.name)
		wanted[part.name] = only == "" && !part.long
	}
	if only == "" {
		return wanted, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no part %q; there are %s", name, strings.Join(names, ", "))
		}
		wanted[name] = true
	}
	return wanted, nil
}

// write writes the figures and the bill to the page, and a summary of the bill to the
// README. It writes nothing if a part is missing.
func (b *bench) write(measured map[string]record) error {
	var missing []string
	for _, part := range benches {
		if _, ok := measured[part.name]; !ok && !part.long {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nothing is written on the page: never measured here is %s; try `make bench ONLY=%[2]s`", strings.Join(missing, ", "), strings.Join(missing, ","))
	}
	cost, err := b.bill(measured)
	if err != nil {
		return err
	}
	plots, err := b.plots(measured)
	if err != nil {
		return err
	}
	var parts []string
	for _, part := range benches {
		if _, ok := measured[part.name]; ok {
			parts = append(parts, part.name)
		}
	}
	return errors.Join(
		results.WriteStamped("speed", page(measured)+plots, stamps(measured, parts...)...),
		results.WriteStamped("cost", cost.page(), stamps(measured, billed...)...),
		results.Replace("README.md", "cost", cost.summary()+"\n"+results.Stamps(stamps(measured, billed...)...)),
	)
}

// stamps returns when and how each of some parts was measured.
func stamps(measured map[string]record, parts ...string) []results.Stamped {
	var all []results.Stamped
	for _, part := range parts {
		all = append(all, results.Stamped{What: part, Stamp: measured[part].Stamp})
	}
	return all
}

// profiled runs a part, and writes its processor profile into a folder if one is
// named.
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

// memory is the file in .local that keeps the results of each part.
const memory = "bench.json"

// bench is a run of all parts.
type bench struct {
	checkout string
	record   record // of the part that runs
	closers  []func()

	ministackEngine *engine
}

func (b *bench) note(title, text string) {
	b.record.Notes = append(b.record.Notes, note{title, text})
}

func (b *bench) add(f figure) { b.record.Figures = append(b.record.Figures, f) }

// fact keeps a number for another part or for the bill.
func (b *bench) fact(name string, value float64) { b.record.Facts[name] = value }

func (b *bench) close() {
	for _, c := range slices.Backward(b.closers) {
		c()
	}
}

// page is the table of figures and the notes.
func page(measured map[string]record) string {
	var table, notes strings.Builder
	for _, part := range benches {
		name := "`" + part.name + "`"
		if _, ok := measured[part.name]; !ok {
			fmt.Fprintf(&table, "| %s | not measured, `make bench ONLY=%s` does | | | |\n", name, part.name)
		}
		for _, f := range measured[part.name].Figures {
			verdict := ""
			switch {
			case f.Bar == "":
			case f.Met:
				verdict = "met"
			default:
				verdict = "**missed**"
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", name, f.Name, f.Bar, f.Got, verdict)
			name = ""
		}
		for _, n := range measured[part.name].Notes {
			fmt.Fprintf(&notes, "\n**%s.** %s\n", n.Title, n.Text)
		}
	}
	return "| part | figure | bar | measured | |\n|---|---|---|---|---|\n" + table.String() + "\n### How, and why\n" + notes.String()
}

// inTurn runs things one after the other and returns how long each took. Each round
// begins with another thing, so that none is always first or last.
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

// median returns the middle value; of an even number of values, the upper one.
func median[T ~float64 | ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
