package bench

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/results"
)

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || !all["zips"] || !all["waiting"] || all["large"] {
		t.Errorf("all but the long ones: %v, %v", err, all)
	}
	some, err := choose("cpu,stock")
	if err != nil || !some["cpu"] || !some["stock"] || some["zips"] {
		t.Errorf("two: %v, %v", err, some)
	}
	for _, only := range []string{"typo", "cpu,", "cpu,typo"} {
		if _, err := choose(only); err == nil {
			t.Errorf("%q was taken", only)
		}
	}
}

func TestFunctions_areAll(t *testing.T) {
	folders, err := os.ReadDir("../../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, folder := range folders {
		want = append(want, folder.Name())
	}
	got := names()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions that are measured (-want +got):\n%s", diff)
	}
}

// A page of which a part is missing is not written, and the error says what brings it.
func TestWrite_refusesWhatIsMissing(t *testing.T) {
	measured := map[string]record{}
	for _, part := range benches {
		measured[part.name] = record{}
	}
	delete(measured, "zips")
	if err := new(bench).write(measured); err == nil || !strings.Contains(err.Error(), "make bench ONLY=zips`") {
		t.Errorf("without zips: %v", err)
	}
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	measured["zips"] = record{}
	if err := (&bench{checkout: checkout}).write(measured); err == nil || !strings.Contains(err.Error(), "make bench ONLY=cpu,units,waiting`") {
		t.Errorf("without what the bill needs: %v", err)
	}
}

func TestRoundTrips(t *testing.T) {
	began := time.Now()
	call := func(from, to int) span {
		return span{began.Add(time.Duration(from) * time.Millisecond), began.Add(time.Duration(to) * time.Millisecond)}
	}
	for _, c := range []struct {
		name  string
		calls []span
		want  int
	}{
		{"none", nil, 0},
		{"three side by side, then one", []span{call(0, 5), call(1, 6), call(2, 9), call(9, 14)}, 2},
		{"one after the other", []span{call(0, 5), call(5, 10), call(11, 16)}, 3},
		{"a long one beside two", []span{call(0, 20), call(1, 6), call(7, 12)}, 2},
	} {
		if got := (&callLog{calls: c.calls}).roundTrips(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Two items of 2+1 and 5+4+2+1 bytes, of which one is in an index with its key and
// one attribute more, 5+4+2+1 bytes; 100 more for each.
func TestKept(t *testing.T) {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	items, entries := storedBytes([]map[string]types.AttributeValue{{"pk": text("a")}, {"pk": text("b"), "shard": text("1234")}}, "shard", "place")
	if items != 3+12+200 || entries != 12+100 {
		t.Errorf("%v bytes of items, %v of entries", items, entries)
	}
}
