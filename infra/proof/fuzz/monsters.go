package fuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"keypool/infra/proof/results"
)

// monsters is the name of the monster files, beside the names of targets.
const monsters = "monsters"

// trial is the result of one monster file of shared/ingest/monsters_test.go.
type trial struct {
	Name string
	Size int64
	Said struct {
		Cause  string
		Lines  int
		Counts map[string]int
	}
	PeakKiB int
	Took    time.Duration
}

// meetMonsters lets ingest read the monster files at their full size. Their own test
// checks the results.
func (c *campaign) meetMonsters(ctx context.Context) error {
	// No result is kept of a run that fails.
	if _, err := c.remember(func(all *tried) { all.Monsters = nil }); err != nil {
		return err
	}
	to := c.local("monsters.json")
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "1h", "-run", "^TestIngest_monsters$", "./shared/ingest", "-args", "-monsters="+to)
	cmd.Dir = c.checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("monsters: %w\n%s", err, out)
	}
	content, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	var met []trial
	if err := json.Unmarshal(content, &met); err != nil {
		return err
	}
	fmt.Printf("%-16s %11d files, each reported as it should be\n", monsters, len(met))
	_, err = c.remember(func(all *tried) { all.Monsters, all.Met = met, results.Now(c.command) })
	return err
}
