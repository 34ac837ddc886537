package fuzz

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/results"
)

// Every target of the module is found, and says in a sentence what it holds.
func TestFind(t *testing.T) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	targets, err := find(checkout)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for _, target := range targets {
		folders[target.Name] = target.Folder
		if target.Holds == "" || strings.ContainsAny(target.Holds, "|\n") || strings.HasPrefix(target.Holds, "Fuzz") {
			t.Errorf("%s in %s does not say what it holds, as in %q: %q", target.Name, target.Folder, "// "+target.Name+" holds that …", target.Holds)
		}
	}
	for name, folder := range map[string]string{"FuzzReader": "shared/ingest", "FuzzWebhook": "functions/webhook", "FuzzOperations": "functions/api"} {
		if folders[name] != folder {
			t.Errorf("%s is found in %q, want %s", name, folders[name], folder)
		}
	}
}

func TestRead(t *testing.T) {
	const progress = `fuzz: elapsed: 0s, gathering baseline coverage: 0/8 completed
fuzz: elapsed: 3s, execs: 2552 (851/sec), new interesting: 9 (total: 17)
fuzz: elapsed: 6s, execs: 5598 (1015/sec), new interesting: 18 (total: 26)
`
	for _, test := range []struct {
		name, said string
		want       outcome
		ok         bool
	}{
		{"held", progress + "PASS\nok  \tkeypool/shared/ingest\t6.1s\n", outcome{Executions: 5598, Interesting: 18}, true},
		{
			"broken", progress + "--- FAIL: FuzzReader (1.2s)\n    Failing input written to testdata/fuzz/FuzzReader/1987b311\n    To re-run:\n",
			outcome{Executions: 5598, Interesting: 18, Broken: "testdata/fuzz/FuzzReader/1987b311"},
			true,
		},
		{"a seed is broken", "--- FAIL: FuzzReader (0.00s)\n    --- FAIL: FuzzReader/seed#1 (0.00s)\n", outcome{}, false},
		{"does not compile", "# keypool/shared/ingest\n./reader.go:1:1: expected 'package'\n", outcome{}, false},
	} {
		got, ok := read([]byte(test.said))
		if diff := cmp.Diff(test.want, got); diff != "" || ok != test.ok {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, ok, diff)
		}
	}
}

func TestPage_saysWhatBroke(t *testing.T) {
	all := tried{
		Targets:  map[string]outcome{"FuzzA": {Took: 10 * time.Minute, Executions: 1_234_567, Interesting: 8, Broken: "testdata/fuzz/FuzzA/1"}},
		Monsters: []trial{{Name: "NULs", Size: 1e9, PeakKiB: 21 << 10, Took: 90 * time.Millisecond}},
	}
	targets := []target{{"FuzzA", "a", "this"}}
	got := page(targets, all)
	for _, want := range []string{
		"1,234,567 executions of 1 fuzz targets",
		"| `FuzzA` in a | this | 10m | 1,234,567 | 8 | **broken** by testdata/fuzz/FuzzA/1 |",
		"| NULs | 1.0 GB | 0 |  | 21 MiB | 90ms |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, missing := stamps(targets, all); len(missing) > 0 {
		t.Errorf("missing: %q", missing)
	}
	all.Monsters = nil
	if _, missing := stamps(append(targets, target{"FuzzB", "b", "that"}), all); strings.Join(missing, " ") != "FuzzB monsters" {
		t.Errorf("missing: %q", missing)
	}
}
