package standard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// The types of events that the scheme acts on.
const (
	typePaid     = "order.paid"
	typeRefunded = "order.refunded"
	typeDisputed = "order.disputed"
)

// types are the members that each type of event has.
var types = map[string]map[string]bool{typePaid: members, typeRefunded: refundMembers, typeDisputed: disputeMembers}

// The members of a refund and of a dispute, as members has those of a paid order.
var (
	refundMembers = map[string]bool{
		"type": true, "data": true,
		"data.order": true, "data.test": true, "data.refund": true, "data.failed": true,
		"data.lines": true, "data.lines[]": true, "data.lines[].line": true, "data.lines[].quantity": true,
		"data.amount": true, "data.currency": true, "data.refunded_at": false,
	}
	disputeMembers = map[string]bool{
		"type": true, "data": true,
		"data.order": true, "data.test": true, "data.dispute": true, "data.state": true, "data.disputed_at": false,
	}
)

// members are the members that are read, by the path where they stand. Those that
// decide what is delivered are true: the order is refused if such a member cannot be
// read. The others are only shown: what cannot be read of them is left out.
var members = map[string]bool{
	"type": true, "data": true,
	"data.order": true, "data.test": true, "data.customer": true, "data.lines": true, "data.parent": true, "data.risk": true,
	"data.currency": false, "data.language": false, "data.paid_at": false,
	"data.customer.email": true,
	"data.customer.name":  false, "data.customer.first_name": false, "data.customer.last_name": false,
	"data.customer.phone": false, "data.customer.company": false, "data.customer.country": false,
	"data.customer.city": false, "data.customer.zip": false, "data.customer.address": false,
	"data.customer.license_for": false, "data.customer.add_info": false,
	"data.lines[]": true, "data.lines[].line": true, "data.lines[].product": true, "data.lines[].quantity": true, "data.lines[].original": true,
	"data.lines[].title": false, "data.lines[].unit_price": false,
}

// maxRisk is how long the platform's word of a risk may be, in characters.
const maxRisk = 64

// Decode implements platform.Adapter. A body holds one event.
func (Adapter) Decode(_ context.Context, r platform.Request, _ platform.Account) ([]platform.Event, error) {
	event, err := decode(r.Body)
	if err != nil {
		return nil, err
	}
	return []platform.Event{event}, nil
}

func decode(body []byte) (platform.Event, error) {
	parsed, err := parse(body)
	if err != nil {
		return nil, err
	}
	d := &decoder{members: members}
	event := d.event(parsed)
	if d.err != nil {
		d.err.Order = d.order
		return nil, d.err
	}
	return event, nil
}

// decoder reads the members of a parsed body. The first mistake in a member that
// decides is kept.
type decoder struct {
	members map[string]bool // of the type of event
	order   string          // once it is read
	ignored []string
	err     *platform.FieldError
}

func (d *decoder) refuse(field, problem string) {
	if d.err == nil {
		d.err = &platform.FieldError{Field: field, Problem: problem}
	}
}

func (d *decoder) event(body payload.Value) platform.Event {
	root := object{d: d, Value: body}
	data := root.object("data")
	if id, ok := data.Members["order"].ID(); ok && platform.CheckID(id) == "" {
		d.order = id // whatever else cannot be read, the merchant is told which order it was
	}
	kind := root.text("type")
	switch {
	case d.err != nil:
		return nil
	case kind == "":
		d.refuse("type", "is missing: it says what happened, such as order.paid")
		return nil
	case types[kind] == nil && types[plainType(kind)] != nil:
		meant := plainType(kind)
		d.refuse("type", "is almost "+meant+", but not the same: write "+meant)
		return nil
	case types[kind] == nil:
		return platform.Ignored{Type: kind, Unknown: true}
	}
	d.members = types[kind]
	root.checkNames()
	if data.Missing() {
		d.refuse("data", "is missing: it holds the order")
	}
	switch kind {
	case typeRefunded:
		return d.refunded(data)
	case typeDisputed:
		return d.disputed(data)
	default:
		return d.paid(data)
	}
}

