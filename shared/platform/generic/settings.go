package generic

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Settings is the mapping from a sender's webhooks to events. A member that is left out
// is empty. What each means, and an example, stand in the package's comment.
type Settings struct {
	Signature Signature `json:"signature,omitzero"`
	Time      Time      `json:"time,omitzero"`
	IDHeader  string    `json:"id_header,omitzero"` // the header that holds {id} of what is signed
	Body      string    `json:"body,omitzero"`      // json, the default, or form
	Event     Event     `json:"event,omitzero"`
	When      []Test    `json:"when,omitzero"` // a paid event that does not pass every test is passed over

	Order    payload.Pointer `json:"order,omitzero"`
	Test     Test            `json:"test,omitzero"` // an order that passes it gets test keys
	PaidAt   payload.Pointer `json:"paid_at,omitzero"`
	Currency payload.Pointer `json:"currency,omitzero"`
	Language payload.Pointer `json:"language,omitzero"`
	Customer Customer        `json:"customer,omitzero"`
	Lines    Lines           `json:"lines,omitzero"`
	Return   Return          `json:"return,omitzero"`

	Answer string `json:"answer,omitzero"` // the text that the sender takes for success; Keypool's JSON where empty
}

// Signature says how the sender signs.
type Signature struct {
	Header    string `json:"header,omitzero"`
	Algorithm string `json:"algorithm,omitzero"` // sha256, the default, or sha512
	Encoding  string `json:"encoding,omitzero"`  // hex, the default, base64 or base64url
	Prefix    string `json:"prefix,omitzero"`    // of the parts that are signatures, sha256=
	Separator string `json:"separator,omitzero"` // between the header's parts
	Key       string `json:"key,omitzero"`       // how the secret is read: text, the default, hex, base64 or whsec
	Signed    string `json:"signed,omitzero"`    // what is signed, {body} where empty: {body}, {time}, {id} and text between
}

// Time says where the time of a webhook stands.
type Time struct {
	Header           string `json:"header,omitzero"`
	Part             string `json:"part,omitzero"` // the name of a part of the signature's header: t
	Unit             string `json:"unit,omitzero"` // s, the default, ms, rfc3339 or http
	ToleranceSeconds int    `json:"tolerance_seconds,omitzero"`
}

// Event says what a webhook reports. Without a header or a pointer each reports a paid
// order.
type Event struct {
	Header   string          `json:"header,omitzero"`
	Pointer  payload.Pointer `json:"pointer,omitzero"`
	Paid     []Scalar        `json:"paid,omitzero"`
	Returned []Scalar        `json:"returned,omitzero"`
	Ignored  []Scalar        `json:"ignored,omitzero"` // of any other the merchant is told
}

// Test asks whether a value is one of a list.
type Test struct {
	Pointer payload.Pointer `json:"pointer,omitzero"`
	In      []Scalar        `json:"in,omitzero"`
}

// Customer says where the customer's data stand.
type Customer struct {
	Email      payload.Pointer `json:"email,omitzero"`
	Name       payload.Pointer `json:"name,omitzero"`
	FirstName  payload.Pointer `json:"first_name,omitzero"`
	LastName   payload.Pointer `json:"last_name,omitzero"`
	Phone      payload.Pointer `json:"phone,omitzero"`
	Company    payload.Pointer `json:"company,omitzero"`
	Country    payload.Pointer `json:"country,omitzero"`
	City       payload.Pointer `json:"city,omitzero"`
	Zip        payload.Pointer `json:"zip,omitzero"`
	Address    payload.Pointer `json:"address,omitzero"`
	LicenseFor payload.Pointer `json:"license_for,omitzero"`
	AddInfo    payload.Pointer `json:"add_info,omitzero"`
}

// Lines says where the lines of an order stand. Without a pointer an order has one line,
// whose pointers start at the body.
type Lines struct {
	Pointer   payload.Pointer `json:"pointer,omitzero"` // to the list
	Line      payload.Pointer `json:"line,omitzero"`    // the product where empty
	Product   payload.Pointer `json:"product,omitzero"`
	Title     payload.Pointer `json:"title,omitzero"`
	Quantity  payload.Pointer `json:"quantity,omitzero"` // 1 where empty
	UnitPrice payload.Pointer `json:"unit_price,omitzero"`
}

