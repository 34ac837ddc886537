//go:build browser

package main

import (
	"testing"

	"keypool/shared/order"
)

// A mail to an address one letter from a well-known one came back: its order offers the right
// one, and tells how it went.
func TestBrowser_bounceCorrected(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1041", 1)
	s.mail(line)
	s.news(line, order.MailBounced, "Permanent/General")
	b := s.tab().signIn("ada@acme.example")
	b.Has("1 mail reached nobody.")
	b.Look("home-bounced")
	b.Press("Correct it")
	b.Has("Order A-1041", "Did the customer mean gmail.com?")
	b.Look("order-bounced")
	b.Press("Correct and send")
	b.Has("The address was corrected, and its mail is on its way there.", "It was marcel@gmial.com.", "Being mailed")
	b.Look("order-corrected")
	s.mail(line)
	b.Has("Mail 2 was handed over for marcel@gmail.com.") // by itself
	s.news(line, order.MailDelivered, "")
	b.Has("Mail 2 was taken by the mail server of gmail.com.", "Nothing more happens by itself.")
	b.announces("Mail 2 was taken by the mail server of gmail.com.")
	b.Look("order-delivered")
	b.Go("/portal")
	b.Has("Nothing. All paid orders have their keys, or get them in a moment.")
	b.Look("home-well")
}

func TestBrowser_keyReplaced(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111", "BBBB-2222")
	line := s.sell("acme", "A-1", 2)
	s.stock("acme", "CCCC-3333")
	second := line.Keys[1].Text.Reveal()
	s.mail(line)
	s.news(line, order.MailDelivered, "")
	b := s.tab().signIn("ada@acme.example")
	b.Go(pathOf(line))
	b.Press("Replace a key…")
	b.Has("which is never sold again", "This cannot be undone.", "m•••@gmial.com")
	b.Choose("Which key", "Elden: The Long Night, key 2")
	b.Type("Why?", "typed wrong in the shop")
	b.Look("act-replace")
	b.Press("Replace and mail")
	b.Has("It has another key, and its mail is on its way.", "A key was replaced by another one by Ada Byron", "Why: typed wrong in the shop")
	b.HasNot("AAAA-1111", "BBBB-2222", "CCCC-3333")
	b.Look("order-replaced")
	b.Press("Show keys")
	b.Has("CCCC-3333", line.Keys[0].Text.Reveal())
	b.HasNot(second)
	b.Look("keys")
}

func TestBrowser_holdAndUndo(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]bool{"with script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := openSeller(t)
			s.stock("acme", "AAAA-1111")
			line := s.sell("acme", "A-1", 1)
			b := s.tab()
			if !script {
				b.WithoutScript()
			}
			b.signIn("ada@acme.example")
			b.Go(pathOf(line))
			b.Press("Hold")
			b.Has("Held: no key and no mail of this order goes out", "On hold")
			if script {
				b.Look("order-held")
			}
			b.Press("Undo")
			b.Has("Released: it gets its keys and its mail.", "Being mailed")
			if got := s.line(line).State(); got != order.Fulfilled {
				t.Errorf("after the undo it is %s", got)
			}
		})
	}
}

func TestBrowser_erase(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	s.mail(line)
	s.news(line, order.MailDelivered, "")
	b := s.tab().signIn("ada@acme.example")
	b.Go(pathOf(line))
	b.Press("Erase the customer…")
	b.Has("What was sold stays", "This cannot be undone.")
	b.Look("act-erase")
	b.Press("Go back")
	b.Has("marcel@gmial.com")
	b.Press("Erase the customer…")
	b.PressHere("Also all other orders")
	b.Press("Erase")
	b.Has("Their other orders follow within minutes.", "Erased, today")
	b.HasNot("marcel", "Marcel")
	b.Look("order-erased")
}

