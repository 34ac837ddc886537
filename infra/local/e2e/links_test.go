//go:build deployment

package e2e

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
)

// review sets the merchant's rules of review.
func (m *merchant) review(settings map[string]any) {
	m.t.Helper()
	if err := world.shop.Change(m.t.Context(), m.token, "/v1/review", settings); err != nil {
		m.t.Fatalf("set the rules of review: %v", err)
	}
}

// linkForm is a link in a mail's text.
var linkForm = regexp.MustCompile(`https://\S+(/links/[A-Za-z0-9._-]+)`)

// links returns the paths of the links in a mail, each of which acts for who has it.
func (m *merchant) links(mail shop.Mail) []string {
	m.t.Helper()
	var paths []string
	for _, match := range linkForm.FindAllStringSubmatch(mail.Text, -1) {
		if !strings.HasPrefix(match[0], world.outputs["ApiUrl"]+"/") {
			m.t.Errorf("a link does not lead to the API, %s", world.outputs["ApiUrl"])
		}
		if !strings.Contains(html.UnescapeString(mail.HTML), match[0]) {
			m.t.Error("the mail's HTML lacks a link of its text")
		}
		if !slices.Contains(paths, match[1]) {
			paths = append(paths, match[1])
			world.canaries.Add(canary.Link, strings.TrimPrefix(match[1], "/links/"))
		}
	}
	if want := world.machine.APIURL(world.outputs["ApiId"]); world.outputs["ApiUrl"] != want {
		m.t.Errorf("links lead to %s, and the API answers at %s", world.outputs["ApiUrl"], want)
	}
	if len(paths) == 0 {
		m.t.Fatalf("the mail %q has no link", mail.Subject)
	}
	return paths
}

