package main

import (
	"errors"
	"net/http"
	"net/url"

	"keypool/shared/catalog"
	"keypool/shared/settings"
)

const mailSettingsPath = settingsPath + "/mail"

func (p *portal) mailScreens() []screen {
	return []screen{
		{pattern: "GET " + mailSettingsPath, does: "get-sender", serve: p.mailSettings},
		{pattern: "POST " + mailSettingsPath, does: "put-sender", serve: p.saveSender},
		{pattern: "GET " + mailSettingsPath + "/remove", does: "delete-sender", serve: p.removeSenderForm},
		{pattern: "POST " + mailSettingsPath + "/remove", does: "delete-sender", serve: p.removeSender},
	}
}

// mailData is what the page of the shop's own sender shows.
type mailData struct {
	Form     form
	Version  int
	Sender   catalog.Sender // of version 0: there is none
	State    band           // of it
	Records  []senderRecord
	Operator string // the address that mails come from otherwise
	Readonly bool
}

// senderRecord is a record of the domain's DNS.
type senderRecord struct {
	catalog.Record
	Why string
}

// whyRecord says what a record is good for.
var whyRecord = map[string]string{
	"dkim":      "signs your mails",
	"mail_from": "takes mails that come back",
	"spf":       "lets Amazon SES send for it",
	"dmarc":     "a suggestion, if your domain has no such record",
}

// senderStates say how things stand with a sender.
var senderStates = map[catalog.SenderState]band{
	catalog.SenderPending:  {Class: "warn", Says: "Not all records were found yet. It may take an hour until they are seen everywhere; you are told by mail. Until then mails come from the address of whoever runs Keypool, and none waits."},
	catalog.SenderVerified: {Class: "good", Says: "All records were found: customers' mails come from this address."},
	catalog.SenderFailed:   {Class: "stop", Says: "The records were not found for three days, or are gone. Set them, and press “Look again”. Until then mails come from the address of whoever runs Keypool."},
	catalog.SenderRefused:  {Class: "stop", Says: "Amazon SES refused a mail from this address, which went from the address of whoever runs Keypool instead. Look whether the records are all there, and press “Look again”."},
}

func (p *portal) mailSettings(v *visit) (answer, error) { return p.mailPage(v, nil) }

// mailPage is the page, with a form that was sent; nil: none was.
func (p *portal) mailPage(v *visit, sent func(now form) form) (answer, error) {
	s, err := p.senders.Get(v.Context(), v.Merchant)
	if errors.Is(err, settings.ErrNotFound) {
		s, err = catalog.Sender{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	d := mailData{
		Form: form{Version: s.Version, Values: url.Values{"address": {s.Address}}}, Sender: s, State: senderStates[s.State],
		Operator: p.senders.Operator, Readonly: !v.may("put-sender"),
	}
	if s.Version > 0 {
		for _, r := range s.Records(p.senders.Region) {
			d.Records = append(d.Records, senderRecord{r, whyRecord[r.For]})
		}
	}
	a := answer{page: "mail", title: "Mail", band: done(v, map[string]band{
		"saved":   {Says: "Saved. Set the records below where your domain's DNS is kept."},
		"removed": {Says: "Removed. Customers' mails come from the address of whoever runs Keypool, from half a minute on."},
	})}
	if sent != nil {
		d.Form = sent(d.Form)
		a.status = http.StatusUnprocessableEntity
	}
	d.Version = d.Form.Version
	a.data = d
	return a, nil
}

// saveSender sets the address. The same address again has its records looked for again.
func (p *portal) saveSender(v *visit) (answer, error) {
	_, _, err := p.senders.Put(v.Context(), v.Merchant, v.form.Get("address"), v.Principal, condition(v.form))
	if errors.Is(err, catalog.ErrTaken) {
		err = &settings.InvalidError{Problems: []settings.Problem{{Path: "address", Message: "this domain is in use already; if it is yours and you have not set it up yourself, ask whoever runs Keypool for you"}}}
	}
	if f, wrong := again(v.form, err); wrong {
		return p.mailPage(v, func(form) form { return f })
	}
	if errors.Is(err, catalog.ErrConflict) || errors.Is(err, settings.ErrExists) {
		a, err := p.mailPage(v, func(now form) form { return besideTheirs(v.form, now) })
		a.status = http.StatusConflict
		return a, err
	}
	return answer{see: mailSettingsPath + "?done=saved"}, err
}

func (p *portal) removeSenderForm(v *visit) (answer, error) {
	s, err := p.senders.Get(v.Context(), v.Merchant)
	if err != nil {
		return answer{}, err
	}
	return confirmation{
		Says: []string{
			"Customers' mails will come from the address of whoever runs Keypool, with your shop's name. None waits, and none is lost.",
			"Leave the records in your DNS for a minute: mails that leave until then carry their signature.",
		},
		Does: mailSettingsPath + "/remove", Values: [][2]string{{"version", numeral(s.Version)}},
		Button: "Remove the address", Stop: true, Back: mailSettingsPath,
	}.page("Remove your own sender"), nil
}

func (p *portal) removeSender(v *visit) (answer, error) {
	return answer{see: mailSettingsPath + "?done=removed"}, p.senders.Delete(v.Context(), v.Merchant, v.Principal, condition(v.form))
}
