//go:build deployment

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paddle "github.com/PaddleHQ/paddle-go-sdk/v4"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripewebhook "github.com/stripe/stripe-go/v85/webhook"

	"keypool/infra/local/sample"
	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// stories says which samples tell the story of a platform's orders.
var stories = map[string]struct {
	paid     string // an order; empty: paid
	part     string // gives back one of two units; empty: the platform has none
	returned string // gives back all of an order, or what is left of it
	test     string // a test order; empty: paid, by the secret of the test mode
	renewed  string // the order that renews one; empty: the platform has none
	disputed string // an order is in dispute; empty: the platform has none, or tells nothing of it
}{
	"standard":    {part: "refunded_line", returned: "refunded", test: "paid_test", renewed: "paid_renewal", disputed: "disputed"},
	"noventiq":    {returned: "returned", renewed: "paid_renewal"},
	"stripe":      {part: "refunded_part", returned: "refunded_all", test: "paid_test", renewed: "renewed", disputed: "disputed"},
	"shopify":     {part: "refunded_part", returned: "cancelled", test: "paid_test", disputed: "disputed"},
	"woocommerce": {part: "refunded_part", returned: "refunded_all", test: "paid_test", renewed: "renewed"},
	"paddle":      {paid: "subscribed", returned: "refunded_all", test: "paid_test", renewed: "renewed", disputed: "chargeback"},
	"generic":     {returned: "refunded", test: "paid_test"},
}

// vendors sign a sample as the platform's own library does, where it has one that signs: what
// it signs takes the place of our own signature. Paddle's library only verifies: it has to take
// our signature, before the sample is sent.
var vendors = map[string]func(w *sample.Webhook, secret string, at time.Time) error{
	"standard": func(w *sample.Webhook, secret string, at time.Time) error {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return err
		}
		signature, err := signer.Sign(w.Header.Get("webhook-id"), at, w.Body)
		w.Header.Set("webhook-signature", signature)
		return err
	},
	"stripe": func(w *sample.Webhook, secret string, at time.Time) error {
		signed := stripewebhook.GenerateTestSignedPayload(&stripewebhook.UnsignedPayload{Payload: w.Body, Secret: secret, Timestamp: at})
		w.Header.Set("Stripe-Signature", signed.Header)
		return nil
	},
	"paddle": paddleVerifies,
	"shopify": func(w *sample.Webhook, secret string, _ time.Time) error {
		signer, err := shopifysSigner()
		if err != nil {
			return err
		}
		cmd := exec.Command("node", signer)
		cmd.Env = append(os.Environ(), "SECRET="+secret)
		cmd.Stdin = bytes.NewReader(w.Body)
		out, err := cmd.Output()
		w.Header.Set("X-Shopify-Hmac-Sha256", strings.TrimSpace(string(out)))
		return err
	},
}

// paddleVerifies holds our signature of a sample against Paddle's own library.
func paddleVerifies(w *sample.Webhook, secret string, _ time.Time) error {
	r, err := http.NewRequest(http.MethodPost, "https://keypool.example.com/webhooks/demo/paddle", bytes.NewReader(w.Body))
	if err != nil {
		return err
	}
	r.Header = w.Header.Clone()
	good, err := paddle.NewWebhookVerifier(secret).Verify(r)
	if err == nil && !good {
		err = errors.New("Paddle's library does not take the signature")
	}
	return err
}

// shopifysSigner is a program that signs by Shopify's own library for Node, which is fetched
// into the checkout once.
var shopifysSigner = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(world.machine.Checkout, ".local", "shopify")
	install := exec.Command("npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "@shopify/shopify-api@13.1.0")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Shopify's library: %w\n%s", err, out)
	}
	name := filepath.Join(dir, "sign.mjs")
	return name, os.WriteFile(name, []byte(`import { text } from "node:stream/consumers";
import "@shopify/shopify-api/adapters/node";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";
console.log(await createSHA256HMAC(process.env.SECRET, await text(process.stdin)));
`), 0o600)
})

// Each platform's orders, from its webhook to the mail, over HTTPS: an order and its keys;
// again, and by a wrong signature; a test order; a renewal; a return.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, name := range sample.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := sample.Of(name)
			tellPlatform(t, p)
		})
	}
}

