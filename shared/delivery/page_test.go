package delivery_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
)

// The mail of an order that has a page says where: by the link that is good when it is mailed,
// and not at all where there is none.
func TestMail_page(t *testing.T) {
	s := newScene(t)
	s.mailer.Pages = s.store
	acts := &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Now: s.mailer.Now, Fill: nobody{}}
	mailed := func(number string, change func(order.Fulfillment)) string {
		t.Helper()
		id := s.line(number, 1, 1)
		if change != nil {
			change(s.fulfillment(id))
		}
		s.mailLine(id)
		m := s.ses.mails[len(s.ses.mails)-1]
		if strings.Contains(m.Text, link.PagePath) != strings.Contains(m.HTML, link.PagePath) {
			t.Error("text and HTML differ")
		}
		return m.Text
	}
	want := func(number string, n int) string {
		t.Helper()
		m, _, err := s.store.Merchant(t.Context(), "nova")
		if err != nil {
			t.Fatal(err)
		}
		url, err := link.Page{Merchant: "nova", Order: newID(number).OrderHalf(), Number: n}.URL("https://api.keypool.example", m.LinkKey)
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	if strings.Contains(mailed("a1", nil), link.PagePath) {
		t.Error("it has a page before the merchant wants one")
	}
	if err := s.store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: "nova", Default: catalog.OrderPageOn}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(mailed("a2", nil), want("a2", 0)) {
		t.Error("the mail lacks its page")
	}
	replace := func(f order.Fulfillment) {
		if _, err := acts.ReplaceLink(t.Context(), f, lifecycle.Act{By: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := mailed("a3", replace); !strings.Contains(got, want("a3", 1)) || strings.Contains(got, want("a3", 0)) {
		t.Error("the mail has not the link that replaced the first")
	}
	if strings.Contains(mailed("a4", func(f order.Fulfillment) {
		if _, err := acts.RevokeLink(t.Context(), f, lifecycle.Act{By: "ada"}); err != nil {
			t.Fatal(err)
		}
	}), link.PagePath) {
		t.Error("the mail has a link that was revoked")
	}
}

// nobody gets the messages that ask for keys.
type nobody struct{}

func (nobody) Send(context.Context, any, time.Duration) error { return nil }
