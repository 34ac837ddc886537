package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/settings"
	"keypool/shared/web"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
	"keypool/shared/web/strict"
)

// Catalog is all settings of the merchant that are no secrets.
type Catalog struct {
	Shop      *bodies.ShopSettings      `json:"shop,omitempty" doc:"The shop as a whole, as put-shop has it. Left out, it stays as it is."`
	Pools     map[string]Pool           `json:"pools,omitzero" nullable:"false" doc:"By name; all there are. Left out, they stay as they are."`
	Products  map[string]Product        `json:"products,omitzero" nullable:"false" doc:"By id; all there are. Left out, they stay as they are."`
	Texts     map[string]Text           `json:"texts,omitzero" nullable:"false" doc:"In the mails of all products, by BCP 47 language tag, as put-texts has them; all there are. Left out, they stay as they are."`
	Review    *ReviewSettings           `json:"review,omitempty" doc:"The rules of review. Left out, they stay as they are."`
	OrderPage *OrderPage                `json:"order_page,omitempty" doc:"As put-order-page has it. Left out, it stays as it is."`
	Retention *Retention                `json:"retention,omitempty" doc:"How long customers are kept, as put-retention has it: customers are erased by it within minutes, and are not brought back. Left out, it stays as it is."`
	Accounts  map[string]CatalogAccount `json:"accounts,omitzero" nullable:"false" doc:"By name; all there are, without secrets and credentials. They are neither made nor removed here. Left out, they stay as they are."`
}

// CatalogAccount is what an account with a payment platform is set to, secrets aside.
type CatalogAccount struct {
	Platform      string          `json:"platform,omitempty" maxLength:"63" doc:"It never changes."`
	DeliversFrom  time.Time       `json:"delivers_from,omitzero" doc:"As put-account has it; left out, it stays as it is."`
	OtherProducts string          `json:"other_products,omitempty" enum:"unconnected,ignore" doc:"As put-account has it; unconnected where left out."`
	Settings      AccountSettings `json:"settings,omitempty" doc:"As put-account has them; left out, the account has none."`
}

// CatalogChanges is what differs between settings and a catalog.
type CatalogChanges struct {
	DryRun  bool            `json:"dry_run,omitempty" doc:"Nothing was changed."`
	Changes []CatalogChange `json:"changes" nullable:"false" doc:"None where the settings are as the catalog says."`
}

// CatalogChange is what differs of one thing.
type CatalogChange struct {
	Thing  string   `json:"thing" enum:"merchant,pool,product,texts,review,order_page,retention,account"`
	Name   string   `json:"name,omitempty" doc:"Its name or id. There is one merchant (shop), review, order_page and retention, and texts are one."`
	Change string   `json:"change" enum:"added,changed,removed"`
	Fields []string `json:"fields,omitempty" nullable:"false" doc:"Those that differ; of a thing that is added, those that are set."`
}

var (
	sampleCatalog = Catalog{
		Shop: &bodies.SampleShop,
		Pools: map[string]Pool{
			"elden":       samplePool.settable(),
			"elden-latam": {Title: "Elden, Latin America", LowStock: new(10), ReminderHours: new(24), Shards: new(4)},
		},
		Products:  map[string]Product{"4711": sampleProduct.settable(), "demo": {Title: "Elden: Demo", Keys: &KeyRule{Mode: string(catalog.Shared), Count: 1}}},
		Texts:     sampleTexts.Texts,
		Review:    new(sampleReview.settable()),
		OrderPage: &sampleOrderPage, Retention: &sampleRetention,
	}
	sampleCatalogChanges = CatalogChanges{DryRun: true, Changes: []CatalogChange{
		{Thing: "pool", Name: "elden-latam", Change: "added", Fields: []string{"low_stock", "reminder_hours", "shards", "title"}},
		{Thing: "product", Name: "4711", Change: "changed", Fields: []string{"pools_by_currency.BRL", "texts.de.body"}},
		{Thing: "product", Name: "4712", Change: "removed"},
	}}
)

// newCatalog returns settings as a document.
func newCatalog(c settings.Catalog) Catalog {
	body := Catalog{
		Shop:  new(bodies.NewShop(c.Merchant)),
		Pools: map[string]Pool{}, Products: map[string]Product{}, Accounts: map[string]CatalogAccount{},
		Review: new(newReview(c.Review).settable()), OrderPage: new(newOrderPage(c.OrderPages)), Retention: new(newRetention(c.Retention)),
	}
	for _, p := range c.Pools {
		body.Pools[p.Name] = newPool(settings.PoolStock{Pool: p}).settable()
	}
	for _, p := range c.Products {
		body.Products[p.ID] = newProduct(p).settable()
	}
	body.Texts = newTexts(c.Texts).Texts
	for _, account := range c.Accounts {
		body.Accounts[account.Name] = CatalogAccount{
			Platform: account.Platform, DeliversFrom: account.DeliversFrom,
			OtherProducts: string(account.OtherProducts), Settings: AccountSettings(account.Settings),
		}
	}
	return body
}