func tellPlatform(t *testing.T, p sample.Platform) {
	story, ok := stories[p.Name]
	if !ok {
		t.Fatalf("nobody says which samples of %s to send", p.Name)
	}
	m := newMerchant(t)
	live := m.stock(8)
	test := newKeys(2)
	m.loaded(m.dropInto(m.pool+"/test/", strings.Join(test, "\n")))
	account := m.connect(p)

	first := cmp.Or(story.paid, "paid")
	bought := account.order(first, 2)
	paid := account.sample(first, bought)
	for _, altered := range []shop.Request{
		account.request(paid, shop.NewSecrets(p, random)), // by secrets of another account
		tampered(account.request(paid, account.secrets), bought.ID),
	} {
		if answer := do(t, altered); answer.Status != http.StatusUnauthorized {
			t.Errorf("a wrong signature is answered %d, not 401", answer.Status)
		}
	}
	if lines := account.lines(paid); len(lines) != 0 {
		t.Errorf("a webhook that nobody signed left %+v", lines)
	}
	account.send(paid)
	mailed := keysIn(m.mailTo(bought.Email, paid.Order))
	if len(mailed) != 2 || !slices.Contains(live, mailed[0]) || !slices.Contains(live, mailed[1]) || mailed[0] == mailed[1] {
		t.Errorf("the customer was mailed %d keys, want 2 of the live ones", len(mailed))
	}
	account.send(paid)
	account.stands(paid, order.Fulfilled, 2)

	tried := account.order(story.test, 1)
	trial := account.sample(story.test, tried)
	account.send(trial)
	if got := keysIn(m.mailTo(tried.Email, trial.Order)); len(got) != 1 || !slices.Contains(test, got[0]) {
		t.Errorf("the test order was mailed %d keys, want 1 of the test keys", len(got))
	}

	renewals := 0
	if story.renewed != "" {
		again := bought
		again.Quantity = 1
		renewal := account.sample(story.renewed, again)
		account.send(renewal)
		if got := keysIn(m.mailTo(bought.Email, renewal.Order)); renewal.Order == paid.Order || len(got) != 1 || !slices.Contains(live, got[0]) || slices.Contains(mailed, got[0]) {
			t.Errorf("the renewal %s was mailed %d keys, want 1 new one", renewal.Order, len(got))
		}
		renewals = 1
	}

	if story.part != "" {
		account.send(account.sample(story.part, bought))
		account.stands(paid, order.Fulfilled, 1)
	}
	account.send(account.sample(story.returned, bought))
	account.stands(paid, order.Returned, 0)
	account.send(paid)
	account.stands(paid, order.Returned, 0)
	have, ofTest := m.left()
	if want := (shop.Stock{Available: 6 - renewals, Claimed: renewals, Revoked: 2}); have != want {
		t.Errorf("of the live keys there are %+v, want %+v", have, want)
	}
	if want := (shop.Stock{Available: 1, Claimed: 1}); ofTest != want {
		t.Errorf("of the test keys there are %+v, want %+v", ofTest, want)
	}
	if n := len(m.mails(bought.Email)); n != 1+renewals {
		t.Errorf("the customer has %d mails, want %d", n, 1+renewals)
	}
}

