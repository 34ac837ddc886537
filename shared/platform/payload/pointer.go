package payload

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Pointer says where in a body a value stands, by RFC 6901: /order/items/0/sku. An
// empty one points nowhere.
type Pointer string

// The limits of a pointer.
const (
	maxPointer = 200 // characters
	maxDepth   = 16  // names
)

// Check returns the mistake in a pointer that is not empty, "" if there is none. It
// reads on after the name of a field: "does not begin with a slash".
func (p Pointer) Check() string {
	switch {
	case !utf8.ValidString(string(p)) || strings.ContainsFunc(string(p), unicode.IsControl):
		return "holds control characters"
	case utf8.RuneCountInString(string(p)) > maxPointer:
		return fmt.Sprintf("is longer than %d characters", maxPointer)
	case !strings.HasPrefix(string(p), "/"):
		return "does not begin with a slash: write it as a JSON Pointer (RFC 6901), such as /order/id"
	case strings.Count(string(p), "/") > maxDepth:
		return fmt.Sprintf("has more than %d names", maxDepth)
	}
	for i := range len(p) {
		if p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1') {
			return "holds a ~ that is followed by neither 0 nor 1: write ~0 for ~ and ~1 for a slash in a name"
		}
	}
	return ""
}

// names returns the names of members, and the places in lists, on the way to the value.
func (p Pointer) names() []string {
	if p == "" {
		return nil
	}
	names := strings.Split(string(p)[1:], "/")
	for i, name := range names {
		names[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return names
}

// Find returns the value that stands at a pointer below v; one that is missing if there
// is none, or the pointer is empty.
func (v Value) Find(at Pointer) Value {
	if at == "" {
		return Value{}
	}
	for _, name := range at.names() {
		switch v.Kind {
		case '{':
			v = v.Members[name]
		case '[':
			v = v.element(name)
		default:
			return Value{}
		}
	}
	return v
}

// element returns the element of a list at a place in decimal digits without leading
// zeros, as RFC 6901 has it.
func (v Value) element(place string) Value {
	if !IsDigits(place) || len(place) > 1 && place[0] == '0' || len(place) > 6 {
		return Value{}
	}
	at := 0
	for _, digit := range place {
		at = at*10 + int(digit-'0')
	}
	if at >= len(v.List) {
		return Value{}
	}
	return v.List[at]
}

// JSON returns the pointer as package jsontext writes it.
func (p Pointer) JSON() jsontext.Pointer { return jsontext.Pointer(p) }
