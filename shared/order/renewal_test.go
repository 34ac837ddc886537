package order_test

import (
	"testing"

	"keypool/shared/order"
)

func TestRenewedIn(t *testing.T) {
	t.Parallel()
	line := func(id, product, original string) order.Fulfillment {
		return order.Fulfillment{Line: id, Product: product, Original: original}
	}
	renewal := line("1", "game", "")
	for name, c := range map[string]struct {
		renewal order.Fulfillment
		parent  []order.Fulfillment
		want    string // the line's id; empty: none
	}{
		"the same line":                {renewal, []order.Fulfillment{line("2", "game", ""), line("1", "game", "")}, "1"},
		"another line of the product":  {renewal, []order.Fulfillment{line("1", "book", ""), line("7", "game", "")}, "7"},
		"two lines of the product":     {renewal, []order.Fulfillment{line("2", "game", ""), line("7", "game", "")}, ""},
		"the original's line":          {line("1", "a1", "game"), []order.Fulfillment{line("8", "book", ""), line("9", "a0", "game")}, "9"},
		"the only line of an order":    {renewal, []order.Fulfillment{line("3", "game-one-year", "")}, "3"},
		"several others":               {renewal, []order.Fulfillment{line("3", "book", ""), line("4", "film", "")}, ""},
		"an order that is not there":   {renewal, nil, ""},
		"the same id of another thing": {renewal, []order.Fulfillment{line("1", "book", ""), line("4", "film", "")}, ""},
	} {
		got, ok := c.renewal.RenewedIn(c.parent)
		if ok != (c.want != "") || ok && got.Line != c.want {
			t.Errorf("%s: line %q, %v; want %q", name, got.Line, ok, c.want)
		}
	}
}
