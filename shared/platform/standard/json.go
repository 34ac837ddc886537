package standard

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// errShape is the mistake of a body that is no JSON object.
const errShape = "is not the JSON object that the documentation shows"

// parse reads a body. What is wrong with one that cannot be parsed is a
// *platform.FieldError, which names the order if that can still be read.
func parse(body []byte) (payload.Value, error) {
	v, err := payload.Parse(body)
	if err == nil {
		return v, nil
	}
	wrong := &platform.FieldError{Problem: errShape, Order: orderIn(body)}
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) {
		return v, wrong
	}
	field := pathOf(syntax.At)
	switch {
	case errors.Is(err, payload.ErrTwice):
		wrong.Problem = syntax.Problem
		if field != "" {
			wrong.Field, wrong.Problem = field, "is there twice: which one counts is not known"
		}
	case errors.Is(err, payload.ErrUnicode):
		const mend = "not valid Unicode: send UTF-8, and an escaped surrogate only as one of a pair"
		wrong.Problem = "holds text that is " + mend
		if field != "" {
			wrong.Field, wrong.Problem = field, "is "+mend
		}
	}
	return v, wrong
}

// pathOf returns the path of a known member, "data.lines[0].quantity". It returns ""
// where a part of the path is not known: names that are the sender's are not quoted.
func pathOf(pointer jsontext.Pointer) string {
	path, pattern := "", ""
	for token := range pointer.Tokens() {
		if strings.HasSuffix(pattern, "lines") && payload.IsDigits(token) {
			path, pattern = path+"["+token+"]", pattern+"[]"
			continue
		}
		if path != "" {
			path, pattern = path+".", pattern+"."
		}
		path, pattern = path+token, pattern+token
	}
	if _, known := members[pattern]; !known {
		return ""
	}
	return path
}

// orderIn finds the order's id in a body that cannot be parsed, so that the merchant
// can be told which order it is about. It returns "" if it finds none, or two.
func orderIn(body []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(payload.WithoutMark(body)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	found := ""
	for {
		token, err := d.ReadToken()
		if err != nil {
			return found
		}
		// The depth first: a pointer costs as much as it is deep.
		if d.StackDepth() != 2 || d.StackPointer() != "/data/order" || token.Kind() != '"' && token.Kind() != '0' {
			continue
		}
		if _, length := d.StackIndex(d.StackDepth()); length%2 != 0 {
			continue // the member's name
		}
		id := token.String()
		if found != "" || platform.CheckID(id) != "" || strings.ContainsRune(id, '\ufffd') {
			return ""
		}
		found = id
	}
}
