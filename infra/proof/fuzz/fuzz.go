// Package fuzz runs every fuzz target of the module and writes its part of
// infra/proof/RESULTS.md: what was tried, and what came of it.
//
//	go run ./infra/proof fuzz                            every target for a minute, and the monster files
//	go run ./infra/proof fuzz -time 10m                  for longer
//	go run ./infra/proof fuzz -only FuzzReader,monsters  these anew, the others as last tried
//
// A fuzz target stands beside the code that it fuzzes. An input that breaks a target
// is written to testdata/fuzz beside it, and is part of `make test` from then on.
// Inputs that only reach new code stay in Go's build cache for the next run.
package fuzz

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/infra/proof/results"
)

// Run fuzzes the targets that args name.
func Run(ctx context.Context, args []string) error {
	const minute = time.Minute
	flags := flag.NewFlagSet("fuzz", flag.ExitOnError)
	only := flags.String("only", "", "targets to try, separated by commas; monsters is one")
	each := flags.Duration("time", minute, "how long to fuzz each target")
	atOnce := flags.Int("at-once", runtime.NumCPU(), "targets that are fuzzed side by side, each by one worker")
	flags.Parse(args)
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	c := campaign{checkout: checkout, each: *each, command: "make fuzz"}
	if *each != minute {
		c.command += " TIME=" + short(*each)
	}
	if *only != "" {
		c.command += " ONLY=" + *only
	}
	return c.run(ctx, strings.FieldsFunc(*only, func(r rune) bool { return r == ',' }), *atOnce)
}

// campaign is a run of many targets.
type campaign struct {
	checkout string
	each     time.Duration
	command  string
	mu       sync.Mutex // guards the file of results
}

// tried is the last result of each target and of the monster files.
type tried struct {
	Targets  map[string]outcome
	Monsters []trial
	Met      results.Stamp // of the monsters
}

func (c *campaign) run(ctx context.Context, only []string, atOnce int) error {
	targets, err := find(c.checkout)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.local(""), 0o755); err != nil {
		return err
	}
	names := []string{monsters}
	for _, t := range targets {
		names = append(names, t.Name)
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no %s; there are %s", name, strings.Join(names, ", "))
		}
	}
	wanted := func(name string) bool { return len(only) == 0 || slices.Contains(only, name) }
	failed := make([]error, len(targets)+1)
	if wanted(monsters) {
		failed[len(targets)] = c.meetMonsters(ctx)
	}
	var fuzzing errgroup.Group
	fuzzing.SetLimit(atOnce)
	for i, t := range targets {
		if wanted(t.Name) {
			fuzzing.Go(func() error { failed[i] = c.fuzz(ctx, t); return nil })
		}
	}
	fuzzing.Wait()
	all, err := c.remember(func(*tried) {})
	stamped, missing := stamps(targets, all)
	switch {
	case err != nil:
	case len(missing) > 0:
		err = fmt.Errorf("nothing is written on the page: there is nothing yet of %s; try `make fuzz ONLY=%s`", strings.Join(missing, ", "), strings.Join(missing, ","))
	default:
		err = results.WriteStamped("fuzz", page(targets, all), stamped...)
	}
	return errors.Join(append(failed, err)...)
}

// remember changes the kept results and returns them. It reads them anew each time,
// so that two runs may go on side by side.
func (c *campaign) remember(change func(*tried)) (tried, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := tried{Targets: map[string]outcome{}}
	content, err := os.ReadFile(c.local("tried.json"))
	if err == nil {
		err = json.Unmarshal(content, &all)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return all, err
	}
	change(&all)
	if content, err = json.Marshal(all); err != nil {
		return all, err
	}
	return all, os.WriteFile(c.local("tried.json"), content, 0o644)
}

// local returns the path of a file in .local/fuzz.
func (c *campaign) local(name string) string {
	return filepath.Join(c.checkout, ".local", "fuzz", name)
}
