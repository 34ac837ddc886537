package main

import (
	"errors"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"keypool/shared/phrase"
	"keypool/shared/settings"
)

// form is what a form shows: what it holds or what was typed, what is wrong with it, and the
// version of the setting that it changes. What was typed stays.
type form struct {
	Values  url.Values
	Wrong   map[string][]string // by field
	Theirs  map[string]string   // by field: what somebody else has stored there meanwhile
	Version int                 // 0: the setting is new
}

// Value returns what a field holds.
func (f form) Value(name string) string { return f.Values.Get(name) }

// Any reports whether one of the fields holds something, or is wrong, or was changed by somebody
// else: what they stand in is open then.
func (f form) Any(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, changed := f.Theirs[name]
		return f.Value(name) != "" || f.Wrong[name] != nil || changed
	})
}

// Form is the form itself, where a page's data is made of one.
func (f form) Form() form { return f }

// Has reports whether a field of several, such as check boxes, holds a value.
func (f form) Has(name, value string) bool {
	for _, v := range f.Values[name] {
		if v == value {
			return true
		}
	}
	return false
}

// WrongFields lists the fields that have something wrong, for the links on top of a form.
func (f form) WrongFields() []string {
	return slices.Sorted(maps.Keys(f.Wrong))
}

// again returns the form as it was sent, with what a use case found wrong with it. The place of a
// problem is the name of the field, or begins with it: "texts.de.body" belongs to a field "texts"
// if there is none of that name, "aliases[1]" to a field "aliases". Not ok: the error is another
// one.
func again(sent url.Values, err error) (form, bool) {
	var invalid *settings.InvalidError
	if !errors.As(err, &invalid) {
		return form{}, false
	}
	f := form{Values: sent, Wrong: map[string][]string{}}
	f.Version, _ = strconv.Atoi(sent.Get("version"))
	for _, p := range invalid.Problems {
		name := p.Path
		for !sent.Has(name) && strings.ContainsAny(name, ".[") {
			name = name[:strings.LastIndexAny(name, ".[")]
		}
		f.Wrong[name] = append(f.Wrong[name], phrase.Sentence(p.Message))
	}
	return f, true
}

// besideTheirs returns the form as it was sent, with what somebody else has stored meanwhile
// beside it: to send it again, from the version that is stored now, is a decision.
func besideTheirs(sent url.Values, now form) form {
	f := form{Values: sent, Theirs: map[string]string{}, Version: now.Version}
	joined := func(values []string) string { // browsers send the lines of a field with CR LF
		return strings.ReplaceAll(strings.Join(values, ", "), "\r\n", "\n")
	}
	for name := range now.Values {
		if mine, theirs := joined(sent[name]), joined(now.Values[name]); mine != theirs {
			f.Theirs[name] = theirs
		}
	}
	return f
}

// condition is that the setting is as it was when the form was shown.
func condition(sent url.Values) settings.Condition {
	version, _ := strconv.Atoi(sent.Get("version"))
	if version == 0 {
		return settings.Condition{New: true}
	}
	return settings.Condition{Version: func(v int) bool { return v == version }}
}

// fieldView is a field of a form, as the parts of pages show it.
type fieldView struct {
	Name, Label, Help string
	Value             string
	Wrong             []string
	Changed           bool              // by somebody else, while the form was open
	Theirs            string            // what they stored
	Attributes        template.HTMLAttr // written by a page's author
	Form              form
}

// newField returns a field of a form. Attributes are those of its element: `required
// inputmode="numeric"`.
func newField(f form, name, label, help string, attributes ...template.HTMLAttr) fieldView {
	v := fieldView{Name: name, Label: label, Help: help, Value: f.Value(name), Wrong: f.Wrong[name], Form: f}
	v.Theirs, v.Changed = f.Theirs[name]
	for _, a := range attributes {
		v.Attributes += " " + a
	}
	return v
}

// confirmation is the page that says what will happen before it does, where it cannot be undone.
type confirmation struct {
	Says   []string
	Does   string      // the address of the POST
	Values [][2]string // that it holds
	Button string
	Stop   bool   // it takes something away
	Reason string // it asks why, and says what becomes of the answer; empty: it does not ask
	Back   string // where to go if not
}

func (c confirmation) page(title string) answer {
	return answer{page: "confirm", title: title, data: c}
}

// done returns the band that says what was done, by the word that the address of the page has:
// "?done=held". One that nobody knows says nothing.
func done(v *visit, known map[string]band) *band {
	if b, ok := known[v.URL.Query().Get("done")]; ok {
		b.Class = "good"
		return &b
	}
	return nil
}

// mistake is what is wrong with one field of a form, as a use case says it: see again.
func mistake(field, message string) error {
	return &settings.InvalidError{Problems: []settings.Problem{{Path: field, Message: message}}}
}