// An order that renews another is mailed the other's key and takes none, as its product says,
// in Keypool's own scheme and of each platform that has renewals.
func TestRenewals(t *testing.T) {
	t.Parallel()
	for name, story := range stories {
		if story.renewed == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := sample.Of(name)
			m := newMerchant(t)
			live := m.stock(2)
			err := world.shop.Change(t.Context(), m.token, "/v1/products/"+m.product, map[string]any{
				"title": "Product " + m.product, "pool": m.pool, "renewal": "parent_key",
				"texts": map[string]any{"en": map[string]string{"body": "Thank you.\n\nYour key is:\n{KEY}"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			account := m.connect(p)
			first := cmp.Or(story.paid, "paid")
			bought := account.order(first, 1)
			paid, renewal := account.sample(first, bought), account.sample(story.renewed, bought)
			account.send(paid)
			had := keysIn(m.mailTo(bought.Email, paid.Order))
			if len(had) != 1 || !slices.Contains(live, had[0]) {
				t.Fatalf("the customer was mailed %d keys, want 1", len(had))
			}
			account.send(renewal)
			account.send(renewal)
			var got []string
			m.await("the mail of the renewal", func(context.Context) bool {
				mails := m.mails(bought.Email)
				if len(mails) == 2 {
					got = keysIn(mails[1])
				}
				return len(mails) == 2
			})
			if !slices.Equal(got, had) {
				t.Errorf("the renewal was mailed %d keys, want its parent's", len(got))
			}
			account.stands(renewal, order.Fulfilled, 0)
			if have, _ := m.left(); have != (shop.Stock{Available: 1, Claimed: 1}) {
				t.Errorf("of the live keys there are %+v: the renewal took one", have)
			}
		})
	}
}

// platformAccount is an account of a merchant with a platform.
type platformAccount struct {
	*merchant
	platform sample.Platform
	name     string
	secrets  shop.Secrets
	since    time.Time // from when on it delivers
	orders   map[*sample.Webhook]sample.Order
}

// account returns an account of the merchant with a platform, which knows its credentials. It
// is to be created.
func (m *merchant) account(p sample.Platform) *platformAccount {
	m.t.Helper()
	a := &platformAccount{merchant: m, platform: p, name: "shop", secrets: shop.NewSecrets(p, random), orders: map[*sample.Webhook]sample.Order{}}
	for _, secret := range []string{a.secrets.Live, a.secrets.Test} {
		world.canaries.Add(canary.Secret, secret)
	}
	for name, credential := range a.secrets.Credentials {
		if name != "client_id" { // which is no secret
			world.canaries.Add(canary.Secret, credential)
		}
	}
	if err := world.internet.Know(p, a.secrets.Credentials); err != nil {
		m.t.Fatal(err)
	}
	return a
}

// create makes the account.
func (a *platformAccount) create() {
	a.t.Helper()
	if err := world.shop.AddPlatformAccount(a.t.Context(), a.token, a.name, a.platform, a.secrets); err != nil {
		a.t.Fatalf("make an account with %s: %v", a.platform.Name, err)
	}
	a.since = time.Now()
}

// connect makes an account of the merchant with a platform, whose webhooks come to it.
func (m *merchant) connect(p sample.Platform) *platformAccount {
	m.t.Helper()
	a := m.account(p)
	if err := world.internet.Send(p, a.address(), a.secrets.Credentials); err != nil {
		m.t.Fatal(err)
	}
	a.create()
	return a
}

// address is where the platform sends the account's webhooks.
func (a *platformAccount) address() string {
	return world.outputs["ApiUrl"] + platform.WebhookPath(a.Merchant, a.name)
}

// random returns 32 hexadecimal digits that were never seen before.
func random(string) string {
	raw := make([]byte, 16)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

// order returns a new order of the account, for a sample; empty: one of the test mode.
func (a *platformAccount) order(event string, quantity int) sample.Order {
	a.t.Helper()
	test := event == ""
	if !test {
		w, err := a.platform.Read(events(), event)
		if err != nil {
			a.t.Fatalf("%s's %s: %v", a.platform.Name, event, err)
		}
		test = w.Test
	}
	return sample.Order{
		ID: a.platform.ID(sample.NewNumber(), test), Product: a.product, Quantity: quantity, Email: newAddress(),
		PaidAt: a.since.Truncate(time.Second).Add(time.Second), Test: event == "",
	}
}

// sample returns the sample of an event, about an order.
func (a *platformAccount) sample(event string, o sample.Order) *sample.Webhook {
	a.t.Helper()
	if event == "" {
		event = "paid"
	}
	w, err := a.platform.Read(events(), event)
	if err != nil {
		a.t.Fatalf("%s's %s: %v", a.platform.Name, event, err)
	}
	w.Be(o)
	a.orders[w] = o
	return w
}

// happens has the platform's API know what a sample is about: it happened, whether a webhook
// tells of it or not.
func (a *platformAccount) happens(w *sample.Webhook) {
	a.t.Helper()
	if err := world.internet.Take(w, a.orders[w], a.secrets.Credentials); err != nil {
		a.t.Fatal(err)
	}
}

// request returns the request that sends a sample now, signed by the vendor's library where
// it has one.
func (a *platformAccount) request(w *sample.Webhook, by shop.Secrets) shop.Request {
	a.t.Helper()
	now := time.Now()
	r, err := world.shop.Sample(w, a.Merchant, a.name, by, now)
	if err != nil {
		a.t.Fatal(err)
	}
	if sign := vendors[a.platform.Name]; sign != nil {
		if err := sign(w, by.Of(w), now); err != nil {
			a.t.Fatal(err)
		}
	}
	r.Header = w.Header.Clone()
	return r
}

// send sends a sample of what happened, which is to be taken.
func (a *platformAccount) send(w *sample.Webhook) {
	a.t.Helper()
	a.happens(w)
	if answer := do(a.t, a.request(w, a.secrets)); answer.Status/100 != 2 {
		a.t.Fatalf("%s's %s is answered %d %s", a.platform.Name, w.Event, answer.Status, answer.Body)
	}
}

func (a *platformAccount) lines(w *sample.Webhook) []shop.OrderLine {
	a.t.Helper()
	lines, err := world.shop.OrderLines(a.t.Context(), a.token, w.Order)
	if err != nil {
		a.t.Fatal(err)
	}
	return lines
}

// stands waits until the line of an order that is the merchant's product is in a state, with
// so many keys.
func (a *platformAccount) stands(w *sample.Webhook, want order.State, keys int) {
	a.t.Helper()
	var last []shop.OrderLine
	err := shop.Await(a.t.Context(), timeout, "the line being "+string(want), func() (bool, error) {
		var err error
		last, err = world.shop.OrderLines(a.t.Context(), a.token, w.Order)
		i := slices.IndexFunc(last, func(l shop.OrderLine) bool { return l.Product == a.product })
		return i >= 0 && last[i].State == string(want) && last[i].Allocated == keys, err
	})
	if err != nil {
		a.t.Fatalf("%v; the lines are %+v", err, last)
	}
}

// tampered returns the request with the last digit of the order's number changed.
func tampered(r shop.Request, id string) shop.Request {
	i := strings.Index(string(r.Body), id) + len(id) - 1
	r.Body = slices.Clone(r.Body)
	r.Body[i] = '0' + (r.Body[i]-'0'+1)%10
	return r
}

func events() fs.FS { return os.DirFS(filepath.Join(world.machine.Checkout, "events")) }
