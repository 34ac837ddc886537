package main

import (
	"errors"
	"net/url"
	"time"

	"keypool/shared/job"
	"keypool/shared/phrase"
	"keypool/shared/pool"
)

const (
	jobsPath = homePath + "/jobs"
	wipePath = homePath + "/test-data/wipe"
)

func (p *portal) jobScreens() []screen {
	return []screen{
		{pattern: "GET " + jobsPath, does: "list-jobs", serve: p.jobList},
		{pattern: "GET " + jobsPath + "/{job}", does: "get-job", serve: p.job},
		{pattern: "GET " + jobsPath + "/{job}/cancel", does: "cancel-job", serve: p.askCancelJob},
		{pattern: "POST " + jobsPath + "/{job}/cancel", does: "cancel-job", serve: p.cancelJob},
		{pattern: "POST " + jobsPath + "/{job}/link", does: "link-job-file", fresh: true, serve: p.linkJobFile},
		{pattern: "GET " + wipePath, does: "wipe-test-data", serve: p.askWipe},
		{pattern: "POST " + wipePath, does: "wipe-test-data", serve: p.wipe},
	}
}

// jobPath is the address of a job.
func jobPath(id string) string { return jobsPath + "/" + url.PathEscape(id) }

const jobsAPage = 50

// jobRow is a job as lists show it.
type jobRow struct {
	job.Job
	Path  string
	What  string
	Says  string // how far it has come, or what became of it
	State mark
}

func newJobRow(j job.Job) jobRow {
	return jobRow{Job: j, Path: jobPath(j.ID), What: whatJob(j), Says: progressOf(j), State: jobMark(j)}
}

// whatJob says what a job does.
func whatJob(j job.Job) string {
	keys := "keys"
	if j.Side == pool.Test {
		keys = "test keys"
	}
	switch j.Kind {
	case job.Withdraw:
		return "Withdraw unsold " + keys + " of a file"
	case job.Move:
		return "Move " + keys + " from " + j.Pool + " to " + j.To
	case job.Export:
		return "Export " + string(j.Choice.Which) + " " + keys + " of " + j.Pool
	case job.Erase:
		return "Erase a customer"
	case job.Retain:
		return "Erase customers of old orders, each day"
	case job.Wipe:
		return "Take all test data away"
	}
	return string(j.Kind)
}

// jobMark says how a job stands.
func jobMark(j job.Job) mark {
	switch j.State() {
	case job.Queued:
		return mark{"calm", "Begins"}
	case job.Cancelling:
		return mark{"warn", "Ends early"}
	case job.Cancelled:
		return mark{"warn", "Ended early"}
	case job.Ended:
		return mark{"good", "Done"}
	case job.Running:
		if j.Kind == job.Retain {
			return mark{"good", "Each day"}
		}
	}
	return mark{"calm", "Under way"}
}

// progressOf says what a job has done.
func progressOf(j job.Job) string {
	if j.State() == job.Queued {
		return "It begins in a moment."
	}
	keys, lines := phrase.Count(j.Keys, "key"), phrase.Count(j.Lines, "order line")
	were := func(n int) string { return phrase.Plural(n, " was ", " were ") }
	says := ""
	switch j.Kind {
	case job.Withdraw:
		says = keys + were(j.Keys) + "taken out of sale"
	case job.Move:
		says = keys + were(j.Keys) + "moved"
	case job.Export:
		if j.State() == job.Cancelled {
			return "There is no file."
		}
		says = keys + were(j.Keys) + "written"
	case job.Wipe:
		says = "taken away: " + lines + ", " + keys
	default:
		says = lines + were(j.Lines) + "erased"
	}
	if !j.Done && j.Kind != job.Retain {
		says += " so far"
	}
	return phrase.Capital(says) + "."
}

func (p *portal) jobList(v *visit) (answer, error) {
	after := v.URL.Query().Get("after")
	jobs, next, err := p.jobs.List(v.Context(), v.Merchant, after, jobsAPage)
	rows := make([]jobRow, len(jobs))
	for i, j := range jobs {
		rows[i] = newJobRow(j)
	}
	return answer{page: "jobs", title: "Jobs", data: map[string]any{"Jobs": rows, "Next": next, "First": after == ""}}, err
}

// jobData is what the page of a job shows.
type jobData struct {
	jobRow
	PoolPath, ToPath, UploadPath string
	Going                        bool // it is at work: the page asks again
	Ending                       bool // it works no more than it has to
	Format                       string
	Days                         string // of the orders that it is about
	Next                         string // what comes next by itself, or what to do
	File                         bool   // its file can be fetched
	Kept                         time.Time
	Again                        string // the address of the form that began it
}

func (p *portal) job(v *visit) (answer, error) {
	j, err := p.jobs.Get(v.Context(), v.Merchant, v.PathValue("job"))
	if err != nil {
		return answer{}, err
	}
	d := jobData{jobRow: newJobRow(j), Going: !j.Done && j.Kind != job.Retain, Ending: j.CancelledBy != ""}
	if j.Pool != "" {
		d.PoolPath = poolPath(j.Pool)
	}
	if j.To != "" {
		d.ToPath = poolPath(j.To)
	}
	if j.Upload != "" {
		d.UploadPath = uploadPath(j.Upload)
	}
	if j.Kind == job.Export {
		d.Format, d.Days = formats[j.Choice.Format], daysOf(v, j.Choice)
	}
	d.Next = nextOf(j, v.now)
	switch fetched := j.FileState(v.now); {
	case fetched == nil:
		d.File, d.Kept = true, j.FinishedAt.Add(job.FileKept)
	case errors.Is(fetched, job.ErrFileGone) && v.may("export-keys"):
		d.Again = poolPath(j.Pool) + "/export?side=" + string(j.Side)
	}
	return answer{page: "job", title: "Job", data: d, band: done(v, jobDone)}, nil
}

