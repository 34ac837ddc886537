package platform

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// ReadSettings reads an account's settings into a struct, all of whose members have a json
// tag. None leaves it as it is. A member that the struct lacks, or of another type, is a
// *FieldError. Platform is the platform's name as it is read: Paddle.
func ReadSettings(raw json.RawMessage, into any, platform string) error {
	if len(raw) == 0 {
		return nil
	}
	err := jsonv2.Unmarshal(raw, into, jsonv2.RejectUnknownMembers(true))
	var wrong *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && errors.Is(err, jsonv2.ErrUnknownName):
		return &FieldError{
			Field:   wrong.JSONPointer.LastToken(),
			Problem: "is not a setting of " + platform + " accounts: there " + namesOf(into),
		}
	case errors.As(err, &wrong) && wrong.JSONPointer != "":
		return &FieldError{Field: strings.ReplaceAll(string(wrong.JSONPointer[1:]), "/", "."), Problem: "is of another type than the guide says"}
	}
	return &FieldError{Problem: "is not a JSON object"}
}

// namesOf lists the members of a struct: "are shop, product and license_field", or "is shop
// alone".
func namesOf(of any) string {
	var names []string
	for field := range reflect.TypeOf(of).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	last := len(names) - 1
	if last == 0 {
		return "is " + names[0] + " alone"
	}
	return "are " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// OneOf sets a value that is empty to the first of the choices, and adds a mistake for one
// that is none of them.
func (e *FieldErrors) OneOf(field string, value *string, choices ...string) {
	if *value == "" {
		*value = choices[0]
	}
	if !slices.Contains(choices, *value) {
		e.Add(field, "is none of "+strings.Join(choices, ", "))
	}
}

// maxLicenseField is the length of the longest license_field, in bytes.
const maxLicenseField = 200

// LicenseField sets the name of the field that says who a license is for, if it is empty,
// and adds a mistake for one that is too long.
func (e *FieldErrors) LicenseField(value *string, otherwise string) {
	if *value == "" {
		*value = otherwise
	}
	if len(*value) > maxLicenseField {
		e.Add("license_field", "is longer than 200 characters")
	}
}

// Add adds a mistake.
func (e *FieldErrors) Add(field, problem string) {
	*e = append(*e, &FieldError{Field: field, Problem: problem})
}

// Err returns the mistakes as an error, nil if there are none.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