// Return says where a refund stands: what of which lines, or which amount. Without lines
// and amount each is one of the whole order.
type Return struct {
	ID       payload.Pointer `json:"id,omitzero"`
	Order    payload.Pointer `json:"order,omitzero"`
	Lines    payload.Pointer `json:"lines,omitzero"` // to the list
	Line     payload.Pointer `json:"line,omitzero"`
	Quantity payload.Pointer `json:"quantity,omitzero"`
	Amount   payload.Pointer `json:"amount,omitzero"` // where the sender names no lines
	Currency payload.Pointer `json:"currency,omitzero"`
	FullWhen Test            `json:"full_when,omitzero"` // a refund that passes it is of the whole order
	When     []Test          `json:"when,omitzero"`      // a refund that does not pass every test is passed over, and told
}

// isPartial says whether a refund may be one of a part of the order.
func (r Return) isPartial() bool { return r.Lines != "" || r.Amount != "" }

// Scalar is a value that a test compares with, as its one text: that of 1 and of "1" is
// 1, that of true and of "true" is true.
type Scalar string

// UnmarshalJSON reads a text, a number, true or false.
func (s *Scalar) UnmarshalJSON(raw []byte) error {
	value := jsontext.Value(raw)
	switch value.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		*s = Scalar(text)
		return err
	case '0', 't', 'f':
		*s = Scalar(raw)
		return nil
	default:
		return errors.New("is neither a text nor a number, true or false")
	}
}

// The words that members of the settings may be, the default first.
var (
	algorithms = []string{"sha256", "sha512"}
	encodings  = []string{"hex", "base64", "base64url"}
	keyForms   = []string{"text", "hex", "base64", "whsec"}
	units      = []string{"s", "ms", "rfc3339", "http"}
	bodies     = []string{"json", "form"}
)

// The limits of settings.
const (
	maxPointers  = 40
	maxTests     = 10
	maxValues    = 50 // of a list
	maxText      = 200
	maxAnswer    = 64
	maxTolerance = 7 * 24 * time.Hour

	defaultTolerance = 5 * time.Minute
)

// parse reads settings strictly: names of members in their case, none twice, none that is
// not known. Its error is a *platform.FieldError.
func parse(raw json.RawMessage) (Settings, error) {
	var s Settings
	err := jsonv2.Unmarshal(raw, &s, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		s.complete()
		return s, nil
	}
	wrong := &platform.FieldError{Problem: "is not the JSON object that the documentation shows"}
	var semantic *jsonv2.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		wrong.Field, wrong.Problem = pathOf(semantic.JSONPointer), "is not of the kind that the documentation shows"
		switch {
		case errors.Is(err, jsonv2.ErrUnknownName):
			wrong.Problem = "is not known here: leave it out, or compare its spelling with the documentation"
		case semantic.JSONKind == 'n':
			wrong.Problem = "is null: leave it out"
		case strings.HasPrefix(fmt.Sprint(semantic.Err), "is neither"):
			wrong.Problem = semantic.Err.Error()
		}
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		wrong.Field, wrong.Problem = pathOf(syntactic.JSONPointer), "is there twice"
	}
	return Settings{}, wrong
}

// pathOf returns the path that a JSON Pointer is, as problems name it: when[0].pointer.
func pathOf(pointer jsontext.Pointer) string {
	path := ""
	for name := range pointer.Tokens() {
		switch {
		case strings.Trim(name, "0123456789") == "" && path != "":
			path += "[" + name + "]"
		case path != "":
			path += "." + name
		default:
			path = name
		}
	}
	return path
}

