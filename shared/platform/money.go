package platform

import (
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
