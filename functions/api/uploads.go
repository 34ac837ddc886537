package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web/rest"
)

// Upload is a key file and its report.
type Upload struct {
	ID          string         `json:"id"`
	File        string         `json:"file" doc:"The file's name."`
	Pool        string         `json:"pool,omitempty"`
	Side        string         `json:"side,omitempty" enum:"live,test"`
	Size        int64          `json:"size" doc:"In bytes."`
	State       string         `json:"state" enum:"parked,needs_confirmation,confirmed,loading,finished" doc:"parked: its pool does not exist yet, or the day's limit is reached; it is read once that is over. needs_confirmation: it reads like something else than keys, see findings; nothing is loaded until load-upload says how, or a mended file is dropped. confirmed: it was said how. loading: it is being read. finished: the report is complete."`
	Cause       string         `json:"cause,omitempty" doc:"Why it was not read, or brought no key: empty, binary, no-column, no-keys, misplaced, unknown-pool, over-limit, unclear, used-ticket, gone, encrypted, archived, wiped (wipe-test-data took away what it brought)."`
	Findings    []Finding      `json:"findings,omitempty" nullable:"false" doc:"What in its first 64 KiB is not as lines of keys are: json, html, heading, comments, numbers, quotes. It is held for these."`
	Warnings    []Finding      `json:"warnings,omitempty" nullable:"false" doc:"What in its first 64 KiB keys rarely have: separators, some-quotes, typography, no-break-space. It is loaded with these."`
	Table       *Table         `json:"table,omitempty" doc:"Of a .csv file: its columns."`
	Options     []string       `json:"options,omitempty" nullable:"false" doc:"Of needs_confirmation: the options that load-upload takes for it. Later: those that were chosen."`
	AsBefore    bool           `json:"as_before,omitempty" doc:"It was read by the answer to the same question about an earlier file of the pool."`
	Progress    int            `json:"progress" minimum:"0" maximum:"100" doc:"Per cent of the file that is read; 100 once it is finished."`
	Read        int64          `json:"read" doc:"Bytes of it that are read."`
	Lines       int            `json:"lines" doc:"Lines read, blank ones too; of a .csv file its rows."`
	Accepted    int            `json:"accepted" doc:"Keys that were added to the pool. While it is loading, this and the other counts are as its workers last saved them: every 5,000 lines."`
	Duplicates  map[string]int `json:"duplicates,omitempty" doc:"Lines whose key was known already, by where it stands: same-file, this-pool, another-pool, other-side, sold, withdrawn, blocked."`
	Refused     map[string]int `json:"refused,omitempty" doc:"Lines that hold no key, by reason: too-long, tab, control-character, invisible-character, invalid-text, unpaired-quotes, no-key, other-columns, endless-row, not-storable."`
	Skipped     map[string]int `json:"skipped,omitempty" doc:"Lines passed over by the chosen options: skipped-heading, skipped-comment."`
	First       []RefusedLine  `json:"first,omitempty" nullable:"false" doc:"The first 100 lines that brought no key. All of them stand in the report's file."`
	ReceivedAt  time.Time      `json:"received_at"`
	FinishedAt  time.Time      `json:"finished_at,omitzero"`
	WithdrawnAt time.Time      `json:"withdrawn_at,omitzero" doc:"When withdraw-upload was called: its keys that were not sold before are taken out of sale since."`
	Withdrawal  string         `json:"withdrawal,omitempty" doc:"The job that withdraws its keys: see get-job."`
	ReportURL   string         `json:"report_url,omitempty" doc:"Where the whole report can be read for the next 15 minutes, as JSON."`
}

// Finding is something about the lines of a file. It never shows their text.
type Finding struct {
	What  string `json:"what"`
	Lines int    `json:"lines" doc:"How many lines show it, of those that were looked at."`
	First int    `json:"first" doc:"The first of them, counted from 1."`
}

// Table is how the columns of a table are read.
type Table struct {
	Columns int      `json:"columns"`
	Keys    int      `json:"keys,omitempty" doc:"The number of the column of keys, from 1. Not there if it cannot be told: the cause is no-column then."`
	Named   []string `json:"named,omitempty" nullable:"false" doc:"Names of columns that are known for such. Other texts in the first row might be keys, and are not shown."`
}

func newFindings(findings []upload.Finding) (body []Finding) {
	for _, f := range findings {
		body = append(body, Finding{string(f.Trait), f.Lines, f.First})
	}
	return body
}

