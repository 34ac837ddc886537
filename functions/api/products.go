package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/catalog/check"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Product is what the shop sells.
type Product struct {
	ID              string            `json:"id,omitempty" readOnly:"true" doc:"As the platform writes it."`
	Title           string            `json:"title,omitempty" doc:"Full name. Needed, unless it is taken from an original."`
	ShortTitle      string            `json:"short_title,omitempty" doc:"The name without its subtitle; the title where empty."`
	Pool            string            `json:"pool,omitempty" doc:"Pool that feeds the product; the merchant's default pool where empty."`
	PoolsByCurrency map[string]string `json:"pools_by_currency,omitempty" doc:"Pools for orders in these currencies, which come before pool. Currencies are ISO 4217 codes."`
	Keys            *KeyRule          `json:"keys,omitempty" doc:"How many keys an order line gets: one for each unit where left out."`
	Texts           map[string]Text   `json:"texts,omitempty" doc:"The merchant's own words in the customer's mail, by BCP 47 language tag. None, or one in each of the merchant's languages."`
	Instructions    string            `json:"instructions,omitempty" doc:"https address of a page that explains how to use the key: {URL}."`
	Download        string            `json:"download,omitempty" doc:"https address of a download: {URL_FULL}."`
	Original        string            `json:"original,omitempty" doc:"Another product, from which this one takes whatever it leaves empty. It has no original itself."`
	Ignored         bool              `json:"ignored,omitempty" doc:"Keypool has no keys for this product, and that is right: its order lines are kept as unconnected and nobody is told."`
}

// KeyRule says how many keys an order line gets.
type KeyRule struct {
	Mode  string `json:"mode" enum:"per_unit,per_line" doc:"per_unit: count keys for each unit bought. per_line: count keys, however many units."`
	Count int    `json:"count" minimum:"1" maximum:"1000"`
}

// Text is the merchant's own words, with substitution tags.
type Text struct {
	Subject string `json:"subject,omitempty" doc:"One line. A good default where empty."`
	Body    string `json:"body" doc:"Plain text; blank lines part paragraphs, addresses become links. {KEY} is where the keys stand."`
}

var sampleProduct = Product{
	ID: "4711", Title: "Elden: The Long Night", ShortTitle: "Elden", Pool: "elden",
	PoolsByCurrency: map[string]string{"BRL": "elden-latam"},
	Keys:            &KeyRule{Mode: string(catalog.PerUnit), Count: 1},
	Texts: map[string]Text{
		"en": {Subject: "Your key for {PROGRAM_NAME}", Body: "Hello {FNAME},\n\nhere is your key:\n\n{KEY}\n\nHow to use it: {URL}"},
		"de": {Subject: "Ihr Schlüssel für {PROGRAM_NAME}", Body: "Guten Tag {FULLNAME},\n\nhier ist Ihr Schlüssel:\n\n{KEY}"},
	},
	Instructions: "https://acme.example/help/elden",
}

// settings is what a request can set of it.
func (p Product) settings() Product { p.ID = ""; return p }

func newProduct(p catalog.Product) Product {
	body := Product{
		ID: p.ID, Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool, PoolsByCurrency: p.PoolsByCurrency,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored,
	}
	if p.Keys.Count > 0 {
		body.Keys = &KeyRule{string(p.Keys.Mode), p.Keys.Count}
	}
	if len(p.Texts) > 0 {
		body.Texts = make(map[string]Text, len(p.Texts))
		for language, text := range p.Texts {
			body.Texts[language] = Text(text)
		}
	}
	return body
}

// over returns the stored product with these settings instead of its own.
func (p Product) over(stored catalog.Product) catalog.Product {
	next := catalog.Product{
		Merchant: stored.Merchant, ID: stored.ID, Version: stored.Version,
		Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored,
	}
	if len(p.PoolsByCurrency) > 0 {
		next.PoolsByCurrency = p.PoolsByCurrency
	}
	switch {
	case p.Keys != nil:
		next.Keys = catalog.KeyRule{Mode: catalog.Mode(p.Keys.Mode), Count: p.Keys.Count}
	case p.Original == "":
		next.Keys = catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	}
	if len(p.Texts) > 0 {
		next.Texts = make(map[string]catalog.Text, len(p.Texts))
		for language, text := range p.Texts {
			next.Texts[language] = catalog.Text(text)
		}
	}
	return next
}

// feeds reports whether a product names a pool.
func feeds(name string, p catalog.Product) bool {
	return p.Pool == name || slices.Contains(slices.Collect(maps.Values(p.PoolsByCurrency)), name)
}

