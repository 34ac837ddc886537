package main

import (
	"strings"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// GET holds no key. The button's POST writes that the keys are shown, and shows them.
func TestPage_keysBehindAButton(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 2, 2)
	at := w.link(f)
	w.get(at).want(200).has("Nova Games", "Your order A-1", "Your order is ready.", "Show the keys", "Elden: The Long Night", "23 November 2026", "m•••@example.com").hasNot("KEY-", "mara@", "<script")
	if got := w.line(f.ID); !got.ShownAt.IsZero() || got.KeysSeen() {
		t.Errorf("opened alone: %+v", got.ShownAt)
	}
	shown := w.post(at+"/keys", nil).want(200).has("KEY-A-1-elden-0000", "KEY-A-1-elden-0001", "Copy all", "Download as text", "How to install").hasNot("mara@", "Show the keys")
	if got := w.line(f.ID); !got.ShownAt.Equal(w.now) || !got.KeysSeen() || got.Mail.State != outbox.Due {
		t.Errorf("shown: %v, its mail %s", got.ShownAt, got.Mail.State)
	}
	if len(shown.body) > 20_000 {
		t.Errorf("the page takes %d bytes", len(shown.body))
	}
	w.get(at).want(200).hasNot("KEY-")
	w.post(at+"/keys", nil).want(200).has("KEY-A-1-elden-0001")
	if got := w.history(f.ID); got != "keys-shown by orderpage, page-opened by orderpage" {
		t.Errorf("within an hour: %s", got)
	}
	w.now = w.now.Add(time.Hour)
	w.get(at).want(200)
	w.post(at+"/keys", nil).want(200)
	w.post(at+"/keys", nil).want(200)
	if got := w.history(f.ID); strings.Count(got, "keys-shown") != 2 || strings.Count(got, "page-opened") != 2 {
		t.Errorf("an hour later: %s", got)
	}
}

// Without script, the keys are a file: each in a line, of several products under their names.
func TestPage_text(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 2, 2)
	text := w.post(w.link(f)+"/keys", map[string][]string{"as": {"text"}}).want(200)
	if text.body != "KEY-A-1-elden-0000\r\nKEY-A-1-elden-0001\r\n" || text.headers["Content-Type"] != "text/plain; charset=utf-8" || !strings.HasPrefix(text.headers["Content-Disposition"], "attachment") {
		t.Errorf("%q, %v", text.body, text.headers)
	}
	w.sold("A-1", "ring", 1, 1)
	text = w.post(w.link(f)+"/keys", map[string][]string{"as": {"text"}}).want(200)
	if !strings.Contains(text.body, "Ring\r\nKEY-A-1-ring-0000\r\n") {
		t.Errorf("%q", text.body)
	}
}

// states are those of an order that shows no key, or not all.
var states = map[string]struct {
	held int
	do   func(*world, order.Fulfillment) error
	says string
}{
	"waiting": {0, nil, "Your order is safe."},
	"partly":  {1, nil, "Ready so far: 1 of 2 keys."},
	"held": {2, func(w *world, f order.Fulfillment) error {
		_, err := w.acts.Hold(w.Context(), f.ID, lifecycle.Act{By: "ada"})
		return err
	}, "The shop is looking at this order."},
	"disputed": {2, func(w *world, f order.Fulfillment) error {
		whole := order.Whole{ID: f.ID.OrderHalf(), Merchant: "nova", Order: f.Order}
		whole.AddDispute("d1", order.DisputeOpen)
		return w.store.PutWhole(w.Context(), whole) // before it is applied to the line
	}, "The shop is looking at this order."},
	"returned": {2, func(w *world, f order.Fulfillment) error {
		whole := order.Whole{ID: f.ID.OrderHalf(), Merchant: "nova", Order: f.Order}
		whole.AddReturn(order.Return{ID: "r1", At: w.now})
		return w.store.PutWhole(w.Context(), whole)
	}, "This was given back"},
	"erased": {2, func(w *world, f order.Fulfillment) error {
		change := order.ChangeOf(f)
		change.After.Mail = sent
		change.After.Erase(w.now)
		return w.store.Commit(w.Context(), change)
	}, "has been deleted"},
	"renewed": {0, func(w *world, f order.Fulfillment) error {
		change := order.ChangeOf(f)
		change.After.Disconnect()
		change.After.RenewParent()
		return w.store.Commit(w.Context(), change)
	}, "This renews an earlier order"},
}

