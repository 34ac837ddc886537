package standard

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"keypool/shared/platform"
)

// value is a value in a body. A number is kept as its literal, so that an id of many
// digits stays what it is.
type value struct {
	kind    jsontext.Kind    // 'n', 'f', 't', '"', '0', '{', '['; 0: there is none
	text    string           // of a text, and the literal of a number
	members map[string]value // of an object
	list    []value
}

// missing says whether there is no value; null is none.
func (v value) missing() bool { return v.kind == 0 || v.kind == 'n' }

// errShape is the mistake of a body that is no JSON object.
const errShape = "is not the JSON object that the documentation shows"

// parse reads a body: one JSON object (RFC 8259) in valid UTF-8 without unpaired
// surrogates, whose objects name no member twice. A byte order mark before it is
// passed over. Its error is a *platform.FieldError.
func parse(body []byte) (value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(withoutMark(body)))
	v, err := read(d)
	if err != nil {
		return value{}, syntaxError(err, body)
	}
	if _, end := d.ReadToken(); v.kind != '{' || !errors.Is(end, io.EOF) {
		return value{}, &platform.FieldError{Problem: errShape}
	}
	return v, nil
}

func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

// read reads the next value. The decoder bounds how deep values stand in each other.
func read(d *jsontext.Decoder) (value, error) {
	token, err := d.ReadToken()
	if err != nil {
		return value{}, err
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case '"', '0':
		v.text = token.String()
	case '{':
		v.members = map[string]value{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return value{}, err
			}
			key := name.String() // before the next token, which takes the token's bytes
			if v.members[key], err = read(d); err != nil {
				return value{}, err
			}
		}
		_, err = d.ReadToken()
	case '[':
		for d.PeekKind() != ']' {
			element, err := read(d)
			if err != nil {
				return value{}, err
			}
			v.list = append(v.list, element)
		}
		_, err = d.ReadToken()
	default:
	}
	return v, err
}

// syntaxError says what is wrong with a body that cannot be parsed, and names the
// order if it can still be read.
func syntaxError(err error, body []byte) error {
	wrong := &platform.FieldError{Problem: errShape, Order: orderIn(body)}
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return wrong
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		wrong.Problem = "names a member of an object twice"
		if field := pathOf(syntax.JSONPointer); field != "" {
			wrong.Field, wrong.Problem = field, "is there twice: which one counts is not known"
		}
	case strings.HasPrefix(syntax.Err.Error(), "invalid UTF-8"), strings.HasPrefix(syntax.Err.Error(), "invalid surrogate pair"):
		wrong.Problem = "holds text that is not valid Unicode: send UTF-8, and an escaped surrogate only as one of a pair"
		if field := pathOf(syntax.JSONPointer); field != "" {
			wrong.Field, wrong.Problem = field, "is not valid Unicode: send UTF-8, and an escaped surrogate only as one of a pair"
		}
	}
	return wrong
}

// pathOf returns the path of a known member, "data.lines[0].quantity". It returns ""
// where a part of the path is not known: names that are the sender's are not quoted.
func pathOf(pointer jsontext.Pointer) string {
	path, pattern := "", ""
	for token := range pointer.Tokens() {
		if strings.HasSuffix(pattern, "lines") && isDigits(token) {
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
	d := jsontext.NewDecoder(bytes.NewReader(withoutMark(body)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
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
