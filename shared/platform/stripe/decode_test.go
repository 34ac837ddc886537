package stripe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

var (
	ada = order.Customer{
		Name: "Ada Byron", Email: "ada@example.com", Phone: "+44 20 7946 0000", Company: "Analytical Engines",
		Country: "GB", City: "London", Zip: "SW1Y 4LE", Address: "12 St James's Square", LicenseFor: "Augusta King",
	}
	paidAt = time.Unix(1767366240, 0).UTC()
)

// paid is the order of events/stripe_paid.json.
func paid() platform.Paid {
	return platform.Paid{
		Within: "data.object.", Order: "cs_live_a1", Currency: "EUR", Language: "en", PaidAt: paidAt, Customer: ada,
		Lines: []platform.Line{{ID: "price_1", Product: "prod_1", Title: "The Game", Quantity: 2, UnitPrice: "59.99"}},
	}
}

func decodes(t *testing.T, a stripe.Adapter, r platform.Request, from platform.Account, want ...platform.Event) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	if err != nil {
		t.Errorf("refused: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ignored(kind string) platform.Event { return platform.Ignored{Type: kind} }

func TestDecode_paidOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "stripe_paid"), account(""), paid())
	if len(w.calls) != 1 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	test := paid()
	test.Order, test.Test, test.Lines[0].Quantity = "cs_test_a1", true, 1
	decodes(t, a, webhook(t, "stripe_paid_test"), ofTestSide(account("")), test)
}

// A session whose payment is on its way is nothing yet, and the same session later is an
// order: it was not stored as done.
func TestDecode_delayedPayment(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "stripe_unpaid"), account(""), ignored("checkout.session.completed"))
	if len(w.calls) != 0 {
		t.Errorf("an unpaid session takes the calls %v", w.calls)
	}
	later := paid()
	later.Order, later.PaidAt = "cs_live_a2", paidAt.Add(3*time.Second)
	decodes(t, a, webhook(t, "stripe_paid_later"), account(""), later)
	decodes(t, a, changed(t, "stripe_unpaid", "checkout.session.completed", "checkout.session.async_payment_failed"), account(""), ignored("checkout.session.async_payment_failed"))
}

func TestDecode_freeOrderBySetting(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for settings, delivered := range map[string]bool{"": false, `{}`: false, `{"no_payment_required":"ignore"}`: false, `{"no_payment_required":"deliver"}`: true} {
		got, err := a.Decode(t.Context(), webhook(t, "stripe_free"), account(settings))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", settings, got, err)
		}
		if _, isPaid := got[0].(platform.Paid); isPaid != delivered {
			t.Errorf("%s: %+v", settings, got[0])
		}
	}
	decodes(t, a, changed(t, "stripe_free", `"mode":"payment"`, `"mode":"setup"`), account(`{"no_payment_required":"deliver"}`), ignored("checkout.session.completed"))
}

// A first subscription payment is reported by the session and by its invoice, and so is a
// purchase with an invoice: the session alone is the order.
func TestDecode_onePurchaseIsOneOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	subscribed := paid()
	subscribed.Order, subscribed.Language = "cs_live_s1", ""
	subscribed.Lines = []platform.Line{{ID: "price_3", Product: "prod_3", Title: "Pro", Quantity: 1, UnitPrice: "12.00"}}
	decodes(t, a, webhook(t, "stripe_subscribed"), account(""), subscribed)
	for _, name := range []string{"stripe_invoice_first", "stripe_invoice_manual"} {
		decodes(t, a, webhook(t, name), account(""), ignored("invoice.paid"))
	}
	for _, reason := range []string{`"subscription_update"`, `"subscription_threshold"`, `"quote_accept"`, `"upcoming"`, `"something_new"`, `null`, `5`} {
		decodes(t, a, changed(t, "stripe_invoice_first", `"subscription_create"`, reason), account(""), ignored("invoice.paid"))
	}
	decodes(t, a, webhook(t, "stripe_payment_intent"), account(""), ignored("payment_intent.succeeded"))
	if len(w.calls) != 1 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	// An invoice that is only there after the payment does not make another order.
	got, err := a.Decode(t.Context(), changed(t, "stripe_paid", `"invoice":null`, `"invoice":"in_9"`), account(""))
	if err != nil || got[0].(platform.Paid).Order != "cs_live_a1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A payment without Checkout delivers nothing, and is told once its session would be known for
