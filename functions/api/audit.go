package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/audit"
	"keypool/shared/web/rest"
)

// AuditEntry is a change of a setting.
type AuditEntry struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	By     string         `json:"by" doc:"Who changed it: a token, the operator, a link in a mail, or the brake itself."`
	Change string         `json:"change" enum:"added,changed,removed"`
	Thing  string         `json:"thing" enum:"merchant,pool,product,account,review,brake,token,keys,job,person"`
	Name   string         `json:"name,omitempty" doc:"Its name or id. There is one merchant, review and brake; keys have none."`
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
	By: "the token \"warehouse\" (5f2b8c0d9e3a1746)", Change: "changed", Thing: "pool", Name: "elden",
	Before: map[string]any{"low_stock": 10}, After: map[string]any{"low_stock": 25},
}}}

func newAuditEntry(e audit.Entry) AuditEntry {
	return AuditEntry{
		ID: e.ID, At: e.At.UTC(), By: e.By, Change: string(e.Change), Thing: string(e.Thing), Name: e.Name, Before: e.Before, After: e.After,
	}
}

func (a *api) addAudit(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"Audit"},
		Summary:     "List who changed which setting, the newest first",
		Description: "Changes of the merchant, pools, products, accounts, rules of review, the brake, tokens and people, keys that were blocked, and jobs that were asked for and have ended. Each is stored together with its change; nobody can change or delete it. An order's history is with the order.",
		Responses:   to.Responses(sampleAudit, 200),
	}, a.listAudit)
}

func (a *api) listAudit(ctx context.Context, in *rest.Page) (*rest.Body[AuditList], error) {
	entries, next, err := a.trail.List(ctx, caller(ctx), in.After, in.Limit)
	out := AuditList{Items: []AuditEntry{}, Next: next}
	for _, e := range entries {
		out.Items = append(out.Items, newAuditEntry(e))
	}
	return &rest.Body[AuditList]{Body: out}, err
}