var jobDone = map[string]band{
	"begun":     {Says: "It has begun, and goes on by itself: you can leave this page."},
	"withdrawn": {Says: "From now on no key of this file is sold. What was for sale is being taken out."},
	"cancelled": {Says: "It ends at its next step. What it has done stays done."},
}

var formats = map[job.Format]string{job.CSV: "a table (.csv)", job.JSONL: "JSON Lines (.jsonl)"}

// daysOf says when the orders came in that an export is about, "" if it is about all.
func daysOf(v *visit, c job.Choice) string {
	on := func(at time.Time) string { return at.In(v.zone()).Format("2 January 2006") }
	switch last := c.Until.Add(-time.Second); {
	case c.From.IsZero() && c.Until.IsZero():
		return ""
	case c.Until.IsZero():
		return "from " + on(c.From) + " on"
	case c.From.IsZero():
		return "up to " + on(last)
	default:
		return "from " + on(c.From) + " to " + on(last)
	}
}

// nextOf says what comes next of a job by itself, "" if nothing does.
func nextOf(j job.Job, now time.Time) string {
	switch {
	case j.Done && j.Kind == job.Erase && j.Look.Left > 0:
		return phrase.Capital(phrase.Count(j.Look.Left, "order line")) + phrase.Plural(j.Look.Left, " still owes", " still owe") + " the customer keys or a mail, and stay" + phrase.Plural(j.Look.Left, "s", "") + " as it was. Deliver or give back what is owed, then erase again."
	case j.Kind == job.Retain:
		return "It goes on for as long as the rules say. It ends when you change them."
	case j.State() == job.Cancelled && j.Kind == job.Withdraw:
		return "The keys that are left stay for sale. You may withdraw the file again."
	case j.State() == job.Cancelled:
		return "What it had done stays done."
	case j.Done || j.CancelledBy != "":
		return ""
	case now.Sub(j.SavedAt) > 5*time.Minute:
		return "It has stood still for a while. It is resumed by itself, within half an hour."
	case j.Kind == job.Export:
		return "Its file is here once it is done."
	case j.Kind == job.Withdraw || j.Kind == job.Move || j.Kind == job.Wipe:
		return "Most of it is done within seconds. It ends a minute or two later, once it can have missed none."
	}
	return "It ends a minute or two after the last change, once it can have missed none."
}

func (p *portal) askCancelJob(v *visit) (answer, error) {
	j, err := p.jobs.Get(v.Context(), v.Merchant, v.PathValue("job"))
	if err != nil {
		return answer{}, err
	}
	if j.Done || j.Kind == job.Retain {
		return answer{see: jobPath(j.ID)}, nil
	}
	c := confirmation{Does: jobPath(j.ID) + "/cancel", Button: "End it", Stop: true, Back: jobPath(j.ID), Says: []string{
		whatJob(j) + ": it ends at its next step. " + progressOf(j),
	}}
	switch j.Kind {
	case job.Export:
		c.Says = append(c.Says, "No file is left of it. You can export the keys anew at any time.")
	case job.Withdraw:
		c.Says = append(c.Says, "What was taken out of sale stays so. The keys that are left are for sale, and you may withdraw the file again.")
	default:
		c.Says = append(c.Says, "What it has done stays done.")
	}
	return c.page("End the job?"), nil
}

func (p *portal) cancelJob(v *visit) (answer, error) {
	j, err := p.jobs.Cancel(v.Context(), v.Merchant, v.PathValue("job"), v.Principal.Name)
	to := jobPath(j.ID)
	if j.CancelledBy != "" {
		to += "?done=cancelled"
	}
	return answer{see: to}, err
}

// fileLink is the page with the link to the file of an export.
type fileLink struct {
	URL   string
	Until time.Time
	Name  string
	Keys  int
	Size  string
	Back  string
}

// linkJobFile shows a link to the file of an export. It is on this page alone: the link is
// stored nowhere, and its making stands in the audit trail.
func (p *portal) linkJobFile(v *visit) (answer, error) {
	link, err := p.exports.Link(v.Context(), v.Merchant, v.PathValue("job"), v.Principal.Name)
	if err != nil {
		return answer{}, err
	}
	return answer{page: "job-file", title: "File of keys", data: fileLink{
		link.URL, link.ExpiresAt, link.Job.FileName(), link.Job.Keys, size(link.Job.File.Size), jobPath(link.Job.ID),
	}}, nil
}

// size says how large a file is.
func size(bytes int64) string {
	switch {
	case bytes >= 10<<20:
		return phrase.Number(int(bytes>>20)) + " MB"
	case bytes >= 10<<10:
		return phrase.Number(int(bytes>>10)) + " KB"
	}
	return phrase.Count(int(bytes), "byte")
}

// askWipe says what goes if test data is taken away.
func (p *portal) askWipe(v *visit) (answer, error) {
	return confirmation{
		Does: wipePath, Button: "Take all test data away", Stop: true, Back: jobsPath,
		Says: []string{
			"All of your test side goes: test orders with their history, test keys, sold or not, and what test files brought. After that it is as if nobody had tried anything.",
			"Nothing of paid orders can go, and none of their keys. Settings, platforms and the audit trail stay, and so do blocks.",
			"This cannot be undone. The same test file can be added again, and brings all of its keys.",
		},
	}.page("Take all test data away?"), nil
}

func (p *portal) wipe(v *visit) (answer, error) {
	j, err := p.jobs.Wipe(v.Context(), v.Merchant, v.Principal.Name)
	return answer{see: jobPath(j.ID) + "?done=begun"}, err
}
