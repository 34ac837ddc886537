package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/local/shop"
	"keypool/shared/order"
)

// A trace reads as a story, whatever strangers named their order.
func TestPrintTrace(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var b strings.Builder
	printTrace(&b, shop.Trace{
		Order: "A-1\x1b[2J", Account: "shop-eu", Test: true,
		Lines: []shop.TracedLine{{
			OrderLine: shop.OrderLine{Product: "game", State: "waiting", Wanted: 2, Allocated: 1}, Line: "1", QueuePlace: 3, Mend: "Upload some keys.",
		}},
		Timeline: []shop.TraceEntry{
			{At: noon, Line: "1", What: "received", By: "webhook", Account: "shop-eu"},
			{At: noon, Line: "1", What: "keys-taken", By: "webhook", Keys: 1, Pool: "elden"},
			{At: noon.Add(time.Minute), Line: "1", What: "mail-sent", By: "deliver", Mail: 1, MessageID: "0100-a"},
			{At: noon.Add(time.Hour), Line: "1", What: "held", By: "the token \"support\"", Code: "looks\todd"},
			{Line: "1", What: "mail-tried", Ahead: true},
		},
	})
	want := `Order A-1?[2J, account shop-eu, a test

  line 1: product game: waiting, with 1 of 2 keys, place 3 of its queue
    Upload some keys.

  2026-11-23 12:00:00  line 1  paid, through the account shop-eu  webhook
  2026-11-23 12:00:00  line 1  1 key of the pool elden            webhook
  2026-11-23 12:01:00  line 1  mail 1 was sent (0100-a)           deliver
  2026-11-23 13:00:00  line 1  held: looks?odd                    the token "support"

By itself, unless something else comes first:
  at once  line 1  its mail is sent
`
	got := ""
	for line := range strings.Lines(b.String()) {
		got += strings.TrimRight(line, " \n") + "\n"
	}
	if diff := cmp.Diff(want, strings.TrimRight(got, "\n")+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Reset()
	printTrace(&b, shop.Trace{Order: "A-2", Account: "shop-eu"})
	if !strings.Contains(b.String(), "Nothing comes by itself.") {
		t.Errorf("an order without anything to come: %s", b.String())
	}
}

// Each step that comes by itself, and each fate of a mail, has words.
func TestTold_hasWords(t *testing.T) {
	t.Parallel()
	for _, what := range []string{
		string(order.Received), string(order.KeysTaken), string(order.InQueue), string(order.MailSent), string(order.MailDelivered), string(order.MailBounced),
		string(order.AddressCorrected), string(order.MailTried), string(order.LeaseEnds), string(order.SweepLooks), string(order.AttentionBegins),
	} {
		if says := told(shop.TraceEntry{What: what}); says == what {
			t.Errorf("%s is told as it is", what)
		}
	}
}
