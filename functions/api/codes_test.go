package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/notice"
	"keypool/shared/order"
)

// A code is set, shown as set, changed, blocked and taken off sale, under the product's lock.
// Its text comes in and never out.
func TestCodes(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1"}, "if-match", "*").Want(404)
	shared := Product{Title: "Demo", Keys: &KeyRule{Mode: "shared"}}
	made := w.shop(bearer, "PUT", "/v1/products/demo", shared).Want(201)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1"}).Want(428)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{}, "if-match", "*").Want(422)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1", TestCode: " SECRET-1"}, "if-match", "*").Want(422)

	var p CodesSet
	var again Product
	set := w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: " SECRET-1\t"}, "if-match", made.Headers["Etag"]).Want(200).Into(&p)
	if p.Code == nil || !p.Code.SetAt.Equal(noon) || p.TestCode != nil {
		t.Errorf("answer %s", set.Body)
	}
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-2"}, "if-match", made.Headers["Etag"]).Want(412)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1"}).Want(200) // the same again needs no condition
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{TestCode: "SECRET-T"}, "if-match", set.Headers["Etag"]).Want(200)
	both := w.shop(bearer, "GET", "/v1/products/demo", nil).Want(200).Into(&again)
	var read CodesSet
	if got := w.shop(bearer, "GET", "/v1/codes/demo", nil).Want(200).Into(&read); read.Code == nil || *read.Code != *again.Code || got.Headers["Etag"] != both.Headers["Etag"] {
		t.Errorf("the codes: %s", got.Body)
	}
	if again.Keys.Mode != "shared" || again.Keys.Count != 1 {
		t.Errorf("the rule is %+v", again.Keys)
	}
	if again.Code == nil || *again.Code != *p.Code || again.TestCode == nil || strings.Contains(both.Body+set.Body, "SECRET") {
		t.Errorf("read back: %s", both.Body)
	}

	// The product's other settings, and a document of all, leave the codes as they are.
	shared.Title = "Demo 2"
	w.shop(bearer, "PUT", "/v1/products/demo", shared, "if-match", "*").Want(200).Into(&again)
	if again.Code == nil || again.TestCode == nil {
		t.Errorf("a change of the title took the codes: %+v", again)
	}
	document := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200)
	if strings.Contains(document.Body, "key_id") || strings.Contains(document.Body, "SECRET") {
		t.Errorf("the document has codes: %s", document.Body)
	}
	var changes CatalogChanges
	w.shop(bearer, "PUT", "/v1/catalog?dry_run=true", document.Body).Want(200).Into(&changes)
	if len(changes.Changes) > 0 {
		t.Errorf("the document put back changes %+v", changes.Changes)
	}
	w.shop(bearer, "PUT", "/v1/catalog", strings.Replace(document.Body, "Demo 2", "Demo 3", 1), "if-match", "*").Want(200)
	w.shop(bearer, "GET", "/v1/products/demo", nil).Want(200).Into(&again)
	if again.Title != "Demo 3" || again.Code == nil || *again.Code != *p.Code || again.TestCode == nil {
		t.Errorf("after a change by the document: %+v", again)
	}

	w.shop(bearer, "DELETE", "/v1/codes/demo?side=test", nil, "if-match", "*").Want(204)
	again = Product{}
	w.shop(bearer, "GET", "/v1/products/demo", nil).Want(200).Into(&again)
	if again.Code == nil || again.TestCode != nil {
		t.Errorf("with the test code taken off: %+v", again)
	}
	w.shop(bearer, "DELETE", "/v1/codes/demo", nil, "if-match", "*").Want(204)
	w.shop(bearer, "DELETE", "/v1/codes/demo", nil).Want(204) // it is gone already
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1"}, "if-match", "*").Want(200)
	w.shop(bearer, "DELETE", "/v1/products/demo", nil, "if-match", "*").Want(204)
	w.shop(bearer, "PUT", "/v1/products/demo", shared).Want(201).Into(&again)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "SECRET-1"}, "if-match", "*").Want(200)

	entries := w.shop(bearer, "GET", "/v1/audit?limit=100", nil).Want(200)
	if !strings.Contains(entries.Body, "code.set_at") || strings.Contains(entries.Body, "SECRET") {
		t.Errorf("the audit trail: %s", entries.Body)
	}
	told := w.notices(notice.ChangedText)
	if len(told) == 0 || !slices.Equal(told[0].Facts.Changed[0].Parts, []string{"code"}) || strings.Contains(fmt.Sprint(told), "SECRET") {
		t.Errorf("told %+v", told)
	}
	w.shop(w.token("acme", access.Upload, access.OrdersWrite, access.Secrets), "PUT", "/v1/codes/demo", Codes{Code: "SECRET-9"}, "if-match", "*").Want(403)
}

