package main

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"keypool/shared/catalog"
	"keypool/shared/settings"
)

// formReader reads the fields of a form, and collects those that cannot be read.
type formReader struct {
	values   url.Values
	problems []settings.Problem
}

// mistaken returns the error of mistakes in a form, nil if there are none.
func mistaken(problems ...settings.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &settings.InvalidError{Problems: problems}
}

// line returns a field of one line.
func (r *formReader) line(name string) string { return strings.TrimSpace(r.values.Get(name)) }

// text returns a field of several lines: browsers end each with CR and LF.
func (r *formReader) text(name string) string {
	return strings.ReplaceAll(r.values.Get(name), "\r\n", "\n")
}

// lines returns the lines of a field, without blank ones.
func (r *formReader) lines(name string) (lines []string) {
	for line := range strings.Lines(r.text(name)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// pairs returns the lines of a field as names and values: "EUR = elden".
func (r *formReader) pairs(name string) map[string]string {
	var all map[string]string
	for _, line := range r.lines(name) {
		key, value, ok := strings.Cut(line, "=")
		if key, value = strings.TrimSpace(key), strings.TrimSpace(value); !ok || key == "" || value == "" {
			r.problems = append(r.problems, settings.Problem{Path: name, Message: "write each on a line of its own, with = between the two"})
			return nil
		}
		if all == nil {
			all = map[string]string{}
		}
		if _, twice := all[key]; twice {
			r.problems = append(r.problems, settings.Problem{Path: name, Message: key + " is there twice"})
		}
		all[key] = value
	}
	return all
}

// number returns a whole number, 0 of an empty field.
func (r *formReader) number(name string) int {
	written := strings.Map(func(c rune) rune {
		if c == ',' || unicode.IsSpace(c) {
			return -1
		}
		return c
	}, r.values.Get(name))
	if written == "" {
		return 0
	}
	n, err := strconv.Atoi(written)
	if err != nil {
		r.problems = append(r.problems, settings.Problem{Path: name, Message: "use a whole number"})
	}
	return n
}

// ticked reports whether a box is ticked.
func (r *formReader) ticked(name string) bool { return r.values.Get(name) != "" }

// rules returns rules of review.
func (r *formReader) rules(path string) catalog.Rules {
	return catalog.Rules{
		Always: r.ticked(path + ".always"), Risk: r.ticked(path + ".risk"), Above: r.pairs(path + ".above"),
		MaxKeys: r.number(path + ".max_keys"), MaxOrders: r.number(path + ".max_orders"),
	}
}

// setRules puts rules of review into the fields of a form.
func setRules(values url.Values, path string, rules catalog.Rules) {
	values.Set(path+".always", tick(rules.Always))
	values.Set(path+".risk", tick(rules.Risk))
	values.Set(path+".above", pairs(rules.Above))
	values.Set(path+".max_keys", numeral(rules.MaxKeys))
	values.Set(path+".max_orders", numeral(rules.MaxOrders))
}

// pairs writes names and values, each on a line of its own.
func pairs(all map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+" = "+all[name])
	}
	return strings.Join(lines, "\n")
}

// numeral writes a number as a field holds it: 0 is empty.
func numeral(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// tick is the value of a box that is ticked, or not.
func tick(is bool) string {
	if is {
		return "yes"
	}
	return ""
}
