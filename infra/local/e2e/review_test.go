//go:build deployment

package e2e

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/shop"
)

// review sets the merchant's rules of review.
func (m *merchant) review(settings map[string]any) {
	m.t.Helper()
	if err := world.shop.Change(m.t.Context(), m.token, "/v1/review", settings); err != nil {
		m.t.Fatalf("set the rules of review: %v", err)
	}
}

// button returns the path that the main button of a mail to the merchant leads to. It is one of
// the portal's, and stands in the mail's text and HTML alike.
func (m *merchant) button(mail shop.Mail, says string) string {
	m.t.Helper()
	_, rest, ok := strings.Cut(mail.Text, "\n"+says+":\n")
	link, _, _ := strings.Cut(rest, "\n")
	path, ours := strings.CutPrefix(link, world.outputs["ApiUrl"])
	if !ok || !ours || !strings.HasPrefix(path, "/portal/") || !strings.Contains(html.UnescapeString(mail.HTML), `href="`+link+`"`) {
		m.t.Fatalf("the mail %q has no button %q that leads to the portal, below %s:\n%s", mail.Subject, says, world.outputs["ApiUrl"], mail.Text)
	}
	return path
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// press sends the form of a page that says what will happen, as it was seen.
func (b *browser) press(path string) page {
	b.t.Helper()
	form := url.Values{}
	for _, input := range hidden.FindAllStringSubmatch(b.send(path, nil).body, -1) {
		form.Add(input[1], html.UnescapeString(input[2]))
	}
	return b.send(path, form)
}

// held pays an order that a rule of review holds, and returns the path that the button of the
// merchant's mail leads to.
func (m *merchant) held(o shop.Order) string {
	m.t.Helper()
	m.pay(o, "on_hold", 0)
	return m.button(m.notice("on hold", o.ID), "Release or reject")
}

// opens signs an owner of the merchant in, in a browser that opened an address of the portal
// before. The sign-in leads there.
func (m *merchant) opens(path string) (*browser, page) {
	m.t.Helper()
	address := m.owner()
	b := newBrowser(m.t)
	if p := b.send(path, nil); p.status != http.StatusSeeOther || p.header.Get("Location") != "/portal/sign-in" {
		m.t.Fatalf("%s is answered %d to a stranger, and leads to %q", path, p.status, p.header.Get("Location"))
	}
	b.send("/portal/sign-in/ask", url.Values{"email": {address}})
	link, _ := signInMail(m.t, address)
	if in := b.send(link, url.Values{}); in.status != http.StatusSeeOther || in.header.Get("Location") != path {
		m.t.Fatalf("signing in is answered %d, and leads to %q, not to %s", in.status, in.header.Get("Location"), path)
	}
	return b, b.send(path, nil)
}

// page returns the text of a page, which holds the words.
func (m *merchant) page(a shop.Answer, words ...string) string {
	m.t.Helper()
	body := html.UnescapeString(string(a.Body))
	if a.Status != http.StatusOK {
		m.t.Fatalf("a page is answered %d: %s", a.Status, body)
	}
	for _, word := range words {
		if !strings.Contains(body, word) {
			m.t.Errorf("a page does not say %q: %s", word, body)
		}
	}
	return body
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

// A rule of review holds an order. The button of the merchant's mail leads to its page, by way
// of signing in, and nothing happens before it is released there; then the customer is mailed
// the key, once.
func TestReview_releasedFromTheMail(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	live := m.stock(2)
	m.review(map[string]any{"rules": map[string]any{"always": true}})
	o := m.order(1)
	path := m.held(o)
	b, shown := m.opens(path)
	if shown.status != http.StatusOK || !strings.Contains(shown.body, o.ID) || !strings.Contains(shown.body, path+"/reject") {
		t.Errorf("the order's page is answered %d, without the order or its acts", shown.status)
	}
	if line := m.line(o); line.State != "on_hold" || line.Allocated != 0 || len(m.mails(o.Email)) != 0 {
		t.Errorf("a page that was looked at left the order %+v", line)
	}
	for range 2 { // the second time, there is nothing to do
		b.press(path + "/release")
	}
	if got := m.keysOf(o); len(got) != 1 || !slices.Contains(live, got[0]) {
		t.Errorf("the customer was mailed %d keys, want 1", len(got))
	}
	m.pay(o, "fulfilled", 1) // its webhook comes again
	if have, _ := m.left(); have != (shop.Stock{Available: 1, Claimed: 1}) || len(m.mails(o.Email)) != 1 {
		t.Errorf("there are %+v of the keys, and %d mails to the customer", have, len(m.mails(o.Email)))
	}
}

// An order that is rejected on its page gets no key, and its customer no mail.
func TestReview_rejectedFromTheMail(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(2)
	m.review(map[string]any{"rules": map[string]any{"above": map[string]string{"EUR": "50.00"}}})
	under, over := m.order(1), m.order(2) // of 29.90 EUR each
	path := m.held(over)
	m.pay(under, "fulfilled", 1)
	b, _ := m.opens(path)
	b.press(path + "/reject")
	m.becomes(over, "returned")
	m.keysOf(under)
	if have, _ := m.left(); have != (shop.Stock{Available: 1, Claimed: 1}) || len(m.mails(over.Email)) != 0 {
		t.Errorf("there are %+v of the keys, and %d mails to the customer", have, len(m.mails(over.Email)))
	}
}

// A day that sells far more than usual is told to the merchant, whose button leads to the page
// that sets the brake. Orders are held from then on, until they are released.
func TestReview_brake(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(160) // some are sold until the brake holds
	m.review(map[string]any{"rules": map[string]any{"max_keys": 1000}})
	m.pay(m.order(60), "fulfilled", 60)
	m.pay(m.order(41), "fulfilled", 41)
	path := m.button(m.notice("far more than usual"), "Set the brake")
	b, _ := m.opens(path)
	if m.brake() {
		t.Error("a page that was looked at set the brake")
	}
	b.press(path)
	if !m.brake() {
		t.Error("the brake is not set")
	}
	o := m.paysUntilHeld()
	release := m.button(m.notice("on hold", o.ID), "Release or reject")
	if err := world.shop.Ask(t.Context(), m.token, http.MethodDelete, "/v1/brake", nil, nil); err != nil {
		t.Fatal(err)
	}
	b.press(release + "/release")
	if got := m.keysOf(o); len(got) != 1 {
		t.Errorf("the customer was mailed %d keys, want 1", len(got))
	}
	m.becomes(o, "fulfilled")
}

// A brake that sets itself, as the merchant chose, is told with a button that leads to where it
// is taken off. What it held stays on hold.
func TestReview_brakeThatSetsItself(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(160)
	m.review(map[string]any{"rules": map[string]any{"max_keys": 1000}, "brakes_itself": true})
	m.pay(m.order(60), "fulfilled", 60)
	m.pay(m.order(41), "fulfilled", 41)
	path := m.button(m.notice("The brake is set"), "Take the brake off")
	if !m.brake() {
		t.Fatal("the brake has not set itself")
	}
	held := m.paysUntilHeld()
	b, shown := m.opens(path)
	if !strings.Contains(shown.body, "/portal/orders/brake/release") {
		t.Error("the page does not offer to take the brake off")
	}
	b.send("/portal/orders/brake/release", url.Values{})
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
