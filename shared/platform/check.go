package platform

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"keypool/shared/mailaddress"
)

// MaxLines is how many lines an order may have in one event.
const MaxLines = 100

// FieldError is a mistake in a body that was signed. It names the field and the
// mistake, and never holds the field's value.
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

// The longest texts that are stored, in characters. A longer id is refused, since
// a cut id is another id; other texts are cut.
const (
	maxID   = 128
	maxText = 500
)

// Check returns a *FieldError if Keypool cannot take the order. It fills in the
// ids of lines that have none, and cuts texts that are too long.
func (p *Paid) Check(maxQuantity int) error {
	if err := CheckID(p.Order); err != "" {
		return &FieldError{Field: p.Within + "order", Problem: err}
	}
	problem := func(field, problem string) error {
		return &FieldError{Field: p.Within + field, Problem: problem, Order: p.Order}
	}
	if p.Currency != "" && !isCurrency(p.Currency) {
		return problem("currency", "is not a currency code of three letters")
	}
	if len(p.Lines) == 0 {
		return problem("lines", "is empty: an order has at least one line")
	}
	if len(p.Lines) > MaxLines {
		return problem("lines", fmt.Sprintf("has more than %d lines", MaxLines))
	}
	seen := map[string]bool{}
	for i := range p.Lines {
		line := &p.Lines[i]
		at := func(name string) string { return fmt.Sprintf("lines[%d].%s", i, name) }
		if err := CheckID(line.Product); err != "" {
			return problem(at("product"), err)
		}
		if line.ID == "" {
			line.ID = line.Product
		}
		if err := CheckID(line.ID); err != "" {
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
	p.Customer.Email = strings.TrimSpace(p.Customer.Email)
	if p.Customer.Email == "" {
		return problem("customer.email", "is missing: there is nowhere to send the keys")
	}
	if !mailaddress.Valid(p.Customer.Email) {
		return problem("customer.email", "is not a mail address")
	}
	c := &p.Customer
	for _, field := range []*string{
		&c.Name, &c.FirstName, &c.LastName, &c.Phone, &c.Company, &c.Country,
		&c.City, &c.Zip, &c.Address, &c.LicenseFor, &c.AddInfo, &p.Language,
	} {
		*field = cut(*field)
	}
	return nil
}

// CheckID returns the mistake in the id of an order, a line or a product, empty if
// there is none. It reads on after the name of a field: "is missing".
func CheckID(s string) string {
	switch {
	case s == "":
		return "is missing"
	case utf8.RuneCountInString(s) > maxID:
		return fmt.Sprintf("is longer than %d characters", maxID)
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
