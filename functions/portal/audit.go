package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"keypool/shared/audit"
	"keypool/shared/catalog"
)

const auditPath = settingsPath + "/audit"

// entriesAtOnce is how many entries of the audit trail a page has.
const entriesAtOnce = 25

func (p *portal) auditScreens() []screen {
	return []screen{{pattern: "GET " + auditPath, does: "list-audit", serve: p.listAudit}}
}

type auditData struct {
	Entries []entryRow
	Next    string
}

type entryRow struct {
	audit.Entry
	What   string // "Pool elden was changed"
	Fields []changedField
}

// changedField is a field of a setting before and after a change.
type changedField struct{ Name, Before, After string }

func (p *portal) listAudit(v *visit) (answer, error) {
	entries, next, err := p.trail.List(v.Context(), v.Merchant, v.URL.Query().Get("after"), entriesAtOnce)
	data := auditData{Next: next}
	for _, e := range entries {
		data.Entries = append(data.Entries, newEntryRow(e))
	}
	return answer{page: "audit", title: "Audit trail", data: data}, err
}

func newEntryRow(e audit.Entry) entryRow {
	thing := strings.ReplaceAll(string(e.Thing), "_", " ")
	row := entryRow{Entry: e, What: strings.TrimSpace(strings.ToUpper(thing[:1])+thing[1:]+" "+e.Name) + ": " + string(e.Change)}
	names := map[string]bool{}
	for name := range e.Before {
		names[name] = true
	}
	for name := range e.After {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row.Fields = append(row.Fields, changedField{strings.ReplaceAll(name, "_", " "), shown(e.Before, name), shown(e.After, name)})
	}
	return row
}

// shown writes the value of a field.
func shown(from catalog.Shown, name string) string {
	value, there := from[name]
	switch value {
	case nil:
		return ""
	case true:
		return "yes"
	case false:
		return "no"
	}
	if !there {
		return ""
	}
	return fmt.Sprint(value)
}
