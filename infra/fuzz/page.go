package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// page writes down what was tried.
func page(targets []target, t tried) string {
	var b strings.Builder
	executions, inputs := 0, 0
	for _, name := range targets {
		executions += t.Targets[name.Name].Executions
		inputs += t.Targets[name.Name].Corpus
	}
	fmt.Fprintf(&b, "%s executions of %d fuzz targets, steered by %s inputs that each reach other code.\n\n", grouped(executions), len(targets), grouped(inputs))
	b.WriteString("| target | what it holds | for | executions | new inputs | |\n|---|---|---|---:|---:|---|\n")
	for _, target := range targets {
		got, ok := t.Targets[target.Name]
		if !ok {
			fmt.Fprintf(&b, "| `%s` in %s | %s | | | | not tried |\n", target.Name, target.Folder, target.Holds)
			continue
		}
		fmt.Fprintf(&b, "| `%s` in %s | %s | %s | %s | %s | %s |\n", target.Name, target.Folder, target.Holds,
			short(got.Took), grouped(got.Executions), grouped(got.Interesting), got.verdict())
	}
	b.WriteString("\nFiles that nobody should drop in the bucket, named keys.txt. Each got one report and one notice, and no turn of a worker read more than its range of 2 MiB.\n\n")
	b.WriteString("| file | size | lines | the report says | peak memory | time |\n|---|---:|---:|---|---:|---:|\n")
	for _, m := range t.Monsters {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d MiB | %s |\n", m.Name, size(m.Size), grouped(m.Said.Lines), m.said(), m.PeakKiB>>10, short(m.Took))
	}
	return b.String()
}

// said is what the report says.
func (m trial) said() string {
	var parts []string
	if m.Said.Cause != "" {
		parts = append(parts, "**"+m.Said.Cause+"**")
	}
	for _, what := range slices.Sorted(maps.Keys(m.Said.Counts)) {
		parts = append(parts, grouped(m.Said.Counts[what])+" "+what)
	}
	return strings.Join(parts, ", ")
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return grouped(int(n)) + " B"
}

// short writes a time as people say it.
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
