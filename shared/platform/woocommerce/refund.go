package woocommerce

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// refundedItem is the meta data of a refund's line that name the line of the order.
const refundedItem = "_refunded_item_id"

// refunds returns the refunds of an order of which a part was given back, each by its id.
// The order tells their amounts alone. Their lines are read from the shop; where it
// cannot be asked, for want of a key or by a key that does not serve, each is an amount.
func (in reading) refunds(ctx context.Context, o object, id string, test bool) ([]platform.Returned, []platform.Recorded, error) {
	told := o.Find("/refunds").List
	if len(told) == 0 {
		return nil, nil, nil
	}
	if in.api.hasKey() {
		list, err := in.api.all(ctx, "/orders/"+id+"/refunds", url.Values{"_fields": {"id,amount,date_created_gmt,line_items"}, "order": {"asc"}})
		var setup *platform.SetupError
		if err == nil {
			returned, recorded := in.refundsOf(o, list, id, test)
			return returned, recorded, nil
		}
		if !errors.As(err, &setup) {
			return nil, nil, err
		}
	}
	var returned []platform.Returned
	for _, v := range told {
		refund := object{v}
		if r, ok := in.amount(o, refund, "/total", id, test); ok {
			returned = append(returned, r)
		}
	}
	return returned, nil, nil
}

// refundsOf returns the refunds that the shop lists. One of units names them. One that
// names lines and no unit of them gave money back alone: it stands in the history of the
// lines. One that names no line is an amount.
func (in reading) refundsOf(o object, list []object, id string, test bool) (returned []platform.Returned, recorded []platform.Recorded) {
	for _, refund := range list {
		r, ok := in.amount(o, refund, "/amount", id, test)
		if r.ID == "" {
			continue
		}
		var money []string
		for _, v := range refund.Find("/line_items").List {
			item := object{v}
			line := meta(item.Value, refundedItem)
			quantity, isNumber := item.Find("/quantity").Quantity()
			switch {
			case line == "" || !isNumber:
			case quantity == 0:
				money = append(money, line)
			default:
				r.Lines = add(r.Lines, line, max(quantity, -quantity))
			}
		}
		switch {
		case len(r.Lines) > 0:
			returned = append(returned, r)
		case len(money) > 0 && r.At.IsZero(): // no entry that a repeat would find again
		case len(money) > 0:
			for _, line := range money {
				recorded = append(recorded, platform.Recorded{Order: id, Test: test, Line: line, Type: "refund of money alone", At: r.At})
			}
		case ok:
			returned = append(returned, r)
		}
	}
	return returned, recorded
}

// add adds units of a line to those that are given back.
func add(lines []platform.ReturnedLine, line string, units int) []platform.ReturnedLine {
	if at := slices.IndexFunc(lines, func(l platform.ReturnedLine) bool { return l.ID == line }); at >= 0 {
		lines[at].Quantity += units
		return lines
	}
	return append(lines, platform.ReturnedLine{ID: line, Quantity: units})
}

// amount returns a refund as an amount, false if that is none.
func (in reading) amount(o, refund object, at payload.Pointer, id string, test bool) (platform.Returned, bool) {
	r := platform.Returned{Order: id, Test: test, Currency: o.text("/currency")}
	r.ID, _ = refund.id("/id")
	r.Amount = strings.TrimPrefix(refund.text(at), "-")
	r.At, _ = refund.time("/date_created_gmt")
	return r, r.ID != "" && strings.Trim(r.Amount, "0.") != ""
}
