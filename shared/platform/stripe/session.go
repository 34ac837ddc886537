package stripe

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// session is a Checkout Session: what a customer ordered on Stripe's page, also by a
// Payment Link.
type session struct {
	ID             string `json:"id"`
	Mode           string `json:"mode"`           // payment, subscription, setup
	PaymentStatus  string `json:"payment_status"` // paid, unpaid, no_payment_required
	Livemode       bool   `json:"livemode"`
	Created        int64  `json:"created"`
	PaymentIntent  id     `json:"payment_intent"`
	Subscription   id     `json:"subscription"`
	Invoice        id     `json:"invoice"`
	Customer       id     `json:"customer"`
	Currency       shown  `json:"currency"`
	Locale         shown  `json:"locale"`
	CustomerEmail  shown  `json:"customer_email"`
	CustomerDetail *struct {
		Email          shown    `json:"email"`
		Name           shown    `json:"name"`
		IndividualName shown    `json:"individual_name"`
		BusinessName   shown    `json:"business_name"`
		Phone          shown    `json:"phone"`
		Address        *address `json:"address"`
	} `json:"customer_details"`
	CustomFields []customField `json:"custom_fields"`
}

func (s session) name() string { return s.ID }

type address struct {
	Line1      shown `json:"line1"`
	Line2      shown `json:"line2"`
	City       shown `json:"city"`
	PostalCode shown `json:"postal_code"`
	Country    shown `json:"country"`
}

type customField struct {
	Key      shown       `json:"key"`
	Text     *fieldValue `json:"text"`
	Numeric  *fieldValue `json:"numeric"`
	Dropdown *fieldValue `json:"dropdown"`
}

type fieldValue struct {
	Value shown `json:"value"`
}

const (
	paid              = "paid"
	noPaymentRequired = "no_payment_required"
)

// delivers says whether a session is an order that Keypool delivers.
func (in *reading) delivers(s session) bool {
	return s.Mode != "setup" && (s.PaymentStatus == paid || s.PaymentStatus == noPaymentRequired && in.settings.NoPaymentRequired == freeDelivered)
}

// session decodes a completed session. One that is not paid yet is ignored, and leaves no
// trace: Stripe reports the same session again when a delayed payment succeeds.
func (in *reading) session(ctx context.Context) ([]platform.Event, error) {
	s, err := objectOf[session](in)
	switch {
	case err != nil:
		return nil, err
	case !isID(s.ID, "cs_"):
		return nil, missing("id", "")
	case s.Mode == "" || s.PaymentStatus == "":
		return nil, missing("payment_status", s.ID)
	case s.Livemode != in.Livemode:
		return nil, missing("livemode", s.ID)
	case !in.delivers(s):
		return in.ignored(), nil
	}
	in.order = s.ID
	items, err := list[item](ctx, in.api, "/v1/checkout/sessions/"+s.ID+"/line_items", url.Values{"expand[]": {"data.price.product"}})
	if err != nil {
		return nil, err
	}
	order := platform.Paid{
		Within: within, Order: s.ID, Test: !in.Livemode, Currency: capitals(s.Currency), Language: language(s.Locale),
		PaidAt: at(in.Created), Customer: in.customer(s),
	}
	lines := lines{settings: in.settings}
	for _, item := range items {
		lines.add(item)
	}
	order.Lines, order.SkippedLines = lines.of()
	order.Shipped = lines.shipped
	return []platform.Event{order}, nil
}

func (in *reading) customer(s session) order.Customer {
	c := order.Customer{Email: string(s.CustomerEmail)}
	if d := s.CustomerDetail; d != nil {
		c.Email = string(cmp.Or(d.Email, s.CustomerEmail))
		c.Name, c.Company, c.Phone = string(cmp.Or(d.Name, d.IndividualName)), string(d.BusinessName), string(d.Phone)
		d.Address.fill(&c)
	}
	for _, field := range s.CustomFields {
		if string(field.Key) != in.settings.LicenseField {
			continue
		}
		for _, value := range []*fieldValue{field.Text, field.Numeric, field.Dropdown} {
			if value != nil && value.Value != "" {
				c.LicenseFor = string(value.Value)
			}
		}
	}
	return c
}

func (a *address) fill(c *order.Customer) {
	if a == nil {
		return
	}
	c.Address = strings.TrimSpace(string(a.Line1) + "\n" + string(a.Line2))
	c.City, c.Zip, c.Country = string(a.City), string(a.PostalCode), string(a.Country)
}

// language returns a session's locale, empty where Stripe chose it by the browser.
func language(locale shown) string {
	if locale == "auto" {
		return ""
	}
	return string(locale)
}
