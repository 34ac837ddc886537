//go:build deployment

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/sample"
	"keypool/infra/local/shop"
	"keypool/shared/platform"
)

// An order whose webhook never came is delivered by catch-up, and one that was refunded or
// disputed meanwhile is not, for each platform with credentials. The account shows how far catch-up
// has come, and whether the platform sends its webhooks.
func TestCatchup(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stripe", "shopify", "woocommerce", "paddle"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := sample.Of(name)
			catchUp(t, p)
		})
	}
}

func catchUp(t *testing.T, p sample.Platform) {
	m := newMerchant(t)
	live := m.stock(6)
	account := m.account(p)
	account.create() // nobody has entered its address in the platform's settings
	want := string(platform.WebhookMissing)
	if p.Name == "shopify" {
		want = string(platform.WebhookActive) // Keypool makes Shopify's
	}
	first := account.caughtUp(time.Time{})
	if first.Webhook != want {
		t.Errorf("the webhook is shown as %q, want %q", first.Webhook, want)
	}
	if want == string(platform.WebhookMissing) {
		m.notice(account.name, "webhook")
	}

	bought, given, early, inDispute := account.order("paid", 2), account.order("paid", 1), account.order("paid", 1), account.order("paid", 1)
	early.PaidAt = account.since.Add(-24 * time.Hour)
	refunded := given
	refunded.PaidAt = given.PaidAt.Add(time.Second)
	returned := account.sample("refunded_all", refunded)
	for _, w := range []*sample.Webhook{account.sample("paid", early), account.sample("paid", given), returned} {
		account.happens(w)
	}
	if event := stories[p.Name].disputed; event != "" {
		disputed := inDispute
		disputed.PaidAt = inDispute.PaidAt.Add(time.Second)
		account.happens(account.sample("paid", inDispute))
		account.happens(account.sample(event, disputed))
	}
	paid := account.sample("paid", bought)
	account.happens(paid)
	if err := world.internet.Send(p, account.address(), account.secrets.Credentials); err != nil {
		t.Fatal(err)
	}
	if err := world.shop.Change(t.Context(), m.token, "/v1/accounts/"+account.name, map[string]any{"other_products": "ignore"}); err != nil {
		t.Fatal(err)
	}
	mailed := keysIn(m.mailTo(bought.Email, paid.Order))
	if len(mailed) != 2 || !slices.Contains(live, mailed[0]) || !slices.Contains(live, mailed[1]) {
		t.Errorf("the customer was mailed %d keys, want 2", len(mailed))
	}
	second := account.caughtUp(first.CatchUp.RanAt)
	if second.Webhook != string(platform.WebhookActive) || second.CatchUp.Watermark.IsZero() {
		t.Errorf("the account shows %q and %+v", second.Webhook, *second.CatchUp)
	}
	for what, o := range map[string]sample.Order{"given back": given, "paid before the account delivers": early, "in dispute": inDispute} {
		if mails := m.mails(o.Email); len(mails) != 0 {
			t.Errorf("the customer of the order that is %s has %d mails", what, len(mails))
		}
	}

	// The webhook comes after all, and the sandbox is asked as well.
	account.send(paid)
	tried := account.order(stories[p.Name].test, 1)
	account.happens(account.sample(stories[p.Name].test, tried))
	test := newKeys(1)
	m.loaded(m.dropInto(m.pool+"/test/", strings.Join(test, "\n")))
	if err := world.shop.Change(t.Context(), m.token, "/v1/accounts/"+account.name, map[string]any{"other_products": "unconnected"}); err != nil {
		t.Fatal(err)
	}
	if got := keysIn(m.mailTo(tried.Email)); !slices.Equal(got, test) {
		t.Errorf("the test order was mailed %d keys, want the test key", len(got))
	}
	account.caughtUp(second.CatchUp.RanAt)
	have, ofTest := m.left()
	if want := (shop.Stock{Available: 4, Claimed: 2}); have != want {
		t.Errorf("of the live keys there are %+v, want %+v", have, want)
	}
	if want := (shop.Stock{Claimed: 1}); ofTest != want {
		t.Errorf("of the test keys there are %+v, want %+v", ofTest, want)
	}
	if n := len(m.mails(bought.Email)); n != 1 {
		t.Errorf("the customer has %d mails, want 1", n)
	}
}

// caughtUp waits until a run of catch-up has ended well after another one, and returns what
// the account shows then.
func (a *platformAccount) caughtUp(after time.Time) shop.PlatformAccount {
	a.t.Helper()
	var found shop.PlatformAccount
	err := shop.Await(a.t.Context(), timeout, "a run of catch-up", func() (bool, error) {
		var err error
		found, _, err = world.shop.PlatformAccount(a.t.Context(), a.token, a.name)
		return found.CatchUp != nil && found.CatchUp.RanAt.After(after), err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if found.CatchUp.Error != "" || found.CatchUp.SucceededAt.IsZero() {
		a.t.Fatalf("catch-up of %s ended with %q", a.platform.Name, found.CatchUp.Error)
	}
	return found
}
