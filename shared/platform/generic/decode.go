package generic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Decode implements platform.Adapter. A body holds one event.
func (Adapter) Decode(_ context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	s, err := parse(a.Settings)
	if err != nil {
		return nil, err
	}
	event, err := s.event(r, a.Test)
	if err != nil {
		return nil, err
	}
	return []platform.Event{event}, nil
}

// The kinds of an event that the settings know.
const (
	paid     = "paid"
	returned = "returned"
	ignored  = "ignored"
	unknown  = "unknown"
)

// event returns the event that a request reports. Test says that the secret which signed
// it is marked test.
func (s Settings) event(r platform.Request, test bool) (platform.Event, error) {
	body, err := s.parseBody(r.Body)
	if err != nil {
		return nil, err
	}
	d := &decoder{settings: s}
	name, kind := d.kind(r.Header, body)
	var event platform.Event
	switch {
	case d.err != nil:
	case kind == paid:
		event = d.passed(body, name, "when", s.When, func() platform.Event { return d.paid(body, test) })
	case kind == returned:
		event = d.passed(body, name, returnWhen, s.Return.When, func() platform.Event { return d.returned(body, test) })
	default:
		event = platform.Ignored{Type: name, Unknown: kind == unknown}
	}
	if d.err != nil {
		d.err.Order = s.orderOf(body, kind)
		return nil, d.err
	}
	return event, nil
}

func (s Settings) parseBody(raw []byte) (payload.Value, error) {
	read, advice := payload.Parse, ": if the sender sends a form, set body to form"
	if s.Body == "form" {
		read, advice = payload.ParseForm, ""
	}
	body, err := read(raw)
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) {
		return body, nil
	}
	wrong := &platform.FieldError{Problem: syntax.Problem + advice}
	for field, pointer := range s.pointers() { // names that are the sender's are not quoted, but these are the merchant's
		if pointer != "" && syntax.At == pointer.JSON() {
			wrong.Field, wrong.Problem = field, syntax.Problem+" at "+string(pointer)
			break
		}
	}
	return payload.Value{}, wrong
}

// orderOf returns the order's id, so that the merchant is told which order cannot be
// read; "" if it cannot be read either.
func (s Settings) orderOf(body payload.Value, kind string) string {
	at := s.Order
	if kind == returned {
		at = s.Return.Order
	}
	id, ok := body.Find(at).ID()
	if !ok || platform.CheckID(id) != "" {
		return ""
	}
	return id
}

// decoder reads values of a body. The first mistake in one that decides is kept.
type decoder struct {
	settings Settings
	ignored  []string
	err      *platform.FieldError
}

func (d *decoder) refuse(field, problem string) {
	if d.err == nil {
		d.err = &platform.FieldError{Field: field, Problem: problem}
	}
}

// kind returns the event's name as the sender writes it, and what it is in the settings.
func (d *decoder) kind(h http.Header, body payload.Value) (name, kind string) {
	rule := d.settings.Event
	switch {
	case rule.Header != "":
		if name = strings.TrimSpace(h.Get(rule.Header)); name == "" {
			d.refuse("event.header", "names a header that the webhook does not have: "+rule.Header)
		}
	case rule.Pointer != "":
		value := place{d, body, ""}.at("event.pointer", rule.Pointer)
		if value.Missing() {
			d.refuse("event.pointer", "finds nothing at "+string(rule.Pointer)+": it says what happened")
		}
		name, _ = value.text()
	default:
		return "", paid
	}
	switch value := Scalar(name); {
	case slices.Contains(rule.Paid, value):
		return name, paid
	case slices.Contains(rule.Returned, value):
		return name, returned
	case slices.Contains(rule.Ignored, value):
		return name, ignored
	}
	return name, unknown
}

// returnWhen is the field of the tests that a refund has to pass.
const returnWhen = "return.when"

