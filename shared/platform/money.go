package platform

import (
	"math/big"
	"strconv"
	"strings"
)

// Decimal returns an amount in the lowest unit of its currency, of which so many decimal
// places are a whole one, as a decimal: 5999 with two places is "59.99".
func Decimal(amount int64, places int) string {
	sign, digits := "", strconv.FormatInt(amount, 10)
	if amount < 0 {
		sign, digits = "-", digits[1:]
	}
	if places == 0 {
		return sign + digits
	}
	if len(digits) <= places {
		digits = strings.Repeat("0", places+1-len(digits)) + digits
	}
	return sign + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// Places returns how many decimal places an amount of a currency has (ISO 4217): 2 of EUR, 0 of
// JPY. The API of a platform that counts in lowest units may have a rule of its own.
func Places(currency string) int {
	if n, ok := places[currency]; ok {
		return n
	}
	return 2
}

var places = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// PerUnit returns what one of n units cost, of which the total is paid, in the lowest unit of a
// currency, rounded up: an order whose refunds come to all that its units cost is returned, and
// none is while a part of it stays paid.
func PerUnit(total, n int64) int64 {
	if total%n > 0 {
		return total/n + 1
	}
	return total / n
}

// UnitPrice is PerUnit of a total in whole units of a currency, as a decimal: a third of 100
// EUR is "33.34".
func UnitPrice(total *big.Rat, n int64, currency string) string {
	return UnitPriceTo(total, n, Places(currency))
}

// UnitPriceTo is UnitPrice with so many decimal places. It is empty if the total is over what
// an order can cost.
func UnitPriceTo(total *big.Rat, n int64, places int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	lowest := new(big.Rat).Mul(total, new(big.Rat).SetInt(scale))
	up := new(big.Int).Add(lowest.Num(), new(big.Int).Sub(lowest.Denom(), big.NewInt(1)))
	if up.Div(up, lowest.Denom()); !up.IsInt64() {
		return ""
	}
	return Decimal(PerUnit(up.Int64(), n), places)
}

// MaxUnits is over any number of units that a line may have: such a line is refused later,
// by the order's own check. Adapters stop adding there.
const MaxUnits = 1 << 30

// WholeUnits returns how many of the quantity's units an amount is the price of, 0 if it is
// the price of no whole number of them. Total is the price of all, in the same unit. The price
// of one may be no whole number of that: an amount counts that is the price rounded, up or
// down.
func WholeUnits(amount, total, quantity int64) int {
	if amount <= 0 || total <= 0 || quantity <= 0 || amount > total || quantity > MaxUnits || total > (1<<62)/quantity {
		return 0
	}
	for n := amount * quantity / total; n <= amount*quantity/total+1; n++ {
		if rest := amount*quantity - n*total; n > 0 && rest > -quantity && rest < quantity {
			return int(n)
		}
	}
	return 0
}
