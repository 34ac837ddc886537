//go:build deployment

package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	const keys, sellers, most = 600, 4, 140 // most orders of a seller: not all keys could be sold
	leaked := newKeys(keys)
	u := m.loaded(m.drop(strings.Join(leaked, "\n") + "\n"))
	var mu sync.Mutex
	var orders []shop.Order
	var paid sync.WaitGroup
	for range sellers { // each sells until nothing is for sale
		paid.Go(func() {
			for range most {
				o := m.order(1)
				reply, _, err := world.shop.Pay(t.Context(), m.Account, o)
				if err != nil || len(reply.Lines) != 1 {
					t.Errorf("pay: %+v, %v", reply, err)
					return
				}
				mu.Lock()
				orders = append(orders, o)
				mu.Unlock()
				if reply.Lines[0].State == "waiting" {
					return
				}
			}
			t.Errorf("after %d orders keys of the upload are still for sale", most)
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
	t.Logf("%d of %d keys were sold before the withdrawal got them, to %d orders", len(sold), keys, len(orders))
	if live, _ := m.left(); live.Available != 0 || live.Withdrawn != keys-len(sold) || live.Claimed != len(sold) || j.Keys != keys-len(sold) {
		t.Errorf("%+v; the job counts %d, and %d are sold", live, j.Keys, len(sold))
	}
	by := map[string]int{}
	for _, number := range sold {
		by[number]++
	}
	if len(by) != len(sold) {
		t.Errorf("%d orders of one key have %d", len(by), len(sold))
	}
	waited := slices.DeleteFunc(slices.Clone(orders), func(o shop.Order) bool { return by[o.ID] == 1 })
	m.stock(len(waited) + 3)
	for _, o := range waited {
		if got := m.keysOf(o); len(got) != 1 || slices.Contains(leaked, got[0]) {
			t.Errorf("order %s, which waited, has %d keys, or one of the upload", o.ID, len(got))
		}
	}
	if after := holds(); len(after) != len(sold) || len(sold)+len(waited) != len(orders) {
		t.Errorf("%d keys of the upload are sold after its withdrawal, %d before; of %d orders %d waited", len(after), len(sold), len(orders), len(waited))
	}
	if live, _ := m.left(); live.Available != 3 {
		t.Errorf("%d keys are left, want 3", live.Available)
	}
}

// Keys that leaked are blocked: those for sale go out of sale, those of orders are named, and one
// that nobody has uploaded yet is refused when it comes.
func TestKeys_blocked(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	texts := m.stock(2)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	sold := m.keysOf(o)
	unknown := newKeys(1)[0]
	var blocked struct {
		Withdrawn, Unknown, Sold int
		Orders                   []struct {
			Key       int
			State     string
			BlockedAt time.Time `json:"blocked_at"`
			Sold      struct{ Order string }
		}
	}
	err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/keys/block", map[string]any{"keys": append(texts, unknown), "reason": "in a forum"}, &blocked)
	if err != nil {
		t.Fatal(err)
	}
	if blocked.Withdrawn != 1 || blocked.Unknown != 1 || blocked.Sold != 1 || len(blocked.Orders) != 1 {
		t.Fatalf("%+v", blocked)
	}
	if has := blocked.Orders[0]; len(sold) != 1 || texts[has.Key-1] != sold[0] || has.State != "claimed" || has.Sold.Order != o.ID || has.BlockedAt.IsZero() {
		t.Errorf("key %d is %s, of order %s", has.Key, has.State, has.Sold.Order)
	}
	if live, _ := m.left(); live.Available != 0 || live.Withdrawn != 1 || live.Claimed != 1 {
		t.Errorf("%+v", live)
	}
	u := m.loaded(m.drop(unknown + "\n" + texts[0] + "\n" + newKeys(1)[0] + "\n"))
	if u.Accepted != 1 || u.Duplicates["blocked"] != 2 {
		t.Errorf("%d accepted, %v", u.Accepted, u.Duplicates)
	}
}

// Keys are exported to a file, which is fetched by the link without a token, and by nobody without
// one of the scope.
func TestKeys_exported(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	texts := append(newKeys(2), "=1+1,\"a\" "+newKeys(1)[0])
	u := m.loaded(m.drop(strings.Join(texts, "\n") + "\n"))
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	export := func(which, format string) [][]string {
		t.Helper()
		var j struct{ ID string }
		in := map[string]any{"which": which, "format": format, "reason": "the books"}
		if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/pools/"+m.pool+"/exports", in, &j); err != nil {
			t.Fatal(err)
		}
		var file struct {
			URL, Name   string
			Keys, Bytes int
		}
		m.await("the file", func(context.Context) bool {
			return world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/jobs/"+j.ID+"/link", nil, &file) == nil
		})
		m.notice("The file with keys of", j.ID)
		err := world.shop.WithToken(t.Context(), m.Merchant, []string{"upload", "orders:read", "orders:write", "settings", "secrets", "people"}, func(token string) error {
			err := world.shop.Ask(t.Context(), token, http.MethodPost, "/v1/jobs/"+j.ID+"/link", nil, nil)
			if err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("a token without keys:read got a link: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := world.shop.HTTP.Get(file.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || len(content) != file.Bytes {
			t.Fatalf("status %d, %d bytes of %d: %v", answer.StatusCode, len(content), file.Bytes, err)
		}
		if got := answer.Header.Get("Content-Disposition"); got != `attachment; filename="`+file.Name+`"` || !strings.HasSuffix(file.Name, "."+format) {
			t.Errorf("it is served as %s", got)
		}
		if strings.Contains(strings.ToLower(string(content)), strings.ToLower(o.Email)) {
			t.Error("the file has the customer's address")
		}
		rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil || len(rows) != 1+file.Keys {
			t.Fatalf("%d rows of %d keys: %v", len(rows), file.Keys, err)
		}
		return rows[1:]
	}
	sold, unsold := export("sold", "csv"), export("unsold", "csv")
	if len(sold) != 1 || sold[0][2] != o.ID || sold[0][1] != "claimed" || sold[0][9] != u.ID {
		t.Errorf("sold: %q", sold)
	}
	var all []string
	for _, row := range slices.Concat(sold, unsold) {
		all = append(all, row[0])
	}
	slices.Sort(all)
	slices.Sort(texts)
	if !slices.Equal(all, texts) {
		t.Error("the files have other keys than were uploaded")
	}
}

// Test data is wiped by one call: then the same test file brings all of its keys, and the same
// test order is a new one. The live side stays as it was.
func TestTestData_wiped(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	ask := func(method, path string, in, out any) {
		t.Helper()
		if err := world.shop.Ask(t.Context(), m.token, method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	type orders struct{ Items []struct{ Order string } }
	listed := func(test string) (list orders) {
		t.Helper()
		ask(http.MethodGet, "/v1/orders?test="+test, nil, &list)
		return list
	}
	sold := m.stock(3)
	real := m.order(1)
	m.pay(real, "fulfilled", 1)
	m.mailTo(real.Email)

	tested := newKeys(4)
	file := strings.Join(tested, "\n") + "\n"
	first := m.loaded(m.dropInto(m.pool+"/test/", file))
	tried, waits := m.order(1), m.order(9)
	tried.Test, waits.Test = true, true
	m.pay(tried, "fulfilled", 1)
	m.mailTo(tried.Email)
	m.pay(waits, "waiting", 3)
	before, _ := m.left()
	m.await("the orders being listed", func(context.Context) bool { return len(listed("true").Items) == 2 })

	var j struct {
		ID, State   string
		Keys, Lines int
	}
	ask(http.MethodPost, "/v1/test-data/wipe", nil, &j)
	err := shop.Await(t.Context(), 2*timeout, "the job's end", func() (bool, error) {
		ask(http.MethodGet, "/v1/jobs/"+j.ID, nil, &j)
		return j.State == "done", nil
	})
	if err != nil || j.Keys != 4 || j.Lines != 2 {
		t.Fatalf("the job: %+v, %v", j, err)
	}
	if list := listed("true"); len(list.Items) != 0 {
		t.Errorf("test orders are listed: %+v", list)
	}
	if list := listed("false"); len(list.Items) != 1 || m.line(real) == nil {
		t.Errorf("live orders: %+v", list)
	}
	live, test := m.left()
	if live != before || test.Available != 0 || test.Waiting != 0 {
		t.Errorf("the live side counts %+v, and did %+v; the test side %+v", live, before, test)
	}
	var u shop.Upload
	ask(http.MethodGet, "/v1/uploads/"+first.ID, nil, &u)
	if u.Accepted != 0 {
		t.Errorf("the wiped file is %+v", u)
	}

	if again := m.loaded(m.dropInto(m.pool+"/test/", file)); again.Accepted != 4 {
		t.Errorf("of the same file, %d keys are accepted", again.Accepted)
	}
	m.pay(tried, "fulfilled", 1)
	if more := m.loaded(m.drop(sold[0] + "\n")); more.Accepted != 0 {
		t.Error("a live key is taken again")
	}
}
