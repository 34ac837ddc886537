package stripe

import (
	"strings"

	"keypool/shared/platform"
)

// places are the currencies whose amounts have another number of decimal places in
// Stripe's API than two (docs.stripe.com/currencies). Some currencies without a minor
// unit are there with two: ISK and UGX, and for charges HUF and TWD.
var places = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
}

// decimal returns an amount in minor units as a decimal: 5999 of EUR is "59.99".
func decimal(amount int64, currency string) string {
	n, ok := places[strings.ToUpper(currency)]
	if !ok {
		n = 2
	}
	return platform.Decimal(amount, n)
}
