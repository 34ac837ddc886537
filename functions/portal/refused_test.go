package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/notice"
	"keypool/shared/order"
)

// Every order that was refused is found in one place, whatever account reported it.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get(refusedPath).has("No order was refused in the last 90 days")
	refuse := func(merchant, number string, at time.Time) {
		r := order.Refusal{Merchant: merchant, Account: "shop", Order: number, Field: "data.lines[0].quantity", Problem: "is less than 1", At: at}
		if err := w.store.KeepRefusal(t.Context(), r, notice.Gather(merchant, notice.OrderRefused, notice.Facts{Count: 1, Refused: []notice.Refused{{Order: number, Account: "shop"}}}, at)); err != nil {
			t.Fatal(err)
		}
	}
	w.merchant("bravo", "Bravo")
	refuse("bravo", "B-1", noon)
	for i := range refusedAPage + 1 {
		refuse("acme", fmt.Sprintf("A-%03d", i), noon.Add(time.Duration(i-100)*time.Minute))
	}
	p := b.get(refusedPath).has("A-050", "A-001", "data.lines[0].quantity is less than 1", "Show more").hasNot("A-000", "B-1")
	if !strings.Contains(p.body, `href="/portal/platforms/shop"`) {
		t.Error("the account is not linked")
	}
	more := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(p.body)
	if more == nil {
		t.Fatal("there is no link to the older ones")
	}
	b.get(html.UnescapeString(more[1])).has("A-000").hasNot("A-001", "Show more")
	w.person("acme", "sam", "Sam", "sam@acme.example", access.Support)
	sam := w.signIn("sam@acme.example")
	sam.get("/portal").has("20 paid orders or more could not be read in the last day.", "See why")
	if p := sam.get(refusedPath).has("A-050"); strings.Contains(p.body, `href="/portal/platforms/shop"`) {
		t.Error("who may not see accounts is led to one")
	}
	w.person("acme", "stan", "Stan", "stan@acme.example", access.Stock)
	if p := w.signIn("stan@acme.example").get(refusedPath); p.status != 403 {
		t.Errorf("who brings keys sees refused orders: %d", p.status)
	}
}
