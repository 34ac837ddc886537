package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web/rest"
)

// Merchant is a merchant's settings.
type Merchant struct {
	Name          string   `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	Title         string   `json:"title" doc:"As customers know the merchant."`
	NoticeAddress string   `json:"notice_address" doc:"Mail address that notices go to: low stock, reports of uploads, bounces."`
	SenderName    string   `json:"sender_name,omitempty" doc:"Shown as the sender of customers' mails; the title where empty."`
	ReplyTo       string   `json:"reply_to,omitempty" doc:"Mail address that customers' answers go to."`
	Logo          string   `json:"logo,omitempty" doc:"https address of a picture that stands on top of mails."`
	Languages     []string `json:"languages,omitempty" nullable:"false" doc:"BCP 47 tags; the first is used where a customer's own is not there. A product that has texts has one in each."`
	TimeZone      string   `json:"time_zone,omitempty" doc:"IANA name, for dates in mails; UTC where empty."`
	DefaultPool   string   `json:"default_pool,omitempty" doc:"Pool that feeds products which name none."`
	ReturnedKeys  string   `json:"returned_keys,omitempty" enum:"revoke,restock,keep" doc:"What becomes of license keys that an order gives back. revoke: nobody uses them again. restock: they are for sale again, if no mail with them was ever made; else revoked. keep: the customer may go on using them. revoke where left out. A product may say otherwise."`
	Color         string   `json:"color,omitempty" doc:"Of the brand, for links and a bar on top of customers' mails: #0b57c2. Readable where keys stand, on #f6f8fa: a contrast of 4.5 to 1."`

	Frames map[string]Frame `json:"frames,omitempty" doc:"By BCP 47 tag, what stands around a text in that language in place of Keypool's own words."`

	Uploads *Limits `json:"uploads,omitempty" doc:"What the merchant's key files may bring in a day, by UTC. Files beyond it wait for the next day."`
	Calls   int     `json:"calls_per_day,omitempty" minimum:"1" maximum:"100000000" doc:"How many calls of the API the merchant's tokens may make together in a day, by UTC; 100,000 where left out. A call beyond that is 429 until the next day, and the merchant is told once. No webhook counts."`
	Mails   int     `json:"mails_per_day,omitempty" minimum:"1" maximum:"1000000" doc:"How many notices the merchant gets by mail in a day, by UTC; 500 where left out. Beyond that, those that can wait are told together, in one mail when the first is held back and one when the day ends. Customers' mails do not count."`
}

// Frame is what stands around a text. What is left out is in Keypool's own words.
type Frame struct {
	Greeting  string `json:"greeting,omitempty" doc:"One line, with {FULLNAME}, {FNAME} and {LNAME}. A customer without the name that it has is greeted in Keypool's words."`
	Signature string `json:"signature,omitempty" doc:"Up to eight lines."`
	Footer    string `json:"footer,omitempty" doc:"One line of up to 500 characters, below the signature."`
}

// Limits are those of a day. One that is left out is the default.
type Limits struct {
	Files int   `json:"files,omitempty" minimum:"1" maximum:"1000000" doc:"500 by default."`
	Bytes int64 `json:"bytes,omitempty" minimum:"1" maximum:"1099511627776" doc:"2,147,483,648 by default."`
	Keys  int   `json:"keys,omitempty" minimum:"1" maximum:"1000000000" doc:"12,000,000 by default. A file's are reckoned from its first 64 KiB."`
}

var sampleMerchant = Merchant{
	Name: "acme", Title: "Acme Games", NoticeAddress: "stock@acme.example", SenderName: "Acme Games",
	ReplyTo: "help@acme.example", Logo: "https://acme.example/logo.png", Languages: []string{"en", "de"},
	TimeZone: "Europe/Berlin", DefaultPool: "elden", Color: "#0b57c2",
	Frames:  map[string]Frame{"en": {Greeting: "Dear {FULLNAME},", Signature: "Yours,\nThe Acme team", Footer: "Acme Games Ltd, 12 St James's Square, London"}},
	Uploads: &Limits{Files: 500, Bytes: 2 << 30, Keys: 12_000_000}, Calls: catalog.DefaultCalls, Mails: catalog.DefaultMails,
}

// settable returns the part of a merchant that a request can set.
func (m Merchant) settable() Merchant { m.Name = ""; return m }

func newMerchant(m catalog.Merchant) Merchant {
	limits := Limits(m.Uploads.OrDefault())
	return Merchant{
		Name: m.Name, Title: m.Title, NoticeAddress: m.NoticeAddress, SenderName: m.SenderName, ReplyTo: m.ReplyTo,
		Logo: m.Logo, Languages: m.Languages, TimeZone: m.TimeZone, DefaultPool: m.DefaultPool, Uploads: &limits, Calls: cmp.Or(m.Calls, catalog.DefaultCalls), Mails: cmp.Or(m.Mails, catalog.DefaultMails),
		ReturnedKeys: string(m.ReturnedKeys), Color: m.Color, Frames: mapped(m.Frames, newFrame),
	}
}

func newFrame(f catalog.Frame) Frame { return Frame(f) }

// mapped returns a map with other values, nil of an empty one.
func mapped[A, B any](from map[string]A, to func(A) B) map[string]B {
	if len(from) == 0 {
		return nil
	}
	all := make(map[string]B, len(from))
	for name, value := range from {
		all[name] = to(value)
	}
	return all
}

type MerchantPath struct {
	Merchant string `path:"merchant" maxLength:"63" doc:"Name of the merchant: lower-case letters, digits and hyphens." example:"acme"`
}

type putMerchant struct {
	MerchantPath
	rest.Precondition
	Body Merchant
}

// settings returns the merchant that a request describes.
func (in *putMerchant) settings() catalog.Merchant {
	m := catalog.Merchant{
		Name: in.Merchant, Title: in.Body.Title, NoticeAddress: in.Body.NoticeAddress, SenderName: in.Body.SenderName,
		ReplyTo: in.Body.ReplyTo, Logo: in.Body.Logo, TimeZone: in.Body.TimeZone, DefaultPool: in.Body.DefaultPool,
		ReturnedKeys: order.Disposition(in.Body.ReturnedKeys), Color: in.Body.Color,
		Frames: mapped(in.Body.Frames, func(f Frame) catalog.Frame { return catalog.Frame(f) }),
	}
	if in.Body.Uploads != nil {
		m.Uploads = upload.Limits(*in.Body.Uploads).Own()
	}
	if in.Body.Calls != catalog.DefaultCalls {
		m.Calls = in.Body.Calls
	}
	if in.Body.Mails != catalog.DefaultMails {
		m.Mails = in.Body.Mails
	}
	if len(in.Body.Languages) > 0 {
		m.Languages = in.Body.Languages
	}
	return m
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putMerchant) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckMerchant(in.settings()), rest.InPath{"name": "merchant"})
}

func (o *operator) addMerchants(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "put-merchant", Method: http.MethodPut, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary:     "Create a merchant, or change its settings",
		Description: "What the body leaves out is emptied. A new default pool lets the lines go on that waited for one. Another notice address is told by mail, to the new and to the former one; another frame to the notice address. The merchant's texts are its own to set, by put-texts.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(sampleMerchant.settable()), Responses: to.Responses(sampleMerchant, 200, 201),
	}, o.putMerchant)
	rest.Register(to, huma.Operation{
		OperationID: "get-merchant", Method: http.MethodGet, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary: "Read a merchant's settings",
		Errors:  []int{404}, Responses: to.Responses(sampleMerchant, 200),
	}, o.getMerchant)
	o.addTokens(to)
	o.addPeople(to)
}

func (o *operator) putMerchant(ctx context.Context, in *putMerchant) (*rest.Versioned[Merchant], error) {
	m, created, err := o.merchants.Put(ctx, in.settings(), access.From(ctx), in.Condition())
	return rest.Stored(m.Version, created, newMerchant(m)), err
}

func (o *operator) getMerchant(ctx context.Context, in *MerchantPath) (*rest.Versioned[Merchant], error) {
	m, err := o.merchants.Get(ctx, in.Merchant)
	return rest.Found(m.Version, newMerchant(m)), err
}
