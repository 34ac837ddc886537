package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keypool/shared/job"
	"keypool/shared/phrase"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

const uploadsPath = homePath + "/uploads"

func (p *portal) uploadScreens() []screen {
	return []screen{
		{pattern: "GET /portal/uploads", does: "list-uploads", serve: p.uploadList},
		{pattern: "GET /portal/uploads/{upload}", does: "get-upload", serve: p.upload},
		{pattern: "GET /portal/uploads/{upload}/report", does: "get-upload", serve: p.uploadReport},
		{pattern: "GET /portal/uploads/{upload}/left-out", does: "get-upload", serve: p.leftOutLines},
		{pattern: "POST /portal/uploads/{upload}/load", does: "load-upload", serve: p.loadUpload},
		{pattern: "GET /portal/uploads/{upload}/withdraw", does: "withdraw-upload", serve: p.askWithdraw},
		{pattern: "POST /portal/uploads/{upload}/withdraw", does: "withdraw-upload", serve: p.withdraw},
	}
}

func uploadPath(id string) string { return uploadsPath + "/" + url.PathEscape(id) }

const uploadsAPage = 50

func (p *portal) uploadList(v *visit) (answer, error) {
	files, next, err := p.uploads.List(v.Context(), v.Merchant, v.URL.Query().Get("after"), uploadsAPage)
	if err != nil {
		return answer{}, err
	}
	rows := make([]uploadRow, len(files))
	for i, u := range files {
		rows[i] = newUploadRow(u)
	}
	return answer{page: "uploads", title: "Key files", data: map[string]any{"Files": rows, "Next": next}}, nil
}

// uploadData is what the page of a key file shows.
type uploadData struct {
	uploadRow
	ID       string
	Going    bool // it is being read: the page asks again
	Arriving bool // it has no record yet
	Percent  int
	Lines    int
	Added    int
	LeftOut  []tally
	Rejected []rejectedLine
	More     int // rejected lines that are not shown
	Finished time.Time
	Warned   []string
	Cause    cause
	Asks     *question
	Done     bool   // its report can be fetched
	Undo     bool   // what it added can be withdrawn
	Job      string // the address of the job that withdraws it
	Move     string // the address of the form that moves its keys
	Seen     *browserCount
	Fill     bool // orders that waited got keys of it
	Waits    int  // orders that wait still
	Serving  bool // they are being served: the page asks again
}

// tally is how many lines have an outcome.
type tally struct {
	What string
	N    int
}

// rejectedLine is a line without a new key. Its text is never shown.
type rejectedLine struct {
	Line int
	Why  string
	At   time.Time // when its key was sold, zero: it was not
}

// browserCount is what the browser found in the file before it was sent.
type browserCount struct {
	Keys, Repeats, Refused int
	Same                   bool // as what was read
}

// question is what a held file asks.
type question struct {
	Found   []string
	Options []readingOption
	Path    string
}

// readingOption is a way to read a held file.
type readingOption struct{ Name, Text string }

// optionWords are the words for the options of a held file.
var optionWords = map[string]string{
	"skip_heading":  "Leave the heading out",
	"skip_comments": "Leave comments and rulers out",
	"strip_numbers": "Take the numbers or bullets in front of the lines away",
	"strip_quotes":  "Take the quotes around the lines away",
}

// cause says why a file brought no keys, and what to do.
type cause struct{ says, next string }

func (c cause) Says() string { return c.says }
func (c cause) Next() string { return c.next }

var causes = map[upload.Cause]cause{
	upload.Empty:       {"There is no key in it.", "Look whether the export that made it went through, and add the file again."},
	upload.Binary:      {"It is not a text file: a spreadsheet or an archive, perhaps.", "Save the keys as a text file, one key a line, or as .csv, and add that."},
	upload.NoColumn:    {"We cannot tell which of its columns holds the keys.", "Call one column, and only one, key, license, code or serial in the first line. Then add the file again."},
	upload.NoKeys:      {"Every line was refused, or there is only a heading.", "Mend the file, and add it again."},
	upload.Misplaced:   {"It was put into the wrong folder, so that nobody knows which pool it is for.", "Add it again at the page of its pool."},
	upload.UnknownPool: {"It waits for its pool, which does not exist.", "Make the pool, and the file is read by itself."},
	upload.UsedTicket:  {"Its form had brought another file before.", "Add it again at the page of its pool."},
	upload.Gone:        {"It was removed before it was read.", "If that was not meant, add it again: a key that was added already is not added twice."},
	upload.Encrypted:   {"It is encrypted with a key that we may not use.", "Add it again at the page of its pool."},
	upload.Archived:    {"It lies in an archive, and cannot be read from there.", "Add it again at the page of its pool."},
	upload.Wiped:       {"It was a test, and all that came of it was taken away.", ""},
}

