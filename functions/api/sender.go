package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/sender"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Sender is the address at the merchant's own domain that customers' mails come from.
type Sender struct {
	Address  string      `json:"address" maxLength:"320" doc:"Customers' mails come from it once its domain is verified. The domain is the merchant's own, in lower case; an international one in its ASCII form (xn--…)."`
	State    string      `json:"state,omitempty" readOnly:"true" enum:"pending,verified,failed,refused" doc:"pending: not all records were found yet. verified: mails come from the address. failed: the records were not found for three days, or are gone. refused: Amazon SES refused a mail from it, which went from the operator's address instead; set the address again. Unless it is verified, mails come from the operator's address, with the merchant's name and reply_to, and none waits."`
	LookedAt time.Time   `json:"looked_at,omitzero" readOnly:"true" doc:"When Amazon SES was last asked. Not there if it was not asked yet."`
	Records  []DNSRecord `json:"records,omitempty" readOnly:"true" nullable:"false" doc:"To be set in the DNS of the domain. The records of dkim are there once Amazon SES has named them, a moment after the address was set."`
}

// DNSRecord is a record to be set in the DNS of the merchant's domain.
type DNSRecord struct {
	Type  string `json:"type" enum:"CNAME,MX,TXT"`
	Name  string `json:"name" doc:"In full. Some DNS pages add the domain by themselves: leave it out there."`
	Value string `json:"value" doc:"Of an MX record, priority and host."`
	For   string `json:"for" enum:"dkim,mail_from,spf,dmarc" doc:"dkim: signs mails for the domain. mail_from: where bounces go; its name was made for this sender, and so proves who set it. spf: lets Amazon SES send for that name. dmarc: a suggestion, for a domain that has no such record."`
}

var sampleSender = newSender(catalog.Sender{
	Address: "keys@shop.example", MailFrom: "keys-mzxw6ytboi4q.shop.example", State: catalog.SenderPending,
	Tokens: []string{"2h5wq7xkzvn3dlgyr4tbcsmju6fpe8oa", "a7d3kqv5mxz2whnylr6tgbcjs4ufpe8o", "zq4t7hnb2xwv6mdky3lrgcjs5ufpe8oa"}, Zone: "dkim.amazonses.com",
	LookedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
}, "eu-central-1")

// newSenders returns the use case over a store and SES.
func newSenders(store *dynamo.Store, identities settings.Identities, operator, region string, now func() time.Time) *settings.Senders {
	return &settings.Senders{
		Store: store, Identities: identities, Looks: &sender.Looks{Store: store, Identities: identities, Now: now},
		Operator: operator, Region: region, Now: now,
	}
}

func (s Sender) settable() Sender { return Sender{Address: s.Address} }

func newSender(s catalog.Sender, region string) Sender {
	shown := Sender{Address: s.Address, State: string(s.State), LookedAt: s.LookedAt.UTC()}
	for _, r := range s.Records(region) {
		shown.Records = append(shown.Records, DNSRecord(r))
	}
	return shown
}

type putSender struct {
	rest.Precondition
	Body Sender
}

func (a *api) addSender(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-sender", Method: http.MethodGet, Path: "/v1/sender", Tags: []string{"Sender"},
		Summary:     "Read the sender of customers' mails, its state, and the DNS records that it needs",
		Description: "Amazon SES is asked again if it was not within half a minute; if it does not answer, this is what was seen last. The domain is looked at without a call, too: every ten minutes while it is pending, then once a day. The merchant is told by mail once it is verified, and if it fails.",
		Errors:      []int{404}, Responses: to.Responses(sampleSender, 200),
	}, a.getSender)
	rest.Register(to, huma.Operation{
		OperationID: "put-sender", Method: http.MethodPut, Path: "/v1/sender", Tags: []string{"Sender"},
		Summary: "Have customers' mails come from an address of your own domain",
		Description: "Set the DNS records of the answer, and read the sender again after some minutes. With them, mails pass DMARC by both ways, aligned: DKIM signs them for your domain, and SPF is asked of a name below it. " +
			"The domain is proven by the records, and nobody else can name it: 409 for one that is in use, and for the operator's. A domain that is not proven for three days can be named by another; giving it up and naming it again gives no more time. " +
			"Another address at the same domain is verified at once. The same address again has the records looked for again. Mails that are sent see the change within 30 seconds.",
		Errors:      []int{409, 412, 428},
		RequestBody: rest.Request(sampleSender.settable()), Responses: to.Responses(sampleSender, 200, 201),
	}, a.putSender)
	rest.Register(to, huma.Operation{
		OperationID: "delete-sender", Method: http.MethodDelete, Path: "/v1/sender", Tags: []string{"Sender"},
		Summary:     "Have customers' mails come from the operator's address",
		Description: "With the merchant's name and reply_to, as before there was a sender. The domain is free for others. Wait a minute before its records are taken away: mails that leave until then carry its signature.",
		Errors:      []int{404, 412, 428},
	}, a.deleteSender)
}

func (a *api) getSender(ctx context.Context, _ *struct{}) (*rest.Versioned[Sender], error) {
	s, err := a.senders.Get(ctx, caller(ctx))
	return rest.Found(s.Version, newSender(s, a.senders.Region)), err
}

func (a *api) putSender(ctx context.Context, in *putSender) (*rest.Versioned[Sender], error) {
	s, created, err := a.senders.Put(ctx, caller(ctx), in.Body.Address, access.From(ctx), in.Condition())
	return rest.Stored(s.Version, created, newSender(s, a.senders.Region)), err
}

func (a *api) deleteSender(ctx context.Context, in *rest.Precondition) (*struct{}, error) {
	return nil, a.senders.Delete(ctx, caller(ctx), access.From(ctx), in.Condition())
}
