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

// Job is long work that somebody asked for, and how far it has come.
type Job struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind" enum:"withdraw,move,export,erase,retain,wipe" doc:"withdraw: take the unsold keys of an upload out of sale. move: move unsold keys to another pool. export: write keys of a pool to a file. erase: take away what is kept of a customer. retain: erase, once a day, the customers of lines that nothing has happened to for as long as put-retention says. wipe: take all of the test side away."`
	State       string    `json:"state" enum:"queued,running,cancelling,done,cancelled" doc:"queued: nobody has begun. running: at work, or waiting for its next look. cancelling: it ends at its next step. done. cancelled: it ended before its work was done; what it had done stays done."`
	Upload      string    `json:"upload,omitempty" doc:"The upload that it is about."`
	Pool        string    `json:"pool,omitempty" doc:"The pool whose keys it is about; of an upload that is withdrawn, the one that it was for."`
	To          string    `json:"to,omitempty" doc:"The pool that it moves keys to."`
	Count       int       `json:"count,omitempty" doc:"How many keys it is to move at most. Not there: all."`
	Side        string    `json:"side,omitempty" enum:"live,test"`
	Which       string    `json:"which,omitempty" enum:"sold,unsold" doc:"Of export."`
	Format      string    `json:"format,omitempty" enum:"csv,jsonl" doc:"Of export."`
	From        time.Time `json:"from,omitzero" doc:"Of export: orders that came in at this time or later."`
	Until       time.Time `json:"until,omitzero" doc:"Of export: orders that came in before this time."`
	Force       bool      `json:"force,omitempty" doc:"Of erase: lines are erased too that owe their customer something."`
	Keys        int       `json:"keys" doc:"How many keys it has changed so far; of export, how many its file holds."`
	Lines       int       `json:"lines,omitempty" doc:"How many lines of orders it has changed so far."`
	Left        int       `json:"left,omitempty" doc:"Of erase that is done: how many lines it left as they are, since they owe their customer something."`
	By          string    `json:"by" doc:"Who asked for it: the name of a token."`
	Reason      string    `json:"reason,omitempty" doc:"Why, as they said."`
	CreatedAt   time.Time `json:"created_at"`
	SavedAt     time.Time `json:"saved_at" doc:"When it last saved how far it has come. A job that stands still is resumed by itself, within half an hour."`
	FinishedAt  time.Time `json:"finished_at,omitzero"`
	CancelledBy string    `json:"cancelled_by,omitempty" doc:"Who cancelled it."`
}

// JobList is one page of the merchant's jobs.
type JobList struct {
	Items []Job  `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleJob = Job{
	ID: "20261123T101500-0f1e2d3c4b5a6978", Kind: string(job.Withdraw), State: string(job.Running), Upload: sampleUpload.ID, Pool: "elden", Side: "live",
	Keys: 1_412, By: "the token warehouse", Reason: "keys of another edition",
	CreatedAt: time.Date(2026, 11, 23, 10, 15, 0, 0, time.UTC), SavedAt: time.Date(2026, 11, 23, 10, 15, 4, 0, time.UTC),
}

func newJob(j job.Job) Job {
	body := Job{
		ID: j.ID, Kind: string(j.Kind), State: string(j.State()), Upload: j.Upload, Pool: j.Pool, Side: string(j.Side), To: j.To, Count: j.Most,
		Which: string(j.Choice.Which), Format: string(j.Choice.Format), From: j.Choice.From, Until: j.Choice.Until, Force: j.Force, Keys: j.Keys, Lines: j.Lines,
		By: j.By, Reason: j.Why, CreatedAt: j.CreatedAt, SavedAt: j.SavedAt, FinishedAt: j.FinishedAt, CancelledBy: j.CancelledBy,
	}
	if j.Done {
		body.Left = j.Look.Left
	}
	return body
}

// MoveKeys says which keys of a pool are moved where.
type MoveKeys struct {
	To     string `json:"to" maxLength:"63" doc:"The pool to move them to, another one of yours."`
	Upload string `json:"upload,omitempty" maxLength:"63" doc:"Only keys that this upload brought, those too that it is still to bring; without it, keys of any."`
	Count  int    `json:"count,omitempty" minimum:"1" doc:"So many keys at most, no matter which; without it, all."`
	Side   string `json:"side,omitempty" enum:"live,test" default:"live" doc:"test: keys for orders marked as a test. They stay on their side."`
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Why, in your own words. The job keeps it."`
}

type moveKeys struct {
	PoolPath
	Body MoveKeys
}

var (
	sampleMoveKeys = MoveKeys{To: "ring", Upload: sampleUpload.ID, Side: "live", Reason: "the file was for the other game"}
	sampleMove     = Job{
		ID: "20261123T102000-5a6978c0d1e2f3a4", Kind: string(job.Move), State: string(job.Queued), Upload: sampleUpload.ID, Pool: "elden", Side: "live", To: "ring",
		By: sampleJob.By, Reason: sampleMoveKeys.Reason, CreatedAt: time.Date(2026, 11, 23, 10, 20, 0, 0, time.UTC), SavedAt: time.Date(2026, 11, 23, 10, 20, 0, 0, time.UTC),
	}
)