// arrivingFor is how long a file may take from the bucket to its record.
const arrivingFor = 3 * time.Minute

// servedWithin is how long orders that waited may take to get their keys, once these are there.
const servedWithin = 2 * time.Minute

// sentAt returns when a file of that id was written, false if no id is made so.
func sentAt(id string) (time.Time, bool) {
	if len(id) < 32 {
		return time.Time{}, false
	}
	at, err := time.Parse("20060102T150405", id[:15])
	return at, err == nil
}

func (p *portal) upload(v *visit) (answer, error) {
	id := v.PathValue("upload")
	u, read, report, err := p.uploads.Get(v.Context(), v.Merchant, id)
	if at, ok := sentAt(id); errors.Is(err, settings.ErrNotFound) && ok && v.now.Sub(at) < arrivingFor && at.Sub(v.now) < arrivingFor {
		return answer{page: "upload", title: "Key file", data: uploadData{ID: id, Going: true, Arriving: true, uploadRow: uploadRow{Path: uploadPath(id), At: at}}}, nil
	}
	if err != nil {
		return answer{}, err
	}
	data := uploadData{
		uploadRow: newUploadRow(u), ID: u.ID, Lines: read.Lines, Added: read.Counts[upload.Accepted], Finished: u.FinishedAt,
		Going: u.State == upload.Loading || u.State == upload.Confirmed, Done: report != "",
		Seen: browserCounted(v.URL.Query(), u), Fill: read.Counts[upload.Accepted] > 0 && u.Withdrawal == "",
	}
	if data.Fill && u.State == upload.Finished {
		if data.Waits, err = p.pools.Waiting(v.Context(), u.PoolID()); err != nil {
			return answer{}, err
		}
		data.Serving = data.Waits > 0 && v.now.Sub(u.FinishedAt) < servedWithin
	}
	if u.Size > 0 {
		data.Percent = int(100 * read.Bytes / u.Size)
	}
	for _, outcome := range upload.Outcomes {
		if n := read.Counts[outcome]; n > 0 && outcome != upload.Accepted {
			data.LeftOut = append(data.LeftOut, tally{phrase.Capital(outcome.Words()), n})
			data.More += n
		}
	}
	for _, line := range u.Kept {
		data.Rejected = append(data.Rejected, rejectedLine{line.Line, line.Reason.Words(), line.SoldAt})
	}
	data.More -= len(data.Rejected)
	for _, f := range u.Seen.Warned {
		data.Warned = append(data.Warned, found(f))
	}
	if u.Cause != "" && u.State == upload.Finished {
		data.Cause = causes[u.Cause]
	}
	if u.State == upload.NeedsConfirmation {
		data.Asks = newQuestion(u)
	}
	if u.Withdrawal != "" {
		data.Job = jobPath(u.Withdrawal)
	}
	if u.Withdrawal == "" && u.Pool != "" && data.Added > 0 {
		data.Move = poolPath(u.Pool) + "/move?" + url.Values{"upload": {u.ID}, "side": {string(u.Side)}}.Encode()
	}
	data.Undo = u.Withdrawal == "" && u.Pool != "" && (data.Going || data.Added > 0)
	return answer{page: "upload", title: "Key file", data: data, band: done(v, uploadDone)}, nil
}

var uploadDone = map[string]band{
	"load": {Says: "It is read as you said. The next file of this pool that looks the same is read so too, unasked."},
}

// browserCounted returns what the browser says that it found in a file, nil if it says nothing.
func browserCounted(query url.Values, u upload.Upload) *browserCount {
	var b browserCount
	for name, n := range map[string]*int{"keys": &b.Keys, "repeats": &b.Repeats, "refused": &b.Refused} {
		var err error
		if *n, err = strconv.Atoi(query.Get(name)); err != nil || *n < 0 {
			return nil
		}
	}
	known := u.Counts.Duplicates() - u.Counts[upload.SameFile]
	b.Same = u.State != upload.Finished || b.Keys == u.Counts[upload.Accepted]+known && b.Refused == u.Counts.Rejected()
	return &b
}

