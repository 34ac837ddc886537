package main

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/sync/errgroup"

	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

func (p *portal) addKeyScreens() []screen {
	return []screen{
		{pattern: "GET /portal/pools/{pool}/add", does: "create-upload", serve: p.addKeys},
		{pattern: "GET /portal/pools/{pool}/form", does: "create-upload", serve: p.uploadForm},
		{pattern: "GET /portal/arrived", does: "create-upload", serve: p.arrived},
		{pattern: "POST /portal/pools/{pool}/paste", does: "add-keys", serve: p.pasteKeys},
	}
}

// addData is what the page that adds keys shows.
type addData struct {
	Path  string
	Name  string
	Test  bool
	Form  form
	File  settings.SignedForm // by which a browser without script sends a file
	State mark
	Title string // of the pool
	Waits string // the orders that get these keys at once; "": none wait
}

func (d addData) Side() pool.Side { return pool.SideOf(d.Test) }

// arrivedPath is where the bucket sends a browser whose file it has taken: it adds the name of
// the object.
const arrivedPath = homePath + "/arrived"

// addPage is the page that adds keys. Its form for a file is good for 15 minutes, for one file of
// any name and size; with script, another is signed when the button is pressed, for the file.
func (p *portal) addPage(v *visit, f form) (answer, error) {
	data := addData{Path: poolPath(v.PathValue("pool")), Name: v.PathValue("pool"), Test: sideOf(v.URL.Query()) == pool.Test || sideOf(v.form) == pool.Test, Form: f}
	var stock settings.PoolStock
	var reading errgroup.Group
	reading.Go(func() (err error) {
		stock, err = p.pools.Get(v.Context(), v.Merchant, data.Name)
		return err
	})
	reading.Go(func() (err error) {
		to := pool.ID{Merchant: v.Merchant, Pool: data.Name, Side: data.Side()}
		data.File, err = p.forms.Sign(v.Context(), to, "", 0, map[string]string{"success_action_redirect": p.publicURL + arrivedPath})
		return err
	})
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	data.State, data.Title = stockMark(stock), stock.Title
	of := stock.Live
	if data.Test {
		of = stock.Test
	}
	if n := of.Waiting; n > 0 {
		data.Waits = phrase.Capital(waiting(n)) + " for keys of this pool: keys that you add are mailed to their customers at once."
	}
	origin, err := originOf(data.File.Address)
	return answer{page: "add", title: "Add keys", data: data, sends: origin}, err
}

// originOf returns the origin of an address.
func originOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host, nil
}

func (p *portal) addKeys(v *visit) (answer, error) { return p.addPage(v, form{}) }

// uploadForm signs a form for the file that the page's script has judged.
func (p *portal) uploadForm(v *visit) (answer, error) {
	query := v.URL.Query()
	size, _ := strconv.ParseInt(query.Get("size"), 10, 64)
	to := pool.ID{Merchant: v.Merchant, Pool: v.PathValue("pool"), Side: sideOf(query)}
	signed, err := p.forms.Sign(v.Context(), to, cmp.Or(query.Get("name"), "."), size, map[string]string{"success_action_status": "201"})
	if sent, ok := again(query, err); ok {
		return answer{json: sent.Wrong}, nil
	}
	return answer{json: signed}, err
}

// arrived leads from the bucket to the report of the file that it took.
func (p *portal) arrived(v *visit) (answer, error) {
	query := v.URL.Query()
	id, err := p.forms.Arrived(v.Context(), v.Merchant, query.Get("key"))
	if err != nil {
		return answer{}, err
	}
	counts := url.Values{}
	for _, name := range []string{"keys", "repeats", "refused"} { // that the browser has counted
		if n, err := strconv.Atoi(query.Get(name)); err == nil && n >= 0 {
			counts.Set(name, strconv.Itoa(n))
		}
	}
	to := uploadPath(id)
	if len(counts) > 0 {
		to += "?" + counts.Encode()
	}
	return answer{see: to}, nil
}

// pasteKeys takes a text with keys. It becomes a file in the bucket, and is read as any file is.
func (p *portal) pasteKeys(v *visit) (answer, error) {
	to := pool.ID{Merchant: v.Merchant, Pool: v.PathValue("pool"), Side: sideOf(v.form)}
	id, err := p.keys.AddPasted(v.Context(), to, v.form.Get("text"))
	if sent, ok := again(v.form, err); ok {
		a, err := p.addPage(v, sent)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: uploadPath(id)}, nil
}