// change returns the change that a document describes.
func (c Catalog) change() settings.CatalogChange {
	var change settings.CatalogChange
	if c.Shop != nil {
		change.Merchant = new(c.Shop.Merchant(""))
	}
	if c.Pools != nil {
		change.Pools = []catalog.Pool{}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		in := putPool{PoolPath: PoolPath{name}, Body: c.Pools[name]}
		change.Pools = append(change.Pools, in.settings(""))
	}
	if c.Products != nil {
		change.Products = []catalog.Product{}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Products)) {
		in := putProduct{ProductPath: ProductPath{id}, Body: c.Products[id]}
		change.Products = append(change.Products, in.settings(""))
	}
	if c.Texts != nil {
		change.Texts = (&putTexts{Body: Texts{c.Texts}}).settings("").Texts
	}
	if c.Review != nil {
		change.Review = new((&putReview{Body: *c.Review}).settings(""))
	}
	if c.OrderPage != nil {
		change.OrderPages = new((&putOrderPage{Body: *c.OrderPage}).settings(""))
	}
	if c.Retention != nil {
		change.Retention = new((&putRetention{Body: *c.Retention}).settings(""))
	}
	if c.Accounts != nil {
		change.Accounts = []settings.AccountChange{}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		account := c.Accounts[name]
		one := settings.AccountChange{
			Name: name, Platform: account.Platform, DeliversFrom: account.DeliversFrom,
			OtherProducts: catalog.OtherProducts(account.OtherProducts), Settings: json.RawMessage(account.Settings),
		}
		if one.OtherProducts == "" {
			one.OtherProducts = catalog.OthersUnconnected
		}
		if one.Settings == nil {
			one.Settings = json.RawMessage("{}")
		}
		change.Accounts = append(change.Accounts, one)
	}
	return change
}

// encode returns a value as JSON that people can read.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return out.Bytes(), err
}

// catalogTag returns the ETag of settings: the same for the same settings.
func catalogTag(c settings.Catalog) (string, error) {
	content, err := encode(newCatalog(c))
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, err
}

// largestCatalog is the size of a catalog as JSON, in bytes: a function's response may have
// 6 MB, with each quote and line break of a text in it escaped once more.
const largestCatalog = 4 << 20

// acceptsYAML is part of a request whose answer may be YAML.
type acceptsYAML struct {
	Accept string `header:"Accept" hidden:"true"`
}

// written is a response in JSON or YAML.
type written struct {
	ETag string `header:"ETag" doc:"Of all settings together, for If-Match."`
	Body func(huma.Context)
}

// answer returns a value in the form that the request asks for. Its error is
// rest.ErrTooLarge for one that no response holds.
func (in acceptsYAML) answer(tag string, v any) (*written, error) {
	content, err := encode(v)
	if err != nil {
		return nil, err
	}
	if len(content) > largestCatalog {
		return nil, rest.ErrTooLarge
	}
	media := strict.JSON
	if negotiation.SelectQValue(in.Accept, []string{strict.JSON, strict.YAML}) == strict.YAML {
		media = strict.YAML
	}
	content, err = strict.Write(media, content)
	return &written{tag, func(to huma.Context) {
		to.SetHeader("Content-Type", media)
		to.SetHeader("Vary", "Accept")
		to.BodyWriter().Write(content)
	}}, err
}

type putCatalog struct {
	acceptsYAML
	ContentType string `header:"Content-Type" hidden:"true"`
	DryRun      bool   `query:"dry_run" doc:"Answer what would change, and change nothing."`
	Force       bool   `query:"force" doc:"Remove pools and products although they hold keys for sale, or lines wait for them: see delete-pool and delete-product."`
	IfMatch     string `header:"If-Match" doc:"The ETag of the settings that the change was made from, or * for any. Needed to change what exists; a dry run needs none." example:"*"`
	RawBody     []byte `contentType:"application/json"`
}

func (a *api) catalogs() *settings.Catalogs {
	return &settings.Catalogs{Merchants: a.merchants, Pools: a.pools, Products: a.products, Texts: a.texts, Reviews: a.review, OrderPages: a.orderPages, Retentions: a.retention, Accounts: a.accounts}
}