// sure: nearly all invoices that are no renewals are those of sessions.
func TestDecode_paymentWithoutCheckout(t *testing.T) {
	t.Parallel()
	told := func(id string) platform.Event {
		return platform.Ignored{Type: "invoice.paid", Payment: id, Why: "is an invoice that no Checkout session belongs to"}
	}
	quiet := ignored("invoice.paid")
	none := func(w *world) { w.sessions = nil }
	with := func(change func(a *platform.Account)) platform.Account {
		from := account("")
		change(&from)
		return from
	}
	purchase := func(invoice string) func(w *world) {
		return func(w *world) { w.session("cs_live_a4", object{"customer": "cus_1", "invoice": invoice}) }
	}
	for name, test := range map[string]struct {
		webhook string
		oldnew  []string
		change  func(*world)
		from    platform.Account
		after   time.Duration
		want    platform.Event
		calls   int
	}{
		"a subscription of Checkout's":       {"stripe_invoice_first", nil, func(*world) {}, account(""), time.Hour, quiet, 1},
		"a change of one":                    {"stripe_invoice_first", []string{"subscription_create", "subscription_update"}, func(*world) {}, account(""), time.Hour, quiet, 1},
		"a subscription without":             {"stripe_invoice_first", nil, none, account(""), time.Hour, told("in_1"), 1},
		"a change of that":                   {"stripe_invoice_first", []string{"subscription_create", "subscription_update"}, none, account(""), time.Hour, told("in_1"), 1},
		"too early to know":                  {"stripe_invoice_first", nil, none, account(""), 9 * time.Minute, quiet, 0},
		"a purchase with an invoice":         {"stripe_invoice_manual", nil, purchase("in_3"), account(""), time.Hour, quiet, 1},
		"another purchase of the customer":   {"stripe_invoice_manual", nil, purchase("in_4"), account(""), time.Hour, told("in_3"), 1},
		"an invoice by hand":                 {"stripe_invoice_manual", nil, func(*world) {}, account(""), time.Hour, told("in_3"), 1},
		"of no customer":                     {"stripe_invoice_manual", []string{`"cus_1"`, `null`}, func(*world) {}, account(""), time.Hour, quiet, 0},
		"that cost nothing":                  {"stripe_invoice_manual", []string{`"total":1200`, `"total":0`}, none, account(""), time.Hour, quiet, 0},
		"that is not paid":                   {"stripe_invoice_manual", []string{`"status":"paid"`, `"status":"open"`}, none, account(""), time.Hour, quiet, 0},
		"that cannot be read":                {"stripe_invoice_manual", []string{`"total":1200`, `"total":"much"`}, none, account(""), time.Hour, quiet, 0},
		"before the account delivers":        {"stripe_invoice_manual", nil, none, with(func(a *platform.Account) { a.DeliversFrom = signedAt }), time.Hour, quiet, 0},
		"of an account that ignores others":  {"stripe_invoice_manual", nil, none, with(func(a *platform.Account) { a.OtherProducts = "ignore" }), time.Hour, quiet, 0},
		"of an account without a key":        {"stripe_invoice_manual", nil, none, with(func(a *platform.Account) { a.Credentials = nil }), time.Hour, quiet, 0},
		"of the customer, on the other side": {"stripe_invoice_manual", nil, func(w *world) { purchase("in_3")(w); w.sessions[len(w.sessions)-1]["livemode"] = false }, account(""), time.Hour, told("in_3"), 1},
	} {
		w, a := open(t)
		test.change(w)
		a.Now = func() time.Time { return paidAt.Add(test.after) }
		decodes(t, a, changed(t, test.webhook, test.oldnew...), test.from, test.want)
		if len(w.calls) != test.calls {
			t.Errorf("%s takes the calls %v", name, w.calls)
		}
	}

	// What cannot be looked up is not told: Stripe sends the event again, and catch-up finds it.
	for _, name := range []string{"stripe_invoice_first", "stripe_invoice_manual"} {
		w, a := open(t)
		w.fails["/v1/checkout/sessions"] = http.StatusServiceUnavailable
		a.Now = func() time.Time { return paidAt.Add(time.Hour) }
		if got, err := a.Decode(t.Context(), webhook(t, name), account("")); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	other := object{"data": []object{{"id": "cs_live_a1", "livemode": true, "customer": "cus_2", "invoice": "in_3"}}}
	encoded, _ := json.Marshal(other)
	a := stripe.Through(through(always(string(encoded))))
	if got, err := a.Decode(t.Context(), webhook(t, "stripe_invoice_manual"), account("")); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("another customer's session: %+v, %v", got, err)
	}
}

