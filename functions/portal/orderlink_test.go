package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/order"
)

// hasPages gives all products of acme an order page.
func (s *seller) hasPages() {
	s.Helper()
	if err := s.store.PutOrderPages(s.Context(), catalog.OrderPages{Merchant: "acme", Default: catalog.OrderPageOn}); err != nil {
		s.Fatal(err)
	}
}

// linkOfOrder returns the link of an order's page, as mails have it.
func (s *seller) linkOfOrder(line order.Fulfillment) string {
	s.Helper()
	m, _, err := s.store.Merchant(s.Context(), "acme")
	if err != nil {
		s.Fatal(err)
	}
	whole, err := s.store.Whole(s.Context(), line.ID.OrderHalf())
	if err != nil {
		s.Fatal(err)
	}
	address, err := link.Page{Merchant: "acme", Order: line.ID.OrderHalf(), Number: whole.Link.Number}.URL(publicURL, m.LinkKey)
	if err != nil {
		s.Fatal(err)
	}
	return address
}

func TestOrderLink_isShownReplacedAndRevoked(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	ada := s.signIn("ada@acme.example")
	ada.get(pathOf(line)).hasNot("Customer's page")
	ada.get(pathOf(line) + "/page").has("The order has no page: none of its products has one.")
	s.hasPages()
	s.later(catalog.CacheFor)

	first := s.linkOfOrder(line)
	ada.get(pathOf(line)).has("Customer's page", "Its link is good until 23 Nov 2027", "See the link").hasNot(first)
	p := ada.get(pathOf(line)+"/page").has(first, "Whoever has it sees the order and its keys").hasNot("AAAA-1111")
	if p.headers["Cache-Control"] != "no-store" {
		t.Error("the page of the link may be kept")
	}
	p = ada.get(pathOf(line)+"/replace-link").has("The one that the customer has stops working at once", "The customer is not told of the other one").hasNot(first)
	form := p.actForm("reason", "she had forwarded the mail")
	ada.post(pathOf(line)+"/replace-link", form).has("The order's page has another link", s.linkOfOrder(line)).hasNot(first)
	second := s.linkOfOrder(line)
	if second == first {
		t.Fatal("it is the same link")
	}
	// The button, pressed twice, makes one link; so does an older page of another browser.
	ada.post(pathOf(line)+"/replace-link", form)
	form.Set("once", "another-form")
	ada.post(pathOf(line)+"/replace-link", form).has("The order has changed since you opened the page")
	if s.linkOfOrder(line) != second {
		t.Error("the same form made a third link")
	}
	ada.get(pathOf(line)).has("Its page got another link by Ada Byron (ada).", "Why: she had forwarded the mail")

	p = ada.get(pathOf(line) + "/revoke-link").has("the order has no page until you give it another link")
	ada.post(pathOf(line)+"/revoke-link", p.actForm()).has("The link is revoked", "Give it another link…").hasNot(second, "/o/")
	ada.get(pathOf(line)).has("Its link was revoked", "Give it another", "The link of its page was revoked by Ada Byron (ada).")
	ada.post(pathOf(line)+"/replace-link", ada.get(pathOf(line)+"/replace-link").actForm()).has(s.linkOfOrder(line))
	s.later(366 * 24 * time.Hour)
	ada = s.signIn("ada@acme.example")
	ada.get(pathOf(line)).has("Its link was good until")
	ada.get(pathOf(line)+"/page").has("nobody sees the order's page any more", "Give it another link…").hasNot("/o/")
}

// The link opens the keys: it is for who may see them, a moment after they signed in.
func TestOrderLink_isForWhoMaySeeKeys(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.hasPages()
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	address := s.linkOfOrder(line)
	for _, role := range []string{"support", "stock", "read"} {
		b := s.signIn(role + "@acme.example")
		b.get(pathOf(line)).hasNot("Customer's page", address)
		if p := b.get(pathOf(line) + "/page"); p.status != 403 {
			t.Errorf("%s: %d", role, p.status)
		} else {
			p.hasNot(address)
		}
		for _, act := range []string{"replace-link", "revoke-link"} {
			if p := b.send("POST", pathOf(line)+"/"+act, url.Values{}); p.status != 403 {
				t.Errorf("%s to %s: %d", act, role, p.status)
			}
		}
	}
	if s.linkOfOrder(line) != address {
		t.Error("the link was changed")
	}
	s.signIn("manager@acme.example").get(pathOf(line) + "/page").has(address)
	ada := s.signIn("ada@acme.example")
	s.later(access.FreshFor)
	if p := ada.send("GET", pathOf(line)+"/page", nil); !strings.HasPrefix(p.headers["Location"], againPath) {
		t.Errorf("a quarter of an hour later: %d", p.status)
	}
}