func TestBrowser_find(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	b := s.tab().signIn("ada@acme.example")
	find := func(what string) {
		b.Type("Order number, mail address or key", what)
		b.Enter()
	}
	find("A-1")
	if b.Address() != pathOf(line) {
		t.Errorf("the number leads to %s", b.Address())
	}
	find("marcel@gmial.com")
	if b.Address() != pathOf(line) {
		t.Errorf("the address leads to %s", b.Address())
	}
	find("AAAA-1111")
	b.Has("Sold", "elden.txt, line 812")
	b.HasNot("AAAA-1111")
	b.Look("found-key")
	find("no such thing")
	b.Has("There is no order of that number here")
	b.Look("found-nothing")
	s.sell("acme", "A-2", 1)
	find("marcel@gmial.com")
	b.Has("The customer's orders", "A-1", "A-2")
	b.Press("Look for test orders")
	b.Has("There is no order of that number here")
	find("marcel@gmial.com")
	b.Look("found-customer")
}

func TestBrowser_severalReleased(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", several(4, "KEY-")...)
	held := func(f *order.Fulfillment) { f.Hold(order.HoldReview) }
	one, other := s.sell("acme", "A-1", 1, held), s.sell("acme", "A-2", 1, held)
	b := s.tab().signIn("ada@acme.example")
	b.Has("2 orders are held until somebody decides.")
	b.Press("Release or reject")
	b.PressHere("Tick Elden: The Long Night of order A-1")
	b.PressHere("Tick Elden: The Long Night of order A-2")
	b.Look("orders-ticked")
	b.Press("Release…")
	b.Has("2 order lines are released from hold", "A mail cannot be taken back.")
	b.Look("several")
	b.Press("Release")
	b.Has("2 order lines were released from hold.")
	b.Look("orders-released")
	for _, line := range []order.Fulfillment{one, other} {
		if got := s.line(line).State(); got != order.Waiting { // fill gives it its key
			t.Errorf("%s is %s", line.Order, got)
		}
	}
}

// Who looks after orders sees what they can do, and is not asked to do more.
func TestBrowser_support(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	s.mail(line)
	s.news(line, order.MailBounced, "Permanent/General")
	s.sell("acme", "A-2", 1)
	b := s.tab().signIn("support@acme.example")
	b.Has("1 order waits for keys of elden")
	b.Look("support-home")
	b.Go(pathOf(line))
	b.Has("A manager can correct the address")
	b.HasNot("Show keys", "Replace a key", "Erase", "Correct and send")
	b.Look("support-order")
	b.Press("Hold")
	b.Has("Held: no key and no mail of this order goes out")
	b.HasNot("Undo")
	b.Go(ordersPath)
	b.HasNot("Fulfil one by hand", "Release…", "Set the brake")
	b.Look("support-orders")
}

// An order that no platform knows is fulfilled, and the customer's link is replaced.
func TestBrowser_byHandAndLink(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.hasPages()
	s.stock("acme", "AAAA-1111", "BBBB-2222")
	b := s.tab().signIn("ada@acme.example")
	b.Go(ordersPath)
	b.Press("Fulfil one by hand…")
	b.Look("by-hand")
	b.Type("Number of the order", "press-17")
	b.Type("Keys go to", "grace@example.com")
	b.Choose("Product", "Elden (4711)")
	b.Type("Units", "2")
	b.Type("Why?", "a key for the press")
	b.PressHere("More products")
	b.Choose("Product 2", "Elden (4711)")
	b.Type("Units of product 2", "1")
	b.Press("Go on")
	b.Has("This product stands there twice.")
	b.Look("by-hand-mistake")
	b.Choose("Product 2", "Choose one")
	b.Press("Go on")
	b.Has("2 keys go to grace@example.com, as the order press-17.")
	b.Look("by-hand-asked")
	b.Press("Fulfil it")
	b.Has("Fulfilled by hand: it gets its keys", "Order press-17", "Its link is good until")
	b.Look("order-by-hand")
	b.Press("See the link")
	b.Has("/o/")
	b.Look("link-good")
	b.Press("Replace the link…")
	b.Look("act-replace-link")
	b.Press("Replace")
	b.Has("The order's page has another link")
	b.Press("Revoke the link…")
	b.Look("act-revoke-link")
	b.Press("Revoke")
	b.Has("The link is revoked", "Give it another link…")
	b.Look("link-revoked")
}
