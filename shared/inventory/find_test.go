package inventory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/inventory"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

func (w *world) find(texts ...string) []inventory.Found {
	w.Helper()
	found, err := (&inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}).Find(w.Context(), "nova", texts)
	w.must(err)
	return found
}

// story is what became of a key, in one line.
func story(k inventory.Found) string {
	s := fmt.Sprintf("%d: %s of %s (%s), line %d of %s", k.Text, k.State, k.Pool, k.Side, k.FileLine, k.File.File)
	if k.Sold != nil {
		s += ", order " + k.Sold.Order
	}
	for _, e := range k.History {
		s += fmt.Sprintf("; %s %s", e.At.Format("15:04"), e.What)
		switch {
		case e.ByJob():
			s += " by a job"
		case e.About != "":
			s += " by a line"
		}
	}
	return s
}

func TestFind(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "FREE-1\n\nSOLD-1\nREVOKED-1\nKEPT-1\nBACK-1\nTWICE-1\n")
	w.load("uploads/nova/ring/test/try.txt", "BOTH-1\n")
	w.load("uploads/nova/ring/second.txt", "OTHER-1\nBOTH-1\n")
	w.later(time.Hour)
	sold := w.sell("A-1", elden, "SOLD-1")
	w.giveBack(w.sell("A-2", elden, "REVOKED-1"), order.Revoke)
	w.giveBack(w.sell("A-3", elden, "KEPT-1"), order.Keep)
	w.giveBack(w.sell("A-4", elden, "BACK-1"), order.Restock)
	w.giveBack(w.sell("A-5", elden, "TWICE-1"), order.Restock)
	w.later(2 * time.Hour)
	w.sell("A-6", elden, "TWICE-1")

	var got []string
	for _, k := range w.find("nobody's", "SOLD-1", " FREE-1\t", "REVOKED-1", "KEPT-1", "BACK-1", "TWICE-1", "BOTH-1", "SOLD-1", "sold-1") {
		got = append(got, story(k))
	}
	if diff := cmp.Diff([]string{
		"1: claimed of elden (live), line 3 of first.txt, order A-1; 12:00 uploaded; 13:00 sold by a line",
		"2: available of elden (live), line 1 of first.txt; 12:00 uploaded",
		"3: revoked of elden (live), line 4 of first.txt, order A-2; 12:00 uploaded; 13:00 sold by a line; 14:00 revoked by a line",
		"4: kept of elden (live), line 5 of first.txt, order A-3; 12:00 uploaded; 13:00 sold by a line; 14:00 kept by a line",
		"5: available of elden (live), line 6 of first.txt; 12:00 uploaded; 13:00 sold by a line; 14:00 restocked by a line",
		"6: claimed of elden (live), line 7 of first.txt, order A-6; 12:00 uploaded; 13:00 sold by a line; 14:00 restocked by a line; 15:00 sold by a line",
		"7: available of ring (live), line 2 of second.txt; 12:00 uploaded",
		"7: available of ring (test), line 1 of try.txt; 12:00 uploaded",
		"8: claimed of elden (live), line 3 of first.txt, order A-1; 12:00 uploaded; 13:00 sold by a line",
	}, got); diff != "" {
		t.Errorf("what became of the keys (-want +got):\n%s", diff)
	}
	if got := w.find("SOLD-1")[0]; got.Sold.ID != sold.ID || got.Line != string(sold.ID) {
		t.Errorf("line %s, want %s", got.Sold.ID, sold.ID)
	}
}

func TestFind_unknown(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.must(w.loader.Receive(t.Context(), w.bucket.Put("uploads/mallory/elden/hers.txt", []byte("HERS-1\n"))))
	finder := inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}
	for _, texts := range [][]string{{"HERS-1"}, {""}, {"nobody's", "\t"}} {
		if found, err := finder.Find(t.Context(), "nova", texts); !errors.Is(err, pool.ErrUnknownKey) {
			t.Errorf("%q: %d found, %v", texts, len(found), err)
		}
	}
}

// The line is counted over the whole file, once the ranges before it are read.
func TestFind_lineOfALargeFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	var file strings.Builder
	file.WriteString("FIRST-1\n\n")
	for file.Len() < upload.RangeSize-100 {
		fmt.Fprintf(&file, "%s\n", strings.Repeat("x", 2100)) // too long for a key
	}
	file.WriteString("LAST-OF-FIRST\n" + strings.Repeat("y", 100) + "\nSECOND-1\n")
	lines := strings.Count(file.String(), "\n")
	u := w.receive("uploads/nova/elden/large.txt", file.String())
	w.loadRest()
	got := w.find("FIRST-1", "LAST-OF-FIRST", "SECOND-1")
	for i, want := range []int{1, lines - 2, lines} {
		if got[i].FileLine != want {
			t.Errorf("key %d stands on line %d, want %d", i, got[i].FileLine, want)
		}
	}
	if u.Ranges != 2 {
		t.Fatalf("%d ranges", u.Ranges)
	}
	for name, c := range map[string]struct {
		ranges []upload.Range
		row    int
	}{
		"the range before is not done":  {[]upload.Range{{}}, 1},
		"the range before is not begun": {nil, 1},
		"the row is not known":          {nil, 0},
	} {
		if line, ok := u.FileLine(c.ranges, upload.RangeSize+5, c.row); ok {
			t.Errorf("%s: line %d", name, line)
		}
	}
}