// RefusedLine is a line without a new key. Its text is not shown.
type RefusedLine struct {
	Line   int       `json:"line" doc:"Counted from 1."`
	Reason string    `json:"reason"`
	SoldAt time.Time `json:"sold_at,omitzero" doc:"When the key was sold, where it was."`
}

// UploadList is one page of the merchant's uploads.
type UploadList struct {
	Items []Upload `json:"items" nullable:"false"`
	Next  string   `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleUpload = Upload{
	ID: "20261123T092955-5b1f2a9c0d3e4f67", File: "elden-november.txt", Pool: "elden", Side: "live", Size: 35_964,
	State: string(upload.Finished), Progress: 100, Read: 35_964, Lines: 2_000, Accepted: 1_998,
	Duplicates: map[string]int{string(upload.Sold): 1}, Refused: map[string]int{string(upload.ControlCharacter): 1},
	First: []RefusedLine{
		{Line: 17, Reason: string(upload.Sold), SoldAt: time.Date(2026, 5, 3, 14, 2, 11, 0, time.UTC)},
		{Line: 1204, Reason: string(upload.ControlCharacter)},
	},
	ReceivedAt: time.Date(2026, 11, 23, 9, 29, 55, 0, time.UTC),
	FinishedAt: time.Date(2026, 11, 23, 9, 29, 57, 0, time.UTC),
	ReportURL:  "https://reports.s3.eu-central-1.amazonaws.com/reports/acme/20261123T092955-5b1f2a9c0d3e4f67.json?X-Amz-Signature=…",
}

var sampleConfirmed = Upload{
	ID: sampleUpload.ID, File: "elden-november.txt", Pool: "elden", Side: "live", Size: 35_964, State: string(upload.Confirmed),
	Findings: []Finding{
		{What: string(upload.Heading), Lines: 1, First: 1},
		{What: string(upload.Quotes), Lines: 1_999, First: 2},
	},
	Options: []string{"skip_heading", "strip_quotes"}, ReceivedAt: sampleUpload.ReceivedAt,
}

func newUpload(u upload.Upload, read upload.Progress) Upload {
	body := Upload{
		ID: u.ID, File: u.File, Pool: u.Pool, Side: string(u.Side), Size: u.Size,
		State: string(u.State), Cause: string(u.Cause),
		Read: read.Bytes, Lines: read.Lines, Accepted: read.Counts[upload.Accepted],
		ReceivedAt: u.ReceivedAt, FinishedAt: u.FinishedAt, WithdrawnAt: u.WithdrawnAt, Withdrawal: u.Withdrawal,
	}
	body.Findings, body.Warnings = newFindings(u.Seen.Asked), newFindings(u.Seen.Warned)
	if table := u.Seen.Table; table.Is() {
		body.Table = &Table{table.Columns, table.Column, table.Named}
	}
	body.Options, body.AsBefore = u.Reading.Options(), u.Remembered
	if u.State == upload.NeedsConfirmation {
		body.Options = u.Seen.Offered()
	}
	switch {
	case u.State == upload.Finished:
		body.Progress = 100
	case u.Size > 0:
		body.Progress = int(100 * read.Bytes / u.Size)
	}
	for outcome, n := range read.Counts {
		switch {
		case outcome == upload.Accepted || n == 0:
		case outcome.Duplicate():
			body.Duplicates = counted(body.Duplicates, string(outcome), n)
		case outcome.Skipped():
			body.Skipped = counted(body.Skipped, string(outcome), n)
		default:
			body.Refused = counted(body.Refused, string(outcome), n)
		}
	}
	for _, line := range u.Kept {
		body.First = append(body.First, RefusedLine{line.Line, string(line.Reason), line.SoldAt})
	}
	return body
}

func counted(counts map[string]int, what string, n int) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	counts[what] = n
	return counts
}

// NewUpload asks for an address that takes a key file.
type NewUpload struct {
	Name string `json:"name" doc:"The file's name, for reports."`
	Size int64  `json:"size" minimum:"1" maximum:"5368709120" doc:"The file's size in bytes. No other is taken."`
	Side string `json:"side,omitempty" enum:"live,test" default:"live" doc:"test: keys for orders marked as a test."`
}

// UploadTicket is an address that takes one key file, once.
type UploadTicket struct {
	Method    string            `json:"method" enum:"PUT"`
	URL       string            `json:"url" doc:"Takes the file as the body of one PUT: text, one key a line, or a .csv file with a column called key. A second PUT is answered 412."`
	Headers   map[string]string `json:"headers" doc:"That the PUT must have. HTTP clients send Content-Length by themselves."`
	ExpiresAt time.Time         `json:"expires_at"`
}

var (
	sampleNewUpload = NewUpload{Name: "elden-november.txt", Size: 21000, Side: "live"}
	sampleTicket    = UploadTicket{
		Method:    http.MethodPut,
		URL:       "https://uploads.s3.eu-central-1.amazonaws.com/uploads/acme/elden/ticket-5b1f2a9c0d3e4f67/elden-november.txt?X-Amz-Signature=…",
		Headers:   map[string]string{"Content-Length": "21000", "If-None-Match": "*"},
		ExpiresAt: time.Date(2026, 11, 23, 9, 45, 0, 0, time.UTC),
	}
)

type createUpload struct {
	PoolPath
	Body NewUpload
}

func (in *createUpload) side() pool.Side { return pool.SideOf(in.Body.Side == string(pool.Test)) }

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *createUpload) Resolve(huma.Context) []error {
	var errs []error
	for _, p := range settings.CheckFileName(in.side(), in.Body.Name) {
		errs = append(errs, &huma.ErrorDetail{Message: p.Message, Location: "body." + p.Path})
	}
	return errs
}

type UploadPath struct {
	Upload string `path:"upload" maxLength:"63" doc:"The upload's id." example:"20261123T092955-5b1f2a9c0d3e4f67"`
}

// LoadUpload says how a held file is read.
type LoadUpload struct {
	SkipHeading  bool `json:"skip_heading,omitempty" doc:"The first line is no key."`
	SkipComments bool `json:"skip_comments,omitempty" doc:"Comments and rulers are no keys."`
	StripNumbers bool `json:"strip_numbers,omitempty" doc:"The numbers or bullets in front of the lines are no part of the keys."`
	StripQuotes  bool `json:"strip_quotes,omitempty" doc:"The quotes around the lines are no part of the keys. A line whose quotes do not pair is refused."`
}

type loadUpload struct {
	UploadPath
	Body *LoadUpload `required:"false"`
}

// Reading is an answer that is remembered for a pool.
type Reading struct {
	Findings []string `json:"findings" nullable:"false" doc:"Files of the pool that have these, and no others, are read so."`
	Options  []string `json:"options" nullable:"false" doc:"Of load-upload. None: every line is a key as it stands."`
	Upload   string   `json:"upload" doc:"The upload that the answer was given for."`
}

// ReadingList holds the answers that are remembered for a pool.
type ReadingList struct {
	Items []Reading `json:"items" nullable:"false"`
}

var sampleReadings = ReadingList{Items: []Reading{{
	Findings: []string{"heading", "quotes"}, Options: []string{"skip_heading", "strip_quotes"}, Upload: sampleUpload.ID,
}}}

func (a *api) addUploads(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-uploads", Method: http.MethodGet, Path: "/v1/uploads", Tags: []string{"Uploads"},
		Summary:     "List the uploads, the newest first",
		Description: "The progress of those that are loading is that of whole parts of 2 MiB; get-upload has it in full.",
		Responses:   to.Responses(UploadList{Items: []Upload{sampleUpload}}, 200),
	}, a.listUploads)
	rest.Register(to, huma.Operation{
		OperationID: "get-upload", Method: http.MethodGet, Path: "/v1/uploads/{upload}", Tags: []string{"Uploads"},
		Summary: "Read an upload's report",
		Errors:  []int{404}, Responses: to.Responses(sampleUpload, 200),
	}, a.getUpload)
	rest.Register(to, huma.Operation{
		OperationID: "load-upload", Method: http.MethodPost, Path: "/v1/uploads/{upload}/load", Tags: []string{"Uploads"},
		Summary:     "Load a held file",
		Description: "For an upload that is needs_confirmation, once you know how its lines are to be read. Options are taken for what was found only, else 422; without a body or options, every line is a key as it stands. The answer is remembered: a later file of the pool with the same findings is read by it, unasked, until forget-readings. The same call again changes nothing; another answer, or an upload that is not held, is 409.",
		Errors:      []int{404, 409}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(LoadUpload{SkipHeading: true, StripQuotes: true}), Responses: to.Responses(sampleConfirmed, 202),
	}, a.loadUpload)
	rest.Register(to, huma.Operation{
		OperationID: "withdraw-upload", Method: http.MethodPost, Path: "/v1/uploads/{upload}/withdraw", Tags: []string{"Uploads"},
		Summary:     "Withdraw the unsold keys of an upload",
		Description: "The undo of a wrong file. No key of it is put on sale from now on, also while it is still being loaded, and those that are for sale are taken out of sale by the job that is answered: most within seconds, and the job ends a minute or two later, once nothing can be left. What was sold stays sold. A withdrawn key is not for sale again: a later file that holds it is told so. Called again, it answers the same job.",
		Errors:      []int{404, 409}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(WithdrawUpload{Reason: "keys of another edition"}), Responses: to.Responses(sampleJob, 202),
	}, a.withdrawUpload)
}

// WithdrawUpload says why an upload is withdrawn.
type WithdrawUpload struct {
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Why, in your own words. The job keeps it."`
}

