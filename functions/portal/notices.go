package main

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/settings"
)

const noticesPath = homePath + "/notices"

// noticesAtOnce is how many notices a page has.
const noticesAtOnce = 25

func (p *portal) noticeScreens() []screen {
	return []screen{
		{pattern: "GET " + noticesPath, does: "list-notices", serve: p.listNotices},
		{pattern: "POST " + noticesPath + "/ignore", does: "put-product", serve: p.ignoreProduct},
		{pattern: "POST " + noticesPath + "/ignore/undo", does: "put-product", serve: p.unignoreProduct},
	}
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
	// Products that no pool fed: it takes one press to say that one needs no keys.
	Products []string
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
			for _, product := range n.Facts.Products {
				if !product.Ships && v.may("put-product") && !slices.Contains(row.Products, product.ID) {
					row.Products = append(row.Products, product.ID)
				}
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
	return answer{page: "notices", title: "Notices", data: d, band: ignored(v)}, err
}

// ignoreProduct says that a product needs no keys. It can be undone, and is done at once.
func (p *portal) ignoreProduct(v *visit) (answer, error) {
	product, changed, err := p.goods.Ignore(v.Context(), v.Principal, v.form.Get("product"))
	switch {
	case errors.Is(err, settings.ErrConnected), errors.As(err, new(*settings.AliasError)):
		return answer{see: noticesPath + "?done=connected"}, nil
	case err != nil:
		return answer{}, err
	case !changed:
		return answer{see: noticesPath + "?done=ignored-before"}, nil
	}
	return answer{see: noticesPath + "?" + url.Values{"done": {"ignored"}, "product": {product.ID}, "version": {strconv.Itoa(product.Version)}}.Encode()}, nil
}

func (p *portal) unignoreProduct(v *visit) (answer, error) {
	version, _ := strconv.Atoi(v.form.Get("version"))
	return answer{see: noticesPath + "?done=unignored"}, p.goods.Unignore(v.Context(), v.Principal, v.form.Get("product"), version)
}

// ignored returns the band that says what became of a product.
func ignored(v *visit) *band {
	b := done(v, map[string]band{
		"ignored":        {Says: "Done: the product needs no keys. Its orders are recorded, nobody gets a key, and nobody is warned."},
		"ignored-before": {Says: "It was said before that this product needs no keys."},
		"connected":      {Says: "This product gets its keys from somewhere by now. Nothing was changed."},
		"unignored":      {Says: "Undone: orders of the product wait again, and you are told of them."},
	})
	if q := v.URL.Query(); b != nil && q.Get("done") == "ignored" && v.may("put-product") {
		b.Does, b.Button, b.Values = noticesPath+"/ignore/undo", "Undo", map[string]string{"product": q.Get("product"), "version": q.Get("version")}
	}
	return b
}