// renewed is the renewal of events/stripe_renewed.json.
func renewed() platform.Paid {
	p := paid()
	p.Order, p.Parent, p.Language = "in_2", "cs_live_s1", ""
	p.Customer.Phone, p.Customer.Company, p.Customer.LicenseFor = "", "", ""
	p.Lines = []platform.Line{{ID: "price_3", Product: "prod_3", Title: "1 × Pro (at €12.00 / month)", Quantity: 1, UnitPrice: "12.00"}}
	return p
}

func TestDecode_renewalInBothShapes(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for _, name := range []string{"stripe_renewed", "stripe_renewed_old"} {
		w.calls = nil
		decodes(t, a, webhook(t, name), account(""), renewed())
		if len(w.calls) != 2 {
			t.Errorf("%s takes the calls %v", name, w.calls)
		}
	}
}

// A renewal of a plan that was deleted in Stripe is told by the ids that its line holds.
// What the key may not read refuses it.
func TestDecode_renewalOfAPriceThatIsGone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stripe_renewed", "stripe_renewed_old"} {
		w, a := open(t)
		w.fails["/v1/prices/price_3"] = http.StatusNotFound
		decodes(t, a, webhook(t, name), account(""), renewed())
		w.fails["/v1/prices/price_3"] = http.StatusForbidden
		var setup *platform.SetupError
		if _, err := a.Decode(t.Context(), webhook(t, name), account("")); !errors.As(err, &setup) {
			t.Errorf("%s by a key without a permission: %v", name, err)
		}
	}
}

// The price of a renewal's unit is what was paid for it, in both shapes of an invoice.
func TestDecode_priceOfARenewal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, members, want string }{
		{"stripe_renewed", `"discount_amounts":[{"amount":200}],"taxes":[{"amount":190,"tax_behavior":"exclusive"}],`, "11.90"},
		{"stripe_renewed", `"discount_amounts":[],"taxes":[{"amount":192,"tax_behavior":"inclusive"}],"tax_amounts":[{"amount":192,"inclusive":false}],`, "12.00"},
		{"stripe_renewed", `"taxes":null,`, "12.00"},
		{"stripe_renewed_old", `"discount_amounts":[{"amount":200}],"tax_amounts":[{"amount":190,"inclusive":false}],`, "11.90"},
		{"stripe_renewed_old", `"tax_amounts":[{"amount":192,"inclusive":true}],`, "12.00"},
	} {
		_, a := open(t)
		want := renewed()
		want.Lines[0].UnitPrice = test.want
		decodes(t, a, changed(t, test.name, `"amount":1200,`, `"amount":1200,`+test.members), account(""), want)
	}
}

// What a change within a period costs, and what it gives back, sells nothing.
func TestDecode_prorations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, new string }{
		{"stripe_renewed", `"proration":false`, `"proration":true`},
		{"stripe_renewed_old", `"proration":false`, `"proration":true`},
		{"stripe_renewed", `"amount":1200`, `"amount":-1200`},
		{"stripe_renewed", `"pricing":{"type":"price_details","unit_amount_decimal":"1200","price_details":{"price":"price_3","product":"prod_3"}}`, `"pricing":null`},
	} {
		_, a := open(t)
		want := renewed()
		want.Lines, want.SkippedLines = nil, []string{"il_1"}
		decodes(t, a, changed(t, test.name, test.old, test.new), account(""), want)
	}
}

// A renewal that cost nothing is as free as a first order.
func TestDecode_freeRenewal(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	free := changed(t, "stripe_renewed", `"total":1200`, `"total":0`)
	decodes(t, a, free, account(""), ignored("invoice.paid"))
	decodes(t, a, free, account(`{"no_payment_required":"deliver"}`), renewed())
	decodes(t, a, changed(t, "stripe_renewed", `"status":"paid"`, `"status":"open"`), account(""), ignored("invoice.paid"))
}

