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
