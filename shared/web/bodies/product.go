package bodies

import (
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// Product is one product that the shop sells.
type Product struct {
	ID              string            `json:"id,omitempty" readOnly:"true" doc:"As the platform writes it."`
	Aliases         []string          `json:"aliases,omitempty" doc:"Other ids of the product, by which other platforms sell it. An id names one product."`
	Title           string            `json:"title,omitempty" doc:"Full name. Needed, unless it is taken from an original."`
	ShortTitle      string            `json:"short_title,omitempty" doc:"The name without its subtitle; the title where empty."`
	Pool            string            `json:"pool,omitempty" doc:"Pool that feeds the product; the merchant's default pool where empty."`
	PoolsByCurrency map[string]string `json:"pools_by_currency,omitempty" doc:"Pools for orders in these currencies, which come before pool. Currencies are ISO 4217 codes."`
	Keys            *KeyRule          `json:"keys,omitempty" doc:"How many keys an order line gets: one for each unit where left out."`
	Code            *CodeSet          `json:"code,omitempty" readOnly:"true" doc:"Whether it has a code for everybody: see put-code."`
	TestCode        *CodeSet          `json:"test_code,omitempty" readOnly:"true" doc:"The same for test orders."`
	Texts           map[string]Text   `json:"texts,omitempty" doc:"The merchant's own words in the customer's mail, by BCP 47 language tag. None, or one in each of the merchant's languages."`
	Instructions    string            `json:"instructions,omitempty" doc:"https address of a page that explains how to use the key: {URL}."`
	Download        string            `json:"download,omitempty" doc:"https address of a download: {URL_FULL}."`
	RedeemWithin    int               `json:"redeem_within_days,omitempty" minimum:"1" maximum:"3650" doc:"The mail with the keys asks the customer to redeem them within so many days of the payment: it names the day, in your time zone, in a sentence of its own below the keys. A day that has passed is not named, and neither is one where a renewal brings the parent's keys. At most one of this and redeem_by."`
	RedeemBy        string            `json:"redeem_by,omitempty" format:"date" doc:"The same with a fixed day, the last one: 2026-12-23. When it is set, it must not have passed."`
	Original        string            `json:"original,omitempty" doc:"Another product, from which this one takes whatever it leaves empty. It has no original itself."`
	Ignored         bool              `json:"ignored,omitempty" doc:"Keypool has no keys for this product, and that is right: its order lines are kept as unconnected and nobody is told."`
	ReturnedKeys    string            `json:"returned_keys,omitempty" enum:"revoke,restock,keep" doc:"What becomes of license keys that an order gives back. revoke: nobody uses them again. restock: they are for sale again, if no mail with them was ever made; else revoked. keep: the customer may go on using them. The merchant's own setting where left out, which is revoke where that is left out too."`
	Renewal         string            `json:"renewal,omitempty" enum:"new_key,parent_key" doc:"What an order gets that renews another (its parent). new_key: keys of its own, as any order; {PARENT_KEY} in its text stands for the parent's. parent_key: no key of its own; its mail holds the parent's keys, as they are then, for {KEY} as well. It waits until the parent has been mailed its keys, and is not mailed while the parent is on hold, in dispute, returned, or another customer's; you are told. new_key where left out."`
	OrderPage       string            `json:"order_page,omitempty" enum:"on,off" doc:"Whether customers have a page that shows their order. The original's where left out, else what put-order-page says."`
	HasOrderPage    bool              `json:"has_order_page,omitempty" readOnly:"true" doc:"It has an order page, by its own order_page, its original's, or what put-order-page says. Told by get-product alone, and left out where it has none."`
	Review          *Review           `json:"review,omitempty" doc:"Which order lines are put on hold until somebody releases them (release-order) or rejects them (reject-order), instead of the merchant's own rules: see put-review."`
	TextSources     []TextSource      `json:"text_sources,omitempty" readOnly:"true" doc:"Where the text of the mail with the keys comes from, for customers of each of your languages. Told by get-product alone."`
	Warnings        []string          `json:"warnings,omitempty" readOnly:"true" doc:"What is probably not meant, such as a text that greets the customer: each mail does so above it."`
}

// TextSource says where the text of a mail comes from.
type TextSource struct {
	Language string `json:"language" doc:"The customer's, as a BCP 47 tag."`
	From     string `json:"from" enum:"product,original,merchant,keypool" doc:"product: its own texts. original: those of the product that it inherits from. merchant: put-texts. keypool: Keypool's own words."`
	Text     string `json:"text" doc:"Language of the text."`
}

// Review says which order lines of a product are put on hold when they would get keys.
type Review struct {
	Always    bool              `json:"always,omitempty" doc:"Every line."`
	Risk      bool              `json:"risk,omitempty" doc:"Lines of orders that the platform calls risky: whatever its word is, but low, normal, none, accept, not_assessed, unknown and pending."`
	Above     map[string]string `json:"above,omitempty" doc:"Lines whose units cost more together than this, by ISO 4217 currency: {\"EUR\": \"500.00\"}."`
	MaxKeys   int               `json:"max_keys,omitempty" minimum:"1" maximum:"1000000" doc:"Lines that bring their order over so many keys; 100 where left out."`
	MaxOrders int               `json:"max_orders,omitempty" minimum:"1" maximum:"1000" doc:"Lines of further orders of one mail address in a day, by UTC; any number where left out."`
}

// KeyRule gives the number of keys of an order line.
type KeyRule struct {
	Mode  string `json:"mode" enum:"per_unit,per_line,shared" doc:"per_unit: count keys for each unit bought. per_line: count keys, however many units. shared: one code for everybody, which is not used up and comes from no pool: see put-code. Orders wait until it is set. Lines that wait in the queue of a pool when the mode becomes shared still get keys of that pool."`
	Count int    `json:"count,omitempty" minimum:"1" maximum:"1000" doc:"How many keys; needed. With shared it is 1, and may be left out."`
}

// Text is the merchant's own text of a mail, with substitution tags.
type Text struct {
	Subject string `json:"subject,omitempty" doc:"One line. A good default where empty."`
	Body    string `json:"body" doc:"Blank lines part paragraphs, addresses become links. {KEY} is where the keys stand. Each mail greets the customer above the text."`
	Format  string `json:"format,omitempty" enum:"plain,markdown" doc:"plain, where left out: the body is shown as it is. markdown: **bold**, *emphasis*, [links](https://example.com), lists, headings, quotes and code are set; no HTML, no pictures. What stands for a tag is no markup. The mail's plain part reads well in both."`
}

var SampleProduct = Product{
	ID: "4711", Aliases: []string{"price_1Q2w3E"}, Title: "Elden: The Long Night", ShortTitle: "Elden", Pool: "elden",
	PoolsByCurrency: map[string]string{"BRL": "elden-latam"},
	Keys:            &KeyRule{Mode: string(catalog.PerUnit), Count: 1},
	Texts: map[string]Text{
		"en": {Subject: "Your key for {PROGRAM_NAME}", Body: "Thank you for buying {PROGRAM_SHORT}. Here is your key:\n\n{KEY}\n\nHow to use it: {URL}"},
		"de": {Subject: "Ihr Schlüssel für {PROGRAM_NAME}", Body: "vielen Dank für Ihren Kauf. Hier ist Ihr Schlüssel:\n\n{KEY}"},
	},
	Instructions: "https://acme.example/help/elden",
}

// Settable returns the part of a product that a request can set.
func (p Product) Settable() Product {
	p.ID, p.HasOrderPage, p.TextSources, p.Warnings, p.Code, p.TestCode = "", false, nil, nil, nil, nil
	return p
}

func NewProduct(p catalog.Product) Product {
	body := Product{
		ID: p.ID, Aliases: p.Aliases, Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool, PoolsByCurrency: p.PoolsByCurrency,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored,
		ReturnedKeys: string(p.ReturnedKeys), Renewal: string(p.Renewal), OrderPage: string(p.OrderPage),
		RedeemWithin: p.Redeem.WithinDays, RedeemBy: p.Redeem.By,
	}
	if p.Review != nil {
		review := Review(*p.Review)
		body.Review = &review
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
	set := NewCodes(p)
	body.Code, body.TestCode = set.Code, set.TestCode
	body.Warnings = settings.Warnings(p)
	return body
}

// CodeSet says that a product has a code.
type CodeSet struct {
	KeyID string    `json:"key_id" doc:"The code's name as a key, which tells nothing of its text. get-order shows it of lines that have the code."`
	SetAt time.Time `json:"set_at"`
}

// CodesSet says which codes a product has of its own.
type CodesSet struct {
	Code     *CodeSet `json:"code,omitempty" doc:"Not there: no order gets one."`
	TestCode *CodeSet `json:"test_code,omitempty" doc:"Not there: no test order gets one."`
}

// NewCodes shows which codes a product has.
func NewCodes(p catalog.Product) CodesSet {
	var set CodesSet
	for side, shown := range map[pool.Side]**CodeSet{pool.Live: &set.Code, pool.Test: &set.TestCode} {
		if code, is := p.Codes[side]; is {
			*shown = &CodeSet{KeyID: string(code.Key), SetAt: code.SetAt}
		}
	}
	return set
}

// Settings returns the product that a body describes.
func (p Product) Settings(merchant, id string) catalog.Product {
	out := catalog.Product{
		Merchant: merchant, ID: id,
		Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored,
		ReturnedKeys: order.Disposition(p.ReturnedKeys), Renewal: catalog.Renewal(p.Renewal), OrderPage: catalog.OrderPage(p.OrderPage),
		Redeem: catalog.Redeem{WithinDays: p.RedeemWithin, By: p.RedeemBy},
	}
	if len(p.Aliases) > 0 {
		out.Aliases = p.Aliases
	}
	if p.Review != nil {
		out.Review = new(p.Review.rules())
	}
	if len(p.PoolsByCurrency) > 0 {
		out.PoolsByCurrency = p.PoolsByCurrency
	}
	switch {
	case p.Keys != nil:
		out.Keys = catalog.KeyRule{Mode: catalog.Mode(p.Keys.Mode), Count: p.Keys.Count}
		if out.Keys.Mode == catalog.Shared && out.Keys.Count == 0 {
			out.Keys.Count = 1
		}
	case p.Original == "":
		out.Keys = catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	}
	if len(p.Texts) > 0 {
		out.Texts = make(map[string]catalog.Text, len(p.Texts))
		for language, text := range p.Texts {
			out.Texts[language] = catalog.Text(text)
		}
	}
	return out
}
