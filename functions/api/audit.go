package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"keypool/shared/audit"
	"keypool/shared/sheet"
	"keypool/shared/web/rest"
)

// AuditEntry is a change of a setting, or an act on an order.
type AuditEntry struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	By     string         `json:"by" doc:"Who changed it: a token, the operator, a link in a mail, or the brake itself."`
	From   string         `json:"from,omitempty" doc:"Network address that the call came from; not there for what no call did."`
	Change string         `json:"change" enum:"added,changed,removed"`
	Thing  string         `json:"thing" enum:"merchant,pool,product,account,review,brake,token,keys,job,person,sender,retention,link,texts,order_page,order,operator_help"`
	Name   string         `json:"name,omitempty" doc:"Its name or id; of a link to the file of an export, that of the job; of an order, its number, which several accounts may have. There is one merchant, review, brake, sender, retention and order_page, and one of texts; keys have none. operator_help is the operator's, who opened the Merchant Portal for an hour."`
	Before map[string]any `json:"before,omitempty" doc:"The fields that changed, as they were, without secrets; of a thing that was removed, all. Long texts are cut short."`
	After  map[string]any `json:"after,omitempty" doc:"The fields that changed, as they are since; of a thing that was added, all."`
}

// AuditList is one page of the audit trail.
type AuditList struct {
	Items []AuditEntry `json:"items" nullable:"false"`
	Next  string       `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleAudit = AuditList{Items: []AuditEntry{{
	ID: "20261123T093000.000Z-4c1f0d2be8a97351", At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
	By: "the token \"warehouse\" (5f2b8c0d9e3a1746)", From: "203.0.113.7", Change: "changed", Thing: "pool", Name: "elden",
	Before: map[string]any{"low_stock": 10}, After: map[string]any{"low_stock": 25},
}}}

func newAuditEntry(e audit.Entry) AuditEntry {
	return AuditEntry{
		ID: e.ID, At: e.At.UTC(), By: e.By, From: e.From, Change: string(e.Change), Thing: string(e.Thing), Name: e.Name, Before: e.Before, After: e.After,
	}
}

// The forms of the audit trail beside JSON, for files.
const (
	asLines = "application/jsonl"
	asTable = "text/csv"
)

type listAudit struct {
	rest.Page
	Accept string `header:"Accept" hidden:"true"`
}

// auditAnswer is a page of the audit trail, in the form that the caller asked for.
type auditAnswer struct{ Body func(huma.Context) }

func (a *api) addAudit(to *rest.API) {
	list := huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"Audit"},
		Summary:     "List who changed which setting, and acted on which order, the newest first",
		Description: "Changes of the merchant, pools, products, accounts, rules of review, the brake, the retention of customers, order pages, tokens and people, keys that were blocked, and jobs that were asked for and have ended; and what people did to orders, line by line: did has the words of the line's timeline, such as resent, held, replaced or fulfilled-by-hand. Each is stored together with its change; nobody can change or delete it. Of customers it holds nothing, and no reason that somebody gave: those are with the order, in its timeline. A page of long entries has fewer than limit says: go on where there is a next.\n\nFor a file: Accept: application/jsonl answers an entry a line, text/csv a table. The header Link has the address of the next page then, rel=\"next\".",
		Responses:   to.Responses(sampleAudit, 200),
	}
	rest.Register(to, list, a.listAudit)
	for _, media := range []string{asLines, asTable} {
		list.Responses["200"].Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
}

func (a *api) listAudit(ctx context.Context, in *listAudit) (*auditAnswer, error) {
	entries, next, err := a.trail.List(ctx, caller(ctx), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := AuditList{Items: []AuditEntry{}, Next: next}
	for _, e := range entries {
		out.Items = append(out.Items, newAuditEntry(e))
	}
	media := negotiation.SelectQValue(in.Accept, []string{"application/json", asLines, asTable})
	var content bytes.Buffer
	lines := json.NewEncoder(&content)
	lines.SetEscapeHTML(false)
	switch media {
	case asLines:
		for _, e := range out.Items {
			err = errors.Join(err, lines.Encode(e))
		}
	case asTable:
		err = writeTable(&content, out.Items)
	default:
		media, err = "application/json", lines.Encode(out)
	}
	return &auditAnswer{func(to huma.Context) {
		to.SetHeader("Content-Type", media)
		to.SetHeader("Vary", "Accept")
		if next != "" {
			to.SetHeader("Link", fmt.Sprintf(`</v1/audit?%s>; rel="next"`, url.Values{"limit": {strconv.Itoa(in.Limit)}, "after": {next}}.Encode()))
		}
		to.BodyWriter().Write(content.Bytes())
	}}, err
}

// writeTable writes entries as CSV.
func writeTable(to io.Writer, entries []AuditEntry) error {
	table := csv.NewWriter(to)
	rows := [][]string{{"id", "at", "by", "from", "change", "thing", "name", "before", "after"}}
	for _, e := range entries {
		before, err := shownFields(e.Before)
		if err != nil {
			return err
		}
		after, err := shownFields(e.After)
		if err != nil {
			return err
		}
		rows = append(rows, []string{e.ID, e.At.Format(time.RFC3339Nano), e.By, e.From, e.Change, e.Thing, e.Name, before, after})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = sheet.Harmless(cell)
		}
	}
	return table.WriteAll(rows)
}

func shownFields(fields map[string]any) (string, error) {
	if len(fields) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(fields)
	return string(raw), err
}