type withdrawUpload struct {
	UploadPath
	Body *WithdrawUpload `required:"false"`
}

func (a *api) withdrawUpload(ctx context.Context, in *withdrawUpload) (*rest.Body[Job], error) {
	j, err := a.jobs.Withdraw(ctx, caller(ctx), in.Upload, access.From(ctx).Name, or(in.Body, WithdrawUpload{}).Reason)
	return &rest.Body[Job]{Body: newJob(j)}, err
}

func (a *api) addReadings(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-readings", Method: http.MethodGet, Path: "/v1/pools/{pool}/readings", Tags: []string{"Uploads"},
		Summary:     "List how held files of a pool are read from now on",
		Description: "The answers that load-upload was given.",
		Errors:      []int{404}, Responses: to.Responses(sampleReadings, 200),
	}, a.listReadings)
	rest.Register(to, huma.Operation{
		OperationID: "forget-readings", Method: http.MethodDelete, Path: "/v1/pools/{pool}/readings", Tags: []string{"Uploads"},
		Summary:     "Forget how held files of a pool are read",
		Description: "The next file with such findings is held again. What is loaded stays.",
		Errors:      []int{404},
	}, a.forgetReadings)
}

func (a *api) createUpload(ctx context.Context, in *createUpload) (*rest.Body[UploadTicket], error) {
	to := pool.ID{Merchant: caller(ctx), Pool: in.Pool, Side: in.side()}
	ticket, err := a.uploads.Create(ctx, to, in.Body.Name, in.Body.Size)
	return &rest.Body[UploadTicket]{Body: UploadTicket{http.MethodPut, ticket.URL, ticket.Headers, ticket.ExpiresAt}}, err
}

