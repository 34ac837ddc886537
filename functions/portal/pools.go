package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"keypool/shared/catalog"
	"keypool/shared/inventory"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// stock are the use cases of pools, key files and keys.
type stock struct {
	pools        *settings.Pools
	productPages productPages
	uploads      *settings.Uploads
	keys         *settings.Keys
	forms        *settings.Forms
	jobs         *inventory.Jobs
	leftOut      *settings.LeftOut
	exports      *inventory.Exports
	blocker      *inventory.Blocker
}

// productPages reads a page of a merchant's products.
type productPages interface {
	ProductPage(ctx context.Context, merchant, after string, limit int) (products []catalog.Product, next string, err error)
}

const poolsPath = homePath + "/pools"

// poolsAPage is how many pools a page shows: as many as are counted in one round trip.
const poolsAPage = 10

func (p *portal) poolScreens() []screen {
	return []screen{
		{pattern: "GET /portal/pools", does: "list-pools", serve: p.poolList},
		{pattern: "GET /portal/pools/-/new", does: "put-pool", serve: p.newPool},
		{pattern: "POST /portal/pools/-/new", does: "put-pool", serve: p.makePool},
		{pattern: "GET /portal/pools/{pool}", does: "get-pool", serve: p.pool},
		{pattern: "GET /portal/pools/{pool}/settings", does: "put-pool", serve: p.poolSettings},
		{pattern: "POST /portal/pools/{pool}/settings", does: "put-pool", serve: p.setPool},
		{pattern: "GET /portal/pools/{pool}/delete", does: "delete-pool", serve: p.askDeletePool},
		{pattern: "POST /portal/pools/{pool}/delete", does: "delete-pool", serve: p.deletePool},
	}
}

// poolPath is the address of a pool.
func poolPath(name string) string { return poolsPath + "/" + url.PathEscape(name) }

// addPath is where keys are added to a pool. Test keys and others never mix.
func addPath(name string, side pool.Side) string {
	if side == pool.Test {
		return poolPath(name) + "/add?side=test"
	}
	return poolPath(name) + "/add"
}

// poolRow is a pool as lists show it.
type poolRow struct {
	Path, Name, Title string
	Left              int
	Line              line
	RunsDry           string
	State             mark
}

// mark is a word that says how things stand.
type mark struct{ Class, Text string }

func newPoolRow(p settings.PoolStock) poolRow {
	return poolRow{
		Path: poolPath(p.Name), Name: p.Name, Title: p.Title, Left: p.Live.Available,
		Line: salesLine(p.Live.Sold, p.At), RunsDry: runsDry(p.Live, p.At), State: stockMark(p),
	}
}

// stockMark says whether a pool has keys enough.
func stockMark(p settings.PoolStock) mark {
	switch {
	case p.Live.Waiting > 0:
		return mark{"stop", phrase.Capital(waiting(p.Live.Waiting))}
	case p.Live.Available == 0:
		return mark{"stop", "Empty"}
	case p.Live.Available < p.LowStock:
		return mark{"warn", "Low"}
	}
	return mark{"good", "Well stocked"}
}

// mostWaiting is up to where waiting lines are counted.
const mostWaiting = 1000

// waiting says how many orders wait.
func waiting(n int) string {
	if n >= mostWaiting {
		return phrase.Number(mostWaiting) + " orders or more wait"
	}
	return phrase.Count(n, "order") + phrase.Plural(n, " waits", " wait")
}

// runsDry says when a side has no key left, "" if that cannot be told.
func runsDry(s catalog.Stock, now time.Time) string {
	if dry, ok := s.RunsDry(now); ok && s.Available > 0 {
		return dry.Words(now)
	}
	return ""
}

// line is a small drawing of what was sold a day.
type line struct {
	Points string // of a polyline in a box of lineWidth and lineHeight
	Says   string
}

const (
	lineWidth  = 120
	lineHeight = 28
)