type ProductPath struct {
	Product string `path:"product" maxLength:"128" doc:"The product's id, as the platform writes it; no question mark." example:"4711"`
}

type putProduct struct {
	ProductPath
	Precondition
	Body Product
}

// Resolve adds what is wrong with the settings to what is wrong with their form.
func (in *putProduct) Resolve(huma.Context) []error {
	return located(check.Product(in.Body.over(catalog.Product{ID: in.Product})), "product")
}

type deleteProduct struct {
	ProductPath
	Precondition
}

type productAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   Product
}

// ProductList is one page of the merchant's products.
type ProductList struct {
	Items []Product `json:"items" nullable:"false"`
	Next  string    `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

type productListAnswer struct{ Body ProductList }

func (a *api) products() {
	register(a, huma.Operation{
		OperationID: "list-products", Method: http.MethodGet, Path: "/v1/products", Tags: []string{"Products"},
		Summary:  "List the products, by id",
		Security: byMerchant, Errors: []int{401},
		Responses: a.answers(ProductList{Items: []Product{sampleProduct}}, 200),
	}, a.listProducts)
	register(a, huma.Operation{
		OperationID: "put-product", Method: http.MethodPut, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:     "Create a product, or change it",
		Description: "What the body leaves out is emptied. New orders see the change within 30 seconds. Lines that were paid for before the product had a pool are filled from it.",
		Security:    byMerchant, Errors: []int{401, 412, 428},
		RequestBody: body(sampleProduct.settings()), Responses: a.answers(sampleProduct, 200, 201),
	}, a.putProduct)
	register(a, huma.Operation{
		OperationID: "get-product", Method: http.MethodGet, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:  "Read a product",
		Security: byMerchant, Errors: []int{401, 404},
		Responses: a.answers(sampleProduct, 200),
	}, a.getProduct)
	register(a, huma.Operation{
		OperationID: "delete-product", Method: http.MethodDelete, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:     "Delete a product",
		Description: "Lines that already have a pool are still filled and mailed, with the default text; paid orders that come later wait as unconnected. 409 while lines wait for the product to get a pool, or another product takes from it.",
		Security:    byMerchant, Errors: []int{401, 404, 409, 412, 428},
	}, a.deleteProduct)
}

// productsAtOnce bounds the products of a page. Each may hold 300 KB of texts,
// and an answer of a function 6 MB.
const productsAtOnce = 15

func (a *api) listProducts(ctx context.Context, in *page) (*productListAnswer, error) {
	limit := min(in.Limit, productsAtOnce)
	stored, err := a.store.Products(ctx, caller(ctx), in.After, limit+1)
	if err != nil {
		return nil, err
	}
	out := &productListAnswer{ProductList{Items: []Product{}}}
	for i, p := range stored {
		if i == limit {
			out.Body.Next = stored[i-1].ID
			break
		}
		out.Body.Items = append(out.Body.Items, newProduct(p))
	}
	return out, nil
}

func (a *api) putProduct(ctx context.Context, in *putProduct) (*productAnswer, error) {
	before, _, err := a.store.Product(ctx, caller(ctx), in.Product)
	if err != nil {
		return nil, err
	}
	before.Merchant, before.ID = caller(ctx), in.Product
	next := in.Body.over(before)
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := in.check(before.Version, same); err != nil {
		return nil, err
	}
	if same {
		return &productAnswer{http.StatusOK, etag(before.Version), newProduct(before)}, nil
	}
	problems, err := a.relations(ctx, next)
	if err != nil {
		return nil, err
	}
	if err := invalid(problems); err != nil {
		return nil, err
	}
	if err := a.store.PutProduct(ctx, next); err != nil {
		return nil, err
	}
	a.connect(ctx, before, next)
	return &productAnswer{created(before.Version), etag(next.Version + 1), newProduct(next)}, nil
}

// connect lets the lines go on that wait for a product, or for one that takes
// from it, if what feeds it has changed. Reading every product to find the heirs
// is for that case alone: a shop that sends thousands of products, or new texts
// for them, would read them all each time. A new product has no heirs.
func (a *api) connect(ctx context.Context, before, next catalog.Product) {
	fed := next.Pool != before.Pool || next.Original != before.Original || next.Ignored != before.Ignored || !maps.Equal(next.PoolsByCurrency, before.PoolsByCurrency)
	switch {
	case before.Version == 0 || fed && next.Original != "":
		a.fillLines(ctx, next.Merchant, []catalog.Product{next})
	case fed:
		a.fillProducts(ctx, next.Merchant, func(p catalog.Product) bool { return p.ID == next.ID || p.Original == next.ID })
	}
}

// relations returns what is wrong with a product beside the other settings: that
// is, what it names and is not there.
func (a *api) relations(ctx context.Context, p catalog.Product) ([]check.Problem, error) {
	m, ok, err := a.store.Merchant(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("product %s: its merchant %s is not there", p.ID, p.Merchant)
	}
	problems := check.Languages(m, p)
	named := map[string]string{"pool": p.Pool}
	for code, name := range p.PoolsByCurrency {
		named["pools_by_currency."+code] = name
	}
	known := map[string]bool{"": true}
	for _, path := range slices.Sorted(maps.Keys(named)) {
		name := named[path]
		if _, ok := known[name]; !ok {
			if _, known[name], err = a.store.Pool(ctx, p.Merchant, name); err != nil {
				return nil, err
			}
		}
		if !known[name] {
			problems = append(problems, check.Problem{Path: path, Message: "there is no pool of that name; create it first"})
		}
	}
	if p.Original == "" {
		return problems, nil
	}
	original, ok, err := a.store.Product(ctx, p.Merchant, p.Original)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		problems = append(problems, check.Problem{Path: "original", Message: "there is no product of that id; create it first"})
	case original.Original != "":
		problems = append(problems, check.Problem{Path: "original", Message: "that product has an original itself; name that one"})
	}
	if p.Version == 0 {
		return problems, nil
	}
	heir, ok, err := a.heirOf(ctx, p)
	if ok {
		problems = append(problems, check.Problem{
			Path: "original", Message: fmt.Sprintf("this product is the original of %q, so that it cannot have one itself", heir),
		})
	}
	return problems, err
}

// heirOf returns the id of a product that has this one as its original, false if none has.
func (a *api) heirOf(ctx context.Context, p catalog.Product) (string, bool, error) {
	products, err := a.store.Products(ctx, p.Merchant, "", 0)
	for _, other := range products {
		if other.Original == p.ID {
			return other.ID, true, nil
		}
	}
	return "", false, err
}

// fillAfter leaves an index time to show what was just written.
const fillAfter = 2 * time.Second

// fillProducts lets lines go on that waited for one of some products to get a pool.
func (a *api) fillProducts(ctx context.Context, merchant string, which func(catalog.Product) bool) {
	products, err := a.store.Products(ctx, merchant, "", 0)
	if err != nil {
		slog.WarnContext(ctx, "unconnected lines are left to the sweep", "merchant", merchant, "error", err)
		return
	}
	a.fillLines(ctx, merchant, slices.DeleteFunc(products, func(p catalog.Product) bool { return !which(p) }))
}

// fillLines has the lines looked at that wait for products. The settings stand,
// whatever becomes of this: the sweep sends again what is lost here.
func (a *api) fillLines(ctx context.Context, merchant string, products []catalog.Product) {
	var sending errgroup.Group
	sending.SetLimit(messagesAtOnce)
	for _, p := range products {
		for _, side := range []pool.Side{pool.Live, pool.Test} {
			sending.Go(func() error { return a.fill.Send(ctx, order.FillProduct(merchant, side, p.ID), fillAfter) })
		}
	}
	if err := sending.Wait(); err != nil {
		slog.WarnContext(ctx, "unconnected lines are left to the sweep", "merchant", merchant, "error", err)
	}
}

const messagesAtOnce = 16

func (a *api) getProduct(ctx context.Context, in *ProductPath) (*productAnswer, error) {
	p, ok, err := a.store.Product(ctx, caller(ctx), in.Product)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	return &productAnswer{http.StatusOK, etag(p.Version), newProduct(p)}, nil
}

func (a *api) deleteProduct(ctx context.Context, in *deleteProduct) (*struct{}, error) {
	merchant := caller(ctx)
	p, ok, err := a.store.Product(ctx, merchant, in.Product)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	if err := in.check(p.Version, false); err != nil {
		return nil, err
	}
	waits, err := a.store.HasUnconnected(ctx, merchant, p.ID)
	if err != nil {
		return nil, err
	}
	if waits {
		return nil, refusal(http.StatusConflict, "The product is in use: paid order lines wait for it to get a pool.")
	}
	heir, ok, err := a.heirOf(ctx, p)
	if err != nil {
		return nil, err
	}
	if ok {
		return nil, refusal(http.StatusConflict, fmt.Sprintf("The product is in use: the product %q takes from it.", heir))
	}
	return nil, a.store.DeleteProduct(ctx, merchant, p.ID, p.Version)
}
