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

// monsters is what they are called beside the names of targets.
const monsters = "monsters"

// trial is what came of one monster of shared/ingest/monsters_test.go.
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

// meetMonsters has ingest read its monsters, at their full size. Their own test
// judges what comes of it.
func (c *campaign) meetMonsters(ctx context.Context) error {
	// Until they are read as they should be, nothing is said of them.
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
