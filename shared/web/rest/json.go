package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// formats are how bodies are read and written.
var formats = func() map[string]huma.Format {
	one := huma.DefaultJSONFormat
	one.Unmarshal = unmarshal
	return map[string]huma.Format{"application/json": one, "json": one}
}()

// longestPath is longer than any path of a member that an operation takes.
const longestPath = 200

// unmarshal reads a body. An object that names a member twice is refused: encoding/json takes
// the last of them, and the caller may have meant the first.
func unmarshal(body []byte, into any) error {
	_, err := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true)).ReadValue()
	var twice *jsontext.SyntacticError
	if errors.As(err, &twice) && errors.Is(err, jsontext.ErrDuplicateName) {
		path := strings.ReplaceAll(strings.TrimPrefix(string(twice.JSONPointer), "/"), "/", ".")
		return fmt.Errorf("%.*s is there twice: which one counts is not known, so give it once", longestPath, path)
	}
	return json.Unmarshal(body, into)
}
