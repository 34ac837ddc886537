package main

import (
	"time"

	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

const noticesPath = homePath + "/notices"

// noticesAtOnce is how many notices a page has.
const noticesAtOnce = 25

func (p *portal) noticeScreens() []screen {
	return []screen{{pattern: "GET " + noticesPath, does: "list-notices", serve: p.listNotices}}
}

// noticesData is what the list of notices shows.
type noticesData struct {
	Notices []noticeRow
	Next    string
	To      string // where they go
	Lost    bool   // the newest of which it is known did not arrive
}

// noticeRow is a notice in the list.
type noticeRow struct {
	mail.About
	At   time.Time
	To   string // where it went, if elsewhere than all others
	Fate mark
	From time.Time // of one that is put off: not before
	More *place    // a second page about it
}

// fates say what became of a notice's mail.
var fates = map[outbox.State]mark{
	outbox.None:       {"", "Not mailed"},
	outbox.Due:        {"calm", "About to leave"},
	outbox.Sending:    {"calm", "Leaving now"},
	outbox.Sent:       {"calm", "Handed over"},
	outbox.Delivered:  {"good", "Delivered"},
	outbox.Bounced:    {"stop", "Came back"},
	outbox.Complained: {"stop", "Called unwanted"},
	outbox.Failed:     {"stop", "Refused by Amazon SES"},
}

func (p *portal) listNotices(v *visit) (answer, error) {
	list, next, err := p.notices.List(v.Context(), v.Merchant, v.URL.Query().Get("after"), noticesAtOnce)
	d := noticesData{Next: next, To: v.merchant.NoticeAddress}
	known := v.URL.Query().Get("after") != ""
	for _, n := range list {
		row := noticeRow{About: mail.AboutNotice(n, v.merchant), At: n.RaisedAt, Fate: fates[n.Mail.State]}
		row.Path = homePath + row.Path
		switch n.Kind {
		case notice.LowStock, notice.Empty:
			row.More = &place{Name: "Set when you are warned", Path: poolPath(n.Facts.Pool) + "/settings"}
			row.To = n.To
		case notice.Unconnected:
			if products := n.Facts.Products; len(products) == 1 && !products[0].Ships && v.may("put-product") {
				row.Says = "Connect the product, or say that it has no keys"
			}
		case notice.ChangedAddress:
			row.To = n.To
		default: // to the address of all
		}
		if n.Mail.State == outbox.Due && n.Mail.TryAt.After(v.now) {
			row.Fate, row.From = mark{"", "Leaves later"}, n.Mail.TryAt
		}
		if state := n.Mail.State; n.To == "" && !known && (state == outbox.Delivered || state == outbox.Complained || n.Mail.ReachedNobody()) {
			known, d.Lost = true, state != outbox.Delivered
		}
		d.Notices = append(d.Notices, row)
	}
	return answer{page: "notices", title: "Notices", data: d}, err
}