// A renewal renews the session, or the first renewal that was delivered: an order that
// nobody delivered is no parent to wait for.
func TestDecode_parentOfARenewal(t *testing.T) {
	t.Parallel()
	third := changed(t, "stripe_renewed", `"in_2"`, `"in_3"`, `"paid_at":1767366240`, `"paid_at":1770044640`)
	for name, test := range map[string]struct {
		change func(*world)
		from   int64 // delivers_from
		first  string
		third  string
	}{
		"a paid session":           {func(*world) {}, 0, "cs_live_s1", "cs_live_s1"},
		"a free trial":             {func(w *world) { w.sessions[3]["payment_status"] = "no_payment_required" }, 0, "", "in_2"},
		"a session from before":    {func(*world) {}, 1767366000, "", "in_2"},
		"both from before":         {func(*world) {}, 1770000000, "", ""},
		"without Checkout":         {func(w *world) { w.sessions = nil }, 0, "", "in_2"},
		"a free renewal before it": {func(w *world) { w.sessions = nil; w.invoices[1]["total"] = 0 }, 0, "", ""},
	} {
		w, a := open(t)
		test.change(w)
		w.invoices = append(w.invoices, invoice("in_3", "subscription_cycle", 1770044640))
		from := account("")
		if test.from != 0 {
			from.DeliversFrom = time.Unix(test.from, 0)
		}
		for webhook, want := range map[*platform.Request]string{ptr(webhook(t, "stripe_renewed")): test.first, &third: test.third} {
			got, err := a.Decode(t.Context(), *webhook, from)
			if err != nil || got[0].(platform.Paid).Parent != want {
				t.Errorf("%s: %+v, %v, want parent %q", name, got, err, want)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

// An invoice's webhook holds ten lines at most, and a list of line items ten unless more
// are asked for: all are read.
func TestDecode_allPages(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for n := range 230 {
		p := price(fmt.Sprintf("price_m%d", n), fmt.Sprintf("prod_m%d", n), fmt.Sprintf("Module %d", n))
		w.items["cs_live_a1"] = append(w.items["cs_live_a1"], item(fmt.Sprintf("li_m%d", n), p, 1, 100))
	}
	got, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account(""))
	if err != nil || len(got[0].(platform.Paid).Lines) != 231 || w.called("/line_items") != 3 {
		t.Errorf("read in %d calls: %v", w.called("/line_items"), err)
	}

	for n := range 120 {
		w.lines["in_2"] = append(w.lines["in_2"], object{
			"id": fmt.Sprintf("il_%d", n), "object": "line_item", "quantity": 1, "amount": 1200, "currency": "eur",
			"pricing": object{"type": "price_details", "price_details": object{"price": fmt.Sprintf("price_%d", 1+n%3), "product": "prod"}},
		})
	}
	got, err = a.Decode(t.Context(), changed(t, "stripe_renewed", `"has_more":false`, `"has_more":true`), account(""))
	if err != nil {
		t.Fatal(err)
	}
	quantities := map[string]int{}
	for _, line := range got[0].(platform.Paid).Lines {
		quantities[line.ID] = line.Quantity
		if line.Product != strings.Replace(line.ID, "price", "prod", 1) { // by its price, not by what the line says
			t.Errorf("%+v", line)
		}
	}
	if diff := cmp.Diff(map[string]int{"price_1": 40, "price_2": 40, "price_3": 40}, quantities); diff != "" || w.called("/prices/price_3") != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}

	w.items["cs_live_a1"] = slices.Repeat(w.items["cs_live_a1"], 5) // more than ten pages
	var field *platform.FieldError
	if _, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account("")); !errors.As(err, &field) || !strings.Contains(field.Problem, "pages") {
		t.Errorf("an order without end: %v", err)
	}
}

func TestDecode_lines(t *testing.T) {
	t.Parallel()
	game := price("price_1", "prod_1", "The Game")
	shipped := game.and(object{"id": "price_9", "product": object{"id": "prod_9", "name": "A poster", "shippable": true}})
	line := func(id, product string, quantity int, unit string) platform.Line {
		return platform.Line{ID: id, Product: product, Title: "The Game", Quantity: quantity, UnitPrice: unit}
	}
	for name, test := range map[string]struct {
		items   []object
		want    []platform.Line
		skipped []string
	}{
		"one price twice is summed": {
			[]object{item("li_1", game, 2, 200), item("li_2", game, 1, 100)}, []platform.Line{line("price_1", "prod_1", 3, "1.00")}, nil,
		},
		"two prices of one product": {
			[]object{item("li_1", game, 1, 100), item("li_2", game.and(object{"id": "price_5"}), 1, 200)},
			[]platform.Line{line("price_1", "prod_1", 1, "1.00"), line("price_5", "prod_1", 1, "2.00")},
			nil,
		},
		"no quantity":                          {[]object{item("li_1", game, nil, 500)}, []platform.Line{line("price_1", "prod_1", 1, "5.00")}, nil},
		"tax on top, and a discount":           {[]object{item("li_1", game, 2, 11900).and(object{"amount_subtotal": 10000, "amount_tax": 1900})}, []platform.Line{line("price_1", "prod_1", 2, "59.50")}, nil},
		"a price below a minor unit":           {[]object{item("li_1", game.and(object{"unit_amount": nil, "unit_amount_decimal": "0.5"}), 3, 2)}, []platform.Line{line("price_1", "prod_1", 3, "0.01")}, nil},
		"a unit that is no whole number":       {[]object{item("li_1", game, 3, 10000)}, []platform.Line{line("price_1", "prod_1", 3, "33.34")}, nil},
		"a product that is shipped":            {[]object{item("li_1", game, 1, 100), item("li_9", shipped, 1, 900)}, []platform.Line{line("price_1", "prod_1", 1, "1.00")}, []string{"li_9"}},
		"nothing of an optional item":          {[]object{item("li_1", game, 1, 100), item("li_9", game, 0, 0)}, []platform.Line{line("price_1", "prod_1", 1, "1.00")}, []string{"li_9"}},
		"a product that was deleted":           {[]object{item("li_1", game.and(object{"product": object{"id": "prod_1", "deleted": true}}), 1, 100).and(object{"description": "The Game"})}, []platform.Line{line("price_1", "prod_1", 1, "1.00")}, nil},
		"no price":                             {[]object{item("li_1", game, 1, 100).and(object{"price": nil})}, []platform.Line{line("li_1", "li_1", 1, "1.00")}, nil},
		"a shipped product that has a license": {[]object{item("li_9", shipped.and(object{"metadata": object{"keypool_product": "poster"}}), 1, 900)}, []platform.Line{{ID: "price_9", Product: "poster", Title: "A poster", Quantity: 1, UnitPrice: "9.00"}}, nil},
	} {
		w, a := open(t)
		w.items["cs_live_a1"] = test.items
		want := paid()
		want.Lines, want.SkippedLines = test.want, test.skipped
		if name == "a product that is shipped" {
			want.Shipped = []platform.Line{{ID: "li_9", Product: "prod_9"}}
		}
		t.Run(name, func(t *testing.T) { decodes(t, a, webhook(t, "stripe_paid"), account(""), want) })
	}
}

// Which of a price's names is the product's is the account's setting.
func TestDecode_mapping(t *testing.T) {
	t.Parallel()
	product := func(metadata object) object {
		return object{"id": "prod_1", "object": "product", "name": "The Game", "metadata": metadata}
	}
	named := object{"keypool_product": "game"}
	whole := price("price_1", "prod_1", "The Game").and(object{"lookup_key": "lookup", "metadata": named, "product": product(object{"keypool_product": "other"})})
	for _, test := range []struct {
		settings string
		price    object
		want     string
	}{
		{``, whole, "game"},
		{`{"product":"auto"}`, whole.and(object{"metadata": object{}}), "other"},
		{`{"product":"auto"}`, whole.and(object{"metadata": object{"keypool_product": ""}, "product": product(nil)}), "lookup"},
		{`{"product":"auto"}`, whole.and(object{"metadata": nil, "product": product(nil), "lookup_key": nil}), "prod_1"},
		{`{"product":"auto"}`, whole.and(object{"metadata": nil, "product": "prod_1", "lookup_key": nil}), "prod_1"},
		{`{"product":"metadata"}`, whole, "game"},
		{`{"product":"metadata"}`, whole.and(object{"metadata": object{}, "product": product(nil)}), "prod_1"},
		{`{"product":"lookup_key"}`, whole, "lookup"},
		{`{"product":"lookup_key"}`, whole.and(object{"lookup_key": nil}), "prod_1"},
		{`{"product":"price"}`, whole, "price_1"},
		{`{"product":"product"}`, whole, "prod_1"},
	} {
		w, a := open(t)
		w.items["cs_live_a1"] = []object{item("li_1", test.price, 1, 5999).and(object{"description": "The Game"})}
		got, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account(test.settings))
		if err != nil {
			t.Fatal(err)
		}
		if line := got[0].(platform.Paid).Lines[0]; line.Product != test.want || line.ID != "price_1" { // whatever the product is called
			t.Errorf("%s: %+v, want %s", test.settings, line, test.want)
		}
	}
	// A renewal's line is called the same as the first order's.
	w, a := open(t)
	w.prices[2]["metadata"] = named
	got, err := a.Decode(t.Context(), webhook(t, "stripe_renewed"), account(""))
	if err != nil || got[0].(platform.Paid).Lines[0].Product != "game" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecode_money(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]string{
		"eur": "50.00", "usd": "50.00", "jpy": "5000", "krw": "5000", "vnd": "5000", "clp": "5000", "xof": "5000",
		"kwd": "5.000", "bhd": "5.000", "jod": "5.000", "omr": "5.000", "tnd": "5.000",
		"huf": "50.00", "twd": "50.00", "isk": "50.00", "ugx": "50.00",
	} {
		w, a := open(t)
		w.items["cs_live_a1"] = []object{item("li_1", price("price_1", "prod_1", "The Game"), 2, 10000).and(object{"currency": currency})}
		got, err := a.Decode(t.Context(), changed(t, "stripe_paid", `"currency":"eur"`, `"currency":"`+currency+`"`), account(""))
		if err != nil {
			t.Fatal(err)
		}
		if p := got[0].(platform.Paid); p.Lines[0].UnitPrice != want || p.Currency != strings.ToUpper(currency) {
			t.Errorf("%s: %s %s, want %s", currency, p.Lines[0].UnitPrice, p.Currency, want)
		}
	}
}

