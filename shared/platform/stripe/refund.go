package stripe

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	"keypool/shared/platform"
)

// charge is a charge that was refunded, in part or whole.
type charge struct {
	ID             string `json:"id"`
	Livemode       bool   `json:"livemode"`
	Amount         int64  `json:"amount"`
	AmountCaptured int64  `json:"amount_captured"`
	PaymentIntent  id     `json:"payment_intent"`
}

// refund is a refund of a charge. It names no side, no line and no quantity.
type refund struct {
	ID            string `json:"id"`
	Amount        int64  `json:"amount"`
	Currency      shown  `json:"currency"`
	Created       int64  `json:"created"`
	Status        shown  `json:"status"`
	Charge        id     `json:"charge"`
	PaymentIntent id     `json:"payment_intent"`
}

func (r refund) name() string { return r.ID }

// counts says whether the customer has the money or will have it: Stripe reports it if a
// pending refund fails. One that requires_action waits for the customer's bank account,
// and may never be made.
func (r refund) counts() bool { return r.Status == "succeeded" || r.Status == "pending" }

// failed says whether the customer keeps having paid.
func (r refund) failed() bool { return r.Status == "failed" || r.Status == "canceled" }

// charge decodes a refunded charge. The body tells the sum of all its refunds, and no
// longer lists them: a sum that is subtracted each time takes too much. So they are read,
// as they are now, and each is reported by its own id.
func (in *reading) charge(ctx context.Context) ([]platform.Event, error) {
	c, err := objectOf[charge](in)
	switch {
	case err != nil:
		return nil, err
	case !isID(c.ID, "ch_") && !isID(c.ID, "py_"):
		return nil, missing("id", "")
	}
	return in.refunds(ctx, c, string(c.PaymentIntent))
}

// refund decodes a refund that changed. The refunds of its charge are read all the same:
// whether everything is back, they say together.
func (in *reading) refund(ctx context.Context) ([]platform.Event, error) {
	r, err := objectOf[refund](in)
	switch {
	case err != nil:
		return nil, err
	case !isID(r.ID, "re_") && !isID(r.ID, "pyr_"):
		return nil, missing("id", "")
	case r.Charge == "" || r.PaymentIntent == "":
		return in.ignored(), nil // of no payment of Checkout's
	}
	return in.refunds(ctx, charge{ID: string(r.Charge)}, string(r.PaymentIntent))
}

// allBefore ends the id of the return of everything that a refund completes.
const allBefore = " and all before"

// refunds reports all refunds of a charge. Of a charge whose amount is not known, that is
// read.
func (in *reading) refunds(ctx context.Context, c charge, payment string) ([]platform.Event, error) {
	order, ok, err := in.orderOf(ctx, payment)
	if err != nil {
		return nil, err
	}
	if !ok {
		return in.ignored(), nil
	}
	if c.Amount == 0 {
		id := c.ID
		if err := in.api.get(ctx, "/v1/charges/"+url.PathEscape(id), nil, &c); err != nil {
			return nil, err
		}
		if c.ID != id {
			return nil, errOther
		}
	}
	if c.Livemode == in.api.test {
		return nil, errOther
	}
	all, err := list[refund](ctx, in.api, "/v1/refunds", url.Values{"charge": {c.ID}})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all) // the newest is first, also of those of one second
	slices.SortStableFunc(all, func(a, b refund) int { return cmp.Compare(a.Created, b.Created) })
	var events []platform.Event
	units := in.unitsOf(order)
	back := int64(0)
	for _, r := range all {
		if string(r.Charge) != c.ID {
			return nil, errOther
		}
		returned := platform.Returned{
			Order: order, Test: !in.Livemode, ID: r.ID, Failed: r.failed(),
			Amount: decimal(r.Amount, string(r.Currency)), Currency: capitals(r.Currency), At: at(r.Created),
		}
		switch {
		case r.counts():
			back += r.Amount
			// What completes the sum gives everything back that is left of the order. That is a
			// return of its own: the refund may have been an amount before, if one that was
			// made earlier succeeded later.
			if back >= cmp.Or(c.AmountCaptured, c.Amount) {
				returned.All, returned.ID, returned.Refund = true, r.ID+allBefore, r.ID
			} else if returned.Lines, err = units(ctx, r.Amount); err != nil {
				return nil, err
			}
		case !r.failed():
			continue
		}
		events = append(events, returned)
	}
	if events == nil {
		return in.ignored(), nil
	}
	return events, nil
}

// unitsOf returns a function that says which units of an order an amount is the price of,
// with discounts and taxes: none unless the order has one line. The lines are read when
// it is first asked.
func (in *reading) unitsOf(order string) func(ctx context.Context, amount int64) ([]platform.ReturnedLine, error) {
	var line platform.Line
	var total int64
	read := false
	return func(ctx context.Context, amount int64) ([]platform.ReturnedLine, error) {
		if !isID(order, "cs_") {
			return nil, nil // a renewal: its price may be shared by taxes and credits of the account
		}
		if !read {
			items, err := list[item](ctx, in.api, "/v1/checkout/sessions/"+order+"/line_items", url.Values{"expand[]": {"data.price.product"}})
			if err != nil {
				return nil, err
			}
			sold := lines{settings: in.settings}
			for _, item := range items {
				sold.add(item)
				total += item.AmountTotal
			}
			if all, skipped := sold.of(); len(all) == 1 && len(skipped) == 0 {
				line = all[0]
			}
			read = true
		}
		n := platform.WholeUnits(amount, total, int64(line.Quantity))
		if n == 0 {
			return nil, nil
		}
		return []platform.ReturnedLine{{ID: line.ID, Quantity: n}}, nil
	}
}