// addPoolMove is beside add-keys, among the operations of pools.
func (a *api) addPoolMove(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "move-keys", Method: http.MethodPost, Path: "/v1/pools/{pool}/move", Tags: []string{"Keys"},
		Summary:     "Move unsold keys to another pool",
		Description: "The job that is answered moves them: most within seconds, and it ends a minute or two later, once it can have missed none. At every moment a key is in one of the two pools, and an order of either may get it there; one that an order has stays as it is. Orders that wait for the other pool get keys as after an upload. Keys that come into the pool while the job runs may be moved too. An upload that is withdrawn meanwhile keeps its keys where they are, and its withdrawal finds those that were moved. A job that is cancelled leaves what it has moved where it is.",
		Errors:      []int{404, 409}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(sampleMoveKeys), Responses: to.Responses(sampleMove, 202),
	}, a.moveKeys)
}

func (a *api) moveKeys(ctx context.Context, in *moveKeys) (*rest.Body[Job], error) {
	by := access.From(ctx)
	j, err := a.jobs.Move(ctx, inventory.Move{
		From: pool.ID{Merchant: by.Merchant, Pool: in.Pool, Side: pool.SideOf(in.Body.Side == string(pool.Test))},
		To:   in.Body.To, Upload: in.Body.Upload, Most: in.Body.Count, By: by.Name, Why: in.Body.Reason,
	})
	return &rest.Body[Job]{Body: newJob(j)}, err
}

var sampleWipe = Job{
	ID: "20261123T102500-0d1e2f3a4b5c6d7e", Kind: string(job.Wipe), State: string(job.Queued), Side: "test",
	By: sampleJob.By, CreatedAt: time.Date(2026, 11, 23, 10, 25, 0, 0, time.UTC), SavedAt: time.Date(2026, 11, 23, 10, 25, 0, 0, time.UTC),
}

func (a *api) addTestData(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "wipe-test-data", Method: http.MethodPost, Path: "/v1/test-data/wipe", Tags: []string{"Jobs"},
		Summary:       "Take all test data away",
		Description:   "The job that is answered takes away what is on the test side when it is asked for: test orders with their history, whatever their state; test keys, sold or not; what test files brought, and their reports' numbers; what was counted. It ends a minute or two later. Nothing of the live side can go: each row is deleted on the condition that it is of the test side itself. Settings, accounts and the audit trail stay, and so do keys that were blocked.\n\nAfter that it is as if the test side had never been used. The same test file can be dropped again, and brings all of its keys; a repeat of a test order is a new order. list-uploads still names the files, with the cause wiped, so that none is read again by itself.\n\nWhat comes after the call stays, with the keys that it got. A line whose mail is just being sent, and a file that is being loaded, go a little later. A mail that gathers events of both sides may still name a test order. Called again, another job takes what there is by then.",
		DefaultStatus: http.StatusAccepted, Responses: to.Responses(sampleWipe, 202),
	}, a.wipeTestData)
}

func (a *api) wipeTestData(ctx context.Context, _ *struct{}) (*rest.Body[Job], error) {
	j, err := a.jobs.Wipe(ctx, caller(ctx), access.From(ctx).Name)
	return &rest.Body[Job]{Body: newJob(j)}, err
}

type JobPath struct {
	Job string `path:"job" maxLength:"63" doc:"The job's id." example:"20261123T101500-0f1e2d3c4b5a6978"`
}

func (a *api) addJobs(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Tags: []string{"Jobs"},
		Summary:   "List the jobs, the newest first",
		Responses: to.Responses(JobList{Items: []Job{sampleJob}}, 200),
	}, a.listJobs)
	rest.Register(to, huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/v1/jobs/{job}", Tags: []string{"Jobs"},
		Summary: "Read how far a job has come",
		Errors:  []int{404}, Responses: to.Responses(sampleJob, 200),
	}, a.getJob)
	rest.Register(to, huma.Operation{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/v1/jobs/{job}/cancel", Tags: []string{"Jobs"},
		Summary:     "Cancel a job",
		Description: "It ends at its next step, and what it has done stays done; an export leaves no file. An upload whose withdrawal was cancelled may be withdrawn again. A job that has ended stays as it is. The job retention is 409: it ends when put-retention says so.",
		Errors:      []int{404, 409}, DefaultStatus: http.StatusAccepted, Responses: to.Responses(sampleJob, 202),
	}, a.cancelJob)
	a.addJobFile(to)
}

func (a *api) listJobs(ctx context.Context, in *rest.Page) (*rest.Body[JobList], error) {
	jobs, next, err := a.jobs.List(ctx, caller(ctx), in.After, in.Limit)
	out := JobList{Items: make([]Job, len(jobs)), Next: next}
	for i, j := range jobs {
		out.Items[i] = newJob(j)
	}
	return &rest.Body[JobList]{Body: out}, err
}

func (a *api) getJob(ctx context.Context, in *JobPath) (*rest.Body[Job], error) {
	j, err := a.jobs.Get(ctx, caller(ctx), in.Job)
	return &rest.Body[Job]{Body: newJob(j)}, err
}

func (a *api) cancelJob(ctx context.Context, in *JobPath) (*rest.Body[Job], error) {
	j, err := a.jobs.Cancel(ctx, caller(ctx), in.Job, access.From(ctx).Name)
	return &rest.Body[Job]{Body: newJob(j)}, err
}
