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