// What is only shown never refuses an order.
func TestDecode_whatIsOnlyShown(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for _, test := range []struct {
		old, new string
		change   func(*platform.Paid)
	}{
		{`"locale":"en"`, `"locale":null`, func(p *platform.Paid) { p.Language = "" }},
		{`"locale":"en"`, `"locale":"auto"`, func(p *platform.Paid) { p.Language = "" }},
		{`"locale":"en"`, `"locale":"pt-BR"`, func(p *platform.Paid) { p.Language = "pt-BR" }},
		{`"locale":"en"`, `"locale":["en"]`, func(p *platform.Paid) { p.Language = "" }},
		{`"phone":"+44 20 7946 0000"`, `"phone":null`, func(p *platform.Paid) { p.Customer.Phone = "" }},
		{`"name":"Ada Byron"`, `"name":null`, func(p *platform.Paid) { p.Customer.Name = "" }},
		{`"name":"Ada Byron"`, `"name":{"first":"Ada"}`, func(p *platform.Paid) { p.Customer.Name = "" }},
		{`"line2":null`, `"line2":"Flat 2"`, func(p *platform.Paid) { p.Customer.Address += "\nFlat 2" }},
		{`"text":{"value":"Augusta King"}`, `"text":{"value":null}`, func(p *platform.Paid) { p.Customer.LicenseFor = "" }},
		{`"text":{"value":"Augusta King"}`, `"numeric":{"value":"42"}`, func(p *platform.Paid) { p.Customer.LicenseFor = "42" }},
		{`"text":{"value":"Augusta King"}`, `"dropdown":{"value":"self"}`, func(p *platform.Paid) { p.Customer.LicenseFor = "self" }},
		{`"key":"licensee"`, `"key":"gift"`, func(p *platform.Paid) { p.Customer.LicenseFor = "" }},
		{`"metadata":{}`, `"metadata":{"a":"b"},"something_new":{"c":[1,2]}`, func(*platform.Paid) {}},
		{`"customer_email":null,"locale"`, `"customer_email":"bob@example.com","locale"`, func(*platform.Paid) {}},
	} {
		want := paid()
		test.change(&want)
		decodes(t, a, changed(t, "stripe_paid", test.old, test.new), account(""), want)
	}
	want := paid()
	want.Customer = order.Customer{Email: "bob@example.com", LicenseFor: "Augusta King"}
	r := webhook(t, "stripe_paid")
	before, rest, _ := strings.Cut(string(r.Body), `"customer_details":`)
	_, after, _ := strings.Cut(rest, `,"custom_fields"`)
	r.Body = []byte(strings.Replace(before, `"customer_email":null`, `"customer_email":"bob@example.com"`, 1) + `"customer_details":null,"custom_fields"` + after)
	decodes(t, a, r, account(""), want)
	gift := paid()
	decodes(t, a, changed(t, "stripe_paid", `"key":"licensee"`, `"key":"gift"`), account(`{"license_field":"gift"}`), gift)
}