// complete fills in what is left out.
func (s *Settings) complete() {
	or := func(text *string, otherwise string) {
		if *text == "" {
			*text = otherwise
		}
	}
	or(&s.Signature.Algorithm, algorithms[0])
	or(&s.Signature.Encoding, encodings[0])
	or(&s.Signature.Key, keyForms[0])
	or(&s.Signature.Signed, "{body}")
	or(&s.Time.Unit, units[0])
	or(&s.Body, bodies[0])
	if s.Time.ToleranceSeconds == 0 {
		s.Time.ToleranceSeconds = int(defaultTolerance / time.Second)
	}
}

// form is the form of Settings that the API's document shows: what stands within the members
// is described by the package's page.
type form struct {
	Signature map[string]any   `json:"signature,omitempty" doc:"How the sender signs: header, algorithm (sha256, sha512), encoding (hex, base64, base64url), prefix, separator, key (text, hex, base64, whsec), and signed, a template of {body}, {time} and {id}."`
	Time      map[string]any   `json:"time,omitempty" doc:"Where {time} stands: header, or part, a part of the signature's header; unit (s, ms, rfc3339, http), tolerance_seconds."`
	IDHeader  string           `json:"id_header,omitempty" maxLength:"200" doc:"The header that holds {id} of signature.signed, such as webhook-id."`
	Body      string           `json:"body,omitempty" enum:"json,form" doc:"How the body is written; json where left out."`
	Event     map[string]any   `json:"event,omitempty" doc:"What a webhook reports: a pointer or a header, and the lists paid, returned and ignored. Each reports a paid order where left out."`
	When      []map[string]any `json:"when,omitempty" maxItems:"10" doc:"Tests of a pointer and a list in. A paid order has to pass every one of them."`
	Order     string           `json:"order,omitempty" maxLength:"200" doc:"A pointer to the order's number."`
	Test      map[string]any   `json:"test,omitempty" doc:"A test of a pointer and a list in: an order that passes it gets test keys."`
	PaidAt    string           `json:"paid_at,omitempty" maxLength:"200" doc:"A pointer."`
	Currency  string           `json:"currency,omitempty" maxLength:"200" doc:"A pointer."`
	Language  string           `json:"language,omitempty" maxLength:"200" doc:"A pointer."`
	Customer  map[string]any   `json:"customer,omitempty" doc:"Pointers: email, name, first_name, last_name, phone, company, country, city, zip, address, license_for, add_info."`
	Lines     map[string]any   `json:"lines,omitempty" doc:"Pointers: pointer to the list, and below each element line, product, title, quantity, unit_price."`
	Return    map[string]any   `json:"return,omitempty" doc:"Where a refund stands: pointers id, order, lines, and below each element line and quantity; or amount and currency; the test full_when, and the tests when that every refund has to pass."`
	Answer    string           `json:"answer,omitempty" maxLength:"64" doc:"The text that the sender takes for success, such as OK; Keypool's JSON where left out."`
}

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return form{} }

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	s, err := parse(raw)
	if err != nil {
		return err
	}
	var c checker
	c.signature(s)
	c.event(s.Event)
	c.order(s)
	c.returns(s)
	c.pointers(s)
	if s.Answer != "" && (len(s.Answer) > maxAnswer || !isPrintable(s.Answer)) {
		c.add("answer", fmt.Sprintf("has to be 1 to %d characters of ASCII, such as OK", maxAnswer))
	}
	if len(c.found) > 0 {
		return c.found
	}
	return nil
}

// Warnings says what settings that are taken leave open. Raw is settings that
// CheckSettings accepts.
func (Adapter) Warnings(raw json.RawMessage) []string {
	s, err := parse(raw)
	if err != nil {
		return nil
	}
	var warnings []string
	if !s.isTimeSigned() {
		warnings = append(warnings, "signature.signed holds no {time}: a webhook that somebody recorded is good for ever. "+
			"A line gets its keys once all the same; take the time in if the sender signs one.")
	}
	if !s.isTimeSigned() && s.Time.isThere() {
		warnings = append(warnings, "time is not read, since signature.signed holds no {time}: nobody knows whether a time that is not signed is the sender's.")
	}
	if s.Event.Header != "" {
		warnings = append(warnings, "event.header is not part of what is signed: whoever recorded a webhook can send it again as another event. "+
			"Take event.pointer if the body names the event too, or a test under when.")
	}
	if s.IDHeader != "" && !strings.Contains(s.Signature.Signed, "{id}") {
		warnings = append(warnings, "id_header is not read, since signature.signed holds no {id}.")
	}
	return warnings
}

