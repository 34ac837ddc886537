package sample

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// values are what is put into a body, by the JSON Pointers of the members. A member that
// the body does not have is not put.
type values map[string]any

// put adds a value for members, unless it is the zero value of its kind: that was not
// asked for.
func (v values) put(value any, members ...string) {
	if value == "" || value == 0 || value == false {
		return
	}
	for _, at := range members {
		v[at] = value
	}
}

// into returns the body with the values in it. All other bytes stay as they are.
func (v values) into(body []byte) []byte {
	d := jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	mark := len(body) - len(bytes.TrimPrefix(body, []byte("\ufeff")))
	var places []place
	if v.find(d, "", &places) != nil {
		return body
	}
	out := slices.Clone(body)
	for _, p := range slices.Backward(places) {
		out = slices.Replace(out, mark+p.from, mark+p.to, p.with...)
	}
	return out
}

// place is a range of a body, and what shall stand there.
type place struct {
	from, to int
	with     []byte
}

// find reads the next value of a body, whose pointer is at, and finds the places in it.
func (v values) find(d *jsontext.Decoder, at string, places *[]place) error {
	kind := d.PeekKind()
	if with, ok := v[at]; ok {
		old, err := d.ReadValue()
		end := int(d.InputOffset())
		*places = append(*places, place{end - len(old), end, encoded(with, kind)})
		return err
	}
	if kind != '{' && kind != '[' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if next := d.PeekKind(); next == '}' || next == ']' {
			_, err := d.ReadToken()
			return err
		}
		name := strconv.Itoa(i)
		if kind == '{' {
			token, err := d.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		if err := v.find(d, at+"/"+name, places); err != nil {
			return err
		}
	}
}

// encoded returns a value as JSON. A text of digits takes a number's place as a number.
func encoded(value any, place jsontext.Kind) []byte {
	if text, ok := value.(string); ok && place == '0' && text != "" && strings.Trim(text, "0123456789") == "" && (text[0] != '0' || len(text) == 1) {
		return []byte(text)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts, numbers and booleans always encode
	}
	return raw
}

// member returns the value at a JSON Pointer of a decoded body: a text, a number as it is
// written, true or false; empty for any other.
func member(body any, at string) string {
	for name := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		switch within := body.(type) {
		case map[string]any:
			body = within[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(within) {
				return ""
			}
			body = within[i]
		default:
			return ""
		}
	}
	switch value := body.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}

// putProduct puts a product in the place of the samples' product.
func (v values) putProduct(body any, product string, members ...string) {
	for _, at := range members {
		if member(body, at) == game {
			v.put(product, at)
		}
	}
}

// game is the product that the samples are about.
const game = "game"
