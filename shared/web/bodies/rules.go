package bodies

import (
	"time"

	"keypool/shared/catalog"
)

// Texts are the merchant's texts in the mails of all products.
type Texts struct {
	Texts map[string]Text `json:"texts" nullable:"false" doc:"By BCP 47 language tag. None, or one in each of the merchant's languages."`
}

var SampleTexts = Texts{map[string]Text{
	"en": {Subject: "Your key for {PROGRAM_NAME}", Body: "Thank you for playing. Your key:\n\n{KEY}"},
	"de": {Body: "Viel Spaß! Ihr Schlüssel:\n\n{KEY}"},
}}

func NewTexts(t catalog.Texts) Texts {
	body := Texts{map[string]Text{}}
	for language, text := range t.Texts {
		body.Texts[language] = Text(text)
	}
	return body
}

// ReviewSettings are the merchant's rules of review, and the brake.
type ReviewSettings struct {
	Rules        Review `json:"rules,omitempty" doc:"Of products without rules of their own."`
	BrakesItself bool   `json:"brakes_itself,omitempty" doc:"The brake sets itself on a day that has sold more than 100 keys, and more than five times the best of the 14 days before. The merchant is told either way."`
	Brake        *Brake `json:"brake,omitempty" readOnly:"true"`
}

// Brake keeps every new line from getting keys while it is set.
type Brake struct {
	Set        bool      `json:"set"`
	SetAt      time.Time `json:"set_at,omitzero" doc:"When it was set; of one that is off, when it was last set."`
	By         string    `json:"by,omitempty" doc:"Who set it: a token, a link in a mail, or the brake itself."`
	ReleasedAt time.Time `json:"released_at,omitzero" doc:"Of a brake that was taken off: when. It is there until the brake is set again."`
	ReleasedBy string    `json:"released_by,omitempty" doc:"Who took it off: a token, or a link in a mail."`
	Reason     string    `json:"reason,omitempty" doc:"Why it was taken off, as release-brake was told."`
}

var (
	SampleOff = Brake{
		SetAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), By: "the brake itself",
		ReleasedAt: time.Date(2026, 11, 23, 11, 5, 0, 0, time.UTC), ReleasedBy: "the token warehouse", Reason: "it was the sale",
	}
	SampleBrake  = Brake{Set: true, SetAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), By: "the token warehouse"}
	SampleReview = ReviewSettings{
		Rules: Review{Risk: true, Above: map[string]string{"EUR": "500.00"}, MaxKeys: 50}, BrakesItself: true, Brake: &SampleBrake,
	}
)

func (s ReviewSettings) Settable() ReviewSettings { s.Brake = nil; return s }

func NewReview(r catalog.Review) ReviewSettings {
	return ReviewSettings{Rules: Review(r.Rules), BrakesItself: r.BrakesItself, Brake: new(NewBrake(r.Brake))}
}

func NewBrake(b catalog.Brake) Brake {
	return Brake{
		Set: b.Set(), SetAt: b.SetAt.UTC(), By: b.By,
		ReleasedAt: b.ReleasedAt.UTC(), ReleasedBy: b.ReleasedBy, Reason: b.Reason,
	}
}

// rules returns the rules that a request describes.
func (r Review) rules() catalog.Rules {
	rules := catalog.Rules(r)
	if len(rules.Above) == 0 {
		rules.Above = nil
	}
	return rules
}

// Retention is how long what is known of customers is kept.
type Retention struct {
	Days int `json:"days" minimum:"0" maximum:"3650" doc:"How many days after the last thing that happened to an order line, such as its mail, its customer is erased. 0: never."`
}

var SampleRetention = Retention{Days: 365}

// OrderPage is whether customers have a page that shows their order.
type OrderPage struct {
	Default    string `json:"default" enum:"on,off" doc:"For lines of products that leave order_page out, and whose original does."`
	Days       int    `json:"days,omitempty" minimum:"1" maximum:"3650" default:"365" doc:"How many days a link is good, from its order on, or from when it replaced another."`
	QueuePlace bool   `json:"queue_place,omitempty" doc:"A customer whose keys are not there yet sees their place in the queue."`
}

var SampleOrderPage = OrderPage{Default: string(catalog.OrderPageOn), Days: catalog.DefaultPageDays}

// Settings returns the texts that a body describes.
func (t Texts) Settings(merchant string) catalog.Texts {
	out := catalog.Texts{Merchant: merchant, Texts: map[string]catalog.Text{}}
	for language, text := range t.Texts {
		out.Texts[language] = catalog.Text(text)
	}
	return out
}

// Settings returns the rules of review that a body describes.
func (s ReviewSettings) Settings(merchant string) catalog.Review {
	return catalog.Review{Merchant: merchant, Rules: s.Rules.rules(), BrakesItself: s.BrakesItself}
}

// Settings returns the settings of order pages that a body describes.
func (o OrderPage) Settings(merchant string) catalog.OrderPages {
	return catalog.OrderPages{Merchant: merchant, Default: catalog.OrderPage(o.Default), Days: o.Days, QueuePlace: o.QueuePlace}
}

func NewOrderPage(o catalog.OrderPages) OrderPage {
	return OrderPage{string(o.Default), o.Days, o.QueuePlace}
}

// Settings returns the retention that a body describes.
func (r Retention) Settings(merchant string) catalog.Retention {
	return catalog.Retention{Merchant: merchant, Days: r.Days}
}

func NewRetention(r catalog.Retention) Retention { return Retention{r.Days} }
