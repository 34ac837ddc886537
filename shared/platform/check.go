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

// SetupError means that a webhook cannot be read as its account is set up: a credential of
// the platform's API is missing, or does not allow what Decode reads. The merchant is
// told, and the answer is 503: the platform sends the webhook again meanwhile. It holds
// nothing of the body but the order's id.
type SetupError struct {
	Field   string // path in the account's settings: credentials.live_key
	Problem string // and what to do; reads on after the field
	Order   string // the order's id, where it could be read
}

func (e *SetupError) Error() string { return e.Field + " " + e.Problem }

// LeftError means that a webhook could not be read now, that its platform sends it no second
// time, and that catch-up will find its order: nothing is stored of it, and the answer says that
// it was received. An adapter returns it only where catch-up lists the order by its own call.
type LeftError struct {
	Order string // the order's id
	Cause error  // ErrTryAgain
}

func (e *LeftError) Error() string { return "left to catch-up: " + e.Cause.Error() }

func (e *LeftError) Unwrap() error { return e.Cause }

// UnfitError means that one member of an answer of the platform's API is not as the platform
// documents it. It may pass, as any answer that cannot be read, or the adapter passes over the
// order that the member is of.
type UnfitError struct {
	Cause   error // ErrTryAgain
	Mistake *FieldError
}

func (e *UnfitError) Error() string { return e.Cause.Error() }

func (e *UnfitError) Unwrap() error { return e.Cause }

// FieldErrors are mistakes in settings, each with its place.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	all := make([]string, len(e))
	for i, mistake := range e {
		all[i] = mistake.Error()
	}
	return strings.Join(all, "; ")
}

// The longest texts that are stored, in characters. A longer id is refused, since
// a cut id is another id; other texts are cut.
const (
	maxID   = 128
	maxText = 500
	maxRisk = 64
)

// Check returns a *FieldError if Keypool cannot take the order. It fills in the
// ids of lines that have none, cuts texts that are too long, and leaves out a currency
// that is none.
func (p *Paid) Check(maxQuantity int) error {
	if err := CheckID(p.Order); err != "" {
		return &FieldError{Field: p.Within + "order", Problem: err}
	}
	problem := func(field, problem string) error {
		return &FieldError{Field: p.Within + field, Problem: problem, Order: p.Order}
	}
	if p.Currency = strings.ToUpper(strings.TrimSpace(p.Currency)); p.Currency != "" && !isCurrency(p.Currency) {
		p.Currency = ""
		p.IgnoredFields = append(p.IgnoredFields, p.Within+"currency")
	}
	if len(p.Lines) == 0 && len(p.SkippedLines) == 0 {
		return problem("lines", "is empty: an order has at least one line")
	}
	if p.ours() > MaxLines {
		return problem("lines", fmt.Sprintf("has more than %d lines", MaxLines))
	}
	if p.Parent == p.Order {
		p.Parent = "" // the order that a subscription began with names itself
	}
	if p.Parent != "" {
		if err := CheckID(p.Parent); err != "" {
			return problem("parent", err)
		}
	}
	p.Risk = cutTo(p.Risk, maxRisk)
	seen := map[string]bool{}
	for i := range p.Lines {
		line := &p.Lines[i]
		if line.PassedOver {
			continue
		}
		at := func(name string) string { return fmt.Sprintf("lines[%d].%s", i, name) }
		if err := CheckID(line.Product); err != "" {
			return problem(at("product"), err)
		}
		if line.Original != "" {
			if err := CheckID(line.Original); err != "" {
				return problem(at("original"), err)
			}
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
	if len(p.Lines) > 0 && len(seen) == 0 {
		return nil // nothing is to be sent
	}
	p.Customer.Email = strings.TrimSpace(p.Customer.Email)
	if p.Customer.Email == "" && p.ChangedAt.IsZero() {
		return problem("customer.email", "is missing: there is nowhere to send the keys")
	}
	if p.Customer.Email != "" && !mailaddress.Valid(p.Customer.Email) {
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

// ours counts the lines that are not passed over.
func (p *Paid) ours() int {
	n := 0
	for _, line := range p.Lines {
		if !line.PassedOver {
			n++
		}
	}
	return n
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
	return len(s) >= 3 && len(s) <= 5 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// cut returns s cut to maxText characters, without control characters and marks that
// nobody sees. White space other than line ends becomes a space.
func cut(s string) string { return cutTo(s, maxText) }

func cutTo(s string, most int) string {
	runes := []rune(strings.ToValidUTF8(s, ""))
	kept := runes[:0]
	for i, r := range runes {
		switch {
		case r == '\n':
		case unicode.IsSpace(r):
			r = ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, invisible):
			continue
		case (r == zeroWidthJoiner || r == zeroWidthNonJoiner) && !joins(kept, runes[i+1:]):
			continue
		}
		kept = append(kept, r)
	}
	return strings.TrimSpace(string(kept[:min(len(kept), most)]))
}

// invisible are the characters that show nothing and have no place in a name. Used
// well, they hide a web address or make two names look the same.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x180e, Hi: 0x180e, Stride: 1}, // Mongolian vowel separator
		{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // zero-width space
		{Lo: 0x2060, Hi: 0x2064, Stride: 1}, // word joiner, invisible operators
		{Lo: 0x206a, Hi: 0x206f, Stride: 1}, // deprecated format characters
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // zero-width no-break space
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}, // annotations
	},
	R32:         []unicode.Range32{{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}}, // tags
	LatinOffset: 1,
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// joins says whether a joiner stands between letters of a script that is written with
// it, such as Persian or Sinhala. Latin, Greek and Cyrillic are not.
func joins(before, after []rune) bool {
	const armenian = 0x0530 // what is below is alphabets without joiners
	return len(before) > 0 && len(after) > 0 && before[len(before)-1] > armenian && after[0] > armenian &&
		unicode.In(before[len(before)-1], unicode.L, unicode.M) && unicode.In(after[0], unicode.L, unicode.M)
}
