// Package payload reads the bodies of webhooks for certain: strict JSON, and forms.
//
// A body that two parsers may read differently is refused, since it may be an order
// that is read wrongly: invalid UTF-8, half a surrogate pair, a member twice. A number
// is kept as its literal and never passes through a float, so that an id of many
// digits stays what it is.
package payload

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is a value in a body.
type Value struct {
	Kind    jsontext.Kind    // 'n', 'f', 't', '"', '0', '{', '['; 0: there is none
	Text    string           // of a text, and the literal of a number
	Members map[string]Value // of an object
	List    []Value
}

// Missing says whether there is no value; null is none.
func (v Value) Missing() bool { return v.Kind == 0 || v.Kind == 'n' }

// Scalar returns the one text of a value that is neither an object nor a list: a text
// as it is, the literal of a number, true, false. It returns false for any other.
func (v Value) Scalar() (string, bool) {
	switch v.Kind {
	case '"', '0':
		return v.Text, true
	case 't':
		return "true", true
	case 'f':
		return "false", true
	default:
		return "", false
	}
}

// ID returns the id that a value is: a text, or a number by its digits. It returns
// false for any other, such as 1e4: which id that is, is not known.
func (v Value) ID() (string, bool) {
	if v.Kind == '"' || v.Kind == '0' && IsDigits(strings.TrimPrefix(v.Text, "-")) {
		return v.Text, true
	}
	return "", false
}

// Quantity returns the whole number that a value is, as a number or a text: 2, "2",
// 2.0. One with too many digits becomes the largest there is, which is over any cap.
func (v Value) Quantity() (int, bool) {
	whole, fraction, _ := strings.Cut(strings.TrimSpace(v.Text), ".")
	digits := strings.TrimPrefix(whole, "-")
	if !IsDigits(digits) || strings.Trim(fraction, "0") != "" || v.Kind != '0' && v.Kind != '"' {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 32)
	if err != nil && !strings.HasPrefix(whole, "-") {
		return math.MaxInt32, true
	}
	return int(n), true
}

// SyntaxError means that a body cannot be parsed.
type SyntaxError struct {
	At      jsontext.Pointer // the member that is at fault, "" where none is; its names are the sender's
	Problem string           // "is no JSON"
	Cause   error            // ErrTwice, ErrUnicode; nil: any other
}

// The causes of a SyntaxError for which a body is no JSON to us, though it is to others.
var (
	ErrTwice   = errors.New("a member is there twice")
	ErrUnicode = errors.New("a text is not valid Unicode")
)

func (e *SyntaxError) Error() string { return "the body " + e.Problem }

func (e *SyntaxError) Unwrap() error { return e.Cause }

// Parse reads a body: one JSON object (RFC 8259) in valid UTF-8 without unpaired
// surrogates, whose objects name no member twice. A byte order mark before it is
// passed over. Its error is a *SyntaxError.
func Parse(body []byte) (Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(WithoutMark(body)))
	v, err := read(d)
	if err != nil {
		return Value{}, syntaxError(err)
	}
	if _, end := d.ReadToken(); v.Kind != '{' || !errors.Is(end, io.EOF) {
		return Value{}, &SyntaxError{Problem: "is not one JSON object"}
	}
	return v, nil
}

// WithoutMark returns the body without the byte order mark before it, if there is one.
func WithoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

// read reads the next value. The decoder bounds how deep values stand in each other.
func read(d *jsontext.Decoder) (Value, error) {
	token, err := d.ReadToken()
	if err != nil {
		return Value{}, err
	}
	v := Value{Kind: token.Kind()}
	switch v.Kind {
	case '"', '0':
		v.Text = token.String()
	case '{':
		v.Members = map[string]Value{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return Value{}, err
			}
			key := name.String() // before the next token, which takes the token's bytes
			if v.Members[key], err = read(d); err != nil {
				return Value{}, err
			}
		}
		_, err = d.ReadToken()
	case '[':
		for d.PeekKind() != ']' {
			element, err := read(d)
			if err != nil {
				return Value{}, err
			}
			v.List = append(v.List, element)
		}
		_, err = d.ReadToken()
	default:
	}
	return v, err
}

func syntaxError(err error) error {
	wrong := &SyntaxError{Problem: "is no JSON"}
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return wrong
	}
	wrong.At = syntax.JSONPointer
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		wrong.Problem, wrong.Cause = "names a member of an object twice", ErrTwice
	case strings.HasPrefix(syntax.Err.Error(), "invalid UTF-8"), strings.HasPrefix(syntax.Err.Error(), "invalid surrogate pair"):
		wrong.Problem, wrong.Cause = "holds text that is not valid Unicode", ErrUnicode
	}
	return wrong
}

// ParseForm reads a body of the type application/x-www-form-urlencoded: an object of
// texts. Of a name that comes several times the first value counts. Its error is a
// *SyntaxError.
func ParseForm(body []byte) (Value, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Value{}, &SyntaxError{Problem: "is no form: it has to be of the type application/x-www-form-urlencoded"}
	}
	v := Value{Kind: '{', Members: map[string]Value{}}
	for name, values := range form {
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return Value{}, &SyntaxError{Problem: "holds text that is not valid Unicode"}
		}
		v.Members[name] = Value{Kind: '"', Text: values[0]}
	}
	return v, nil
}

// layouts are the forms of a time that shops send. A time without a zone is UTC, and a
// date without a time is its last second: the order may have been paid at any moment of
// the day, and one that was paid too early gets no keys.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07:00", "2006-01-02 15:04:05 UTC",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	time.RFC1123, time.RFC1123Z,
}

// ParseTime reads a time in one of the layouts, or in seconds or milliseconds since 1970.
func ParseTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if IsDigits(text) {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
		case len(text) == 10:
			return time.Unix(n, 0).UTC(), true
		case len(text) == 13:
			return time.UnixMilli(n).UTC(), true
		}
		return time.Time{}, false
	}
	for _, layout := range layouts {
		at, err := time.Parse(layout, text)
		if layout == time.DateOnly {
			at = at.Add(24*time.Hour - time.Second)
		}
		if year := at.UTC().Year(); err == nil && year >= 1 && year <= 9999 { // JSON has no form for other years
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// IsDigits says whether s consists of digits.
func IsDigits(s string) bool { return len(s) > 0 && strings.Trim(s, "0123456789") == "" }
