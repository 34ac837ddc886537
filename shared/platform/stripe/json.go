package stripe

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"keypool/shared/platform"
)

// read reads a JSON text into v, strictly: member names are case-sensitive and never
// there twice, and texts are valid Unicode. Its error is a *platform.FieldError, which
// quotes nothing of the text but names that v knows.
func read(body []byte, v any) error {
	err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), v)
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &platform.FieldError{Problem: "names a member of an object twice"}
	case errors.As(err, &wrong):
		return &platform.FieldError{Field: pathOf(wrong.JSONPointer), Problem: "is of another type than Stripe documents"}
	}
	return &platform.FieldError{Problem: "is not a JSON object as Stripe sends it"}
}

// pathOf returns the path of a member: "data.object.lines.data[0].quantity".
func pathOf(pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		switch _, err := strconv.Atoi(token); {
		case err == nil:
			path.WriteString("[" + token + "]")
		case path.Len() > 0:
			path.WriteString("." + token)
		default:
			path.WriteString(token)
		}
	}
	return path.String()
}

// shown is a text that is only shown: what is none is left out, and no reason to refuse
// an order.
type shown string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *shown) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	*s = shown(token.String())
	return nil
}

// id names another object: by its id or, where that was expanded, as the object itself.
type id string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (i *id) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		var text *string
		if err := json.UnmarshalDecode(d, &text); err != nil || text == nil {
			return err
		}
		*i = id(*text)
		return nil
	}
	var object struct {
		ID string `json:"id"`
	}
	err := json.UnmarshalDecode(d, &object)
	*i = id(object.ID)
	return err
}

// metadata are the merchant's own texts on an object. One that is no text is left out.
type metadata map[string]shown

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (p *product) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		var text id
		err := json.UnmarshalDecode(d, &text)
		p.ID = string(text)
		return err
	}
	var object struct {
		ID        string   `json:"id"`
		Name      shown    `json:"name"`
		Shippable *bool    `json:"shippable"`
		Metadata  metadata `json:"metadata"`
	}
	err := json.UnmarshalDecode(d, &object)
	*p = product{object.ID, string(object.Name), object.Shippable != nil && *object.Shippable, object.Metadata}
	return err
}
