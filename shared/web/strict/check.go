package strict

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Check returns the mistakes of form in a document that is read as a value of the type of an
// example: members that it has none of, needed ones that are not there, values of another type,
// and those that are outside of what the tags minimum, maximum, maxLength, maxItems, enum and
// format allow. A member is needed if its json tag has neither omitempty nor omitzero.
func (d *Document) Check(example any) []Mistake {
	var value any
	if err := json.Unmarshal(d.JSON, &value); err != nil {
		return []Mistake{{Line: d.Line(""), Message: "is not JSON"}}
	}
	c := checker{document: d}
	c.value("", reflect.TypeOf(example), "", value)
	return c.mistakes
}

type checker struct {
	document *Document
	mistakes []Mistake
}

func (c *checker) wrong(path, message string, values ...any) {
	c.mistakes = append(c.mistakes, Mistake{path, c.document.Line(path), fmt.Sprintf(message, values...)})
}

var (
	moment      = reflect.TypeFor[time.Time]()
	readsItself = reflect.TypeFor[json.Unmarshaler]()
)

// value checks a value that stands at a path, for a type and the tag of its member.
func (c *checker) value(path string, t reflect.Type, tag reflect.StructTag, value any) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind := t.Kind()
	switch {
	case t == moment:
		c.text(path, `format:"date-time"`, value)
	case kind == reflect.Struct:
		c.object(path, t, value)
	case kind == reflect.Map, reflect.PointerTo(t).Implements(readsItself):
		members, ok := value.(map[string]any)
		if !ok {
			c.wrong(path, "expected object")
		} else if kind == reflect.Map {
			for _, name := range slices.Sorted(maps.Keys(members)) {
				c.value(join(path, name), t.Elem(), "", members[name])
			}
		}
	case kind == reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			c.wrong(path, "expected array")
			return
		}
		if most, is := limit(tag, "maxItems"); is && float64(len(items)) > most {
			c.wrong(path, "expected array length <= %v", most)
		}
		for i, item := range items {
			c.value(fmt.Sprintf("%s[%d]", path, i), t.Elem(), "", item)
		}
	case kind == reflect.String:
		c.text(path, tag, value)
	case kind == reflect.Int:
		c.integer(path, tag, value)
	case kind == reflect.Bool:
		if _, ok := value.(bool); !ok {
			c.wrong(path, "expected boolean")
		}
	default:
		panic("no form is known of " + t.String())
	}
}

func (c *checker) object(path string, t reflect.Type, value any) {
	members, ok := value.(map[string]any)
	if !ok {
		c.wrong(path, "expected object")
		return
	}
	known := map[string]bool{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
		at, needed := join(path, name), !strings.HasPrefix(options, "omit")
		switch member, there := members[name]; {
		case !there && needed:
			c.wrong(at, "it is needed")
		case member != nil || needed:
			c.value(at, field.Type, field.Tag, member)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] {
			c.wrong(join(path, name), "unexpected property")
		}
	}
}

func (c *checker) text(path string, tag reflect.StructTag, value any) {
	text, ok := value.(string)
	if !ok {
		c.wrong(path, "expected string")
		return
	}
	if most, is := limit(tag, "maxLength"); is && float64(utf8.RuneCountInString(text)) > most {
		c.wrong(path, "expected length <= %v", most)
	}
	if words := tag.Get("enum"); words != "" && !slices.Contains(strings.Split(words, ","), text) {
		c.wrong(path, "expected value to be one of \"%s\"", strings.ReplaceAll(words, ",", ", "))
	}
	layout, says := "", ""
	switch format := tag.Get("format"); format {
	case "date":
		layout, says = time.DateOnly, format
	case "date-time":
		layout, says = time.RFC3339, format
	default:
		return
	}
	if _, err := time.Parse(layout, text); err != nil {
		c.wrong(path, "expected string to be RFC 3339 %s", says)
	}
}

func (c *checker) integer(path string, tag reflect.StructTag, value any) {
	n, ok := value.(float64)
	if !ok || n != math.Trunc(n) {
		c.wrong(path, "expected integer")
		return
	}
	if least, is := limit(tag, "minimum"); is && n < least {
		c.wrong(path, "expected number >= %v", least)
	}
	if most, is := limit(tag, "maximum"); is && n > most {
		c.wrong(path, "expected number <= %v", most)
	}
}

// limit returns the number of a tag, false if it is not there.
func limit(tag reflect.StructTag, name string) (float64, bool) {
	n, err := strconv.ParseFloat(tag.Get(name), 64)
	return n, err == nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