func (s Settings) isTimeSigned() bool { return strings.Contains(s.Signature.Signed, "{time}") }

func (t Time) isThere() bool { return t.Header != "" || t.Part != "" }

// checker collects the mistakes in settings.
type checker struct{ found platform.FieldErrors }

func (c *checker) add(field, problem string) {
	c.found = append(c.found, &platform.FieldError{Field: field, Problem: problem})
}

func (c *checker) word(field, word string, words []string) {
	if !slices.Contains(words, word) {
		c.add(field, "has to be one of: "+strings.Join(words, ", "))
	}
}

// text is a piece of a header, which may be left out.
func (c *checker) text(field, text string) {
	if len(text) > maxText || text != "" && !isPrintable(text) {
		c.add(field, fmt.Sprintf("has to be at most %d characters of ASCII", maxText))
	}
}

// header is a header's name, which may be left out.
func (c *checker) header(field, name string) {
	const signs = "!#$%&'*+-.^_`|~" // RFC 9110, 5.6.2
	isOther := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(signs, r)
	}
	if len(name) > maxText || strings.ContainsFunc(name, isOther) {
		c.add(field, "is not the name of a header: write it without a colon, such as X-Signature")
	}
}

func (c *checker) signature(s Settings) {
	c.header("signature.header", s.Signature.Header)
	if s.Signature.Header == "" {
		c.add("signature.header", "is missing: the header that holds the signature, such as X-Signature")
	}
	c.word("signature.algorithm", s.Signature.Algorithm, algorithms)
	c.word("signature.encoding", s.Signature.Encoding, encodings)
	c.word("signature.key", s.Signature.Key, keyForms)
	c.word("time.unit", s.Time.Unit, units)
	c.word("body", s.Body, bodies)
	c.text("signature.prefix", s.Signature.Prefix)
	c.text("signature.separator", s.Signature.Separator)
	c.text("time.part", s.Time.Part)
	c.header("time.header", s.Time.Header)
	c.header("id_header", s.IDHeader)
	if strings.TrimSpace(s.Signature.Separator) != "" && strings.Contains(s.Signature.Prefix, s.Signature.Separator) {
		c.add("signature.prefix", "holds the separator, so that no part of the header begins with it")
	}
	switch template := s.Signature.Signed; {
	case len(template) > maxText || !isPrintable(template):
		c.add("signature.signed", fmt.Sprintf("has to be at most %d characters of ASCII", maxText))
	case strings.Count(template, "{body}") != 1:
		c.add("signature.signed", "has to hold {body} once, such as {time}.{body}")
	case strings.Count(template, "{time}") > 1 || strings.Count(template, "{id}") > 1:
		c.add("signature.signed", "holds {time} or {id} twice")
	case strings.ContainsAny(strings.NewReplacer("{body}", "", "{time}", "", "{id}", "").Replace(template), "{}"):
		c.add("signature.signed", "holds a brace of something else than {body}, {time} and {id}")
	}
	switch {
	case s.Time.Header != "" && s.Time.Part != "":
		c.add("time.part", "is there beside time.header: the time stands in one of them")
	case s.Time.Part != "" && s.Signature.Separator == "":
		c.add("signature.separator", "is missing: time.part is a part of the signature's header, so say what is between its parts, such as a comma")
	case s.isTimeSigned() && !s.Time.isThere():
		c.add("time.header", "is missing: signature.signed holds {time}, so say in which header it stands, or by time.part in which part of the signature's")
	}
	if strings.Contains(s.Signature.Signed, "{id}") && s.IDHeader == "" {
		c.add("id_header", "is missing: signature.signed holds {id}, so say in which header it stands")
	}
	if most := int(maxTolerance / time.Second); s.Time.ToleranceSeconds < 1 || s.Time.ToleranceSeconds > most {
		c.add("time.tolerance_seconds", fmt.Sprintf("has to be 1 to %d", most))
	}
}

