package main

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/inventory"
)

// The round trips that a page of the portal takes at most, beside those for its session.
const mostTrips, sessionTrips = 2, 1

// wantTrips fails the test if a page takes more.
func (b *browser) wantTrips(calls *dynamotest.Trips, path string) {
	b.Helper()
	if trips := b.tripsOf(calls, path); trips > sessionTrips+mostTrips {
		b.Errorf("%s takes %d round trips beside its session's, and %d are the most", path, trips-sessionTrips, mostTrips)
	}
}

// tripsOf returns the round trips that a page takes, those for its session too.
func (b *browser) tripsOf(calls *dynamotest.Trips, path string) (trips int) {
	b.Helper()
	b.get(path) // the merchant is read once in half a minute
	// A busy machine starts calls late that are made side by side: they overlap if they last.
	for latency := 5 * time.Millisecond; latency < 300*time.Millisecond; latency *= 2 {
		calls.Reset(latency)
		b.get(path)
		if now := calls.RoundTrips(); trips == 0 || now < trips {
			trips = now
		}
		if trips <= sessionTrips+mostTrips {
			break
		}
	}
	calls.Reset(0)
	return trips
}

// A merchant with 200 pools waits no longer than one with three, and no page is larger for it.
func TestStockPages_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	for _, name := range []string{"elden", "nova", "gift"} {
		w.newPool("acme", name)
	}
	for i := range 197 {
		w.newPool("acme", fmt.Sprintf("a-pool-of-the-shop-%03d", i))
	}
	id := w.read("acme", "elden", nil)
	b := w.signIn("ada@acme.example")
	last := ""
	for range jobsAPage + 1 {
		j, err := w.portal.jobs.Move(t.Context(), inventory.Move{From: elden, To: "nova", By: "Ada Byron (ada)", Why: "the wrong pool"})
		if err != nil {
			t.Fatal(err)
		}
		last = j.ID
	}
	for _, path := range []string{
		"/portal", "/portal/pools", "/portal/pools/elden", "/portal/pools/elden/settings", "/portal/pools/elden/add", "/portal/uploads", "/portal/uploads/" + id,
		"/portal/pools/elden/move", "/portal/pools/elden/move?to=nova&upload=" + id, "/portal/pools/elden/export", "/portal/pools/elden/export?which=unsold",
		jobsPath, jobPath(last), jobPath(last) + "/cancel", wipePath, blockPath, refusedPath,
	} {
		b.wantTrips(&calls, path)
		b.wantSmall(path)
	}
	pages, at := 1, b.get("/portal/pools")
	for more := regexp.MustCompile(`href="([^"]+)" rel="next"`); more.MatchString(at.body); pages++ {
		path := unescape(more.FindStringSubmatch(at.body)[1])
		if pages%7 == 0 {
			b.wantTrips(&calls, path)
		}
		at = b.get(path)
	}
	if pages != 200/poolsAPage {
		t.Errorf("200 pools are on %d pages", pages)
	}
}

// wantSmall fails the test if a page is larger than it may be.
func (b *browser) wantSmall(path string) {
	b.Helper()
	if size := len(b.get(path).body); size > mostHTML {
		b.Errorf("%s has %d bytes", path, size)
	} else {
		b.Logf("%s has %d bytes", path, size)
	}
}

func TestShopPages_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	w.languages("en", "de")
	for i := range 30 {
		w.product(catalog.Product{Merchant: "acme", ID: fmt.Sprint("boxed-", i), Title: "Elden, boxed", Original: "4711"})
		w.account(fmt.Sprint("shop-", i))
	}
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	b := w.signIn("ada@acme.example")
	for _, path := range []string{
		shopPath, productsPath, productsPath + "/new?id=1", productPath("boxed-1"), textPath("4711", "en"), textsPath, textsPath + "/en", previewPath + "?product=4711&in=en",
		platformsPath, accountPath("shop-1"), accountPath("shop-1") + "/connect", testPurchasePath,
	} {
		b.wantTrips(&calls, path)
		b.wantSmall(path)
	}
}
