package shopify_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
)

// sold is a line of one order, as the shop charges for it.
type sold struct {
	price             string
	quantity, current int
	discounts, taxes  []string
	taxesIncluded     bool
	currency          string
}

// webhook returns the line as the webhook of the order writes it.
func (s sold) webhook(t *testing.T) platform.Request {
	t.Helper()
	r := webhook(t, "shopify_paid")
	var body map[string]any
	digits := json.NewDecoder(bytes.NewReader(r.Body))
	digits.UseNumber() // ids are more than a float holds
	if err := digits.Decode(&body); err != nil {
		t.Fatal(err)
	}
	body["currency"], body["taxes_included"] = s.currency, s.taxesIncluded
	line := body["line_items"].([]any)[0].(map[string]any)
	discounts, taxes := []any{}, []any{}
	for _, amount := range s.discounts {
		discounts = append(discounts, map[string]any{"amount": amount})
	}
	for _, amount := range s.taxes {
		taxes = append(taxes, map[string]any{"price": amount})
	}
	line["price"], line["quantity"], line["current_quantity"] = s.price, s.quantity, s.current
	line["discount_allocations"], line["tax_lines"] = discounts, taxes
	var err error
	if r.Body, err = json.Marshal(body); err != nil {
		t.Fatal(err)
	}
	return r
}

// inAPI returns the order as the API shows it, which writes 40.00 as 40.0.
func (s sold) inAPI() object {
	short := func(amount string) object { return money(strings.TrimSuffix(amount, "0")) }
	discounts, taxes := []object{}, []object{}
	for _, amount := range s.discounts {
		discounts = append(discounts, object{"allocatedAmountSet": short(amount)})
	}
	for _, amount := range s.taxes {
		taxes = append(taxes, object{"priceSet": short(amount)})
	}
	of := line("14001234567890", s.quantity).With(object{
		"currentQuantity": s.current, "originalUnitPriceSet": money(s.price), "discountAllocations": discounts, "taxLines": taxes,
	})
	return order("5501234567890", now, of).With(object{"currencyCode": s.currency, "taxesIncluded": s.taxesIncluded})
}

// The price of a unit is what was paid for it, as a refund gives it back: after all discounts,
// with taxes, rounded up to the lowest unit of the currency. By webhook and by catch-up it is
// the same.
func TestUnitPrice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sold
		want string
	}{
		"taxes in the price":               {sold{"59.99", 2, 2, nil, []string{"20.00"}, true, "EUR"}, "59.99"},
		"no taxes":                         {sold{"59.99", 2, 2, nil, nil, false, "EUR"}, "59.99"},
		"taxes on top":                     {sold{"50.00", 2, 2, nil, []string{"6.00", "1.50"}, false, "EUR"}, "53.75"},
		"discounts of the line and order":  {sold{"59.99", 2, 2, []string{"10.00", "5.99"}, []string{"17.33"}, true, "EUR"}, "52.00"},
		"a discount, and taxes on top":     {sold{"59.99", 2, 2, []string{"11.99"}, []string{"6.48", "1.62"}, false, "EUR"}, "58.05"},
		"a third":                          {sold{"40.00", 3, 3, []string{"20.00"}, nil, true, "EUR"}, "33.34"},
		"a third of units that were taken": {sold{"40.00", 3, 1, []string{"20.00"}, []string{"16.67"}, true, "EUR"}, "33.34"},
		"yen":                              {sold{"1000", 3, 3, []string{"1"}, nil, true, "JPY"}, "1000"},
		"dinars":                           {sold{"1.000", 3, 3, []string{"0.001"}, nil, true, "KWD"}, "1.000"},
		"all of it taken off":              {sold{"40.00", 3, 3, []string{"120.00"}, nil, false, "EUR"}, "0.00"},
		"a price that cannot be read":      {sold{"forty", 3, 3, nil, nil, true, "EUR"}, ""},
		"a discount that cannot be read":   {sold{"40.00", 3, 3, []string{"much"}, nil, true, "EUR"}, ""},
		"a tax that cannot be read":        {sold{"40.00", 3, 3, nil, []string{"much"}, false, "EUR"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := open(t)
			w.orders = []object{test.inAPI()}
			told, err := a.Decode(t.Context(), test.webhook(t), account())
			if err != nil {
				t.Fatal(err)
			}
			found, err := all(t, a, withApp(account()), now)
			if err != nil || len(found) != 1 {
				t.Fatalf("%+v, %v", found, err)
			}
			paid := told[0].(platform.Paid)
			if diff := cmp.Diff(paid.Lines, found[0].Paid.Lines); diff != "" {
				t.Errorf("not the same by webhook and catch-up:\n%s", diff)
			}
			if got := paid.Lines[0].UnitPrice; got != test.want {
				t.Errorf("a unit was paid with %q, want %q", got, test.want)
			}
		})
	}
}

// The example of an order whose taxes come on top, and that a code made cheaper.
func TestUnitPrice_example(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	want := paid()
	want.Order, want.Lines[0].UnitPrice = "5501234567895", "58.05"
	decodes(t, a, webhook(t, "shopify_paid_discounted"), account(), want)
}