// What a line may not show, no page shows.
func TestPage_states(t *testing.T) {
	t.Parallel()
	for name, c := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			f := w.sold("A-1", "elden", 2, c.held)
			if c.do != nil {
				w.must(c.do(w, f))
			}
			at := w.link(f)
			w.get(at).want(200).has(c.says).hasNot("KEY-", "Show the keys")
			w.post(at+"/keys", nil).want(200).has(c.says).hasNot("KEY-")
			if text := w.post(at+"/keys", map[string][]string{"as": {"text"}}).want(200); text.body != "" {
				t.Errorf("as a text: %q", text.body)
			}
			if got := w.line(f.ID); !got.ShownAt.IsZero() {
				t.Error("it says that its keys were shown")
			}
		})
	}
}

// Several products of an order stand on its page, but those that have none.
func TestPage_severalProducts(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 1, 1)
	w.sold("A-1", "ring", 1, 0)
	w.sold("A-1", "plain", 1, 1)
	w.get(w.link(f)).want(200).has("Elden: The Long Night", "Ring", "Your order is safe.").hasNot("Plain")
	w.post(w.link(f)+"/keys", nil).want(200).has("KEY-A-1-elden-0000", "Ring").hasNot("KEY-A-1-plain", "Plain")
	plain := w.sold("A-2", "plain", 1, 1)
	w.get(w.link(plain)).want(404)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn})
	w.get(w.link(plain)).want(200).has("Plain")
}

// What is ready stands first, with the button below it, and the page says that an order is ready
// where all of it is. Who is asked is named where the shop says who reads replies.
func TestPage_readyFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "ring", 1, 0)
	w.sold("A-1", "elden", 1, 1)
	p := w.get(w.link(f)).want(200).hasNot("Your order is ready.", "help@nova.example")
	ready, button, waits := strings.Index(p.body, "<h2>Elden"), strings.Index(p.body, "Show the keys"), strings.Index(p.body, "<h2>Ring")
	if ready < 0 || button < ready || waits < button {
		t.Errorf("what is ready stands at %d, its button at %d, what waits at %d", ready, button, waits)
	}
	w.merchant(catalog.Merchant{Name: "nova", Title: "Nova Games", ReplyTo: "help@nova.example"})
	p = w.get(w.link(w.sold("A-2", "elden", 1, 1))).want(200).has("Your order is ready.", "help@nova.example")
	if !strings.Contains(p.body, `<a href="mailto:help@nova.example">`) {
		t.Error("the address is no link")
	}
}

// Keys beyond those in the line's own item are shown too, and long lists of them.
func TestPage_manyKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 45, 45)
	page := w.post(w.link(f)+"/keys", nil).want(200)
	if got := strings.Count(page.body, `class="key"`); got != 45 {
		t.Errorf("%d keys, want 45", got)
	}
}