// A webhook of one side that a secret of the other has signed is refused: a test secret
// must not sell live keys.
func TestDecode_sideOfTheSecret(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for name, from := range map[string]platform.Account{"stripe_paid": ofTestSide(account("")), "stripe_paid_test": account(""), "stripe_refunded_all": ofTestSide(account("")), "stripe_disputed": ofTestSide(account(""))} {
		_, err := a.Decode(t.Context(), webhook(t, name), from)
		var field *platform.FieldError
		if !errors.As(err, &field) || field.Field != "livemode" || !strings.Contains(field.Problem, "mark the secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.calls) != 0 {
		t.Errorf("calls %v", w.calls)
	}
}

func TestDecode_refusals(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for _, test := range []struct{ file, old, new, field string }{
		{"stripe_twice", ``, ``, ""},
		{"stripe_paid", `"object":"event"`, `"object":5`, "object"},
		{"stripe_paid", `"type":"checkout.session.completed",`, ``, "type"},
		{"stripe_paid", `"object":"event",`, ``, "type"},
		{"stripe_paid", `"livemode":true,"pending`, `"livemode":"true","pending`, "livemode"},
		{"stripe_paid", `"created":1767366240`, `"created":"today"`, "created"},
		{"stripe_paid", `"pending_webhooks":1`, `"account":"acct_1"`, "account"},
		{"stripe_paid", `"id":"cs_live_a1",`, ``, "data.object.id"},
		{"stripe_paid", `"id":"cs_live_a1"`, `"id":"cs_live/../../v1/refunds"`, "data.object.id"},
		{"stripe_paid", `"id":"cs_live_a1"`, `"id":"in_1"`, "data.object.id"},
		{"stripe_paid", `"id":"cs_live_a1"`, `"id":7`, "data.object.id"},
		{"stripe_paid", `"payment_status":"paid"`, `"payment_status":null`, "data.object.payment_status"},
		{"stripe_paid", `"mode":"payment",`, ``, "data.object.payment_status"},
		{"stripe_paid", `"livemode":true,"created":1767366000`, `"livemode":false,"created":1767366000`, "data.object.livemode"},
		{"stripe_paid", `Ada Byron`, `Ada \ud83c`, ""},
		{"stripe_renewed", `"id":"in_2"`, `"id":"cs_1"`, "data.object.id"},
		{"stripe_renewed", `"total":1200`, `"total":"12"`, "data.object.total"},
		{"stripe_renewed", `"quantity":1`, `"quantity":1.5`, "data.object.lines.data[0].quantity"},
		{"stripe_refunded_part", `"id":"ch_1"`, `"id":"x"`, "data.object.id"},
		{"stripe_refund_failed", `"id":"re_1"`, `"id":""`, "data.object.id"},
		{"stripe_disputed", `"id":"dp_1"`, `"id":"x"`, "data.object.id"},
		{"stripe_disputed", `"livemode":true,"created":1767366200`, `"livemode":false,"created":1767366200`, "data.object.livemode"},
		{"stripe_disputed", `"status":"needs_response"`, `"status":"of a new kind"`, "data.object.status"},
	} {
		r := webhook(t, test.file)
		if test.old != "" {
			r = changed(t, test.file, test.old, test.new)
		}
		_, err := a.Decode(t.Context(), r, account(""))
		var field *platform.FieldError
		if !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%s with %s: %v, want %q", test.file, test.new, err, test.field)
		} else if strings.Contains(err.Error(), "Ada") || strings.Contains(err.Error(), "example") {
			t.Errorf("it quotes the body: %v", err)
		}
	}
	for _, body := range []string{"", "{", "[]", "null", "\xff", `{"object":"event"} {}`, strings.Repeat("[", 100_000)} {
		var field *platform.FieldError
		if _, err := a.Decode(t.Context(), platform.Request{Body: []byte(body)}, account("")); !errors.As(err, &field) {
			t.Errorf("%.10q: %v", body, err)
		}
	}
	if _, err := a.Decode(t.Context(), webhook(t, "stripe_twice"), account("")); !strings.Contains(err.Error(), "twice") {
		t.Errorf("a member that is there twice: %v", err)
	}
	// A thin notification holds nothing, and its time is a text: it is passed over.
	decodes(t, a, webhook(t, "stripe_thin"), account(""), ignored("v1.billing.meter.error_report_triggered"))
}