// found says what was seen in a file, and where.
func found(f upload.Finding) string {
	where := "line " + phrase.Number(f.First)
	if f.Lines > 1 {
		where = phrase.Count(f.Lines, "line") + ", the first is line " + phrase.Number(f.First)
	}
	return fmt.Sprintf("%s (%s)", phrase.Capital(f.Trait.Words()), where)
}

func newQuestion(u upload.Upload) *question {
	q := &question{Path: uploadPath(u.ID) + "/load"}
	for _, f := range u.Seen.Asked {
		q.Found = append(q.Found, found(f))
	}
	for _, name := range u.Seen.Offered() {
		q.Options = append(q.Options, readingOption{name, optionWords[name]})
	}
	return q
}

// uploadReport leads to the whole report, which names every line that was left out.
func (p *portal) uploadReport(v *visit) (answer, error) {
	_, _, report, err := p.uploads.Get(v.Context(), v.Merchant, v.PathValue("upload"))
	if err == nil && report == "" {
		err = errNotFound
	}
	return answer{see: report}, err
}

// leftOutLines answers the lines of a file that brought no new key, as a table: their numbers and
// why, and no text.
func (p *portal) leftOutLines(v *visit) (answer, error) {
	lines, more, err := p.leftOut.Lines(v.Context(), v.Merchant, v.PathValue("upload"))
	if err != nil {
		return answer{}, err
	}
	var table strings.Builder
	rows := csv.NewWriter(&table)
	rows.Write([]string{"line", "why", "sold at"})
	for _, line := range lines {
		sold := ""
		if !line.SoldAt.IsZero() {
			sold = line.SoldAt.In(v.zone()).Format(time.RFC3339)
		}
		rows.Write([]string{strconv.Itoa(line.Line), line.Reason.Words(), sold})
	}
	if more > 0 {
		rows.Write([]string{"", phrase.Count(more, "more line") + ": the whole report names each", ""})
	}
	rows.Flush()
	return answer{file: &file{"left-out-" + v.PathValue("upload") + ".csv", "text/csv; charset=utf-8", table.String()}}, nil
}

func (p *portal) loadUpload(v *visit) (answer, error) {
	how := upload.Reading{
		SkipHeading: v.form.Has("skip_heading"), SkipComments: v.form.Has("skip_comments"),
		StripNumbers: v.form.Has("strip_numbers"), StripQuotes: v.form.Has("strip_quotes"),
	}
	u, err := p.uploads.Load(v.Context(), v.Merchant, v.PathValue("upload"), how)
	var held *settings.NotHeldError
	if errors.As(err, &held) {
		return answer{see: uploadPath(v.PathValue("upload"))}, nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: uploadPath(u.ID) + "?done=load"}, nil
}

func (p *portal) askWithdraw(v *visit) (answer, error) {
	u, read, _, err := p.uploads.Get(v.Context(), v.Merchant, v.PathValue("upload"))
	if err != nil {
		return answer{}, err
	}
	added := read.Counts[upload.Accepted]
	says := []string{
		fmt.Sprintf("The file added %s to the pool %s. Those that are unsold now are taken out of sale. What was sold stays sold.", phrase.Count(added, "key"), u.Pool),
		"This cannot be undone: a withdrawn key is not for sale again, also if a later file holds it.",
	}
	if u.State != upload.Finished {
		says = append(says, "It is still being read. What it adds from now on is not for sale.")
	}
	return confirmation{Says: says, Does: uploadPath(u.ID) + "/withdraw", Button: "Withdraw its unsold keys", Stop: true, Back: uploadPath(u.ID)}.page("Withdraw the unsold keys?"), nil
}

func (p *portal) withdraw(v *visit) (answer, error) {
	id := v.PathValue("upload")
	j, err := p.jobs.Withdraw(v.Context(), v.Merchant, id, v.Principal.Name, v.form.Get("reason"))
	if errors.Is(err, job.ErrNoKeys) {
		return answer{see: uploadPath(id)}, nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: jobPath(j.ID) + "?done=withdrawn"}, nil
}
