package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"

	"keypool/shared/order"
)

// The history names the function that applied a dispute, be it the webhook or another.
func TestDispute_historyTellsWhoAppliedIt(t *testing.T) {
	for _, by := range []string{"webhook", "catchup"} {
		t.Run(by, func(t *testing.T) {
			s := open(t, 1)
			s.changes.By = by
			line := s.pay("1", "1", "game", 1)
			s.dispute("1", "D1", order.DisputeOpen)
			s.dispute("1", "D1", order.DisputeWon)
			s.dispute("1", "D2", order.DisputeLost)
			for _, entry := range []string{"held by %s: dispute:D1", "released by %s: dispute:D1", "order-returned by %s: dispute:D2"} {
				if entry = fmt.Sprintf(entry, by); !slices.Contains(s.history(line.ID), entry) {
					t.Errorf("history %q, want %q", s.history(line.ID), entry)
				}
			}
		})
	}
}

// The history tells which key was replaced, and by which, without either.
func TestReplace_historyTellsWhichKey(t *testing.T) {
	s := open(t, 2)
	line := s.pay("1", "1", "game", 1)
	got, err := s.changes.Replace(t.Context(), line.ID, line.Keys[0].ID, ada)
	s.must(err)
	want := fmt.Sprintf("replaced by ada: %s by %s: looks odd", line.Keys[0].ID, got.Keys[0].ID)
	if history := s.history(line.ID); !slices.Equal(history, []string{want}) {
		t.Errorf("history %q, want %q", history, want)
	}
}