func (c *checker) event(e Event) {
	c.header("event.header", e.Header)
	named := e.Header != "" || e.Pointer != ""
	lists := []struct {
		field  string
		values []Scalar
	}{{"event.paid", e.Paid}, {"event.returned", e.Returned}, {"event.ignored", e.Ignored}}
	switch {
	case e.Header != "" && e.Pointer != "":
		c.add("event.pointer", "is there beside event.header: the event's name stands in one of them")
	case named && len(e.Paid) == 0:
		c.add("event.paid", "is empty: name the event of a paid order, as the sender writes it")
	}
	seen := map[Scalar]string{}
	for _, list := range lists {
		if !named && len(list.values) > 0 {
			c.add(list.field, "needs event.pointer or event.header, which says where the event's name stands")
		}
		c.values(list.field, list.values)
		for _, value := range list.values {
			if before := seen[value]; before != "" {
				c.add(list.field, "names an event that stands in "+before+" too")
				break
			}
		}
		for _, value := range list.values {
			seen[value] = list.field
		}
	}
}

func (c *checker) values(field string, values []Scalar) {
	if len(values) > maxValues {
		c.add(field, fmt.Sprintf("has more than %d values", maxValues))
	}
	for _, value := range values {
		if utf8.RuneCountInString(string(value)) > maxText {
			c.add(field, fmt.Sprintf("has a value of more than %d characters", maxText))
			break
		}
	}
}

// test is a test that may be left out.
func (c *checker) test(field string, t Test) {
	c.values(field+".in", t.In)
	switch {
	case t.Pointer == "" && len(t.In) > 0:
		c.add(field+".pointer", "is missing: the place of the value that is compared")
	case t.Pointer != "" && len(t.In) == 0:
		c.add(field+".in", "is empty: name the values that pass")
	}
}

// tests are tests of which an event has to pass each.
func (c *checker) tests(field string, tests []Test) {
	if len(tests) > maxTests {
		c.add(field, fmt.Sprintf("has more than %d tests", maxTests))
	}
	for i, test := range tests {
		at := fmt.Sprintf("%s[%d]", field, i)
		if test.Pointer == "" && len(test.In) == 0 {
			c.add(at, "is empty: it takes a pointer, and a list in with the values that pass")
		}
		c.test(at, test)
	}
}

func (c *checker) order(s Settings) {
	c.tests("when", s.When)
	c.test("test", s.Test)
	for _, needed := range []struct {
		field   string
		pointer payload.Pointer
		what    string
	}{
		{"order", s.Order, "the order's number, such as /order/id"},
		{"customer.email", s.Customer.Email, "the address that the keys are sent to, such as /order/email"},
		{"lines.product", s.Lines.Product, "the product, such as /sku"},
	} {
		if needed.pointer == "" {
			c.add(needed.field, "is missing: the place of "+needed.what)
		}
	}
	if s.Body == "form" && s.Lines.Pointer != "" {
		c.add("lines.pointer", "points to a list, and a form has none: leave it out, then an order has one line")
	}
	if s.Body == "form" && s.Return.Lines != "" {
		c.add("return.lines", "points to a list, and a form has none: leave it out, then a refund is one of the whole order")
	}
}