// passed returns the event that read returns, or an ignored one of that name if it does not
// pass one of the tests, which stand in field. Each is asked every time: a paid order may be
// sent again after it was given back.
func (d *decoder) passed(body payload.Value, name, field string, tests []Test, read func() platform.Event) platform.Event {
	for i, test := range tests {
		at := fmt.Sprintf("%s[%d]", field, i)
		passed, there := d.test(body, at, test)
		switch {
		case d.err != nil:
			return nil
		case !passed:
			// A value that is missing may be a mistake in the settings. So may a refund that is
			// passed over: the customer has the money back, and the key.
			return platform.Ignored{Type: strings.TrimSpace(fmt.Sprintf("%s (not passed: %s)", name, at)), Unknown: !there || field == returnWhen}
		}
	}
	return read()
}

// test asks whether a value passes a test, and whether there is one.
func (d *decoder) test(body payload.Value, field string, t Test) (passed, there bool) {
	value := place{d, body, ""}.at(field+".pointer", t.Pointer)
	text, _ := value.text()
	return !value.Missing() && slices.Contains(t.In, Scalar(text)), !value.Missing()
}

// isTest says whether an order gets test keys: the body says so, or it was signed by a
// secret that is marked test. Known is false if nothing says.
func (d *decoder) isTest(body payload.Value, bySecret bool) (test, known bool) {
	if d.settings.Test.Pointer == "" || bySecret {
		return bySecret, true
	}
	test, there := d.test(body, "test", d.settings.Test)
	return test, there
}

func (d *decoder) paid(body payload.Value, bySecret bool) platform.Event {
	s, root := d.settings, place{d, body, ""}
	event := platform.Paid{
		Order:    root.id("order", s.Order),
		Currency: root.shown("currency", s.Currency),
		Language: root.shown("language", s.Language),
		PaidAt:   root.time("paid_at", s.PaidAt),
		Customer: order.Customer{Email: root.needed("customer.email", s.Customer.Email)},
	}
	event.Test, _ = d.isTest(body, bySecret)
	c := &event.Customer
	for _, field := range []struct {
		to   *string
		name string
		at   payload.Pointer
	}{
		{&c.Name, "name", s.Customer.Name},
		{&c.FirstName, "first_name", s.Customer.FirstName},
		{&c.LastName, "last_name", s.Customer.LastName},
		{&c.Phone, "phone", s.Customer.Phone},
		{&c.Company, "company", s.Customer.Company},
		{&c.Country, "country", s.Customer.Country},
		{&c.City, "city", s.Customer.City},
		{&c.Zip, "zip", s.Customer.Zip},
		{&c.Address, "address", s.Customer.Address},
		{&c.LicenseFor, "license_for", s.Customer.LicenseFor},
		{&c.AddInfo, "add_info", s.Customer.AddInfo},
	} {
		*field.to = root.shown("customer."+field.name, field.at)
	}
	for _, line := range d.lines(body, "lines", "lines.pointer", s.Lines.Pointer) {
		event.Lines = append(event.Lines, platform.Line{
			ID:       line.optionalID("line", s.Lines.Line),
			Product:  line.id("product", s.Lines.Product),
			Title:    line.shown("title", s.Lines.Title),
			Quantity: line.quantity("quantity", s.Lines.Quantity),
			// Money is a text.
			UnitPrice: line.shown("unit_price", s.Lines.UnitPrice),
		})
	}
	event.IgnoredFields = d.ignored
	return event
}

func (d *decoder) returned(body payload.Value, bySecret bool) platform.Event {
	r, root := d.settings.Return, place{d, body, "return."}
	event := platform.Returned{Order: root.id("order", r.Order), ID: fullReturn}
	if r.ID != "" {
		event.ID = root.id("id", r.ID)
	}
	test, known := d.isTest(body, bySecret)
	event.Test, event.TestUnknown = test, !known
	if r.FullWhen.Pointer != "" {
		event.All, _ = d.test(body, "return.full_when", r.FullWhen)
	}
	switch {
	case event.All:
	case r.Lines != "":
		for _, line := range d.lines(body, "return.lines", "return.lines", r.Lines) {
			back := platform.ReturnedLine{ID: line.id("line", r.Line), Quantity: line.quantity("quantity", r.Quantity)}
			switch {
			case back.Quantity < 0:
				line.d.refuse(line.within+"quantity", "is less than 0 at "+string(r.Quantity))
			case back.Quantity > 0:
				event.Lines = append(event.Lines, back)
			}
		}
		if len(event.Lines) == 0 {
			d.refuse("return.lines", "names no unit of any line at "+string(r.Lines)+": it says what was given back")
		}
	case r.Amount != "":
		event.Amount, event.Currency = root.needed("amount", r.Amount), strings.ToUpper(root.shown("currency", r.Currency))
	default:
		event.All = true
	}
	return event
}