func (a *api) listUploads(ctx context.Context, in *rest.Page) (*rest.Body[UploadList], error) {
	uploads, next, err := a.uploads.List(ctx, caller(ctx), in.After, in.Limit)
	out := UploadList{Items: []Upload{}, Next: next}
	for _, u := range uploads {
		body := newUpload(u, u.Ended())
		body.First = nil
		out.Items = append(out.Items, body)
	}
	return &rest.Body[UploadList]{Body: out}, err
}

func (a *api) getUpload(ctx context.Context, in *UploadPath) (*rest.Body[Upload], error) {
	u, read, reportURL, err := a.uploads.Get(ctx, caller(ctx), in.Upload)
	body := newUpload(u, read)
	body.ReportURL = reportURL
	return &rest.Body[Upload]{Body: body}, err
}

func (a *api) loadUpload(ctx context.Context, in *loadUpload) (*rest.Body[Upload], error) {
	u, err := a.uploads.Load(ctx, caller(ctx), in.Upload, upload.Reading(or(in.Body, LoadUpload{})))
	return &rest.Body[Upload]{Body: newUpload(u, u.Ended())}, err
}

func (a *api) listReadings(ctx context.Context, in *PoolPath) (*rest.Body[ReadingList], error) {
	all, err := a.uploads.Remembered(ctx, caller(ctx), in.Pool)
	out := ReadingList{Items: []Reading{}}
	for _, answer := range all {
		out.Items = append(out.Items, Reading{
			Findings: strings.Split(answer.Question, "+"), Options: append([]string{}, answer.Reading.Options()...), Upload: answer.Upload,
		})
	}
	return &rest.Body[ReadingList]{Body: out}, err
}

func (a *api) forgetReadings(ctx context.Context, in *PoolPath) (*struct{}, error) {
	return nil, a.uploads.Forget(ctx, caller(ctx), in.Pool)
}