// A text that is a key already is no code, and the answer says where it stands.
func TestCodes_taken(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	for _, id := range []string{"demo", "other", "third"} {
		w.shop(bearer, "PUT", "/v1/products/"+id, Product{Title: id, Keys: &KeyRule{Mode: "shared"}, Aliases: []string{id + "-alias"}}).Want(201)
	}
	stockText(w, w.store, w.tables, "acme", "elden", "FOR-SALE")
	w.sells("acme", "A-1", "SOLD")
	w.shop(bearer, "POST", "/v1/keys/block", BlockKeys{Keys: []string{"BLOCKED"}}).Want(200)
	w.shop(bearer, "PUT", "/v1/codes/other", Codes{Code: "OTHERS", TestCode: "TRIED"}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/codes/third", Codes{Code: "LEAKED"}, "if-match", "*").Want(200)
	w.shop(bearer, "POST", "/v1/keys/block", BlockKeys{Keys: []string{"LEAKED"}}).Want(200)
	before := w.dump()
	for _, c := range []struct {
		product string
		codes   Codes
		says    string
	}{
		{"demo", Codes{Code: "FOR-SALE"}, `for sale, of the pool \"elden\"`},
		{"demo", Codes{Code: "SOLD"}, `was sold, of the pool`},
		{"demo", Codes{Code: "BLOCKED"}, `blocked`},
		{"demo", Codes{Code: "OTHERS"}, `the code of the product \"other\"`},
		{"demo", Codes{Code: "LEAKED"}, `blocked`},
		{"third", Codes{Code: "LEAKED"}, `blocked`},
		{"demo", Codes{TestCode: "OTHERS"}, `on the live side`},
		{"demo", Codes{TestCode: "FOR-SALE"}, `on the live side`},
		{"demo", Codes{Code: "TRIED"}, `on the test side`},
		{"demo-alias", Codes{Code: "FREE"}, `alias of the product`},
	} {
		got := w.shop(bearer, "PUT", "/v1/codes/"+c.product, c.codes, "if-match", "*").Want(409)
		if !strings.Contains(got.Body, c.says) {
			t.Errorf("%+v of %s: %s", c.codes, c.product, got.Body)
		}
	}
	if after := w.dump(); len(after) != len(before) {
		t.Errorf("%d items, %d before", len(after), len(before))
	}
	// One that is taken off is free for another product.
	w.shop(bearer, "DELETE", "/v1/codes/other", nil, "if-match", "*").Want(204)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "OTHERS"}, "if-match", "*").Want(200)
	w.shop(w.merchant("nova"), "PUT", "/v1/products/demo", Product{Title: "Nova"}).Want(201)
}

// What a merchant sees of a code: by find-keys whose it is, by get-order which line has it, by
// block-keys which product needs another. It is not replaced.
func TestCodes_areFoundAndShown(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/demo", Product{Title: "Demo", Keys: &KeyRule{Mode: "shared"}}).Want(201)
	fulfil := Fulfil{Reason: "for the press", Lines: []FulfilsLine{{Product: "demo", Quantity: 3}}, Customer: FulfilsCustomer{Email: "ada@example.com"}}
	w.shop(bearer, "POST", "/v1/orders/M-1/fulfil", fulfil).Want(422)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "EVERYBODY"}, "if-match", "*").Want(200)
	w.shop(bearer, "POST", "/v1/orders/M-1/fulfil", fulfil).Want(200)
	var orders OrderList
	w.shop(bearer, "GET", "/v1/orders/M-1", nil).Want(200).Into(&orders)
	line := orders.Items[0].Lines[0]
	if !line.SharedCode || line.State != string(order.Fulfilled) || line.Wanted != 1 || line.Pool != "" || len(line.KeyIDs) != 1 {
		t.Errorf("the line is %+v", line)
	}
	refused := w.shop(bearer, "POST", "/v1/orders/M-1/replace", ReplaceAct{Line: line.Line, KeyID: line.KeyIDs[0]}).Want(409)
	if !strings.Contains(refused.Body, "put-code") {
		t.Errorf("a replacement: %s", refused.Body)
	}

	var found KeyList
	w.shop(bearer, "POST", "/v1/keys/find", FindKeys{Keys: []string{"EVERYBODY"}}).Want(200).Into(&found)
	if k := found.Items[0]; k.State != "shared" || k.CodeOf != "demo" || !k.Current || k.Sold != nil || k.KeyID != line.KeyIDs[0] || k.Side != "live" {
		t.Errorf("found %+v", k)
	}
	var blocked BlockedKeys
	w.shop(bearer, "POST", "/v1/keys/block", BlockKeys{Keys: []string{"EVERYBODY"}}).Want(200).Into(&blocked)
	if len(blocked.Codes) != 1 || blocked.Codes[0] != (BlockedCode{Key: 1, Product: "demo", Side: "live", Current: true}) || blocked.Sold != 0 {
		t.Errorf("blocked %+v", blocked)
	}
	w.shop(bearer, "POST", "/v1/orders/M-2/fulfil", fulfil).Want(422)
	w.shop(bearer, "PUT", "/v1/codes/demo", Codes{Code: "ANOTHER"}, "if-match", "*").Want(200)
	if last := w.fill.sent[len(w.fill.sent)-1]; !strings.Contains(last, `"demo"`) {
		t.Errorf("fill was asked for %s", last)
	}
	dynamotest.Audit(t, w.tables)
}
