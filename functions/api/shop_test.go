package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/web/bodies"
)

// A merchant sets what is its own, under a lock; what the operator sets stays as it is.
func TestShop(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "old@acme.example", Calls: 5000, Mails: 7})
	salt := w.storedMerchant("acme").Salt
	var got Shop
	first := w.shop(bearer, "GET", "/v1/shop", nil).Want(200)
	if first.Into(&got); got.Title != "Acme" || got.Calls != 5000 || got.Mails != 7 || got.Uploads.Files != 500 {
		t.Errorf("at first: %+v", got)
	}
	want := bodies.SampleShop
	want.DefaultPool = "elden"
	w.shop(bearer, "PUT", "/v1/shop", want, "if-match", first.ETag()).Want(422) // no such pool
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/shop", want).Want(428)
	w.advance(time.Second)
	w.shop(bearer, "PUT", "/v1/shop", Shop{ShopSettings: want, Calls: 1_000_000}, "if-match", first.ETag()).Want(200).Into(&got)
	if diff := cmp.Diff(want, got.ShopSettings); diff != "" || got.Calls != 5000 {
		t.Errorf("stored with %d calls: %s", got.Calls, diff)
	}
	w.shop(bearer, "PUT", "/v1/shop", want, "if-match", first.ETag()).Want(412)
	w.shop(bearer, "PUT", "/v1/shop", want).Want(200) // the same again
	wrong := want
	wrong.TimeZone, wrong.NoticeAddress = "Mars", ""
	w.shop(bearer, "PUT", "/v1/shop", wrong, "if-match", "*").Want(422)

	stored := w.storedMerchant("acme")
	if stored.Calls != 5000 || stored.Mails != 7 || string(stored.Salt) != string(salt) {
		t.Errorf("the operator's part is %+v", stored)
	}
	if n, ok, err := w.store.Notice(t.Context(), "acme#changed-address#2#former"); err != nil || !ok || n.To != "old@acme.example" {
		t.Errorf("the former address is told: %v, %v, at %q", ok, err, n.To)
	}
	told, _, _ := w.store.Notice(t.Context(), notice.Gather("acme", notice.ChangedText, notice.Facts{}, w.now()).ID)
	if last := len(told.Facts.Changed) - 1; last < 0 || cmp.Diff([]string{"frame en", "shop_title", "sender_name", "reply_to", "logo"}, told.Facts.Changed[last].Parts) != "" {
		t.Errorf("told of what customers read: %+v", told.Facts.Changed)
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit?limit=1", nil).Want(200).Into(&trail)
	if len(trail.Items) != 1 || trail.Items[0].Thing != "merchant" || trail.Items[0].After["reply_to"] != "help@acme.example" {
		t.Errorf("the audit trail: %+v", trail)
	}
	w.shop(w.merchant("mallory"), "PUT", "/v1/shop", bodies.ShopSettings{Title: "Mallory", NoticeAddress: "m@mallory.example"}, "if-match", "*").Want(200)
	if got := w.storedMerchant("acme").Title; got != "Acme Games" {
		t.Errorf("acme is called %s", got)
	}
}

func (w *world) storedMerchant(name string) catalog.Merchant {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	return m
}
