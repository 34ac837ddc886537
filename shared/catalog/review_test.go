package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

func TestReview_holds(t *testing.T) {
	t.Parallel()
	line := order.Fulfillment{Side: pool.Live, Quantity: 3, UnitPrice: "33.30", Currency: "EUR"}
	with := func(change func(*order.Fulfillment)) order.Fulfillment {
		l := line
		change(&l)
		return l
	}
	braked := catalog.Brake{SetAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	eur := func(sum string) catalog.Rules { return catalog.Rules{Above: map[string]string{"EUR": sum}} }
	type holds = []order.Hold
	for name, c := range map[string]struct {
		rules catalog.Rules
		brake catalog.Brake
		q     catalog.Question
		want  []order.Hold
	}{
		"no rule":                       {q: catalog.Question{Line: line, OrderKeys: 1}},
		"always":                        {rules: catalog.Rules{Always: true}, q: catalog.Question{Line: line}, want: holds{order.HoldReview}},
		"as many keys as are let pass":  {q: catalog.Question{Line: line, OrderKeys: 100}},
		"one more":                      {q: catalog.Question{Line: line, OrderKeys: 101}, want: holds{order.HoldCap}},
		"a cap of its own":              {rules: catalog.Rules{MaxKeys: 2}, q: catalog.Question{Line: line, OrderKeys: 3}, want: holds{order.HoldCap}},
		"a larger cap":                  {rules: catalog.Rules{MaxKeys: 200}, q: catalog.Question{Line: line, OrderKeys: 101}},
		"risky":                         {rules: catalog.Rules{Risk: true}, q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Risk = "elevated" })}, want: holds{order.HoldReviewRisk}},
		"a word that nobody knows":      {rules: catalog.Rules{Risk: true}, q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Risk = "hm" })}, want: holds{order.HoldReviewRisk}},
		"risky, without the rule":       {q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Risk = "highest" })}},
		"not risky":                     {rules: catalog.Rules{Risk: true}, q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Risk = " Normal" })}},
		"no verdict":                    {rules: catalog.Rules{Risk: true}, q: catalog.Question{Line: line}},
		"as dear as is let pass":        {rules: eur("99.90"), q: catalog.Question{Line: line}},
		"a cent more":                   {rules: eur("99.89"), q: catalog.Question{Line: line}, want: holds{order.HoldReviewAmount}},
		"dear in another currency":      {rules: eur("1"), q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Currency = "USD" })}},
		"dear, of an unknown price":     {rules: eur("1"), q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.UnitPrice = "" })}},
		"one order too many":            {rules: catalog.Rules{MaxOrders: 2}, q: catalog.Question{Line: line, ManyOrders: true}, want: holds{order.HoldReviewOrders}},
		"too many, without the rule":    {q: catalog.Question{Line: line, ManyOrders: true}},
		"the brake is set":              {brake: braked, q: catalog.Question{Line: line}, want: holds{order.HoldBrake}},
		"a test while the brake is set": {brake: braked, q: catalog.Question{Line: with(func(l *order.Fulfillment) { l.Side = pool.Test })}},
		"several": {
			rules: catalog.Rules{Always: true, MaxKeys: 1}, brake: braked, q: catalog.Question{Line: line, OrderKeys: 2},
			want: holds{order.HoldReview, order.HoldCap, order.HoldBrake},
		},
	} {
		review := catalog.Review{Rules: c.rules, Brake: c.brake}
		if diff := cmp.Diff(c.want, review.Holds(c.rules, c.q)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// A product with rules of its own follows those alone.
func TestReview_rulesFor(t *testing.T) {
	t.Parallel()
	review := catalog.Review{Rules: catalog.Rules{Always: true, MaxKeys: 5}}
	if got := review.RulesFor(nil); !got.Always || got.Cap() != 5 {
		t.Errorf("no rules of its own: %+v", got)
	}
	if got := review.RulesFor(&catalog.Rules{Risk: true}); got.Always || !got.Risk || got.Cap() != catalog.DefaultMaxKeys {
		t.Errorf("rules of its own: %+v", got)
	}
}

func TestBrakeLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before []int
		want   int
	}{
		{nil, 100}, {[]int{20, 7}, 100}, {[]int{3, 21, 5}, 105}, {[]int{1000}, 5000},
	} {
		if got := catalog.BrakeLimit(c.before); got != c.want {
			t.Errorf("after %v the limit is %d, want %d", c.before, got, c.want)
		}
	}
}
