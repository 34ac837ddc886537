package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/web/rest"
)

// NoticeMail is a mail to the merchant, and what became of it.
type NoticeMail struct {
	Kind  string    `json:"kind" doc:"What it is about: low-stock, upload-report, bounced …"`
	At    time.Time `json:"at" doc:"When what it tells happened first."`
	Title string    `json:"title" doc:"As the mail has it."`
	Mail  string    `json:"mail" enum:"due,sending,sent,delivered,bounced,complained,failed,none" doc:"sent: Amazon SES took it. delivered: your mail server did. bounced: it refused it. complained: it was called spam. failed: Amazon SES refuses it for good. none: there was nothing left to tell, or the day had no notices left."`
	After time.Time `json:"after,omitzero" doc:"Of one that is due: it is not mailed before."`
	Page  string    `json:"page,omitempty" doc:"Page of the Merchant Portal where it is mended."`
}

// NoticeMailList is one page of mails to the merchant.
type NoticeMailList struct {
	Items []NoticeMail `json:"items" nullable:"false"`
	Next  string       `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleNoticeMails = NoticeMailList{Items: []NoticeMail{{
	Kind: "low-stock", At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), Title: "elden has 7 keys left.", Mail: string(outbox.Delivered), Page: "https://api.keypool.example/portal/pools/elden/add",
}}}

func (a *api) addNotices(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-notices", Method: http.MethodGet, Path: "/v1/notices", Tags: []string{"Shop"},
		Summary:     "List the mails that Keypool wrote to you, the newest first",
		Description: "Each with what became of it. Customers' mails are with their orders: see get-order. Invitations are not in it.",
		Responses:   to.Responses(sampleNoticeMails, 200),
	}, a.listNotices)
}

func (a *api) listNotices(ctx context.Context, in *rest.Page) (*rest.Body[NoticeMailList], error) {
	var (
		list    []notice.Notice
		next    string
		m       catalog.Merchant
		reading errgroup.Group
	)
	reading.Go(func() (err error) {
		list, next, err = a.notices.List(ctx, caller(ctx), in.After, in.Limit)
		return err
	})
	reading.Go(func() (err error) {
		m, err = a.merchants.Get(ctx, caller(ctx))
		return err
	})
	err := reading.Wait()
	out := NoticeMailList{Items: []NoticeMail{}, Next: next}
	for _, n := range list {
		about := mail.AboutNotice(n, m)
		one := NoticeMail{Kind: string(n.Kind), At: n.RaisedAt.UTC(), Title: about.Title, Mail: cmp.Or(string(n.Mail.State), "none")}
		if n.Mail.State == outbox.Due {
			one.After = n.Mail.TryAt
		}
		if about.Says != "" {
			one.Page = a.publicURL + "/portal" + about.Path
		}
		out.Items = append(out.Items, one)
	}
	return &rest.Body[NoticeMailList]{Body: out}, err
}