func (a *api) addCatalog(to *rest.API) {
	get := huma.Operation{
		OperationID: "get-catalog", Method: http.MethodGet, Path: "/v1/catalog", Tags: []string{"Catalog"},
		Summary:     "Read all settings as one document",
		Description: "The shop as a whole, pools, products with their texts, the texts in the mails of all products, the rules of review, order pages, how long customers are kept, and accounts without secrets and credentials: JSON, or YAML by Accept: application/yaml. Sent back to put-catalog as it is, it changes nothing. Not in it: secrets, credentials and codes (put-code), which are never read back; and the sender of customers' mails, which DNS must prove (put-sender). 409 if it would be larger than 4 MiB; list-pools, list-products and get-account read it in parts.",
		Errors:      []int{409},
		Responses:   to.Responses(sampleCatalog, 200),
	}
	put := huma.Operation{
		OperationID: "put-catalog", Method: http.MethodPut, Path: "/v1/catalog", Tags: []string{"Catalog"},
		Summary:      "Replace all settings by one document",
		Description:  "The document is JSON or YAML, by its Content-Type. Pools and products that it does not name are removed, as delete-pool and delete-product remove them; a part that it leaves out as a whole, such as accounts, stays as it is. Accounts keep their secrets and credentials; one is made by put-account alone, and a change of one needs a token with the scope secrets too. The sender of mails, which DNS must prove, secrets and codes are not in it. All of it is checked first, and every mistake is told with its place and its line; then it is made change by change, in an order in which each is allowed by itself. Of two calls at the same moment both may be made, each pool and product by one of them: If-Match tells only what was there when a call began. If a call is cut off, what is done stays: the answer says how much, and the same document with a new ETag does the rest, as with thousands of products, for which one call may have no time. dry_run answers the difference.",
		Errors:       []int{409, 412, 422, 428},
		MaxBodyBytes: largestCatalog, BodyReadTimeout: 20 * time.Second,
		SkipValidateBody: true, // it is checked where lines are known
		RequestBody:      rest.Request(sampleCatalog), Responses: to.Responses(sampleCatalogChanges, 200),
	}
	rest.Register(to, get, a.getCatalog)
	rest.Register(to, put, func(ctx context.Context, in *putCatalog) (*written, error) { return a.putCatalog(ctx, to, in) })
	to.AlsoAs(strict.YAML, get, nil)
	to.AlsoAs(strict.YAML, put, sampleCatalog)
}

func (a *api) getCatalog(ctx context.Context, in *acceptsYAML) (*written, error) {
	c, err := a.catalogs().Get(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	tag, err := catalogTag(c)
	if err != nil {
		return nil, err
	}
	return in.answer(tag, newCatalog(c))
}

func (a *api) putCatalog(ctx context.Context, to *rest.API, in *putCatalog) (*written, error) {
	media, ok := strict.Type(in.ContentType)
	if !ok {
		return nil, rest.ErrMediaType
	}
	read, body, err := readCatalog(to, media, in.RawBody)
	if err != nil {
		return nil, err
	}
	change := body.change()
	change.By, change.Force = access.From(ctx), in.Force
	var unchanged func(settings.Catalog) bool
	if in.IfMatch != "" {
		unchanged = func(now settings.Catalog) bool {
			tag, err := catalogTag(now)
			return err == nil && web.MatchesTag(in.IfMatch, tag)
		}
	}
	differences, err := a.catalogs().Put(ctx, change, unchanged, in.DryRun)
	if err != nil {
		return nil, withLines(err, read)
	}
	now, err := a.catalogs().Get(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	tag, err := catalogTag(now)
	if err != nil {
		return nil, err
	}
	out := CatalogChanges{DryRun: in.DryRun, Changes: []CatalogChange{}}
	for _, d := range differences {
		out.Changes = append(out.Changes, CatalogChange{Thing: string(d.Thing), Name: d.Name, Change: string(d.Change), Fields: d.Fields})
	}
	return in.answer(tag, out)
}

// readCatalog reads a document, strictly. Its error is a *settings.InvalidError that has
// all mistakes of form.
func readCatalog(to *rest.API, media string, body []byte) (*strict.Document, Catalog, error) {
	var c Catalog
	read, mistakes, err := strict.Read(media, body)
	if err != nil {
		return read, c, &settings.InvalidError{Problems: []settings.Problem{{Message: err.Error()}}}
	}
	if problems := lineOf(read, to.Check(c, read.JSON), mistakes...); len(problems) > 0 {
		return read, c, &settings.InvalidError{Problems: problems}
	}
	if err := json.Unmarshal(read.JSON, &c); err != nil {
		return read, c, &settings.InvalidError{Problems: []settings.Problem{{Message: "a value cannot be read as what it is meant to be, such as a time"}}}
	}
	return read, c, nil
}

// withLines adds the lines of a document to an error that tells mistakes in it.
func withLines(err error, read *strict.Document) error {
	var cut *settings.CutOffError
	var wrong *settings.InvalidError
	if errors.As(err, &cut) || !errors.As(err, &wrong) {
		return err
	}
	return &settings.InvalidError{Problems: lineOf(read, wrong.Problems)}
}

// lineOf returns mistakes with their lines, in the order of the document.
func lineOf(read *strict.Document, problems []settings.Problem, ofForm ...strict.Mistake) (told []settings.Problem) {
	for _, p := range problems {
		ofForm = append(ofForm, strict.Mistake{Path: p.Path, Line: read.Line(p.Path), Message: p.Message})
	}
	slices.SortStableFunc(ofForm, func(a, b strict.Mistake) int { return cmp.Compare(a.Line, b.Line) })
	for _, m := range ofForm {
		told = append(told, settings.Problem{Path: m.Path, Message: onLine(m.Message, m.Line)})
	}
	return told
}

func onLine(message string, line int) string { return fmt.Sprintf("%s (line %d)", message, line) }
