//go:build deployment

package e2e

import (
	"net/http"
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
