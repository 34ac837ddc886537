package paddle

import "keypool/shared/platform"

// wholeCurrencies are the currencies of Paddle's that have no smaller unit: "100" of JPY is
// 100 yen. All others have two decimal places (GET /currencies).
var wholeCurrencies = map[string]bool{"JPY": true, "KRW": true, "VND": true}

// decimal returns an amount in the lowest unit of its currency as a decimal: 5999 of EUR is
// "59.99".
func decimal(amount int64, currency string) string {
	if wholeCurrencies[currency] {
		return platform.Decimal(amount, 0)
	}
	return platform.Decimal(amount, 2)
}

// maxUnits is over any number of units that a line may have.
const maxUnits = 1 << 30

// wholeUnits returns how many of the quantity's units an amount is the price of, 0 if it is
// the price of no whole number of them. The price of a unit may be no whole number of the
// lowest unit: an amount counts that is the price rounded, up or down.
func wholeUnits(amount, total, quantity int64) int {
	if amount <= 0 || total <= 0 || quantity <= 0 || amount > total || quantity > maxUnits || amount > (1<<62)/quantity || total > (1<<62)/quantity {
		return 0
	}
	for n := amount * quantity / total; n <= amount*quantity/total+1; n++ {
		if rest := amount*quantity - n*total; n > 0 && rest > -quantity && rest < quantity {
			return int(n)
		}
	}
	return 0
}
