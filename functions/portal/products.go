package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

const productsPath = "/portal/products"

// productPath is the address of a product: its id may hold anything, and stands there in base64.
// No id is written as "new", which would be no UTF-8.
func productPath(id string) string {
	return productsPath + "/" + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// newProductPath is the address of the form for a product that is not there yet, such as one that
// paid lines wait for.
func newProductPath(id string) string {
	return productsPath + "/new?" + url.Values{"id": {id}}.Encode()
}

// productOf returns the id in the address of a product, "" if there is none.
func productOf(v *visit) string {
	id, err := base64.RawURLEncoding.DecodeString(v.PathValue("product"))
	if err != nil || !utf8.Valid(id) {
		return ""
	}
	return string(id)
}

func (p *portal) productScreens() []screen {
	return []screen{
		{pattern: "GET /portal/products", does: "list-products", serve: p.products},
		{pattern: "GET /portal/products/new", does: "put-product", serve: p.newProduct},
		{pattern: "POST /portal/products/new", does: "put-product", serve: p.saveProduct},
		{pattern: "GET /portal/products/{product}", does: "get-product", serve: p.product},
		{pattern: "POST /portal/products/{product}", does: "put-product", serve: p.saveProduct},
		{pattern: "POST /portal/products/{product}/code", does: "put-code", serve: p.setCode},
		{pattern: "GET /portal/products/{product}/delete", does: "delete-product", serve: p.askDeleteProduct},
		{pattern: "POST /portal/products/{product}/delete", does: "delete-product", serve: p.deleteProduct},
	}
}

// productsAtOnce is how many products a page has.
const productsAtOnce = 25

// productRow is a product in the list.
type productRow struct {
	Name, ID, Path string
	Pool           string   // that feeds it, or those of currencies
	Gets           string   // what customers get
	Words          string   // whose their mails have
	Missing        []string // languages without words
	Warn           string   // why it delivers nothing
}

type productsData struct {
	Rows []productRow
	Next string
}

func (p *portal) products(v *visit) (answer, error) {
	listed, next, err := p.goods.ListWhole(v.Context(), v.Merchant, v.URL.Query().Get("after"), productsAtOnce)
	data := productsData{Next: next}
	for _, product := range listed {
		data.Rows = append(data.Rows, newProductRow(v, product))
	}
	return answer{page: "products", title: "Products", data: data, band: done(v, map[string]band{
		"deleted": {Says: "The product is deleted. Its orders that were paid are delivered all the same."},
	})}, err
}

func newProductRow(v *visit, p settings.ListedProduct) productRow {
	row := productRow{Name: p.Whole.Title, ID: p.ID, Path: productPath(p.ID), Pool: feeds(p.Whole, v.merchant), Gets: gets(p.Whole)}
	row.Words, row.Missing = wordsOf(p.Texts)
	row.Warn = idle(p.Whole, v.merchant)
	return row
}

// feeds says where the keys of a product come from, "" if from nowhere.
func feeds(p catalog.Product, m catalog.Merchant) string {
	if p.Ignored || p.Keys.Mode == catalog.Shared {
		return ""
	}
	var all []string
	if own, ok := p.PoolFor("", m); ok {
		all = append(all, own)
	}
	for _, currency := range slices.Sorted(maps.Keys(p.PoolsByCurrency)) {
		all = append(all, p.PoolsByCurrency[currency]+" for "+currency)
	}
	return phrase.List(all)
}

// gets says what customers get of a product.
func gets(p catalog.Product) string {
	switch {
	case p.Ignored:
		return "nothing, by your choice"
	case p.Keys.Mode == catalog.Shared:
		return "one code for everybody"
	case p.Keys.Mode == catalog.PerLine:
		return phrase.Count(p.Keys.Count, "key") + " an order, however many units"
	default:
		return phrase.Count(p.Keys.Count, "key") + " a unit"
	}
}

// idle says why a product delivers nothing, "" if it does.
func idle(p catalog.Product, m catalog.Merchant) string {
	switch from := feeds(p, m); {
	case p.Ignored:
		return ""
	case p.Keys.Mode == catalog.Shared && len(p.Codes) == 0:
		return "No code yet"
	case p.Keys.Mode != catalog.Shared && from == "":
		return "No pool yet"
	}
	return ""
}

// wordsOf says whose words the mails of a product have, and in which languages they are missing.
func wordsOf(sources []settings.TextSource) (whose string, missing []string) {
	whose = "Keypool's"
	for _, s := range sources {
		switch s.From {
		case "product":
			whose = "its own"
		case "original":
			whose = "its original's"
		case "merchant":
			if whose == "Keypool's" {
				whose = "yours for all products"
			}
		}
		if s.Foreign() {
			missing = append(missing, s.Language)
		}
	}
	return whose, missing
}

// option is a choice in a form.
type option struct{ Value, Text string }

// poolsToChoose is how many pools a form lists. Where there are more, the name is typed.
const poolsToChoose = 200

type productData struct {
	form
	ID       string // "": it is new
	Path     string
	Pools    []option // nil: there are too many to choose from
	Modes    []option
	Returned []option
	Renewals []option
	Pages    []option
	Waiting  int // paid lines that wait for it to get a pool
	Texts    []textRow
	Warnings []string
	Codes    []codeRow
	Readonly bool // the visitor may only look
}

// textRow is where the text of a mail comes from.
type textRow struct{ Language, From, Path string }

type codeRow struct {
	Side string
	catalog.Code
}

func (p *portal) newProduct(v *visit) (answer, error) {
	id := v.URL.Query().Get("id")
	f := form{Values: url.Values{"id": {id}, "keys.mode": {string(catalog.PerUnit)}, "keys.count": {"1"}}}
	// A shop with one pool means that one.
	if pools, err := p.pools.Names(v.Context(), v.Merchant, 2); err != nil {
		return answer{}, err
	} else if len(pools) == 1 && v.merchant.DefaultPool == "" {
		f.Values.Set("pool", pools[0])
	}
	return p.productPage(v, f, catalog.Product{})
}

func (p *portal) product(v *visit) (answer, error) {
	product, err := p.goods.Get(v.Context(), v.Merchant, productOf(v))
	if err != nil {
		return answer{}, err
	}
	if product.ID != productOf(v) {
		return answer{see: productPath(product.ID)}, nil // an alias
	}
	a, err := p.productPage(v, productForm(product), product)
	a.band = done(v, map[string]band{
		"saved":     {Says: "Saved. New orders follow it within half a minute."},
		"connected": {Says: "Saved. Orders that waited for this get their keys now, one by one."},
		"code":      {Says: "The code is set. Orders that come from now on get it."},
		"text":      {Says: "The text is saved. Mails that are written from now on have it."},
		"plain":     {Says: "The text is gone. Mails have what stands in its place below."},
	})
	return a, err
}

// productPage is the page of a product, or of one that is to be.
func (p *portal) productPage(v *visit, f form, product catalog.Product) (answer, error) {
	d := productData{form: f, ID: product.ID, Path: productsPath + "/new", Readonly: !v.may("put-product"), Warnings: settings.Warnings(product)}
	ids := []string{f.Value("id")}
	if product.ID != "" {
		d.Path, ids = productPath(product.ID), product.IDs()
	}
	var (
		pools   []string
		is      settings.InForce
		reading errgroup.Group
	)
	reading.Go(func() (err error) { pools, err = p.pools.Names(v.Context(), v.Merchant, poolsToChoose+1); return err })
	if product.ID != "" {
		reading.Go(func() (err error) { is, err = p.goods.InForce(v.Context(), product); return err })
	}
	if ids[0] != "" {
		reading.Go(func() (err error) { d.Waiting, err = p.goods.Waiting(v.Context(), v.Merchant, ids...); return err })
	}
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	own := "no pool yet: orders wait"
	if v.merchant.DefaultPool != "" {
		own = "the pool for everything: " + v.merchant.DefaultPool
	}
	if f.Value("original") != "" {
		own = "as its original"
	}
	if len(pools) <= poolsToChoose {
		d.Pools = []option{{"", own}}
		if chosen := f.Value("pool"); chosen != "" && !slices.Contains(pools, chosen) {
			pools = append(pools, chosen)
		}
		for _, name := range pools {
			d.Pools = append(d.Pools, option{name, name})
		}
	}
	d.Modes = []option{{string(catalog.PerUnit), "for each unit that is bought"}, {string(catalog.PerLine), "for each order, however many units"}, {string(catalog.Shared), "one code for everybody, which is not used up"}}
	if f.Value("original") != "" {
		d.Modes = append([]option{{"", "as its original"}}, d.Modes...)
	}
	d.Returned = []option{{"", "as in your settings"}, {string(order.Revoke), "nobody gets them again"}, {string(order.Restock), "for sale again, unless mailed or shown"}, {string(order.Keep), "the customer keeps them"}}
	d.Renewals = []option{{"", "as usual: keys of its own"}, {string(catalog.NewKey), "keys of its own"}, {string(catalog.ParentKey), "the keys of the order that it renews, mailed again"}}
	d.Pages = []option{{"", "as in your settings"}, {string(catalog.OrderPageOn), "yes"}, {string(catalog.OrderPageOff), "no"}}
	for _, s := range is.Texts {
		d.Texts = append(d.Texts, textRow{s.Language, fromWords(s), textPath(product.ID, s.Language)})
	}
	for _, side := range slices.Sorted(maps.Keys(product.Codes)) {
		d.Codes = append(d.Codes, codeRow{string(side), product.Codes[side]})
	}
	title := "A new product"
	if product.ID != "" {
		title = product.Title
		if title == "" {
			title = "Product " + product.ID
		}
	}
	return answer{page: "product", title: title, data: d}, nil
}

// fromWords says where a text comes from.
func fromWords(s settings.TextSource) string {
	from := map[string]string{"product": "its own text", "original": "its original's text", "merchant": "your text for all products", "keypool": "Keypool's own words"}[s.From]
	if s.Foreign() {
		return from + ", in another language: " + s.Text
	}
	return from
}

// productForm is what the form of a product holds.
func productForm(p catalog.Product) form {
	f := form{Version: p.Version, Values: url.Values{
		"title": {p.Title}, "short_title": {p.ShortTitle}, "pool": {p.Pool}, "pools_by_currency": {pairs(p.PoolsByCurrency)},
		"keys.mode": {string(p.Keys.Mode)}, "keys.count": {numeral(p.Keys.Count)},
		"instructions": {p.Instructions}, "download": {p.Download}, "redeem_within_days": {numeral(p.Redeem.WithinDays)}, "redeem_by": {p.Redeem.By},
		"aliases": {strings.Join(p.Aliases, "\n")}, "original": {p.Original}, "returned_keys": {string(p.ReturnedKeys)},
		"renewal": {string(p.Renewal)}, "order_page": {string(p.OrderPage)}, "ignored": {tick(p.Ignored)}, "own_review": {tick(p.Review != nil)},
	}}
	rules := catalog.Rules{}
	if p.Review != nil {
		rules = *p.Review
	}
	setRules(f.Values, "review", rules)
	return f
}

// readProduct returns the product that a form describes. What a form does not hold, it has from
// before.
func readProduct(v *visit, before catalog.Product) (catalog.Product, []settings.Problem) {
	r := formReader{values: v.form}
	p := catalog.Product{
		Merchant: v.Merchant, ID: before.ID, Texts: before.Texts,
		Title: r.line("title"), ShortTitle: r.line("short_title"), Pool: r.line("pool"), PoolsByCurrency: r.pairs("pools_by_currency"),
		Keys:         catalog.KeyRule{Mode: catalog.Mode(r.line("keys.mode")), Count: r.number("keys.count")},
		Instructions: r.line("instructions"), Download: r.line("download"),
		Redeem:  catalog.Redeem{WithinDays: r.number("redeem_within_days"), By: r.line("redeem_by")},
		Aliases: r.lines("aliases"), Original: r.line("original"), ReturnedKeys: order.Disposition(r.line("returned_keys")),
		Renewal: catalog.Renewal(r.line("renewal")), OrderPage: catalog.OrderPage(r.line("order_page")), Ignored: r.ticked("ignored"),
	}
	if p.Keys.Mode == catalog.Shared {
		p.Keys.Count = 1
	}
	if p.Keys.Mode == "" && p.Original != "" {
		p.Keys.Count = 0
	}
	if r.ticked("own_review") {
		rules := r.rules("review")
		p.Review = &rules
	}
	return p, r.problems
}

func (p *portal) saveProduct(v *visit) (answer, error) {
	before := catalog.Product{ID: strings.TrimSpace(v.form.Get("id"))}
	isNew := v.PathValue("product") == ""
	if !isNew {
		var err error
		if before, err = p.goods.Get(v.Context(), v.Merchant, productOf(v)); err != nil {
			return answer{}, err
		}
	}
	next, problems := readProduct(v, before)
	err := mistaken(problems...)
	if err == nil {
		next, _, err = p.goods.Put(v.Context(), next, v.Principal, condition(v.form))
	}
	if errors.Is(err, settings.ErrExists) {
		err = mistaken(settings.Problem{Path: "id", Message: "there is a product of that id already: open it in the list of products"})
	}
	var alias *settings.AliasError
	if errors.As(err, &alias) {
		err = mistaken(settings.Problem{Path: "id", Message: fmt.Sprintf("the product %q is sold by that id too", alias.Product)})
	}
	if isNew {
		before = catalog.Product{}
	}
	if errors.Is(err, catalog.ErrConflict) && !isNew { // they may have saved after it was read
		if before, err = p.goods.Get(v.Context(), v.Merchant, productOf(v)); err != nil {
			return answer{}, err
		}
		a, err := p.productPage(v, besideTheirs(v.form, productForm(before)), before)
		a.status = http.StatusConflict
		return a, err
	}
	if f, ok := again(v.form, err); ok {
		a, err := p.productPage(v, f, before)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	word := "saved"
	if feeds(next, v.merchant) != "" && feeds(next, v.merchant) != feeds(before, v.merchant) {
		word = "connected"
	}
	return answer{see: productPath(next.ID) + "?done=" + word}, nil
}

func (p *portal) setCode(v *visit) (answer, error) {
	id, side := productOf(v), pool.SideOf(v.form.Get("side") == string(pool.Test))
	_, err := p.codes.Set(v.Context(), v.Principal, id, map[pool.Side]string{side: v.form.Get("code")}, condition(v.form))
	var taken *settings.CodeTakenError
	var invalid *settings.InvalidError
	switch {
	case errors.As(err, &taken):
		return failurePage(http.StatusConflict, "The code was not set", failed{"There is a key of this text already, and it is " + string(taken.Key.State) + ".", "Use another text: a key that one customer has cannot be everybody's."}), nil
	case errors.As(err, &invalid):
		return failurePage(http.StatusUnprocessableEntity, "The code was not set", failed{"The code " + invalid.Problems[0].Message + ".", "Go back, and write it otherwise."}), nil
	}
	return answer{see: productPath(id) + "?done=code"}, err
}

func (p *portal) askDeleteProduct(v *visit) (answer, error) {
	product, err := p.goods.Get(v.Context(), v.Merchant, productOf(v))
	if err != nil {
		return answer{}, err
	}
	waiting, err := p.goods.Waiting(v.Context(), v.Merchant, product.IDs()...)
	if err != nil {
		return answer{}, err
	}
	c := confirmation{
		Says: []string{
			"Orders that are paid from then on wait, and you are told of them, until there is a product of this id again.",
			"Orders that have keys, or wait for keys of a pool, are delivered all the same, by Keypool's own words.",
		},
		Does: productPath(product.ID) + "/delete", Back: productPath(product.ID), Button: "Delete the product", Stop: true,
		Values: [][2]string{{"version", strconv.Itoa(product.Version)}},
	}
	if waiting > 0 {
		c.Says = append(c.Says, phrase.Count(waiting, "paid order line waits", "paid order lines wait")+" for it to get a pool: they wait on.")
		c.Values = append(c.Values, [2]string{"force", "yes"})
	}
	return c.page("Delete " + product.Title + "?"), nil
}

func (p *portal) deleteProduct(v *visit) (answer, error) {
	err := p.goods.Delete(v.Context(), v.Principal, productOf(v), v.form.Get("force") != "", condition(v.form))
	var used *settings.InUseError
	if errors.As(err, &used) {
		return failurePage(http.StatusConflict, "It is needed", failed{phrase.Capital(phrase.List(used.All())) + ".", "Change that first, then delete it."}), nil
	}
	return answer{see: productsPath + "?done=deleted"}, err
}

// textPath is the address of a text of a product's.
func textPath(product, language string) string { return productPath(product) + "/texts/" + language }
