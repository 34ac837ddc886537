package mail

import (
	"cmp"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// Sample is a mail of an order that there is none of. Its keys are made up.
type Sample struct {
	Product  catalog.Product
	Common   map[string]catalog.Text // the merchant's, of all products
	Language string
	Keys     int // 0: they are missing, and the mail says that they follow
	Test     bool
	Page     string              // the address of the order's page; empty: it has none
	Marked   bool                // as a sample, where it shows
	Values   map[text.Tag]string // in place of the sample's own; of tags that are Given
}

// ForSample makes the mail that the order's customer would get.
func ForSample(s Sample, m catalog.Merchant, sender mail.Address, now time.Time) (Message, error) {
	f, parents := s.line(m, now)
	w := newCustomerWriter(f, parents, m, s.Product, s.Common, now)
	w.sample, w.page = s.Marked, s.Page
	return w.write(sender)
}

// sampleNotice makes the mail that the merchant asked for, to the notice address: as a
// customer would get it, and marked as a sample.
func sampleNotice(n notice.Notice, m catalog.Merchant, sender mail.Address, operator string, now time.Time) (Message, error) {
	asked := n.Facts.Sample
	if asked == nil {
		return Message{}, errors.New("a sample of no mail")
	}
	s := Sample{Product: n.Facts.Sold, Common: n.Facts.Common, Language: asked.Language, Keys: asked.Keys, Test: asked.Test, Page: n.Facts.Page, Marked: true}
	s.Use(asked.Text)
	made, err := ForSample(s, m, sender, now)
	made.Subject = text.OneLine("[Sample] " + made.Subject)
	made.To = mail.Address{Address: first(m.NoticeAddress, operator)}
	return made, err
}

// SamplePage returns the address of a sample's page, "" where orders of its product have none.
// There is no order to show there, and the page says that the link is wrong.
func SamplePage(p catalog.Product, common catalog.OrderPages, public string) string {
	if !p.HasOrderPage(common) {
		return ""
	}
	return public + link.PagePath + "sample"
}

// Use puts a text in the place of the product's, none if it is nil. In the one language that
// it has, it suits every customer.
func (s *Sample) Use(own *catalog.Text) {
	if own != nil {
		s.Product.Texts = map[string]catalog.Text{cmp.Or(s.Language, "en"): *own}
	}
}

// SampleValues returns the value of each tag in the mail of a sample with one key.
func SampleValues(now time.Time) map[text.Tag]string {
	s := Sample{Product: SampleProduct, Language: "en", Keys: 1}
	m := catalog.Merchant{Title: "Acme Games"}
	f, parents := s.line(m, now)
	w := newCustomerWriter(f, parents, m, s.Product, nil, now)
	values := map[text.Tag]string{}
	for tag, all := range w.values() {
		values[tag] = all[0]
	}
	return values
}

// SampleProduct is a product that nobody sells.
var SampleProduct = catalog.Product{
	ID: "4711", Title: "Elden: The Long Night", ShortTitle: "Elden",
	Instructions: "https://acme.example/help/elden", Download: "https://acme.example/get/elden",
}

// Given reports whether a sample's value of the tag can be given. Others are made of it: the
// sum of the price, the date of the day. Keys are always made up.
func Given(tag text.Tag) bool { _, ok := setSample[tag]; return ok }

// setSample puts a value in its place in the order, or in the product.
var setSample = map[text.Tag]func(f *order.Fulfillment, p *catalog.Product, value string){
	text.OrderID:      func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Order = v },
	text.PricegroupID: func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Product = v },
	text.Quantity: func(f *order.Fulfillment, _ *catalog.Product, v string) {
		if n, err := strconv.Atoi(v); err == nil {
			f.Quantity = n
		}
	},
	text.ProgramName:       func(_ *order.Fulfillment, p *catalog.Product, v string) { p.Title = v },
	text.ProgramShort:      func(_ *order.Fulfillment, p *catalog.Product, v string) { p.ShortTitle = v },
	text.PriceOneDuplicate: func(f *order.Fulfillment, _ *catalog.Product, v string) { f.UnitPrice = v },
	text.FullName:          func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Name = v },
	text.FirstName:         func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.FirstName = v },
	text.LastName:          func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.LastName = v },
	text.Email:             func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Email = v },
	text.Phone:             func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Phone = v },
	text.Company:           func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Company = v },
	text.Country:           func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Country = v },
	text.City:              func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.City = v },
	text.Zip:               func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Zip = v },
	text.Address:           func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.Address = v },
	text.LicenseFor:        func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.LicenseFor = v },
	text.AddInfo:           func(f *order.Fulfillment, _ *catalog.Product, v string) { f.Customer.AddInfo = v },
	text.URL:               func(_ *order.Fulfillment, p *catalog.Product, v string) { p.Instructions = v },
	text.URLFull:           func(_ *order.Fulfillment, p *catalog.Product, v string) { p.Download = v },
}

// line returns the sample's order line, and the keys of the order that it renews. Given
// values are put into it and into the sample's product.
func (s *Sample) line(m catalog.Merchant, now time.Time) (order.Fulfillment, []pool.Key) {
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: m.Name, Side: pool.Live, Origin: "sample", Order: "10001", Line: "1"}.ID(),
		Merchant: m.Name, Side: pool.Live, Order: "10001", Line: "1", Product: s.Product.ID,
		Quantity: max(s.Keys, 1), Wanted: max(s.Keys, 1), Allocated: s.Keys,
		ReceivedAt: now, PaidAt: now, Currency: "EUR", UnitPrice: "19.90", Language: s.Language,
		Customer: order.Customer{
			Name: "Ada Byron", FirstName: "Ada", LastName: "Byron", Email: "ada@example.com", Phone: "+44 20 7946 0000",
			Company: "Analytical Engines", Country: "GB", City: "London", Zip: "W1J 7DS", Address: "12 St James's Square",
			LicenseFor: "Charles Babbage", AddInfo: "Please call before noon.",
		},
		Mail: outbox.Entry{Kind: outbox.Keys, Number: 1},
	}
	if s.Test {
		f.Side = pool.Test
	}
	if s.Keys == 0 {
		f.Mail.Kind = outbox.Delay
	}
	for i := range s.Keys {
		f.Keys = append(f.Keys, pool.Key{Text: pool.Conceal(fmt.Sprintf("SAMPLE-%04d-NO-REAL-KEY", i+1))})
	}
	for tag, value := range s.Values {
		if set, ok := setSample[tag]; ok {
			set(&f, &s.Product, value)
		}
	}
	return f, []pool.Key{{Text: pool.Conceal("SAMPLE-PARENT-NO-REAL-KEY")}}
}
