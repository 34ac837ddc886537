//go:build deployment

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"keypool/infra/local/shop"
)

// Keys that a program sends are sold as those of a file are; each is found by its text; and
// what is left of them is taken out of sale.
func TestKeys_addedFoundWithdrawn(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	texts := newKeys(3)
	ask := func(method, path string, in, out any) {
		t.Helper()
		if err := world.shop.Ask(t.Context(), m.token, method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var added struct{ Upload string }
	ask(http.MethodPost, "/v1/pools/"+m.pool+"/keys", map[string]any{"keys": texts}, &added)
	var u shop.Upload
	err := shop.Await(t.Context(), timeout, "the keys being loaded", func() (bool, error) {
		// It is not there until ingest has heard of it.
		err := world.shop.Ask(t.Context(), m.token, http.MethodGet, "/v1/uploads/"+added.Upload, nil, &u)
		return err == nil && u.State == "finished", nil
	})
	if err != nil || u.Accepted != len(texts) {
		t.Fatalf("the upload %s: %+v, %v", added.Upload, u, err)
	}
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	m.mailTo(o.Email)

	type found struct {
		Items []struct {
			Key    int
			State  string
			Upload struct {
				ID   string
				Line int
			}
			Sold struct{ Order string }
		}
	}
	states := func() map[string]int {
		t.Helper()
		var keys found
		ask(http.MethodPost, "/v1/keys/find", map[string]any{"keys": texts}, &keys)
		by := map[string]int{}
		for _, k := range keys.Items {
			by[k.State]++
			if k.Upload.ID != added.Upload || k.Upload.Line != k.Key || (k.State == "claimed") != (k.Sold.Order == o.ID) {
				t.Errorf("key %d: %+v", k.Key, k)
			}
		}
		return by
	}
	if by := states(); by["claimed"] != 1 || by["available"] != 2 {
		t.Errorf("the keys are %v", by)
	}
	var j struct{ ID string }
	ask(http.MethodPost, "/v1/uploads/"+added.Upload+"/withdraw", map[string]any{"reason": "the wrong pool"}, &j)
	err = shop.Await(t.Context(), timeout, "the keys being withdrawn", func() (bool, error) {
		live, _, err := world.shop.Stock(t.Context(), m.token, m.pool)
		return live.Available == 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if by := states(); by["claimed"] != 1 || by["withdrawn"] != 2 {
		t.Errorf("the keys are %v", by)
	}
	var now struct{ Keys int }
	ask(http.MethodGet, "/v1/jobs/"+j.ID, nil, &now)
	if now.Keys != 2 {
		t.Errorf("the job counts %d keys", now.Keys)
	}
}

// A leaked upload is withdrawn while it sells: each order of that time has keys of its own, and
// once the job has ended, no order gets one of the upload.
func TestKeys_withdrawnWhileTheySell(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	ask := func(method, path string, in, out any) {
		t.Helper()
		if err := world.shop.Ask(t.Context(), m.token, method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	const keys = 300
	leaked := newKeys(keys)
	file := m.drop(strings.Join(leaked, "\n") + "\n")
	u := m.loaded(file)

	orders := make([]shop.Order, 40)
	var paid sync.WaitGroup
	for i := range orders {
		orders[i] = m.order(1)
		if i < 5 { // a few come before
			m.pay(orders[i], "fulfilled", 1)
			continue
		}
		paid.Go(func() {
			if _, _, err := world.shop.Pay(t.Context(), m.Account, orders[i]); err != nil {
				t.Errorf("order %d: %v", i, err)
			}
		})
	}
	var j struct {
		ID, State string
		Keys      int
	}
	ask(http.MethodPost, "/v1/uploads/"+u.ID+"/withdraw", map[string]any{"reason": "leaked"}, &j)
	paid.Wait()
	m.await("the job's end", func(context.Context) bool {
		ask(http.MethodGet, "/v1/jobs/"+j.ID, nil, &j)
		return j.State == "done"
	})

	holds := func() map[string]string { // the order of each leaked key that has one
		t.Helper()
		of := map[string]string{}
		for texts := range slices.Chunk(leaked, 20) {
			var found struct {
				Items []struct {
					Key   int
					State string
					Sold  struct{ Order string }
				}
			}
			ask(http.MethodPost, "/v1/keys/find", map[string]any{"keys": texts}, &found)
			for _, k := range found.Items {
				switch {
				case k.State == "claimed":
					of[texts[k.Key-1]] = k.Sold.Order
				case k.State != "withdrawn":
					t.Errorf("a key of the upload is %s", k.State)
				}
			}
		}
		return of
	}
	sold := holds()
	t.Logf("%d of %d keys were sold before the withdrawal got them", len(sold), keys)
	if live, _ := m.left(); live.Available != 0 || live.Withdrawn != keys-len(sold) || live.Claimed != len(sold) || j.Keys != keys-len(sold) {
		t.Errorf("%+v; the job counts %d, and %d are sold", live, j.Keys, len(sold))
	}
	by := map[string]int{}
	for _, number := range sold {
		by[number]++
	}
	m.stock(len(orders) + 3)
	for i, o := range orders {
		m.await(fmt.Sprintf("order %d", i), func(context.Context) bool { l := m.line(o); return l != nil && l.State == "fulfilled" })
		got := m.keysOf(o)
		if len(got) != 1 || by[o.ID] > 1 || slices.Contains(leaked, got[0]) != (by[o.ID] == 1) || by[o.ID] == 1 && sold[got[0]] != o.ID {
			t.Errorf("order %d has %d keys, %d of the upload", i, len(got), by[o.ID])
		}
	}
	if after := holds(); len(after) != len(sold) {
		t.Errorf("%d keys of the upload are sold after its withdrawal, %d before", len(after), len(sold))
	}
	if live, _ := m.left(); live.Available != 3+len(sold) {
		t.Errorf("%d keys are left, want %d", live.Available, 3+len(sold))
	}
}