// fullReturn is the id of a refund of a whole order whose sender names none: there is one
// of it.
const fullReturn = "full"

// lines returns the places where the lines of a list start; the body's own if the
// settings point to no list. Name is that of the lines, field that of the pointer.
func (d *decoder) lines(body payload.Value, name, field string, at payload.Pointer) []place {
	if at == "" {
		return []place{{d, body, name + "."}}
	}
	list := body.Find(at)
	if list.Kind != '[' {
		problem := "finds nothing at "
		if !list.Missing() {
			problem = "finds no list at "
		}
		d.refuse(field, problem+string(at))
	}
	var lines []place
	for i, element := range list.List {
		within := fmt.Sprintf("%s[%d]", name, i)
		if element.Kind != '{' && element.Kind != '[' {
			d.refuse(within, "is not an object")
		}
		if i >= platform.MaxLines {
			d.refuse(name, fmt.Sprintf("has more than %d lines", platform.MaxLines))
			break
		}
		lines = append(lines, place{d, element, within + "."})
	}
	return lines
}

// place is a value of the body from which pointers start, and the name of what stands
// there: "lines[0].".
type place struct {
	d      *decoder
	from   payload.Value
	within string
}

// found is a value that is no object and no list.
type found struct{ payload.Value }

func (f found) text() (string, bool) { return f.Scalar() }

// at returns the value at a pointer. An object or a list is refused.
func (p place) at(name string, at payload.Pointer) found {
	value := p.from.Find(at)
	if value.Kind == '{' || value.Kind == '[' {
		p.d.refuse(p.within+name, "is an object or a list at "+string(at)+": point to a value in it")
		return found{}
	}
	return found{value}
}

// needed returns the text of a value that must be there.
func (p place) needed(name string, at payload.Pointer) string {
	value := p.at(name, at)
	text, _ := value.text()
	if value.Missing() {
		p.d.refuse(p.within+name, "finds nothing at "+string(at))
	}
	return text
}

// id returns a value that identifies something, by its literal text.
func (p place) id(name string, at payload.Pointer) string {
	p.needed(name, at)
	return p.optionalID(name, at)
}

func (p place) optionalID(name string, at payload.Pointer) string {
	value := p.at(name, at)
	id, ok := value.ID()
	if !ok && !value.Missing() {
		p.d.refuse(p.within+name, "is neither a text nor a number of digits only at "+string(at))
	}
	return id
}

// quantity returns a whole number; 1 where the settings point to none.
func (p place) quantity(name string, at payload.Pointer) int {
	if at == "" {
		return 1
	}
	p.needed(name, at)
	value := p.at(name, at)
	n, ok := value.Quantity()
	if !ok {
		p.d.refuse(p.within+name, "is not a whole number at "+string(at))
	}
	return n
}

// shown returns a text that is only shown. One that cannot be read is left out.
func (p place) shown(name string, at payload.Pointer) string {
	value := p.from.Find(at)
	if !value.Missing() && value.Kind != '"' && value.Kind != '0' {
		p.ignore(name)
		return ""
	}
	return value.Text
}

func (p place) time(name string, at payload.Pointer) time.Time {
	text := p.shown(name, at)
	if strings.TrimSpace(text) == "" {
		return time.Time{}
	}
	parsed, ok := payload.ParseTime(text)
	if !ok {
		p.ignore(name)
	}
	return parsed
}

func (p place) ignore(name string) { p.d.ignored = append(p.d.ignored, p.within+name) }
