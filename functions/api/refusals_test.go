package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
)

// refuse stores a refusal as function webhook does.
func (w *world) refuse(merchant, number string, at time.Time) {
	w.Helper()
	r := order.Refusal{Merchant: merchant, Account: "shop-eu", Order: number, Field: "data.lines", Problem: "is empty", At: at}
	facts := notice.Facts{Count: 1, Refused: []notice.Refused{{Order: number, Account: "shop-eu", Cause: "data.lines is empty"}}}
	if err := w.store.KeepRefusal(w.Context(), r, notice.Gather(merchant, notice.OrderRefused, facts, at)); err != nil {
		w.Fatal(err)
	}
}

func TestRefusals_areListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	token, stranger := w.merchant("acme"), w.merchant("mallory")
	for i := range 5 {
		w.refuse("acme", fmt.Sprint("A-", i), noon.Add(time.Duration(i)*time.Second))
	}
	w.refuse("acme", "A-0", noon.Add(time.Hour)) // a repeat
	var got []string
	for path := "/v1/refusals?limit=2"; ; {
		var page RefusalList
		w.shop(token, "GET", path, nil).Want(200).Into(&page)
		for _, r := range page.Items {
			if r.Account != "shop-eu" || r.Field != "data.lines" || r.Problem != "is empty" {
				t.Errorf("listed %+v", r)
			}
			got = append(got, r.Order)
		}
		if page.Next == "" {
			break
		}
		path = "/v1/refusals?limit=2&after=" + page.Next
	}
	if fmt.Sprint(got) != "[A-4 A-3 A-2 A-1 A-0]" {
		t.Errorf("listed %v", got)
	}
	var none RefusalList
	w.shop(stranger, "GET", "/v1/refusals", nil).Want(200).Into(&none)
	if len(none.Items) != 0 {
		t.Errorf("another merchant reads %+v", none.Items)
	}
}