// refunded reads a refund: of lines where it names any, else of an amount where it names
// one, else of the whole order.
func (d *decoder) refunded(data object) platform.Returned {
	refund := platform.Returned{
		Within: "data.",
		Order:  data.id("order"), Test: data.bool("test"), ID: data.id("refund"), Failed: data.bool("failed"),
		Amount: data.decimal("amount"), Currency: data.text("currency"), At: data.time("refunded_at"),
	}
	lines := data.objects("lines")
	for _, line := range lines {
		returned := platform.ReturnedLine{ID: line.id("line"), All: line.Members["quantity"].Missing()}
		if !returned.All {
			if returned.Quantity = line.quantity("quantity"); returned.Quantity < 1 {
				d.refuse(line.at("quantity"), "is less than 1: leave it out where all units are refunded")
			}
		}
		refund.Lines = append(refund.Lines, returned)
		line.checkNames()
	}
	if !data.Members["lines"].Missing() && len(lines) == 0 {
		d.refuse("data.lines", "is empty: leave it out where the whole order is refunded")
	}
	refund.All = len(lines) == 0 && data.Members["amount"].Missing()
	data.checkNames()
	return refund
}

func (d *decoder) disputed(data object) platform.Disputed {
	dispute := platform.Disputed{
		Within: "data.",
		Order:  data.id("order"), Test: data.bool("test"), ID: data.id("dispute"),
		State: platform.DisputeState(data.text("state")), At: data.time("disputed_at"),
	}
	data.checkNames()
	return dispute
}

// plainType spells a type as this scheme does: "Order_Paid" is "order.paid".
func plainType(kind string) string {
	return strings.NewReplacer("_", ".", "-", ".", " ", ".").Replace(strings.ToLower(strings.TrimSpace(kind)))
}

func (d *decoder) paid(data object) platform.Paid {
	customer := data.object("customer")
	paid := platform.Paid{
		Within:   "data.",
		Order:    data.id("order"),
		Test:     data.bool("test"),
		Currency: data.shown("currency"),
		Language: data.shown("language"),
		PaidAt:   data.time("paid_at"),
		Parent:   data.id("parent"),
		Risk:     data.text("risk"),
		Customer: order.Customer{
			Name: customer.shown("name"), FirstName: customer.shown("first_name"), LastName: customer.shown("last_name"),
			Email: customer.text("email"), Phone: customer.shown("phone"), Company: customer.shown("company"),
			Country: customer.shown("country"), City: customer.shown("city"), Zip: customer.shown("zip"),
			Address: customer.shown("address"), LicenseFor: customer.shown("license_for"), AddInfo: customer.shown("add_info"),
		},
	}
	if paid.Parent != "" && paid.Parent == paid.Order {
		d.refuse("data.parent", "is the order itself: name the order that it renews, or leave it out")
	}
	if utf8.RuneCountInString(paid.Risk) > maxRisk {
		d.refuse("data.risk", fmt.Sprintf("is longer than %d characters", maxRisk))
	}
	for _, line := range data.objects("lines") {
		paid.Lines = append(paid.Lines, platform.Line{
			ID: line.id("line"), Product: line.id("product"), Original: line.id("original"), Quantity: line.quantity("quantity"),
			Title: line.shown("title"), UnitPrice: line.shown("unit_price"),
		})
		line.checkNames()
	}
	customer.checkNames()
	data.checkNames()
	paid.IgnoredFields = d.ignored
	return paid
}

// object is a JSON object with known members, at its path in the body.
type object struct {
	payload.Value
	d    *decoder
	path string // "" for the body
}

