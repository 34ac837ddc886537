package dynamo

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// entryItem is an entry of the audit trail. It is written once, with its change, and never
// again.
type entryItem struct {
	primaryKey
	V      int    `dynamodbav:"v"`
	At     int64  `dynamodbav:"at"`
	By     string `dynamodbav:"by"`
	From   string `dynamodbav:"from,omitempty"`
	Change string `dynamodbav:"change"`
	Thing  string `dynamodbav:"thing"`
	Name   string `dynamodbav:"name,omitempty"`
	Before string `dynamodbav:"before,omitempty"` // JSON
	After  string `dynamodbav:"after,omitempty"`
}

// entryWrite returns the write of an entry, for use in the transaction of its change.
func (s *Store) entryWrite(e audit.Entry) types.TransactWriteItem {
	return put(s.tables.Catalog, encode(entryItem{
		primaryKey: entryKey(e.Merchant, e.ID), V: schema, At: millis(e.At), By: e.By, From: e.From, Change: string(e.Change), Thing: string(e.Thing), Name: e.Name,
		Before: shownAsJSON(e.Before), After: shownAsJSON(e.After),
	}), absent)
}

func shownAsJSON(s catalog.Shown) string {
	if len(s) == 0 {
		return ""
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts, numbers and booleans
	}
	return string(raw)
}

// unpack returns the entries and notices that are stored with a change.
func (s *Store) unpack(with []audit.Record) (entries []types.TransactWriteItem, tell []notice.Notice) {
	for _, record := range with {
		entries = append(entries, s.entryWrite(record.Entry))
		tell = append(tell, record.Tell...)
	}
	return entries, tell
}

// Entries returns up to limit entries of a merchant's audit trail, newest first, from before
// the one with that id, and the id to go on after, "" on the last page: see listAs.
func (s *Store) Entries(ctx context.Context, merchant, before string, limit int) (entries []audit.Entry, next string, err error) {
	q := inPartition(s.tables.Catalog, AuditPrefix+merchant)
	q.consistent, q.backwards = false, true
	if before != "" {
		q.after = entryKey(merchant, before)
	}
	items, next, err := listAs[entryItem](ctx, s, q, limit, oldestInCatalog)
	if err != nil {
		return nil, "", wrap(err, "list the audit trail of %s", merchant)
	}
	for _, i := range items {
		e := audit.Entry{Merchant: merchant, ID: i.SK, At: at(i.At), By: i.By, From: i.From, Change: audit.Change(i.Change), Thing: audit.Thing(i.Thing), Name: i.Name}
		for text, to := range map[string]*catalog.Shown{i.Before: &e.Before, i.After: &e.After} {
			if text == "" {
				continue
			}
			d := json.NewDecoder(bytes.NewReader([]byte(text)))
			d.UseNumber()
			if err := d.Decode(to); err != nil {
				return nil, "", wrap(err, "read an entry of the audit trail of %s", merchant)
			}
		}
		entries = append(entries, e)
	}
	return entries, next, nil
}
