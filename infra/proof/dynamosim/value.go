package dynamosim

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// kind is an attribute's type, by DynamoDB's name.
type kind string

const (
	textKind     kind = "S"
	numberKind   kind = "N"
	binaryKind   kind = "B"
	boolKind     kind = "BOOL"
	nullKind     kind = "NULL"
	listKind     kind = "L"
	mapKind      kind = "M"
	textsKind    kind = "SS"
	numbersKind  kind = "NS"
	binariesKind kind = "BS"
)

// element returns the type of a set's elements, "" for other types.
func (k kind) element() kind {
	switch k {
	case textsKind:
		return textKind
	case numbersKind:
		return numberKind
	case binariesKind:
		return binaryKind
	default:
		return ""
	}
}

// ordered reports whether values of the type have an order, and so can be keys.
func (k kind) ordered() bool { return k == textKind || k == numberKind || k == binaryKind }

// value is the value of an attribute. It is immutable, so that items can share
// values.
type value struct {
	kind kind
	text string  // S; N, normalized; B, its bytes
	yes  bool    // BOOL
	list []value // L; the elements of a set, in order
	item item    // M
}

// attribute is a value with its name.
type attribute struct {
	name  string
	value value
}

// item is attributes in the order of their names, so that its encoding is always the
// same. It is immutable.
type item []attribute

func (it item) find(name string) (int, bool) {
	return slices.BinarySearchFunc(it, name, func(a attribute, name string) int { return strings.Compare(a.name, name) })
}

func (it item) get(name string) (value, bool) {
	if i, ok := it.find(name); ok {
		return it[i].value, true
	}
	return value{}, false
}

// with returns the item with one attribute set.
func (it item) with(name string, v value) item {
	i, ok := it.find(name)
	next := make(item, 0, len(it)+1)
	next = append(append(next, it[:i]...), attribute{name, v})
	if ok {
		i++
	}
	return append(next, it[i:]...)
}

// without returns the item without one attribute.
func (it item) without(name string) item {
	i, ok := it.find(name)
	if !ok {
		return it
	}
	return slices.Concat(it[:i], it[i+1:])
}

// only returns the item with the named attributes alone.
func (it item) only(names []string) item {
	kept := make(item, 0, len(names))
	for _, a := range it {
		if slices.Contains(names, a.name) {
			kept = append(kept, a)
		}
	}
	return kept
}

// compare orders two values of one ordered type. A missing value comes first.
func compare(a, b value) int {
	if a.kind == numberKind && b.kind == numberKind {
		return compareNumbers(a.text, b.text)
	}
	return strings.Compare(a.text, b.text)
}

func (v value) equal(w value) bool {
	return v.kind == w.kind && v.text == w.text && v.yes == w.yes &&
		slices.EqualFunc(v.list, w.list, value.equal) && v.item.equal(w.item)
}

func (it item) equal(other item) bool {
	return slices.EqualFunc(it, other, func(a, b attribute) bool { return a.name == b.name && a.value.equal(b.value) })
}

// size is the bytes that DynamoDB counts for an item.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats".
func (it item) size() int {
	size := 0
	for _, a := range it {
		size += len(a.name) + a.value.size()
	}
	return size
}

func (v value) size() int {
	switch v.kind {
	case textKind, binaryKind:
		return len(v.text)
	case numberKind:
		return numberSize(v.text)
	case listKind:
		size := 3
		for _, element := range v.list {
			size += 1 + element.size()
		}
		return size
	case mapKind:
		return 3 + len(v.item) + v.item.size()
	case boolKind, nullKind:
		return 1
	default: // a set
		size := 0
		for _, element := range v.list {
			size += element.size()
		}
		return size
	}
}

// set makes a set of elements in any order.
func set(k kind, elements []value) (value, error) {
	if len(elements) == 0 {
		return value{}, invalid("One or more parameter values were invalid: An %s set may not be empty", k)
	}
	slices.SortFunc(elements, compare)
	for i := range elements[1:] {
		if compare(elements[i], elements[i+1]) == 0 {
			return value{}, invalid("One or more parameter values were invalid: Input collection contains duplicates.")
		}
	}
	return value{kind: k, list: elements}, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (it *item) UnmarshalJSON(data []byte) error {
	r := reader{data: data}
	*it = r.item()
	return r.err
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(data []byte) error {
	r := reader{data: data}
	*v = r.value()
	return r.err
}

// reader decodes values from JSON that encoding/json has validated. A simulation does
// so millions of times, and reflection would be most of its cost.
type reader struct {
	data []byte
	at   int
	err  error
}

// next skips to the next token and returns its first byte.
func (r *reader) next() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			r.at++
		default:
			return c
		}
	}
	r.fail("an attribute value is cut off")
	return 0
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = invalid(format, args...)
	}
}

// each calls f for each member of an object or array that begins with open.
func (r *reader) each(open byte, f func()) {
	if r.next() != open {
		r.fail("an attribute value is not of its type")
		return
	}
	r.at++
	for r.err == nil {
		if c := r.next(); c == open+2 { // the closing bracket
			r.at++
			return
		}
		f()
	}
}

