package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

var askedField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// asked returns what the hidden fields of a page's form hold.
func (p page) asked() url.Values {
	sent := url.Values{}
	for _, m := range askedField.FindAllStringSubmatch(p.body[strings.Index(p.body, `<main`):], -1) {
		sent.Add(unescape(m[1]), unescape(m[2]))
	}
	return sent
}

func byHandForm(fields ...string) url.Values {
	sent := url.Values{
		"order": {"press-17"}, "customer.email": {"grace@example.com"}, "customer.name": {"Grace"}, "lines[0].product": {"4711"}, "lines[0].quantity": {"2"},
		"reason": {"a key for the press"},
	}
	for i := 0; i+1 < len(fields); i += 2 {
		sent.Set(fields[i], fields[i+1])
	}
	return sent
}

// byHandLine is the line of an order by hand.
func (s *seller) byHandLine(number string, side pool.Side) (order.Fulfillment, bool) {
	s.Helper()
	of := catalog.ByHand("acme")
	line, known, err := s.store.Fulfillment(s.Context(), order.Identity{Merchant: "acme", Side: side, Origin: of.Origin, Order: number, Line: "4711"}.ID())
	if err != nil {
		s.Fatal(err)
	}
	return line, known
}

func TestByHand_saysWhatHappensAndDoesItOnce(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111", "BBBB-2222", "CCCC-3333")
	ada := s.signIn("ada@acme.example")
	ada.get(ordersPath).has("Fulfil one by hand…")
	ada.get(byHandPath).has("You see what will happen before it does.", "Elden (4711)")
	p := ada.post(byHandPath, byHandForm()).has("2 keys go to Grace, grace@example.com, as the order press-17.", "Elden (4711) × 2: 2 keys of the pool elden", "cannot be taken back")
	if _, known := s.byHandLine("press-17", pool.Live); known {
		t.Fatal("it was done before anybody was sure")
	}
	sure := p.asked()
	// Back to the form, with what was typed.
	change := p.asked()
	change.Set("change", "1")
	change.Del("once")
	if p := ada.post(byHandPath, change); !strings.Contains(p.body, `value="press-17"`) || !strings.Contains(p.body, `value="grace@example.com"`) {
		t.Error("what was typed is lost")
	}
	ada.post(byHandPath, sure).has("Fulfilled by hand: it gets its keys", "Order press-17", "Fulfilled by hand by Ada Byron (ada).", "Why: a key for the press", "2, from elden.txt").hasNot("AAAA-1111", "BBBB-2222")
	// The same button again, the same form again, and the same order anew.
	ada.post(byHandPath, sure).has("Order press-17")
	sure.Del("once")
	ada.post(byHandPath, sure).has("Order press-17")
	ada.post(byHandPath, byHandForm()).has("This order was fulfilled by hand before, for the same customer. Nothing was done now.")
	line, _ := s.byHandLine("press-17", pool.Live)
	if left, err := s.store.Available(t.Context(), line.PoolID(), 1, 100); err != nil || left != 1 || line.Allocated != 2 {
		t.Errorf("%d keys were given, %d are left, %v", line.Allocated, left, err)
	}
	// Another customer under its number is nobody's.
	ada.post(byHandPath, byHandForm("customer.email", "mallory@example.com")).has("An order of this number was fulfilled by hand before")
	s.sell("acme", "A-1", 1)
	ada.post(byHandPath, byHandForm("order", "A-1")).has("The account shop-eu has an order of this number.")
}

func TestByHand_mistakesStandAtTheirFields(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	ada := s.signIn("ada@acme.example")
	for _, c := range []struct{ field, value, says string }{
		{"order", "", "This is missing."},
		{"customer.email", "nobody", "This is not a mail address."},
		{"lines[0].product", "", "This is missing."},
		{"lines[0].product", "unknown", "No pool feeds this product"},
		{"lines[0].quantity", "0", "This is less than 1."},
		{"lines[0].quantity", "many", "se a whole number"},
		{"lines[0].quantity", "1001", "This is over 1000"},
		{"lines[3].product", "unknown", "No pool feeds this product"},
		{"lines[3].product", "4711", "This product stands there twice."},
		{"reason", "", "Say why"},
	} {
		p := ada.post(byHandPath, byHandForm("lines[3].quantity", "1", c.field, c.value)).has("Nothing was changed.", c.says)
		if p.status != 422 || !strings.Contains(p.body, `id="field-`+c.field+`" name="`+c.field+`" aria-invalid="true"`) {
			t.Errorf("%s=%q is %d, and not told at its field", c.field, c.value, p.status)
		}
	}
	// What the product gives has changed since it was said.
	sure := ada.post(byHandPath, byHandForm()).asked()
	product, _, err := s.store.Product(t.Context(), "acme", "4711")
	if err != nil {
		t.Fatal(err)
	}
	product.Keys.Count = 50
	if err := s.store.PutProduct(t.Context(), product); err != nil {
		t.Fatal(err)
	}
	ada.post(byHandPath, sure).has("What the products give has changed meanwhile: it is 100 keys now.")
	if _, known := s.byHandLine("press-17", pool.Live); known {
		t.Error("more keys were given than was said")
	}
	ada.post(byHandPath, byHandForm("test", "1")).has("It is a test: it takes test keys alone.")
}

// Keys that go to an address that somebody types are given by who may, a moment after they
// signed in.
func TestByHand_roles(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	for _, role := range []string{"support", "stock", "read"} {
		b := s.signIn(role + "@acme.example")
		form := byHandForm("sure", "1", "keys", "2")
		if p := b.get(byHandPath); p.status != 403 {
			t.Errorf("%s sees the form: %d", role, p.status)
		}
		if p := b.send("POST", byHandPath, form); p.status != 403 {
			t.Errorf("%s fulfils: %d", role, p.status)
		}
		b.get(ordersPath).hasNot(byHandPath)
	}
	if _, known := s.byHandLine("press-17", pool.Live); known {
		t.Error("who may not, fulfilled an order")
	}
	s.signIn("manager@acme.example").get(byHandPath).has("Fulfil an order by hand")
	ada := s.signIn("ada@acme.example")
	s.later(access.FreshFor)
	if p := ada.send("POST", byHandPath, byHandForm("sure", "1", "keys", "2")); !strings.HasPrefix(p.headers["Location"], againPath) {
		t.Errorf("a quarter of an hour later: %d %v", p.status, p.headers)
	}
	if _, known := s.byHandLine("press-17", pool.Live); known {
		t.Error("a browser that was left open fulfilled an order")
	}
}
