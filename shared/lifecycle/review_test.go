package lifecycle_test

import (
	"errors"
	"testing"

	"keypool/shared/order"
)

// A verdict on a line that no rule holds any more changes nothing: it was released, or
// somebody holds it by hand.
func TestReject_onlyWhatARuleHolds(t *testing.T) {
	s := open(t, 2)
	line := s.reviewed()
	_, err := s.changes.ReleaseHeld(t.Context(), line.ID, ada)
	s.must(err)
	for _, byHand := range []bool{false, true} {
		if byHand {
			_, err := s.changes.Hold(t.Context(), line.ID, ada)
			s.must(err)
		}
		before := s.line(line.ID)
		for name, decide := range map[string]func() (order.Fulfillment, error){
			"reject":  func() (order.Fulfillment, error) { return s.changes.Reject(t.Context(), line.ID, ada) },
			"release": func() (order.Fulfillment, error) { return s.changes.ReleaseHeld(t.Context(), line.ID, ada) },
		} {
			if _, err := decide(); !errors.Is(err, order.ErrState) || s.line(line.ID).Version != before.Version {
				t.Errorf("%s, held by hand %v: %v", name, byHand, err)
			}
		}
	}
}

// Keys that a line has got before a rule held it were never mailed: they are for sale again.
func TestReject_keysThatNobodyWasMailed(t *testing.T) {
	s := open(t, 2)
	line := s.reviewed() // of nine keys, two of which it has
	if line.Allocated != 2 {
		t.Fatalf("it has %d keys", line.Allocated)
	}
	rejected, err := s.changes.Reject(t.Context(), line.ID, ada)
	s.must(err)
	s.is(rejected, order.Returned, 0, 9)
	s.available(2)
}
