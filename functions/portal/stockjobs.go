package main

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// The forms that move and export keys of a pool are sent with GET, to their own address, which
// then says what will happen: it has a form of its own that does it.
func (p *portal) stockJobScreens() []screen {
	return []screen{
		{pattern: "GET /portal/pools/{pool}/move", does: "move-keys", serve: p.askMove},
		{pattern: "POST /portal/pools/{pool}/move", does: "move-keys", serve: p.moveKeys},
		{pattern: "GET /portal/pools/{pool}/export", does: "export-keys", fresh: true, serve: p.askExport},
		{pattern: "POST /portal/pools/{pool}/export", does: "export-keys", fresh: true, serve: p.exportKeys},
	}
}

// stockForm is the form that moves or exports keys of a pool.
type stockForm struct {
	settings.PoolStock
	Form  form
	Path  string
	Sides []option
	Pools []option // to move to; nil: there are too many to choose from
	Files []option // whose keys are moved
	Alone bool     // there is no other pool
}

var sides = []option{{string(pool.Live), "Keys for paid orders"}, {string(pool.Test), "Test keys, for test orders"}}

const reasonOfJob = "The job keeps it, for whoever asks later."

// keysOfSide names keys of a side.
func keysOfSide(n int, kind string, side pool.Side) string {
	if side == pool.Test {
		kind += " test"
	}
	return phrase.Count(n, kind+" key")
}

func stockOf(is settings.PoolStock, side pool.Side) int {
	if side == pool.Test {
		return is.Test.Available
	}
	return is.Live.Available
}

// moveOf reads what is to be moved where.
func moveOf(v *visit, in url.Values) (inventory.Move, error) {
	r := formReader{values: in}
	m := inventory.Move{
		From: pool.ID{Merchant: v.Merchant, Pool: v.PathValue("pool"), Side: sideOf(in)}, To: r.line("to"), Upload: r.line("upload"), Most: r.number("count"),
		By: v.Principal.Name, Why: r.line("reason"),
	}
	if m.Most < 0 {
		r.problems = append(r.problems, settings.Problem{Path: "count", Message: "Give a number from 1 on, or leave it empty for all."})
	}
	if m.To == "" {
		r.problems = append(r.problems, settings.Problem{Path: "to", Message: "Choose the pool that they are moved to."})
	}
	return m, mistaken(r.problems...)
}

// wrongMove returns what is wrong with a move as a mistake in its form, other errors as they are.
func wrongMove(err error) error {
	switch {
	case errors.Is(err, job.ErrSamePool):
		return mistake("to", "The keys are in that pool already. Choose another one.")
	case errors.Is(err, job.ErrNoPool):
		return mistake("to", "There is no pool of this name any more.")
	case errors.Is(err, job.ErrWithdrawn):
		return mistake("upload", "This file was withdrawn: its keys are not for sale, and are not moved.")
	}
	return err
}

