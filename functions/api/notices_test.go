package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// What was mailed to the merchant is listed, the newest first, with what became of it; what was
// mailed to others is not.
func TestNotices(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for i, state := range []outbox.State{outbox.Due, outbox.Delivered, outbox.Bounced, outbox.None} {
		n := notice.New("acme", notice.LowStock, fmt.Sprint("elden#live#", i), notice.Facts{Pool: "elden", Side: pool.Live, Available: 3}, noon.Add(time.Duration(i)*time.Minute))
		n.Mail.State = state
		if err := w.store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	customer := notice.New("acme", notice.KeysElsewhere, "x", notice.Facts{Orders: []string{"1"}}, noon.Add(time.Hour))
	customer.To = "customer@example.com"
	if err := w.store.RaiseNotice(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
	said, path := []string{}, "/v1/notices?limit=3"
	for path != "" {
		var page NoticeMailList
		w.shop(bearer, "GET", path, nil).Want(200).Into(&page)
		for _, item := range page.Items {
			if item.Kind == "low-stock" {
				said = append(said, item.Mail)
			} else if item.Kind != "new-token" && item.Kind != "expiring-token" { // that of the test
				t.Errorf("listed is %+v", item)
			}
			if item.Kind == "low-stock" && (item.Title != "elden has 3 keys left." || item.Page != "https://keypool.example/portal/pools/elden/add") {
				t.Errorf("%q leads to %s", item.Title, item.Page)
			}
		}
		if path = ""; page.Next != "" {
			path = "/v1/notices?limit=3&after=" + page.Next
		}
	}
	if got := fmt.Sprint(said); got != "[none bounced delivered due]" {
		t.Errorf("the mails are %s", got)
	}
	var others NoticeMailList
	w.shop(w.merchant("mallory"), "GET", "/v1/notices", nil).Want(200).Into(&others)
	for _, item := range others.Items {
		if item.Kind == "low-stock" {
			t.Errorf("mallory is shown %+v", item)
		}
	}
}