func (o object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// checkNames looks at members whose names differ from a known one by upper and lower
// case: a sender who writes "Quantity" means something by it. One that decides makes
// the order refused, any other is ignored.
func (o object) checkNames() {
	for _, name := range namesIn(o.d.members, o.path) {
		for given := range o.Members {
			if given == name || !strings.EqualFold(given, name) {
				continue
			}
			if o.d.members[pattern(o.at(name))] {
				o.d.refuse(o.at(name), "is written in another case: names are case-sensitive, write "+name)
			} else {
				o.d.ignore(o.at(name))
			}
		}
	}
}

// namesIn returns the names of the known members of the object at a path, sorted.
func namesIn(members map[string]bool, path string) []string {
	var names []string
	for known := range members {
		above, name := "", known
		if dot := strings.LastIndexByte(known, '.'); dot >= 0 {
			above, name = known[:dot], known[dot+1:]
		}
		if above == pattern(path) && !strings.HasSuffix(name, "[]") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pattern returns the path of any line: "data.lines[].line" of "data.lines[7].line".
func pattern(path string) string {
	before, after, ok := strings.Cut(path, "[")
	if !ok {
		return path
	}
	_, after, _ = strings.Cut(after, "]")
	return before + "[]" + after
}

// object returns a member that is an object. Where it is missing, so are its members.
func (o object) object(name string) object {
	member := o.Members[name]
	if !member.Missing() && member.Kind != '{' {
		o.d.refuse(o.at(name), "is not an object")
	}
	return object{Value: member, d: o.d, path: o.at(name)}
}

// objects returns a member that is a list of objects.
func (o object) objects(name string) []object {
	member := o.Members[name]
	if !member.Missing() && member.Kind != '[' {
		o.d.refuse(o.at(name), "is not a list")
	}
	var all []object
	for i, element := range member.List {
		path := fmt.Sprintf("%s[%d]", o.at(name), i)
		if element.Kind != '{' {
			o.d.refuse(path, "is not an object")
		}
		all = append(all, object{Value: element, d: o.d, path: path})
	}
	return all
}

// text returns a member that must be a text, "" where it is missing.
func (o object) text(name string) string {
	member := o.Members[name]
	if !member.Missing() && member.Kind != '"' {
		o.d.refuse(o.at(name), "is not a text in quotes")
	}
	return member.Text
}

// decimal returns a member that is an amount, "" where it is missing: 19.9 or "19.90".
func (o object) decimal(name string) string {
	member := o.Members[name]
	if !member.Missing() && member.Kind != '"' && member.Kind != '0' {
		o.d.refuse(o.at(name), "is neither a decimal nor one in quotes")
	}
	return strings.TrimSpace(member.Text)
}

// bool returns a member that must be true or false, false where it is missing.
func (o object) bool(name string) bool {
	member := o.Members[name]
	if !member.Missing() && member.Kind != 't' && member.Kind != 'f' {
		o.d.refuse(o.at(name), "is not true or false")
	}
	return member.Kind == 't'
}

// id returns a member that identifies something, "" where it is missing. A number is
// taken by its digits.
func (o object) id(name string) string {
	member := o.Members[name]
	id, ok := member.ID()
	if !ok && !member.Missing() {
		o.d.refuse(o.at(name), "is neither a text in quotes nor a number of digits only")
	}
	return id
}

// quantity returns a member that must be a whole number: 2, "2" or 2.0. One with too
// many digits becomes the largest there is, which is over any cap.
func (o object) quantity(name string) int {
	member := o.Members[name]
	if member.Missing() {
		o.d.refuse(o.at(name), "is missing")
		return 0
	}
	n, ok := member.Quantity()
	if !ok {
		o.d.refuse(o.at(name), "is not a whole number")
	}
	return n
}

// shown returns a member that is only shown, as a text: that of a number is its
// literal. One that is neither is ignored.
func (o object) shown(name string) string {
	member := o.Members[name]
	if !member.Missing() && member.Kind != '"' && member.Kind != '0' {
		o.d.ignore(o.at(name))
	}
	return member.Text
}

// time returns a member that is a time, zero where it is missing or cannot be read.
func (o object) time(name string) time.Time {
	text := strings.TrimSpace(o.shown(name))
	if text == "" {
		return time.Time{}
	}
	at, ok := payload.ParseTime(text)
	if !ok {
		o.d.ignore(o.at(name))
	}
	return at
}

func (d *decoder) ignore(field string) {
	if !slices.Contains(d.ignored, field) {
		d.ignored = append(d.ignored, field)
	}
}
