package main

import (
	"context"
	"net/http"
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
			"elden":       bodies.SamplePool.Settable(),
			"elden-latam": {Title: "Elden, Latin America", LowStock: new(10), ReminderHours: new(24), Shards: new(4)},
		},
		Products:  map[string]Product{"4711": bodies.SampleProduct.Settable(), "demo": {Title: "Elden: Demo", Keys: &KeyRule{Mode: string(catalog.Shared), Count: 1}}},
		Texts:     bodies.SampleTexts.Texts,
		Review:    new(bodies.SampleReview.Settable()),
		OrderPage: &bodies.SampleOrderPage, Retention: &bodies.SampleRetention,
	}
	sampleCatalogChanges = CatalogChanges{DryRun: true, Changes: []CatalogChange{
		{Thing: "pool", Name: "elden-latam", Change: "added", Fields: []string{"low_stock", "reminder_hours", "shards", "title"}},
		{Thing: "product", Name: "4711", Change: "changed", Fields: []string{"pools_by_currency.BRL", "texts.de.body"}},
		{Thing: "product", Name: "4712", Change: "removed"},
	}}
)

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
	content, err := bodies.Encode(v)
	if err != nil {
		return nil, err
	}
	if len(content) > bodies.LargestCatalog {
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
		MaxBodyBytes: bodies.LargestCatalog, BodyReadTimeout: 20 * time.Second,
		SkipValidateBody: true, // it is checked where lines are known
		RequestBody:      rest.Request(sampleCatalog), Responses: to.Responses(sampleCatalogChanges, 200),
	}
	rest.Register(to, get, a.getCatalog)
	rest.Register(to, put, a.putCatalog)
	to.AlsoAs(strict.YAML, get, nil)
	to.AlsoAs(strict.YAML, put, sampleCatalog)
}

func (a *api) getCatalog(ctx context.Context, in *acceptsYAML) (*written, error) {
	c, err := a.catalogs().Get(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	tag, err := bodies.CatalogTag(c)
	if err != nil {
		return nil, err
	}
	return in.answer(tag, bodies.NewCatalog(c))
}

func (a *api) putCatalog(ctx context.Context, in *putCatalog) (*written, error) {
	media, ok := strict.Type(in.ContentType)
	if !ok {
		return nil, rest.ErrMediaType
	}
	read, body, err := bodies.ReadCatalog(media, in.RawBody)
	if err != nil {
		return nil, err
	}
	change := body.Change()
	change.By, change.Force = access.From(ctx), in.Force
	var unchanged func(settings.Catalog) bool
	if in.IfMatch != "" {
		unchanged = func(now settings.Catalog) bool {
			tag, err := bodies.CatalogTag(now)
			return err == nil && web.MatchesTag(in.IfMatch, tag)
		}
	}
	differences, err := a.catalogs().Put(ctx, change, unchanged, in.DryRun)
	if err != nil {
		return nil, bodies.WithLines(err, read)
	}
	now, err := a.catalogs().Get(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	tag, err := bodies.CatalogTag(now)
	if err != nil {
		return nil, err
	}
	out := CatalogChanges{DryRun: in.DryRun, Changes: []CatalogChange{}}
	for _, d := range differences {
		out.Changes = append(out.Changes, CatalogChange{Thing: string(d.Thing), Name: d.Name, Change: string(d.Change), Fields: d.Fields})
	}
	return in.answer(tag, out)
}