// salesLine draws the keys that were sold in each of the last 30 days. It draws nothing if none
// were.
func salesLine(sold catalog.Sales, now time.Time) line {
	most, all := 0, sold.In(catalog.SoldDays, now)
	if all == 0 {
		return line{Says: "none"}
	}
	days := make([]int, catalog.SoldDays)
	for i := range days {
		days[i] = max(0, sold[catalog.Day(now, i+1-len(days))])
		most = max(most, days[i])
	}
	var points []string
	for i, n := range days {
		x, y := 2+float64(i)*(lineWidth-4)/float64(len(days)-1), 2+(lineHeight-4)*(1-float64(n)/float64(most))
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	return line{
		Points: strings.Join(points, " "),
		Says:   phrase.Count(all, "key") + " sold in 30 days, up to " + phrase.Number(most) + " a day",
	}
}

func (p *portal) poolList(v *visit) (answer, error) {
	pools, next, err := p.pools.List(v.Context(), v.Merchant, v.URL.Query().Get("after"), poolsAPage)
	if err != nil {
		return answer{}, err
	}
	rows := make([]poolRow, len(pools))
	for i, of := range pools {
		rows[i] = newPoolRow(of)
	}
	return answer{page: "pools", title: "Pools", data: map[string]any{"Pools": rows, "Next": next, "First": v.URL.Query().Get("after") == ""}, band: done(v, poolDone)}, nil
}

var poolDone = map[string]band{
	"made":    {Says: "The pool is there. Add its first keys now."},
	"saved":   {Says: "Saved."},
	"deleted": {Says: "The pool is deleted."},
}

// poolData is what the page of a pool shows.
type poolData struct {
	settings.PoolStock
	Path     string
	State    mark
	Line     line
	RunsDry  string
	Live30   int
	Files    []uploadRow
	Products []catalog.Product
	More     bool // there are more products than were looked at
	Reminder int  // hours
	Default  bool // it feeds products that name no pool
}

// productsLooked is how many products are looked at for those that a pool feeds.
const productsLooked = 200

// filesLooked is how many of the latest files are looked at for those of a pool.
const filesLooked = 50

func (p *portal) pool(v *visit) (answer, error) {
	data := poolData{Path: poolPath(v.PathValue("pool")), Default: v.merchant.DefaultPool == v.PathValue("pool")}
	var reading errgroup.Group
	reading.Go(func() (err error) {
		data.PoolStock, err = p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
		return err
	})
	reading.Go(func() error {
		files, _, err := p.uploads.List(v.Context(), v.Merchant, "", filesLooked)
		for _, u := range files {
			if u.Pool == v.PathValue("pool") && len(data.Files) < 5 {
				data.Files = append(data.Files, newUploadRow(u))
			}
		}
		return err
	})
	if v.may("list-products") {
		reading.Go(func() error {
			products, next, err := p.productPages.ProductPage(v.Context(), v.Merchant, "", productsLooked)
			for _, of := range products {
				if of.Pool == v.PathValue("pool") || feedsInSome(of, v.PathValue("pool")) {
					data.Products = append(data.Products, of)
				}
			}
			data.More = next != ""
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	data.State, data.Line, data.RunsDry = stockMark(data.PoolStock), salesLine(data.Live.Sold, data.At), runsDry(data.Live, data.At)
	data.Live30, data.Reminder = data.Live.Sold.In(catalog.SoldDays, data.At), int(data.PoolStock.Reminder/time.Hour)
	return answer{page: "pool", title: "Pool", data: data, band: done(v, poolDone)}, nil
}

// feedsInSome reports whether a product takes keys of a pool in some currency.
func feedsInSome(p catalog.Product, name string) bool {
	for _, of := range p.PoolsByCurrency {
		if of == name {
			return true
		}
	}
	return false
}

// poolForm is the form of a pool's settings.
type poolForm struct {
	Form form
	New  bool
	Path string
	Back string
}

func (f poolForm) page() answer {
	title := "Settings of the pool"
	if f.New {
		title = "New pool"
	}
	a := answer{page: "pool-form", title: title, data: f}
	switch {
	case f.Form.Wrong != nil:
		a.status = http.StatusUnprocessableEntity
	case f.Form.Theirs != nil:
		a.status = http.StatusConflict
	}
	return a
}

func (p *portal) newPool(*visit) (answer, error) { return emptyPoolForm().page(), nil }

func emptyPoolForm() poolForm {
	return poolForm{New: true, Path: poolsPath + "/-/new", Back: poolsPath, Form: form{Values: url.Values{
		"low_stock":      {strconv.Itoa(catalog.DefaultLowStock)},
		"reminder_hours": {strconv.Itoa(int(catalog.DefaultReminder / time.Hour))},
	}}}
}

func (p *portal) makePool(v *visit) (answer, error) {
	next, err := poolOf(v, cmp.Or(strings.TrimSpace(v.form.Get("name")), nameFor(v.form.Get("title"))))
	if err == nil {
		_, _, err = p.pools.Put(v.Context(), next, v.Principal, settings.Condition{New: true})
	}
	if errors.Is(err, settings.ErrExists) {
		err = &settings.InvalidError{Problems: []settings.Problem{{Path: "name", Message: "There is a pool of this name already."}}}
	}
	if sent, ok := again(v.form, err); ok {
		f := emptyPoolForm()
		f.Form = sent
		return f.page(), nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: poolPath(next.Name) + "?done=made"}, nil
}

// nameFor makes a name of what people call a pool, "elden-the-long-night" of "Elden: The Long
// Night"; "" if there is no letter or digit in it that a name may have.
func nameFor(title string) string {
	var words []string
	for _, word := range strings.Fields(strings.ToLower(norm.NFKD.String(title))) {
		word = strings.Map(func(r rune) rune {
			if r < '0' || r > '9' && r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, word)
		if word != "" {
			words = append(words, word)
		}
	}
	name := strings.Join(words, "-")
	return strings.TrimRight(name[:min(len(name), pool.MaxName)], "-")
}

// poolOf returns the pool that a form describes.
func poolOf(v *visit, name string) (catalog.Pool, error) {
	var problems []settings.Problem
	whole := func(field string) int {
		n, err := strconv.Atoi(strings.TrimSpace(cmp.Or(v.form.Get(field), "0")))
		if err != nil {
			problems = append(problems, settings.Problem{Path: field, Message: "Use a whole number."})
		}
		return n
	}
	next := catalog.Pool{
		Merchant: v.Merchant, Name: name, Title: strings.TrimSpace(v.form.Get("title")),
		LowStock: whole("low_stock"), Reminder: time.Duration(whole("reminder_hours")) * time.Hour,
		NoticeAddresses: strings.Fields(v.form.Get("notice_addresses")),
	}
	if len(next.NoticeAddresses) == 0 {
		next.NoticeAddresses = nil
	}
	if len(problems) > 0 {
		return next, &settings.InvalidError{Problems: problems}
	}
	return next, nil
}

func (p *portal) poolSettings(v *visit) (answer, error) {
	is, err := p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
	if err != nil {
		return answer{}, err
	}
	return newPoolForm(is.Pool).page(), nil
}

func newPoolForm(is catalog.Pool) poolForm {
	return poolForm{Path: poolPath(is.Name) + "/settings", Back: poolPath(is.Name), Form: form{Version: is.Version, Values: url.Values{
		"name": {is.Name}, "title": {is.Title}, "low_stock": {strconv.Itoa(is.LowStock)},
		"reminder_hours": {strconv.Itoa(int(is.Reminder / time.Hour))}, "notice_addresses": {strings.Join(is.NoticeAddresses, "\n")},
	}}}
}

func (p *portal) setPool(v *visit) (answer, error) {
	next, err := poolOf(v, v.PathValue("pool"))
	if err == nil {
		_, _, err = p.pools.Put(v.Context(), next, v.Principal, condition(v.form))
	}
	if errors.Is(err, catalog.ErrConflict) {
		return p.poolChanged(v)
	}
	if sent, ok := again(v.form, err); ok {
		f := newPoolForm(catalog.Pool{Name: next.Name})
		f.Form = sent
		return f.page(), nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: poolPath(next.Name) + "?done=saved"}, nil
}

// poolChanged shows what was typed, and beside it what somebody else has stored meanwhile: to
// send the form again stores what was typed.
func (p *portal) poolChanged(v *visit) (answer, error) {
	is, err := p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
	if err != nil {
		return answer{}, err
	}
	f := newPoolForm(is.Pool)
	f.Form = besideTheirs(v.form, f.Form)
	return f.page(), nil
}

func (p *portal) askDeletePool(v *visit) (answer, error) {
	is, err := p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
	if err != nil {
		return answer{}, err
	}
	c := confirmation{Does: poolPath(is.Name) + "/delete", Button: "Delete the pool", Stop: true, Back: poolPath(is.Name), Values: [][2]string{{"version", strconv.Itoa(is.Version)}}}
	c.Says = []string{"The pool " + is.Name + " goes away with its settings. Keys that were sold stay with their orders."}
	if left := is.Live.Available + is.Test.Available; left > 0 {
		c.Says = append(c.Says, phrase.Capital(phrase.Count(left, "key"))+phrase.Plural(left, " is", " are")+" still for sale in it. They stay where they are, are not sold, and are there again once you make a pool of this name.")
	}
	if n := is.Live.Waiting + is.Test.Waiting; n > 0 {
		c.Says = append(c.Says, phrase.Capital(waiting(n))+" for keys of it, and will wait on.")
	}
	c.Values = append(c.Values, [2]string{"force", "yes"})
	return c.page("Delete the pool?"), nil
}

func (p *portal) deletePool(v *visit) (answer, error) {
	name := v.PathValue("pool")
	err := p.pools.Delete(v.Context(), v.Principal, name, v.form.Get("force") == "yes", condition(v.form))
	var inUse *settings.InUseError
	if errors.As(err, &inUse) {
		return failurePage(http.StatusConflict, "The pool is needed", failed{
			phrase.Capital(phrase.List(inUse.All())) + ". Nothing was deleted.", "Let it use another pool first, then delete this one.",
		}), nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: poolsPath + "?done=deleted"}, nil
}

// sideOf is the side of a pool that a form or an address names.
func sideOf(values url.Values) pool.Side { return pool.SideOf(values.Get("side") == string(pool.Test)) }

// uploadRow is a file as lists show it.
type uploadRow struct {
	Path, File, Pool, PoolPath string
	Test                       bool
	At                         time.Time
	Says                       string
	State                      mark
}

func newUploadRow(u upload.Upload) uploadRow {
	row := uploadRow{Path: uploadPath(u.ID), File: cmp.Or(u.File, u.Object.Name), Pool: u.Pool, Test: u.Side == pool.Test, At: u.ReceivedAt}
	if u.Pool != "" {
		row.PoolPath = poolPath(u.Pool)
	}
	row.State, row.Says = uploadState(u)
	return row
}

// uploadState says how a file stands, in a word and in a sentence.
func uploadState(u upload.Upload) (mark, string) {
	added, left := u.Counts[upload.Accepted], u.Counts.Duplicates()+u.Counts.Rejected()
	switch {
	case u.Withdrawal != "":
		return mark{"", "Withdrawn"}, phrase.Capital(phrase.Count(added, "key")) + phrase.Plural(added, " was", " were") + " added; what was unsold of it is taken out of sale."
	case u.State == upload.NeedsConfirmation:
		return mark{"warn", "Needs your answer"}, "It does not look like a list of keys. Say how to read it."
	case u.State == upload.Parked && u.Cause == upload.OverLimit:
		return mark{"warn", "Waits"}, "Today's limit is reached. It is read at midnight UTC."
	case u.State == upload.Parked:
		return mark{"warn", "Waits"}, "Its pool does not exist yet."
	case u.State != upload.Finished:
		return mark{"calm", "Reading"}, "It is being read."
	case u.Cause != "":
		return mark{"stop", "Not read"}, cmp.Or(causes[u.Cause].says, "It could not be read.")
	case left == 0:
		return mark{"good", "Added"}, phrase.Capital(phrase.Count(added, "key")) + " added."
	}
	return mark{"good", "Added"}, fmt.Sprintf("%s added, %s left out.", phrase.Capital(phrase.Count(added, "key")), phrase.Count(left, "line"))
}