// A call that fails for now stores nothing and is tried again. One that the key does not
// allow is told to the merchant, with the order that waits, and is tried again too.
func TestDecode_callsThatFail(t *testing.T) {
	t.Parallel()
	const items = "/v1/checkout/sessions/cs_live_a1/line_items"
	for _, status := range []int{429, 500, 502, 503} {
		w, a := open(t)
		w.fails[items] = status
		if _, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account("")); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%d: %v", status, err)
		}
	}
	for status, says := range map[int]string{401: "enter one that is valid", 403: "permissions", 404: "another account"} {
		w, a := open(t)
		w.fails[items] = status
		_, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account(""))
		var setup *platform.SetupError
		if !errors.As(err, &setup) || setup.Field != "credentials.live_key" || setup.Order != "cs_live_a1" || !strings.Contains(setup.Problem, says) || strings.Contains(err.Error(), "rk_live") {
			t.Errorf("%d: %+v", status, err)
		}
	}
	_, a := open(t)
	without := account("")
	without.Credentials = map[string]platform.Secret{"test_key": platform.Conceal([]byte(testKey))}
	var setup *platform.SetupError
	if _, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), without); !errors.As(err, &setup) || setup.Field != "credentials.live_key" || !strings.Contains(setup.Problem, "is missing") || setup.Order != "cs_live_a1" {
		t.Errorf("without a key: %v", err)
	}
	for _, nothing := range []string{"stripe_unpaid", "stripe_invoice_first", "stripe_invoice_manual", "stripe_payment_intent", "stripe_thin"} {
		if _, err := a.Decode(t.Context(), webhook(t, nothing), without); err != nil { // needs no key
			t.Errorf("%s: %v", nothing, err)
		}
	}
	broken := stripe.Through(through(always(`{"data":[{"id":5}]}`)))
	if _, err := broken.Decode(t.Context(), webhook(t, "stripe_paid"), account("")); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("an answer that cannot be read: %v", err)
	}
}

