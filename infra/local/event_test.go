package main

import (
	"strings"
	"testing"

	"keypool/infra/local/shop"
)

// make event says in words how a line stands, and what to do about one that is not delivered.
func TestStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line  shop.OrderLine
		says  string
		hints []string // what is in each
	}{
		"delivered":   {shop.OrderLine{Product: "game", State: "fulfilled", Wanted: 2, Allocated: 2}, "product game: fulfilled, with 2 of 2 keys", nil},
		"waiting":     {shop.OrderLine{Product: "game", State: "waiting", Wanted: 2, Allocated: 1}, "product game: waiting, with 1 of 2 keys", []string{"next key file"}},
		"unconnected": {shop.OrderLine{Product: "poster", State: "unconnected"}, "product poster: unconnected, with 0 of 0 keys", []string{`/v1/products/'poster'`}},
		"under review": {
			shop.OrderLine{Product: "game", State: "on_hold", Wanted: 2, Holds: []string{"review", "brake"}},
			"product game: on hold because your rules have every order looked at; the brake was set, with 0 of 2 keys",
			[]string{"make inbox"},
		},
		"paid before": {
			shop.OrderLine{Product: "game", State: "on_hold", Wanted: 2, Holds: []string{"paid before"}},
			"product game: on hold because it was paid before its account delivers, with 0 of 2 keys", nil,
		},
		"not paid": {
			shop.OrderLine{ID: "fjA1", State: "expected"},
			"which is not paid: something of it is given back already, and gets no keys when it is paid", nil,
		},
	} {
		if got := stands(c.line); got != c.says {
			t.Errorf("%s: %s", name, got)
		}
		got := hints([]shop.OrderLine{c.line, c.line}, "elden")
		if len(got) != len(c.hints) {
			t.Errorf("%s: hints %q", name, got)
			continue
		}
		for i, want := range c.hints {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: hint %q lacks %q", name, got[i], want)
			}
		}
	}
}