func (c *checker) returns(s Settings) {
	r := s.Return
	c.test("return.full_when", r.FullWhen)
	c.tests(returnWhen, r.When)
	missing := func(field string, p payload.Pointer, why string) {
		if p == "" {
			c.add(field, "is missing: "+why)
		}
	}
	if len(s.Event.Returned) > 0 {
		missing("return.order", r.Order, "event.returned names events that report a refund, so say where the refunded order's number stands")
	}
	if len(s.Event.Returned) == 0 && !r.isEmpty() {
		c.add("event.returned", "is empty, and return says where a refund stands: name the events that report one")
	}
	if r.isPartial() {
		missing("return.id", r.ID, "a refund of a part of the order is told from the next by its id")
	}
	switch {
	case r.Lines != "" && r.Amount != "":
		c.add("return.amount", "is there beside return.lines: a refund is of lines or of an amount")
	case r.Lines != "":
		missing("return.line", r.Line, "the place of the line's id below each of return.lines, or of the product where lines.line is left out")
		missing("return.quantity", r.Quantity, "the place of the number of units that were given back, below each of return.lines")
	case r.Line != "" || r.Quantity != "":
		c.add("return.lines", "is missing: the place of the list of what was given back, where return.line and return.quantity start")
	case r.FullWhen.Pointer != "" && r.Amount == "":
		c.add("return.full_when", "needs return.lines or return.amount, which say what any other refund is of. Without them every refund is one of the whole order")
	}
	if r.Currency != "" && r.Amount == "" {
		c.add("return.amount", "is missing: return.currency is that of an amount")
	}
}

func (r Return) isEmpty() bool {
	return !r.isPartial() && r.ID == "" && r.Order == "" && r.Line == "" && r.Quantity == "" && r.Currency == "" && r.FullWhen.Pointer == "" && len(r.When) == 0
}

// pointers checks the form of all pointers, and how many there are.
func (c *checker) pointers(s Settings) {
	n := 0
	for field, pointer := range s.pointers() {
		if pointer == "" {
			continue
		}
		n++
		problem := pointer.Check()
		if problem == "" && s.Body == "form" && strings.Count(string(pointer), "/") > 1 {
			problem = "has more than one name, and the fields of a form stand in no other: write a slash in a name as ~1"
		}
		if problem != "" {
			c.add(field, problem)
		}
	}
	if n > maxPointers {
		c.add("", fmt.Sprintf("has %d pointers; the limit is %d", n, maxPointers))
	}
}

// pointers are all pointers, by the name of their field.
func (s Settings) pointers() iter.Seq2[string, payload.Pointer] {
	type mapped struct {
		field   string
		pointer payload.Pointer
	}
	c, l, r := s.Customer, s.Lines, s.Return
	all := []mapped{
		{"event.pointer", s.Event.Pointer},
		{"order", s.Order},
		{"test.pointer", s.Test.Pointer},
		{"paid_at", s.PaidAt},
		{"currency", s.Currency},
		{"language", s.Language},
		{"customer.email", c.Email},
		{"customer.name", c.Name},
		{"customer.first_name", c.FirstName},
		{"customer.last_name", c.LastName},
		{"customer.phone", c.Phone},
		{"customer.company", c.Company},
		{"customer.country", c.Country},
		{"customer.city", c.City},
		{"customer.zip", c.Zip},
		{"customer.address", c.Address},
		{"customer.license_for", c.LicenseFor},
		{"customer.add_info", c.AddInfo},
		{"lines.pointer", l.Pointer},
		{"lines.line", l.Line},
		{"lines.product", l.Product},
		{"lines.title", l.Title},
		{"lines.quantity", l.Quantity},
		{"lines.unit_price", l.UnitPrice},
		{"return.id", r.ID},
		{"return.order", r.Order},
		{"return.lines", r.Lines},
		{"return.line", r.Line},
		{"return.quantity", r.Quantity},
		{"return.amount", r.Amount},
		{"return.currency", r.Currency},
		{"return.full_when.pointer", r.FullWhen.Pointer},
	}
	for i, test := range s.When {
		all = append(all, mapped{fmt.Sprintf("when[%d].pointer", i), test.Pointer})
	}
	for i, test := range r.When {
		all = append(all, mapped{fmt.Sprintf("%s[%d].pointer", returnWhen, i), test.Pointer})
	}
	return func(yield func(string, payload.Pointer) bool) {
		for _, p := range all {
			if !yield(p.field, p.pointer) {
				return
			}
		}
	}
}

// isPrintable says whether s consists of printable ASCII, so that it can stand in a header.
func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
