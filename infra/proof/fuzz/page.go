package fuzz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keypool/infra/proof/results"
)

// stamps returns when each target was last fuzzed, and the targets that never were.
func stamps(targets []target, t tried) (all []results.Stamped, missing []string) {
	for _, target := range targets {
		if got, ok := t.Targets[target.Name]; ok {
			all = append(all, results.Stamped{What: target.Name, Stamp: got.Stamp})
		} else {
			missing = append(missing, target.Name)
		}
	}
	if len(t.Monsters) == 0 {
		return all, append(missing, monsters)
	}
	return append(all, results.Stamped{What: monsters, Stamp: t.Met}), missing
}

// page is the result of all targets and of the monster files.
func page(targets []target, t tried) string {
	var b strings.Builder
	executions := 0
	for _, name := range targets {
		executions += t.Targets[name.Name].Executions
	}
	fmt.Fprintf(&b, "%s executions of %d fuzz targets. New inputs are those that reach code which none had reached, on this machine, in this run or before.\n\n", results.Grouped(executions), len(targets))
	b.WriteString("| target | what it holds | for | executions | new inputs | |\n|---|---|---|---:|---:|---|\n")
	for _, target := range targets {
		got := t.Targets[target.Name]
		fmt.Fprintf(&b, "| `%s` in %s | %s | %s | %s | %s | %s |\n", target.Name, target.Folder, target.Holds,
			short(got.Took), results.Grouped(got.Executions), results.Grouped(got.Interesting), got.verdict())
	}
	b.WriteString("\nFiles that nobody should drop in the bucket, named keys.txt. Each got one report and one notice, and no turn of a worker read more than its range of 2 MiB.\n\n")
	b.WriteString("| file | size | lines | the report says | peak memory | time |\n|---|---:|---:|---|---:|---:|\n")
	for _, m := range t.Monsters {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d MiB | %s |\n", m.Name, size(m.Size), results.Grouped(m.Said.Lines), m.said(), m.PeakKiB>>10, short(m.Took))
	}
	return b.String()
}

// said is the content of the report.
func (m trial) said() string {
	var parts []string
	if m.Said.Cause != "" {
		parts = append(parts, "**"+m.Said.Cause+"**")
	}
	for _, what := range slices.Sorted(maps.Keys(m.Said.Counts)) {
		parts = append(parts, results.Grouped(m.Said.Counts[what])+" "+what)
	}
	return strings.Join(parts, ", ")
}

func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return results.Grouped(int(n)) + " B"
}

// short formats a duration without needless zeros: 10m, 1.5s, 181ms.
func short(d time.Duration) string {
	to := time.Millisecond
	if d >= time.Second {
		to = 100 * time.Millisecond
	}
	s := d.Round(to).String()
	if minutes, ok := strings.CutSuffix(s, "m0s"); ok {
		return minutes + "m"
	}
	return s
}