// hidden is what a link's page says of what it shows.
var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="(\d+)">`)

// open opens a link, as a browser does, or a program that looks at mails. The page holds the
// words. It returns what the page says of what it shows.
func (m *merchant) open(link string, words ...string) (seen url.Values) {
	m.t.Helper()
	m.page(do(m.t, shop.Request{Method: http.MethodHead, Path: link}), "")
	body := m.page(do(m.t, shop.Request{Method: http.MethodGet, Path: link}), words...)
	seen = url.Values{}
	for _, input := range hidden.FindAllStringSubmatch(body, -1) {
		seen.Set(input[1], input[2])
	}
	return seen
}

// press presses a button of a link's page, as that was seen.
func (m *merchant) press(link, button string, seen url.Values, words ...string) {
	m.t.Helper()
	form := url.Values{"do": {button}}
	maps.Copy(form, seen)
	m.page(do(m.t, shop.Request{
		Method: http.MethodPost, Path: link, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body: []byte(form.Encode()),
	}), words...)
}

// page returns the text of a page, which holds the words.
func (m *merchant) page(a shop.Answer, words ...string) string {
	m.t.Helper()
	body := html.UnescapeString(string(a.Body))
	if a.Status != http.StatusOK {
		m.t.Fatalf("a link's page is answered %d: %s", a.Status, body)
	}
	for _, word := range words {
		if !strings.Contains(body, word) {
			m.t.Errorf("a link's page does not say %q: %s", word, body)
		}
	}
	return body
}

// held pays an order that a rule of review holds, and returns the link in the merchant's mail.
func (m *merchant) held(o shop.Order) string {
	m.t.Helper()
	m.pay(o, "on_hold", 0)
	return m.links(m.notice("on hold", o.ID))[0]
}

// becomes waits until the line of an order is in a state.
func (m *merchant) becomes(o shop.Order, state string) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), timeout, "the order being "+state, func() (bool, error) {
		line := m.line(o)
		return line != nil && line.State == state, nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// A rule of review holds an order. The link in the merchant's mail shows it, and nothing
// happens before its button is pressed; then the customer is mailed the key, once.
func TestLinks_release(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	live := m.stock(2)
	m.review(map[string]any{"rules": map[string]any{"always": true}})
	o := m.order(1)
	link := m.held(o)
	seen := m.open(link, o.ID, m.product, "Release it", "Reject it")
	if line := m.line(o); line.State != "on_hold" || line.Allocated != 0 || len(m.mails(o.Email)) != 0 {
		t.Errorf("a page that was looked at left the order %+v", line)
	}
	m.press(link, "release", seen, o.ID, "is released")
	if got := m.keysOf(o); len(got) != 1 || !slices.Contains(live, got[0]) {
		t.Errorf("the customer was mailed %d keys, want 1", len(got))
	}
	m.press(link, "release", seen, "This was done already")
	m.press(link, "reject", seen, "nothing to decide")
	m.open(link, "nothing to decide")
	m.pay(o, "fulfilled", 1) // its webhook comes again
	if have, _ := m.left(); have != (shop.Stock{Available: 1, Claimed: 1}) || len(m.mails(o.Email)) != 1 {
		t.Errorf("there are %+v of the keys, and %d mails to the customer", have, len(m.mails(o.Email)))
	}
	altered := link[:len(link)-2] + "AA"
	if answer := do(t, shop.Request{Method: http.MethodPost, Path: altered}); answer.Status != http.StatusNotFound {
		t.Errorf("a link that was altered is answered %d", answer.Status)
	}
}

// An order that is rejected by the link in the merchant's mail gets no key, and its customer
// no mail.
func TestLinks_reject(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(2)
	m.review(map[string]any{"rules": map[string]any{"above": map[string]string{"EUR": "50.00"}}})
	under, over := m.order(1), m.order(2) // of 29.90 EUR each
	link := m.held(over)
	m.pay(under, "fulfilled", 1)
	seen := m.open(link, over.ID, "Reject it")
	m.press(link, "reject", seen, over.ID, "is rejected")
	m.becomes(over, "returned")
	m.press(link, "release", seen, "nothing to decide")
	m.keysOf(under)
	if have, _ := m.left(); have != (shop.Stock{Available: 1, Claimed: 1}) || len(m.mails(over.Email)) != 0 {
		t.Errorf("there are %+v of the keys, and %d mails to the customer", have, len(m.mails(over.Email)))
	}
}

// A day that sells far more than usual is told to the merchant, whose link sets the brake: a
// page that asks, then a button. Orders are held from then on, until they are released.
func TestLinks_brake(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(160) // some are sold until the brake holds
	m.review(map[string]any{"rules": map[string]any{"max_keys": 1000}})
	m.pay(m.order(60), "fulfilled", 60)
	m.pay(m.order(41), "fulfilled", 41)
	link := m.links(m.notice("far more than usual"))[0]
	m.open(link, "Set the brake?", "101 keys")
	if m.brake() {
		t.Error("a page that was looked at set the brake")
	}
	before := m.order(1)
	m.pay(before, "fulfilled", 1)
	m.press(link, "set-brake", nil, "The brake is set")
	if !m.brake() {
		t.Error("the brake is not set")
	}
	m.press(link, "set-brake", nil, "The brake is set", "done already")
	o := m.paysUntilHeld()
	release := m.links(m.notice("on hold", o.ID))[0]
	if err := world.shop.Ask(t.Context(), m.token, http.MethodDelete, "/v1/brake", nil, nil); err != nil {
		t.Fatal(err)
	}
	m.press(release, "release", m.open(release, o.ID, "brake"), "is released")
	if got := m.keysOf(o); len(got) != 1 {
		t.Errorf("the customer was mailed %d keys, want 1", len(got))
	}
	m.becomes(o, "fulfilled")
}

// A brake that sets itself, as the merchant chose, is taken off by the link in the mail that
// tells of it.
func TestLinks_brakeThatSetsItself(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(160)
	m.review(map[string]any{"rules": map[string]any{"max_keys": 1000}, "brakes_itself": true})
	m.pay(m.order(60), "fulfilled", 60)
	m.pay(m.order(41), "fulfilled", 41)
	link := m.links(m.notice("The brake is set"))[0]
	if !m.brake() {
		t.Fatal("the brake has not set itself")
	}
	held := m.paysUntilHeld()
	m.press(link, "release-brake", m.open(link, "Take the brake off?"), "The brake is off")
	if m.brake() {
		t.Error("the brake is still set")
	}
	if line := m.line(held); line.State != "on_hold" {
		t.Errorf("with the brake off, what it held is %s", line.State)
	}
}

// paysUntilHeld pays an order every other second until the brake holds one, which takes half a
// minute: so long settings are cached. It returns that one.
func (m *merchant) paysUntilHeld() shop.Order {
	m.t.Helper()
	for begun := time.Now(); ; time.Sleep(2 * time.Second) {
		o := m.order(1)
		reply, _, err := world.shop.Pay(m.t.Context(), m.Account, o)
		switch {
		case err != nil:
			m.t.Fatalf("pay: %v", err)
		case reply.Lines[0].State == "on_hold":
			return o
		case time.Since(begun) > timeout:
			m.t.Fatal("the brake is set, and holds nothing")
		}
	}
}

// brake says whether the merchant's brake is set.
func (m *merchant) brake() bool {
	m.t.Helper()
	var brake struct{ Set bool }
	if err := world.shop.Ask(m.t.Context(), m.token, http.MethodGet, "/v1/brake", nil, &brake); err != nil {
		m.t.Fatal(err)
	}
	return brake.Set
}
