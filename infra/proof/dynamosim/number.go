package dynamosim

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// Numbers are decimals of up to 38 digits, from 1E-130 to 9.9…E+125. They are kept in
// the notation of DynamoDB's answers: plain, without needless zeros.

// decimal is 0.digits × 10^point. The digits neither begin nor end with 0; zero has
// no digits.
type decimal struct {
	negative bool
	digits   string
	point    int
}

// normalize returns a number in that notation.
func normalize(text string) (string, error) {
	if short(text) {
		return text, nil
	}
	d, err := parseDecimal(text)
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

// short reports whether a number is an integer below 10^18 in that notation.
func short(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && text != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

func parseDecimal(text string) (decimal, error) {
	var d decimal
	rest := text
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		d.negative, rest = rest[0] == '-', rest[1:]
	}
	mantissa, exponent := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			return d, invalid("The parameter cannot be converted to a numeric value: %s", text)
		}
		mantissa, exponent = rest[:i], n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return d, invalid("The parameter cannot be converted to a numeric value: %s", text)
	}
	return d.normal(whole+fraction, len(whole)+exponent)
}

// normal sets the digits, with their point after so many of them.
func (d decimal) normal(digits string, point int) (decimal, error) {
	trimmed := strings.TrimLeft(digits, "0")
	d.point = point - (len(digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	switch {
	case d.digits == "":
		return decimal{}, nil
	case d.point > 126:
		return d, invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case d.point < -129:
		return d, invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(d.digits) > 38:
		return d, invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return d, nil
}

func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch {
	case d.point <= 0:
		return sign + "0." + strings.Repeat("0", -d.point) + d.digits
	case d.point >= len(d.digits):
		return sign + d.digits + strings.Repeat("0", d.point-len(d.digits))
	default:
		return sign + d.digits[:d.point] + "." + d.digits[d.point:]
	}
}

// compareNumbers orders two numbers.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	if short(a) && short(b) {
		x, _ := strconv.ParseInt(a, 10, 64)
		y, _ := strconv.ParseInt(b, 10, 64)
		return cmp.Compare(x, y)
	}
	x, _ := parseDecimal(a)
	y, _ := parseDecimal(b)
	return x.scaled().Cmp(y.scaled())
}

// places makes the smallest number whole: 38 digits from its first.
const places = 168

// scaled returns the number × 10^places.
func (d decimal) scaled() *big.Int {
	n := new(big.Int)
	if d.digits == "" {
		return n
	}
	n.SetString(d.digits+strings.Repeat("0", places+d.point-len(d.digits)), 10)
	if d.negative {
		n.Neg(n)
	}
	return n
}

// add returns a + b, or a - b if minus.
func add(a, b string, minus bool) (string, error) {
	if short(a) && short(b) {
		x, _ := strconv.ParseInt(a, 10, 64)
		y, _ := strconv.ParseInt(b, 10, 64)
		if minus {
			y = -y
		}
		return strconv.FormatInt(x+y, 10), nil
	}
	x, _ := parseDecimal(a)
	y, _ := parseDecimal(b)
	if minus {
		y.negative = !y.negative
	}
	sum := new(big.Int).Add(x.scaled(), y.scaled())
	digits := new(big.Int).Abs(sum).String()
	d, err := decimal{negative: sum.Sign() < 0}.normal(digits, len(digits)-places)
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

// numberSize is the bytes of a number: half a byte for each digit and one or two
// more.
func numberSize(text string) int {
	d, _ := parseDecimal(text)
	size := (len(d.digits)+1)/2 + 1
	if d.negative {
		size++
	}
	return size
}
