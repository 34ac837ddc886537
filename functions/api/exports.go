package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/web/rest"
)

// ExportKeys says which keys of a pool are exported, and how.
type ExportKeys struct {
	Which  string    `json:"which" enum:"sold,unsold" doc:"sold: keys that orders have, and those that were replaced. unsold: keys that are for sale."`
	Format string    `json:"format,omitempty" enum:"csv,jsonl" default:"csv" doc:"csv: a table with a heading. jsonl: a JSON object a line."`
	Side   string    `json:"side,omitempty" enum:"live,test" default:"live" doc:"test: keys for orders marked as a test."`
	From   time.Time `json:"from,omitzero" doc:"Of sold: only of orders that came in at this time or later."`
	Until  time.Time `json:"until,omitzero" doc:"Of sold: only of orders that came in before this time. Without it, or where it lies in the future: before this call."`
	Reason string    `json:"reason,omitempty" maxLength:"200" doc:"Why, in your own words. The job keeps it."`
}

type exportKeys struct {
	PoolPath
	Body ExportKeys
}

// JobFile is an address at which the file of a job can be fetched.
type JobFile struct {
	URL       string    `json:"url" doc:"Serves the file by GET, without a token: whoever has the address has the keys. Do not store it."`
	ExpiresAt time.Time `json:"expires_at" doc:"10 minutes from now. Call this again for another."`
	Name      string    `json:"name" doc:"Under which a browser stores it."`
	Keys      int       `json:"keys" doc:"How many keys it holds."`
	Bytes     int64     `json:"bytes" doc:"How large it is."`
}

type JobFilePath struct {
	Job string `path:"job" maxLength:"63" doc:"The id of a job that exports." example:"20261123T103000-c0ffee0d1e2f3a4b"`
}

var (
	sampleExportKeys = ExportKeys{Which: string(job.Sold), Format: string(job.CSV), Side: "live", From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Reason: "the month's books"}
	sampleExport     = Job{
		ID: "20261123T103000-c0ffee0d1e2f3a4b", Kind: string(job.Export), State: string(job.Queued), Pool: "elden", Side: "live",
		Which: sampleExportKeys.Which, Format: sampleExportKeys.Format, From: sampleExportKeys.From, By: sampleJob.By, Reason: sampleExportKeys.Reason,
		CreatedAt: time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC), SavedAt: time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC),
	}
	sampleJobFile = JobFile{
		URL:       "https://reports.s3.eu-central-1.amazonaws.com/exports/acme/20261123T103000-c0ffee0d1e2f3a4b?X-Amz-Signature=…",
		ExpiresAt: time.Date(2026, 11, 23, 10, 41, 12, 0, time.UTC), Name: "elden-live-sold-20261123T103000Z.csv", Keys: 1_412, Bytes: 211_800,
	}
)

// addPoolExport is beside move-keys, among the operations of pools.
func (a *api) addPoolExport(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "export-keys", Method: http.MethodPost, Path: "/v1/pools/{pool}/exports", Tags: []string{"Keys"},
		Summary: "Export keys to a file",
		Description: "The job that is answered writes them, ten thousand in a few seconds; link-job-file has the file then, for a day. At most 2 exports may run at once: another is 409.\n\n" +
			"A file tells of each key: key, state (see find-keys), order, account, line, product, paid_at, sold_at (when the order came in), blocked_at, upload, file and file_line (where it was uploaded). It has nothing of customers. What does not apply is left out, or is an empty cell. The orders that came last stand first; unsold keys are in no order.\n\n" +
			"The pool sells on meanwhile. A key is in a file once at most, as it was when it was read: one in a file of unsold keys may be sold by the time you open it, so do not sell it elsewhere; move it or withdraw it first. An order of the last seconds may be missing, and so is a key that comes back, or is moved, while the job runs. A key that an order gave back is in no file, unless it is for sale again: find-keys tells what became of it.\n\n" +
			"Keys stand in the file exactly as they are, in UTF-8. A spreadsheet that opens a .csv file may change a key that looks like a number, a date or a formula (00012, 1-2, =A1), and run a formula: import the column as text, or take jsonl, which has no such trouble. The other cells of a .csv file have a ' before them where a spreadsheet would take them for a formula.",
		Errors: []int{404, 409}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(sampleExportKeys), Responses: to.Responses(sampleExport, 202),
	}, a.exportKeys)
}

// addJobFile is among the operations of jobs.
func (a *api) addJobFile(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "link-job-file", Method: http.MethodPost, Path: "/v1/jobs/{job}/link", Tags: []string{"Jobs"},
		Summary:     "Make a link to the file of an export",
		Description: "It is 409 until the job is done: call it again some seconds later. It is 409 too if the job was cancelled, or exports nothing, and once the file is a day old. Each link is in the audit trail.",
		Errors:      []int{404, 409}, Responses: to.Responses(sampleJobFile, 200),
	}, a.linkJobFile)
}

func (a *api) exportKeys(ctx context.Context, in *exportKeys) (*rest.Body[Job], error) {
	by := access.From(ctx)
	j, err := a.jobs.Export(ctx, inventory.Export{
		Of:     pool.ID{Merchant: by.Merchant, Pool: in.Pool, Side: pool.SideOf(in.Body.Side == string(pool.Test))},
		Choice: job.Choice{Which: job.Which(in.Body.Which), Format: job.Format(in.Body.Format), From: in.Body.From, Until: in.Body.Until},
		By:     by.Name, Why: in.Body.Reason,
	})
	return &rest.Body[Job]{Body: newJob(j)}, err
}

func (a *api) linkJobFile(ctx context.Context, in *JobFilePath) (*rest.Body[JobFile], error) {
	link, err := a.exports.Link(ctx, caller(ctx), in.Job, access.From(ctx).Name)
	return &rest.Body[JobFile]{Body: JobFile{link.URL, link.ExpiresAt, link.Job.FileName(), link.Job.Keys, link.Job.File.Size}}, err
}