// askMove shows the form that moves keys, and what will happen once it is filled in.
func (p *portal) askMove(v *visit) (answer, error) {
	in := v.URL.Query()
	if !in.Has("to") {
		return p.movePage(v, form{Values: in})
	}
	m, err := moveOf(v, in)
	var from settings.PoolStock
	var file upload.Upload
	if err == nil {
		var reading errgroup.Group
		reading.Go(func() error { return wrongMove(p.jobs.Movable(v.Context(), m)) })
		reading.Go(func() (err error) { from, err = p.pools.Get(v.Context(), v.Merchant, m.From.Pool); return err })
		if m.Upload != "" {
			reading.Go(func() (err error) {
				file, _, err = p.jobs.Uploads.Upload(v.Context(), v.Merchant, m.Upload)
				return err
			})
		}
		err = reading.Wait()
	}
	if sent, ok := again(in, err); ok {
		a, err := p.movePage(v, sent)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	most := stockOf(from, m.From.Side)
	back := "To undo it, move keys back the same way."
	what := "all unsold keys of "
	if m.Upload != "" {
		most = min(most, file.Counts[upload.Accepted])
		what = "those of the file " + cmp.Or(file.File, file.Object.Name) + " that are unsold in "
		back = "To undo it, move the keys of this file back the same way."
	}
	if m.Most > 0 {
		most = min(most, m.Most)
	}
	says := phrase.Capital(keysOfSide(most, "unsold", m.From.Side)) + phrase.Plural(most, " goes", " go") + " from " + m.From.Pool + " to " + m.To
	switch {
	case most == 0:
		says = "There is no such key in " + m.From.Pool + " now, so nothing would be moved."
	case m.Most > 0 && m.Upload == "":
		says += ", no matter which."
	case m.Most > 0:
		says += ", no matter which of the file " + cmp.Or(file.File, file.Object.Name) + "."
	default:
		says += ": " + what + m.From.Pool + "."
	}
	c := confirmation{
		Does: poolPath(m.From.Pool) + "/move", Button: "Move " + phrase.Count(most, "key"), Back: poolPath(m.From.Pool), Reason: reasonOfJob,
		Values: [][2]string{{"to", m.To}, {"upload", m.Upload}, {"count", numeral(m.Most)}, {"side", string(m.From.Side)}},
		Says: []string{
			says,
			"The pools sell on meanwhile: an order of either may get a key as long as it is there. Orders that wait for " + m.To + " get theirs at once. Keys that come into " + m.From.Pool + " in these minutes may be moved too.",
			back,
		},
	}
	if most == 0 {
		c.Button = "Move what comes"
	}
	return c.page("Move the keys?"), nil
}

// movePage is the page of the form that moves keys.
func (p *portal) movePage(v *visit, f form) (answer, error) {
	name := v.PathValue("pool")
	d := stockForm{Form: f, Path: poolPath(name), Sides: sides, Files: []option{{"", "Any file"}}}
	var names []string
	var files []upload.Upload
	var reading errgroup.Group
	reading.Go(func() (err error) { d.PoolStock, err = p.pools.Get(v.Context(), v.Merchant, name); return err })
	reading.Go(func() (err error) { names, err = p.pools.Names(v.Context(), v.Merchant, poolsToChoose+1); return err })
	reading.Go(func() (err error) {
		files, _, err = p.uploads.List(v.Context(), v.Merchant, "", filesLooked)
		return err
	})
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	if len(names) <= poolsToChoose {
		d.Pools = []option{{"", "Choose a pool"}}
		for _, other := range names {
			if other != name {
				d.Pools = append(d.Pools, option{other, other})
			}
		}
		d.Alone = len(d.Pools) == 1
	}
	chosen := f.Value("upload")
	for _, u := range files {
		if u.Pool == name && u.Withdrawal == "" && u.Counts[upload.Accepted] > 0 {
			d.Files = append(d.Files, option{u.ID, cmp.Or(u.File, u.Object.Name) + ", " + u.ReceivedAt.In(v.zone()).Format("2 Jan 2006") + ", " + phrase.Count(u.Counts[upload.Accepted], "key")})
		}
	}
	if !slices.ContainsFunc(d.Files, func(o option) bool { return o.Value == chosen }) {
		d.Files = append(d.Files, option{chosen, "The file that you came from"})
	}
	return answer{page: "move", title: "Move keys", data: d}, nil
}

func (p *portal) moveKeys(v *visit) (answer, error) {
	m, err := moveOf(v, v.form)
	var j job.Job
	if err == nil {
		j, err = p.jobs.Move(v.Context(), m)
	}
	if sent, ok := again(v.form, wrongMove(err)); ok {
		a, err := p.movePage(v, sent)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	return answer{see: jobPath(j.ID) + "?done=begun"}, err
}

var (
	whichKeys = []option{{string(job.Unsold), "Unsold keys, for sale now"}, {string(job.Sold), "Sold keys, which orders have"}}
	asFiles   = []option{{string(job.CSV), "A table, for spreadsheets (.csv)"}, {string(job.JSONL), "JSON Lines, for programs (.jsonl)"}}
)

// exportOf reads what is to be exported.
func exportOf(v *visit, in url.Values) (inventory.Export, error) {
	r := formReader{values: in}
	e := inventory.Export{
		Of: pool.ID{Merchant: v.Merchant, Pool: v.PathValue("pool"), Side: sideOf(in)}, By: v.Principal.Name, Why: r.line("reason"),
		Choice: job.Choice{Which: job.Unsold, Format: job.CSV},
	}
	if r.line("which") == string(job.Sold) {
		e.Choice.Which = job.Sold
	}
	if r.line("format") == string(job.JSONL) {
		e.Choice.Format = job.JSONL
	}
	for _, of := range []struct {
		name  string
		at    *time.Time
		later int
	}{{"from", &e.Choice.From, 0}, {"until", &e.Choice.Until, 1}} {
		typed := r.line(of.name)
		if *of.at = day(v, typed, of.later); typed != "" && of.at.IsZero() {
			r.problems = append(r.problems, settings.Problem{Path: of.name, Message: "Write a day as 2026-11-30."})
		}
	}
	err := mistaken(r.problems...)
	if err == nil {
		err = wrongExport(e, e.Choice.Check())
	}
	return e, err
}

// wrongExport returns what is wrong with an export as a mistake in its form, other errors as
// they are.
func wrongExport(e inventory.Export, err error) error {
	switch {
	case !errors.Is(err, job.ErrPeriod):
		return err
	case e.Choice.Which == job.Unsold && !e.Choice.From.IsZero():
		return mistake("from", "Days are for sold keys. Leave both empty for unsold ones.")
	case e.Choice.Which == job.Unsold:
		return mistake("until", "Days are for sold keys. Leave both empty for unsold ones.")
	}
	return mistake("until", "The last day comes before the first one.")
}

// askExport shows the form that exports keys, and what will happen once it is filled in.
func (p *portal) askExport(v *visit) (answer, error) {
	in := v.URL.Query()
	if !in.Has("which") {
		return p.exportPage(v, form{Values: in})
	}
	e, err := exportOf(v, in)
	if sent, ok := again(in, err); ok {
		a, err := p.exportPage(v, sent)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	is, err := p.pools.Get(v.Context(), v.Merchant, e.Of.Pool)
	if err != nil {
		return answer{}, err
	}
	c := confirmation{
		Does: poolPath(e.Of.Pool) + "/export", Button: "Write the file", Back: poolPath(e.Of.Pool), Reason: reasonOfJob,
		Values: [][2]string{{"which", string(e.Choice.Which)}, {"format", string(e.Choice.Format)}, {"side", string(e.Of.Side)}, {"from", in.Get("from")}, {"until", in.Get("until")}},
	}
	if e.Choice.Which == job.Unsold {
		c.Says = []string{
			"The " + keysOfSide(stockOf(is, e.Of.Side), "unsold", e.Of.Side) + " of " + e.Of.Pool + " are written to a file, as " + formats[e.Choice.Format] + ".",
			"The pool sells on meanwhile: a key of the file may be sold by the time that you open it. Do not sell them elsewhere. Move or withdraw them first.",
		}
	} else {
		sold := is.Live.Claimed
		if e.Of.Side == pool.Test {
			sold = is.Test.Claimed
		}
		which := "The " + keysOfSide(sold, "sold", e.Of.Side) + " of " + e.Of.Pool
		if days := daysOf(v, e.Choice); days != "" {
			which = "Of the " + keysOfSide(sold, "sold", e.Of.Side) + " of " + e.Of.Pool + ", those of orders that came in " + days
		}
		c.Says = []string{which + " are written to a file, as " + formats[e.Choice.Format] + ", with their orders, and nothing of customers. Keys that an order gave back are not among them."}
	}
	c.Says = append(c.Says, "Whoever has the file has the keys. It is kept for a day; each link to it is good for ten minutes, and stands in the audit trail.")
	if e.Choice.Format == job.CSV {
		c.Says = append(c.Says, "A spreadsheet may change a key that looks like a number, a date or a formula. Have it read the column as text.")
	}
	return c.page("Export the keys?"), nil
}

// exportPage is the page of the form that exports keys.
func (p *portal) exportPage(v *visit, f form) (answer, error) {
	is, err := p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
	return answer{page: "export", title: "Export keys", data: map[string]any{
		"Name": is.Name, "Form": f, "Path": poolPath(is.Name), "Sides": sides, "Which": whichKeys, "Formats": asFiles,
	}}, err
}

func (p *portal) exportKeys(v *visit) (answer, error) {
	e, err := exportOf(v, v.form)
	var j job.Job
	if err == nil {
		j, err = p.jobs.Export(v.Context(), e)
	}
	if sent, ok := again(v.form, err); ok {
		a, err := p.exportPage(v, sent)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	return answer{see: jobPath(j.ID) + "?done=begun"}, err
}