func (r *reader) string() string {
	if r.next() != '"' {
		r.fail("an attribute value is not of its type")
		return ""
	}
	start := r.at
	for r.at++; r.at < len(r.data); r.at++ {
		switch r.data[r.at] {
		case '\\':
			r.at++
		case '"':
			r.at++
			quoted := r.data[start:r.at]
			if bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted) {
				return string(quoted[1 : len(quoted)-1])
			}
			var s string
			if err := json.Unmarshal(quoted, &s); err != nil {
				r.fail("an attribute value cannot be read: %v", err)
			}
			return s
		}
	}
	r.fail("an attribute value is cut off")
	return ""
}

func (r *reader) bool() bool {
	switch r.next() {
	case 't':
		r.at += len("true")
		return true
	case 'f':
		r.at += len("false")
	default:
		r.fail("an attribute value is not of its type")
	}
	return false
}

func (r *reader) item() item {
	it := item{}
	r.each('{', func() {
		name := r.string()
		it = append(it, attribute{name, r.value()})
	})
	slices.SortFunc(it, func(a, b attribute) int { return cmp.Compare(a.name, b.name) })
	return it
}

func (r *reader) value() value {
	var v value
	types := 0
	r.each('{', func() {
		types++
		v = r.typed(kind(r.string()))
	})
	if types != 1 {
		r.fail("Supplied AttributeValue has %d data types set, must contain exactly one of the supported data types", types)
	}
	return v
}

func (r *reader) typed(k kind) value {
	v := value{kind: k}
	switch k {
	case textKind, numberKind, binaryKind:
		return r.scalar(k)
	case boolKind, nullKind:
		v.yes = r.bool()
	case mapKind:
		v.item = r.item()
	case listKind:
		v.list = []value{}
		r.each('[', func() { v.list = append(v.list, r.value()) })
	case textsKind, numbersKind, binariesKind:
		r.each('[', func() { v.list = append(v.list, r.scalar(k.element())) })
		made, err := set(k, v.list)
		if err != nil && r.err == nil {
			r.err = err
		}
		return made
	default:
		r.fail("an attribute value of type %q is not spoken here", k)
	}
	return v
}

func (r *reader) scalar(k kind) value {
	v := value{kind: k, text: r.string()}
	switch k {
	case numberKind:
		number, err := normalize(v.text)
		if err != nil && r.err == nil {
			r.err = err
		}
		v.text = number
	case binaryKind:
		raw, err := base64.StdEncoding.DecodeString(v.text)
		if err != nil {
			r.fail("a binary value is not base64")
		}
		v.text = string(raw)
	default: // the text as it is
	}
	return v
}

// MarshalJSON implements json.Marshaler.
func (it item) MarshalJSON() ([]byte, error) {
	return appendItem(make([]byte, 0, 64+32*len(it)), it), nil
}

func appendItem(b []byte, it item) []byte {
	b = append(b, '{')
	for i, a := range it {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, a.name), ':')
		b = appendValue(b, a.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v value) []byte {
	b = append(append(append(b, `{"`...), v.kind...), `":`...)
	switch v.kind {
	case textKind, numberKind, binaryKind:
		b = appendScalar(b, v)
	case boolKind, nullKind:
		b = fmt.Append(b, v.yes)
	case mapKind:
		b = appendItem(b, v.item)
	default:
		b = append(b, '[')
		for i, element := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			if v.kind == listKind {
				b = appendValue(b, element)
			} else {
				b = appendScalar(b, element)
			}
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendScalar(b []byte, v value) []byte {
	if v.kind == binaryKind {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.text))
		return append(b, '"')
	}
	return appendString(b, v.text)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string is always encoded
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// sdk returns the item in the SDK's type.
func (it item) sdk() map[string]types.AttributeValue {
	if it == nil {
		return nil
	}
	m := make(map[string]types.AttributeValue, len(it))
	for _, a := range it {
		m[a.name] = a.value.sdk()
	}
	return m
}

func (v value) sdk() types.AttributeValue {
	switch v.kind {
	case textKind:
		return &types.AttributeValueMemberS{Value: v.text}
	case numberKind:
		return &types.AttributeValueMemberN{Value: v.text}
	case binaryKind:
		return &types.AttributeValueMemberB{Value: []byte(v.text)}
	case boolKind:
		return &types.AttributeValueMemberBOOL{Value: v.yes}
	case nullKind:
		return &types.AttributeValueMemberNULL{Value: v.yes}
	case mapKind:
		return &types.AttributeValueMemberM{Value: v.item.sdk()}
	case listKind:
		list := make([]types.AttributeValue, len(v.list))
		for i, element := range v.list {
			list[i] = element.sdk()
		}
		return &types.AttributeValueMemberL{Value: list}
	case binariesKind:
		set := make([][]byte, len(v.list))
		for i, element := range v.list {
			set[i] = []byte(element.text)
		}
		return &types.AttributeValueMemberBS{Value: set}
	case textsKind:
		return &types.AttributeValueMemberSS{Value: v.texts()}
	case numbersKind:
		return &types.AttributeValueMemberNS{Value: v.texts()}
	}
	panic("an attribute value of an unknown kind")
}

// texts returns the elements of a set of texts or numbers.
func (v value) texts() []string {
	set := make([]string, len(v.list))
	for i, element := range v.list {
		set[i] = element.text
	}
	return set
}
