package inventory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

var anyVersion = settings.Condition{Version: func(int) bool { return true }}

func (w *world) codes() *settings.Codes {
	return &settings.Codes{Store: w.store, Refill: &settings.Refill{Products: w.store, Queue: w.fills}, Now: w.jobs.Now}
}

// share sets the code that all orders of a product on that side get.
func (w *world) share(product string, side pool.Side, text string) {
	w.Helper()
	if _, known, _ := w.store.Product(w.Context(), "nova", product); !known {
		w.must(w.store.PutProduct(w.Context(), catalog.Product{Merchant: "nova", ID: product, Keys: catalog.KeyRule{Mode: catalog.Shared, Count: 1}}))
	}
	_, err := w.codes().Set(w.Context(), access.Principal{Merchant: "nova", Name: "ada"}, product, map[pool.Side]string{side: text}, anyVersion)
	w.must(err)
}

// A code is found by its text as every key is, and tells whose it is or was, and no order.
func TestFind_code(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.share("demo", pool.Live, "FIRST")
	w.later(time.Hour)
	w.share("demo", pool.Live, "SECOND")
	w.share("demo", pool.Test, "TRIED")
	var got []string
	for _, k := range w.find("FIRST", " SECOND", "TRIED") {
		if k.Sold != nil || k.Line != "" || k.File.ID != "" {
			t.Errorf("%d tells of an order or a file", k.Text)
		}
		got = append(got, fmt.Sprintf("%s %s, current %t; %s", story(k), k.CodeOf, k.Current, k.History[0].By))
	}
	if diff := cmp.Diff([]string{
		"0: shared of  (live), line 0 of ; 12:00 shared; 13:00 unshared demo, current false; ada",
		"1: shared of  (live), line 0 of ; 13:00 shared demo, current true; ada",
		"2: shared of  (test), line 0 of ; 13:00 shared demo, current true; ada",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	dynamotest.Audit(t, w.tables)
}

// A block marks a code, says whose it is, and takes nothing from a pool's count. It is not set
// again.
func TestBlock_code(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "FREE-1\nFREE-2\n")
	w.share("demo", pool.Live, "LEAKED")
	w.share("demo", pool.Live, "OTHER")
	w.share("addon", pool.Live, "ADDON")
	for again := range 2 {
		b := w.block("FREE-1", "LEAKED", "ADDON")
		var codes []string
		for _, k := range b.Codes {
			codes = append(codes, fmt.Sprint(k.Text, " ", k.CodeOf, " ", k.Side, " ", k.Current))
		}
		if diff := cmp.Diff([]string{"1 demo live false", "2 addon live true"}, codes); diff != "" || b.Withdrawn != 1-again || b.Unknown != 0 || b.Before != 3*again || len(b.Sold) != 0 {
			t.Errorf("call %d: %+v (-want +got):\n%s", again, b, diff)
		}
	}
	w.wantCount(elden, 2, 1)
	for _, product := range []string{"demo", "addon"} {
		_, err := w.codes().Set(t.Context(), access.Principal{Merchant: "nova"}, product, map[pool.Side]string{pool.Live: "LEAKED"}, anyVersion)
		if err == nil {
			t.Errorf("%s has a blocked code", product)
		}
	}
	dynamotest.Audit(t, w.tables)
}

// A file that brings the text of a code is told so, on either side, and takes nothing from it.
func TestCode_isRefusedOfAFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.share("demo", pool.Live, "FIRST")
	w.share("demo", pool.Live, "SECOND")
	w.share("demo", pool.Test, "TRIED")
	live := w.load("uploads/nova/elden/first.txt", "FIRST\nSECOND\nFREE-1\n")
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 1, upload.SharedCode: 2}, live.Counts); diff != "" {
		t.Errorf("on the live side (-want +got):\n%s", diff)
	}
	tried := w.load("uploads/nova/elden/test/first.txt", "SECOND\nTRIED\n")
	if diff := cmp.Diff(upload.Counts{upload.OtherSide: 1, upload.SharedCode: 1}, tried.Counts); diff != "" {
		t.Errorf("on the test side (-want +got):\n%s", diff)
	}
	w.wantCount(elden, 1, 0)
	if books := dynamotest.Audit(t, w.tables); books.Available != 1 || books.Shared != 3 {
		t.Errorf("%d keys for sale, %d codes", books.Available, books.Shared)
	}
}

// A wipe of the test side leaves test codes, which are settings: one that is blocked, too.
func TestWipe_leavesCodes(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/test/first.txt", "TRY-1\n")
	w.share("demo", pool.Test, "TRIED")
	w.share("addon", pool.Test, "LEAKED")
	w.block("LEAKED")
	w.finish(w.wipe().ID)
	found := w.find("TRIED", "LEAKED") // of the latter, a mark stands on the live side too
	if len(found) != 3 || !found[0].Current || !found[2].Current || found[2].BlockedAt.IsZero() {
		t.Errorf("what is left: %+v", found)
	}
	if books := dynamotest.Audit(t, w.tables); books.Shared != 2 {
		t.Errorf("%d codes are left", books.Shared)
	}
	w.share("addon", pool.Test, "OTHER")
}
