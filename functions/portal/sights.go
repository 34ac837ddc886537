package main

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"keypool/shared/order"
	"keypool/shared/outbox"
)

// seenOf says as what lines are seen, for forms: their versions, and how they stand.
func seenOf(lines ...order.Fulfillment) string {
	var seen []string
	for _, line := range lines {
		seen = append(seen, strings.Join([]string{string(line.ID), strconv.Itoa(line.Version), string(line.State()), string(line.Mail.State)}, "."))
	}
	return strings.Join(seen, " ")
}

// sight is a line as a form says that it was seen.
type sight struct {
	order.LineVersion
	state  order.State
	mailed outbox.State
}

// sights reads what seenOf returned.
func sights(sent url.Values) []sight {
	var all []sight
	for _, word := range strings.Fields(strings.Join(sent["seen"], " ")) {
		parts := strings.Split(word, ".")
		if len(parts) != 4 || !order.LineID(parts[0]).Valid() {
			continue
		}
		version, err := strconv.Atoi(parts[1])
		if err == nil && version > 0 {
			all = append(all, sight{order.LineVersion{Line: order.LineID(parts[0]), Version: version}, order.State(parts[2]), outbox.State(parts[3])})
		}
	}
	return all
}

// seenIn returns the versions of the lines that a form says were seen.
func seenIn(sent url.Values, lines []order.Fulfillment) []order.LineVersion {
	var seen []order.LineVersion
	for _, s := range sights(sent) {
		if slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return f.ID == s.Line }) {
			seen = append(seen, s.LineVersion)
		}
	}
	return seen
}

// changedLine is a line that has changed since it was seen.
type changedLine struct{ Product, Saw, Is string }

// changedSince says how lines were seen, and how those that have changed stand now.
func changedSince(sent url.Values, now []order.Fulfillment) []changedLine {
	var changed []changedLine
	for _, s := range sights(sent) {
		for _, line := range now {
			if line.ID == s.Line && line.Version != s.Version {
				changed = append(changed, changedLine{productName(line), standsAs(s.state, s.mailed), standsAs(line.State(), line.Mail.State)})
			}
		}
	}
	return changed
}
