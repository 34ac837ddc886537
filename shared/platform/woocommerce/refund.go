package woocommerce

import (
	"cmp"
	"context"
	"errors"
	"math/big"
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

// moneyAlone is what the history of a line calls a refund that names it and no units of it.
const moneyAlone = "refund of money alone"

// refundsOf returns the refunds that the shop lists. One of units names them. A line whose
// refunds make up what was paid for it is given back, whatever units they name. Which units
// any other money of a line is for nobody can tell: the merchant is asked. A refund that names
// no line is an amount.
func (in reading) refundsOf(o object, list []object, id string, test bool) (returned []platform.Returned, recorded []platform.Recorded) {
	lines := paidLines(o)
	slices.SortStableFunc(list, func(a, b object) int { return byID(a.text("/id"), b.text("/id")) }) // each adds to those before it
	for _, refund := range list {
		r, ok := in.amount(o, refund, "/amount", id, test)
		if r.ID == "" {
			continue
		}
		var money []string // lines, "" for one that is not named
		named := false
		for _, v := range refund.Find("/line_items").List {
			item := object{v}
			line := meta(item.Value, refundedItem)
			quantity, isNumber := item.Find("/quantity").Quantity()
			back := item.paid()
			if !isNumber {
				line = ""
			}
			named = named || line != ""
			units := max(quantity, -quantity)
			switch {
			case line != "" && units > 0:
				r.Lines = add(r.Lines, line, units)
			case back.Sign() > 0:
				money = append(money, line)
			}
			if of := lines[line]; of != nil && of.addRefund(units, back) {
				at := slices.IndexFunc(r.Lines, func(l platform.ReturnedLine) bool { return l.ID == line })
				if at < 0 {
					at = len(r.Lines)
					r.Lines = append(r.Lines, platform.ReturnedLine{ID: line})
				}
				r.Lines[at].Quantity, r.Lines[at].All = 0, true
			}
		}
		if len(r.Lines) > 0 || !named && ok {
			returned = append(returned, r)
		}
		if !named {
			continue
		}
		for _, line := range money {
			recorded = append(recorded, platform.Recorded{Order: id, Test: test, Line: line, Type: moneyAlone, Refund: r.ID, At: r.At})
		}
	}
	// Of a line that is all given back there is nothing to ask.
	return returned, slices.DeleteFunc(recorded, func(r platform.Recorded) bool { return lines[r.Line] != nil && lines[r.Line].allBack })
}

// byID compares ids, which are numbers that grow.
func byID(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// paidLine is a line of an order, and what its refunds gave back.
type paidLine struct {
	quantity, units int      // bought, and given back by name
	price, money    *big.Rat // paid for all units, with tax, and given back
	allBack         bool
}

// paidLines returns the lines of an order that are of whole units, by their ids.
func paidLines(o object) map[string]*paidLine {
	lines := map[string]*paidLine{}
	for _, v := range o.Find("/line_items").List {
		item := object{v}
		id, ok := item.id("/id")
		quantity, whole := item.Find("/quantity").Quantity()
		if ok && whole && quantity > 0 {
			lines[id] = &paidLine{quantity: quantity, price: item.paid(), money: new(big.Rat)}
		}
	}
	return lines
}

// addRefund adds units and money that a refund gave back. It is true if all of the line is
// given back by it, though refunds name fewer units.
func (l *paidLine) addRefund(units int, money *big.Rat) bool {
	l.units += units
	l.money.Add(l.money, money)
	before := l.allBack
	byMoney := l.price.Sign() > 0 && l.money.Cmp(l.price) >= 0
	l.allBack = before || l.units >= l.quantity || byMoney
	return byMoney && !before && l.units < l.quantity
}

// paid returns what was paid for a line, or given back of it, with tax; 0 where the shop does
// not tell.
func (o object) paid() *big.Rat {
	total, ok := o.withTax()
	if !ok {
		return new(big.Rat)
	}
	return total.Abs(total)
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