// A link that was made up, cut, replaced, revoked, has ended, or is another merchant's is
// answered in one way.
func TestLink_wrong(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 1, 1)
	good := w.link(f)
	want := w.get(link.PagePath + "nothing").want(404).has("This link does not work.")
	refused := func(name, path string) {
		t.Helper()
		for _, got := range []answer{w.get(path), w.post(path+"/keys", nil), w.post(path+"/send", nil)} {
			if got.status != want.status || got.body != want.body {
				t.Errorf("%s: %s is answered %d\n%s", name, got.at, got.status, got.words())
			}
		}
	}
	w.merchant(catalog.Merchant{Name: "other", Title: "Other"})
	other, _, err := w.store.Merchant(t.Context(), "other")
	w.must(err)
	foreign, err := link.Page{Merchant: "nova", Order: f.ID.OrderHalf()}.URL("", other.LinkKey)
	w.must(err)
	unknown, err := link.Page{Merchant: "nova", Order: "A" + f.ID.OrderHalf()[1:]}.URL("", other.LinkKey)
	w.must(err)
	refused("another merchant's", foreign)
	refused("an order that nobody knows", unknown)
	refused("cut", good[:len(good)-1])
	refused("longer", good+"A")
	refused("altered", good[:len(good)-2]+string('A'+(good[len(good)-2]-'A'+1)%26)+good[len(good)-1:])
	w.get(good).want(200)

	_, err = w.acts.ReplaceLink(t.Context(), f, lifecycle.Act{By: "ada"})
	w.must(err)
	refused("replaced", good)
	second := w.link(f)
	w.get(second).want(200)
	_, err = w.acts.RevokeLink(t.Context(), f, lifecycle.Act{By: "ada"})
	w.must(err)
	refused("revoked", second)
	refused("of a revoked one's number", w.link(f))
	_, err = w.acts.ReplaceLink(t.Context(), f, lifecycle.Act{By: "ada"})
	w.must(err)
	third := w.link(f)
	w.get(third).want(200)
	w.now = w.now.AddDate(1, 0, -1)
	w.get(third).want(200)
	w.now = w.now.AddDate(0, 0, 1)
	refused("a year later", third)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOff, Days: 400})
	w.get(third).want(200)
}

// The end counts from the order on.
func TestLink_ends(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn, Days: 7})
	f := w.sold("A-1", "plain", 1, 1)
	at, made := w.link(f), w.now
	w.now = made.AddDate(0, 0, 7).Add(-time.Second)
	w.get(at).want(200)
	w.now = made.AddDate(0, 0, 7)
	w.get(at).want(404)
	w.post(at+"/keys", nil).want(404).hasNot("KEY-")
}

// The mail is sent again to the address of the order, a few times an hour.
func TestSend(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 1, 1, func(f *order.Fulfillment) { f.Mail = sent })
	change := order.ChangeOf(w.line(f.ID))
	change.After.Mail = sent
	w.must(w.store.Commit(t.Context(), change))
	at := w.link(f)
	to := w.post(at+"/send", nil).want(303).headers["Location"]
	if to != at+"?sent" {
		t.Fatalf("it leads to %s", to)
	}
	w.get(to).want(200).has("The mail is on its way to m•••@example.com.").hasNot("mara@")
	if got := w.line(f.ID).Mail; got.State != outbox.Due || got.Kind != outbox.Keys || got.Number != 2 {
		t.Errorf("its mail: %+v", got)
	}
	if got := w.history(f.ID); !strings.Contains(got, "resent by orderpage") {
		t.Errorf("its history: %s", got)
	}
	w.post(at+"/send", nil).want(303)
	w.post(at+"/send", nil).want(303)
	w.post(at+"/send", nil).want(429).has("That was too often.")
	w.now = w.now.Add(time.Hour)
	w.post(at+"/send", nil).want(303)
}

// A key that was shown is never sold again, though no mail brought it.
func TestShown_neverForSaleAgain(t *testing.T) {
	t.Parallel()
	for _, shown := range []bool{false, true} {
		w := open(t)
		w.merchant(catalog.Merchant{Name: "nova", Title: "Nova Games", ReturnedKeys: order.Restock})
		f := w.sold("A-1", "elden", 1, 1)
		if shown {
			w.post(w.link(f)+"/keys", nil).want(200).has("KEY-")
		}
		_, err := w.acts.ReturnLine(t.Context(), lifecycle.LineReturn{Identity: f.Identity(), Units: lifecycle.AllUnits, Act: lifecycle.Act{By: "ada"}})
		w.must(err)
		again, err := w.store.Candidates(t.Context(), f.PoolID(), 4, 1)
		w.must(err)
		if forSale := len(again) > 0; forSale == shown {
			t.Errorf("shown: %t, for sale again: %t", shown, forSale)
		}
	}
}
