package order

import (
	"math/big"
	"slices"

	"keypool/shared/lazy"
)

// decimal is the form of an amount: no exponent and no fraction, whose size nothing limits.
var decimal = lazy.Regexp(`^-?[0-9]{1,15}(\.[0-9]{1,6})?$`)

// Decimal reads an amount such as "19.90"; false if it is none.
func Decimal(amount string) (*big.Rat, bool) {
	if !decimal().MatchString(amount) {
		return nil, false
	}
	return new(big.Rat).SetString(amount)
}

// Paid returns what the order's lines cost together, false if a line of it is not known,
// or the price of one, or one is in another currency.
func paid(lines []Fulfillment, currency string) (*big.Rat, bool) {
	total := new(big.Rat)
	for _, line := range lines {
		price, ok := Decimal(line.UnitPrice)
		if !ok || line.Expected || line.OrderLines != len(lines) || currency != "" && line.Currency != currency {
			return nil, false
		}
		total.Add(total, price.Mul(price, big.NewRat(int64(line.Quantity), 1)))
	}
	return total, len(lines) > 0
}

// AllGivenBack reports whether the amounts that were given back of an order in the
// currency, since it was paid, make up all that its lines cost. A refund that failed gave
// nothing back.
func (w Whole) AllGivenBack(lines []Fulfillment, currency string) bool {
	total, ok := paid(lines, currency)
	if !ok || total.Sign() <= 0 {
		return false
	}
	back := new(big.Rat)
	for _, r := range w.Returns {
		paidAfter := slices.ContainsFunc(lines, func(f Fulfillment) bool { return slices.Contains(f.PaidAfter, r.ID) })
		if amount, ok := Decimal(r.Amount); ok && r.Currency == currency && !paidAfter && !w.Void(r) {
			back.Add(back, amount)
		}
	}
	return back.Cmp(total) >= 0
}

// UnitsOf returns the units of the order's only line that an amount pays for: 2 of a line
// whose unit cost half of it. It is false if there are several lines, or the amount is no
// multiple of the unit's price.
func (r Return) UnitsOf(lines []Fulfillment) (units int, ok bool) {
	if len(lines) != 1 {
		return 0, false
	}
	if _, ok := paid(lines, r.Currency); !ok {
		return 0, false
	}
	price, _ := Decimal(lines[0].UnitPrice)
	amount, ok := Decimal(r.Amount)
	if !ok || price.Sign() <= 0 || amount.Sign() <= 0 {
		return 0, false
	}
	count := amount.Quo(amount, price)
	if !count.IsInt() || !count.Num().IsInt64() || count.Num().Int64() > int64(lines[0].Quantity) {
		return 0, false
	}
	return int(count.Num().Int64()), true
}