// through returns a client whose calls are answered by these bodies.
func through(answer func(*http.Request) string) *outbound.Client {
	return outbound.Through(answering(answer))
}

type answering func(*http.Request) string

func (answer answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer(r)))}, nil
}

// always answers everything with one body.
func always(body string) func(*http.Request) string {
	return func(*http.Request) string { return body }
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	for _, good := range []string{``, `{}`, `{"product":"lookup_key","no_payment_required":"deliver","license_field":"owner"}`} {
		if err := (stripe.Adapter{}).CheckSettings([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, field := range map[string]string{
		`{"product":"sku"}`: "product", `{"product":5}`: "product", `{"no_payment_required":true}`: "no_payment_required",
		`{"no_payment_required":"yes"}`: "no_payment_required", `{"shop":"acme"}`: "shop", `{"Product":"auto"}`: "Product",
		`{"license_field":"` + strings.Repeat("x", 201) + `"}`: "license_field",
		`[]`: "", `{"product":"auto","product":"price"}`: "",
	} {
		err := stripe.Adapter{}.CheckSettings([]byte(bad))
		var one *platform.FieldError
		var several platform.FieldErrors
		if errors.As(err, &several) {
			one = several[0]
		} else if !errors.As(err, &one) {
			t.Fatalf("%s is taken: %v", bad, err)
		}
		if one.Field != field {
			t.Errorf("%s: %v, want %q", bad, err, field)
		}
	}
	var both platform.FieldErrors
	if err := (stripe.Adapter{}).CheckSettings([]byte(`{"product":"x","no_payment_required":"y"}`)); !errors.As(err, &both) || len(both) != 2 {
		t.Errorf("two mistakes: %v", err)
	}
}

func TestCheckCredential(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"live_key": liveKey, "test_key": testKey} {
		if err := (stripe.Adapter{}).CheckCredential(name, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []struct{ name, text, says string }{
		{"live_key", testKey, "other side"},
		{"test_key", liveKey, "other side"},
		{"live_key", "sk_live_of_the_examples", "secret key"},
		{"test_key", "sk_test_of_the_examples", "secret key"},
		{"live_key", "pk_live_of_the_examples", "restricted key"},
		{"live_key", "rk_live_", "restricted key"},
		{"live_key", "rk_live_of the examples", "restricted key"},
		{"live_key", "rk_live_of_the_examples\r\nX: y", "restricted key"},
		{"live_key", liveSecret, "restricted key"},
		{"live_key", "", "restricted key"},
		{"api_key", liveKey, "live_key and test_key"},
	} {
		err := stripe.Adapter{}.CheckCredential(bad.name, bad.text)
		if err == nil || !strings.Contains(err.Error(), bad.says) || len(bad.text) > len("rk_live_") && strings.Contains(err.Error(), bad.text) {
			t.Errorf("%s %q: %v", bad.name, bad.text, err)
		}
	}
}
