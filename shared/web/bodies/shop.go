// Package bodies holds the forms in which settings are written as JSON, where more than one
// function reads or writes them. It knows nothing of HTTP.
package bodies

import (
	"keypool/shared/catalog"
	"keypool/shared/order"
)

// ShopSettings is what is the merchant's own to set of a merchant.
type ShopSettings struct {
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
}

// Frame is what stands around a text. What is left out is in Keypool's own words.
type Frame struct {
	Greeting  string `json:"greeting,omitempty" doc:"One line, with {FULLNAME}, {FNAME} and {LNAME}. A customer without the name that it has is greeted in Keypool's words."`
	Signature string `json:"signature,omitempty" doc:"Up to eight lines."`
	Footer    string `json:"footer,omitempty" doc:"One line of up to 500 characters, below the signature."`
}

// SampleShop is an example.
var SampleShop = ShopSettings{
	Title: "Acme Games", NoticeAddress: "stock@acme.example", SenderName: "Acme Games",
	ReplyTo: "help@acme.example", Logo: "https://acme.example/logo.png", Languages: []string{"en", "de"},
	TimeZone: "Europe/Berlin", DefaultPool: "elden", Color: "#0b57c2",
	Frames: map[string]Frame{"en": {Greeting: "Dear {FULLNAME},", Signature: "Yours,\nThe Acme team", Footer: "Acme Games Ltd, 12 St James's Square, London"}},
}

// NewShop returns a merchant's own settings.
func NewShop(m catalog.Merchant) ShopSettings {
	s := ShopSettings{
		Title: m.Title, NoticeAddress: m.NoticeAddress, SenderName: m.SenderName, ReplyTo: m.ReplyTo, Logo: m.Logo, Languages: m.Languages,
		TimeZone: m.TimeZone, DefaultPool: m.DefaultPool, ReturnedKeys: string(m.ReturnedKeys), Color: m.Color,
	}
	for language, f := range m.Frames {
		if s.Frames == nil {
			s.Frames = map[string]Frame{}
		}
		s.Frames[language] = Frame(f)
	}
	return s
}

// Merchant returns a merchant that has the settings, and nothing else.
func (s ShopSettings) Merchant(name string) catalog.Merchant {
	m := catalog.Merchant{
		Name: name, Title: s.Title, NoticeAddress: s.NoticeAddress, SenderName: s.SenderName, ReplyTo: s.ReplyTo, Logo: s.Logo,
		TimeZone: s.TimeZone, DefaultPool: s.DefaultPool, ReturnedKeys: order.Disposition(s.ReturnedKeys), Color: s.Color,
	}
	if len(s.Languages) > 0 {
		m.Languages = s.Languages
	}
	for language, f := range s.Frames {
		if m.Frames == nil {
			m.Frames = map[string]catalog.Frame{}
		}
		m.Frames[language] = catalog.Frame(f)
	}
	return m
}
