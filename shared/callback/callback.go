// Package callback verifies and decodes what payment platforms send.
//
// Each platform is one file with an adapter: it checks the signature over the
// raw body before anything in it is parsed, and turns the body into an Event.
// What happens with the event is the same for all. A body that was signed but
// can't be taken is a *FieldError, which names the field and quotes nothing.
package callback

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keypool/shared/order"
)

// Platform is what is particular to one payment platform.
type Platform interface {
	// Verify returns nil if one of the secrets signed the request, ErrSignature
	// otherwise, whatever the reason.
	Verify(r Request, secrets [][]byte, now time.Time) error
	// Decode reads a verified body. Its errors are *FieldError.
	Decode(body []byte) (Event, error)
}

// Platforms are the adapters by the name they have in the callback's address.
var Platforms = map[string]Platform{
	"standard": Standard{},
}

// Request is a callback as it came in.
type Request struct {
	Header func(name string) string // case-insensitive; "" for what is not there
	Body   []byte
}

// MaxBody is the largest body of a callback, in bytes: a larger one is refused unread.
const MaxBody = 256 << 10

// MaxLines is how many lines an order may have in one callback.
const MaxLines = 100

// ErrSignature means that a callback is not known to come from the platform. It
// says no more, to the sender least of all.
var ErrSignature = errors.New("the signature does not match")

// Event is what a platform tells.
type Event struct {
	Type string // as the platform calls it
	Paid bool   // an order was paid; nothing below is filled in otherwise

	Within string // where in the body the fields below stand: "data."

	Order    string
	Test     bool
	Currency string // ISO 4217, may be empty
	Language string // BCP 47, may be empty
	PaidAt   time.Time
	Customer order.Customer
	Lines    []Line
}

// Line is one product in a paid order.
type Line struct {
	ID        string // the product where the platform names no line
	Product   string
	Title     string
	Quantity  int
	UnitPrice string
}

// FieldError says which field of a body stands in the way and what it should be.
// It never holds the field's value.
type FieldError struct {
	Field   string // path in the body, "" for the body as a whole
	Problem string
	Order   string // the order's id, where it could be read
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return "the body " + e.Problem
	}
	return e.Field + " " + e.Problem
}

// The longest texts that are stored, in characters. What names something is
// refused beyond it, since a cut name would be another; the rest is cut.
const (
	maxName = 128
	maxText = 500
)

// Check holds the event of a paid order against what Keypool can take, and puts
// right what it may: a missing line id, over-long texts. It returns nil or a
// *FieldError.
func (e *Event) Check(maxQuantity int) error {
	if err := checkName(e.Order); err != "" {
		return &FieldError{Field: e.Within + "order", Problem: err}
	}
	problem := func(field, problem string) error {
		return &FieldError{Field: e.Within + field, Problem: problem, Order: e.Order}
	}
	if e.Currency != "" && !isCurrency(e.Currency) {
		return problem("currency", "is not a currency code of three letters")
	}
	if len(e.Lines) == 0 {
		return problem("lines", "is empty: an order has at least one line")
	}
	if len(e.Lines) > MaxLines {
		return problem("lines", fmt.Sprintf("has more than %d lines", MaxLines))
	}
	seen := map[string]bool{}
	for i := range e.Lines {
		line := &e.Lines[i]
		at := func(name string) string { return fmt.Sprintf("lines[%d].%s", i, name) }
		if err := checkName(line.Product); err != "" {
			return problem(at("product"), err)
		}
		if line.ID == "" {
			line.ID = line.Product
		}
		if err := checkName(line.ID); err != "" {
			return problem(at("line"), err)
		}
		if seen[line.ID] {
			return problem(at("line"), "is the same as another line's: give each line of the order its own id")
		}
		seen[line.ID] = true
		if line.Quantity < 1 {
			return problem(at("quantity"), "is less than 1")
		}
		if line.Quantity > maxQuantity {
			return problem(at("quantity"), fmt.Sprintf("is over %d, the most that one line may have", maxQuantity))
		}
		line.Title, line.UnitPrice = cut(line.Title), cut(line.UnitPrice)
	}
	e.Customer.Email = strings.TrimSpace(e.Customer.Email)
	if e.Customer.Email == "" {
		return problem("customer.email", "is missing: there is nowhere to send the keys")
	}
	if !isAddress(e.Customer.Email) {
		return problem("customer.email", "is not a mail address")
	}
	c := &e.Customer
	for _, field := range []*string{
		&c.Name, &c.FirstName, &c.LastName, &c.Phone, &c.Company, &c.Country,
		&c.City, &c.Zip, &c.Address, &c.LicenseFor, &c.AddInfo, &e.Language,
	} {
		*field = cut(*field)
	}
	return nil
}

// checkName returns what is wrong with the name of an order, a line or a product.
func checkName(s string) string {
	switch {
	case s == "":
		return "is missing"
	case utf8.RuneCountInString(s) > maxName:
		return fmt.Sprintf("is longer than %d characters", maxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "holds control characters"
	case strings.TrimSpace(s) != s:
		return "begins or ends with white space"
	}
	return ""
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// isAddress reports whether s is a bare mail address that SES can send to.
func isAddress(s string) bool {
	if len(s) > 320 || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || parsed.Name != "" {
		return false
	}
	local := s[:strings.LastIndexByte(s, '@')]
	return strings.IndexFunc(local, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// cut returns s without control characters, cut to maxText characters.
func cut(s string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(clean); len(runes) > maxText {
		return string(runes[:maxText])
	}
	return strings.TrimSpace(clean)
}
