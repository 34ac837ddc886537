package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// waits stores another line of an order, which waits.
func (w *world) waits(of order.Fulfillment, name string) order.Fulfillment {
	w.Helper()
	f := of
	f.Line, f.Version, f.Keys, f.Takes, f.Allocated = name, 1, nil, nil, 0
	f.ID = order.Identity{Merchant: f.Merchant, Side: f.Side, Origin: f.Origin, Order: f.Order, Line: name}.ID()
	f.Mail.State = ""
	if err := w.store.Commit(w.Context(), order.NewLine(f)); err != nil {
		w.Fatal(err)
	}
	return f
}

// An act that names versions is done to lines as they were seen, or to none of them, and
// the refusal says how they are now.
func TestActs_versions(t *testing.T) {
	t.Parallel()
	for act, body := range map[string]string{
		"hold":   `{"versions":%s}`,
		"resend": `{"versions":%s}`,
		"return": `{"versions":%s,"lines":[{"line":"1"},{"line":"2"}]}`,
		"cancel": `{"versions":%s}`,

		"return ": `{"versions":%s}`, // of the whole order
	} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			token := w.merchant("acme")
			w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
			path := "/v1/orders/7/" + strings.TrimSpace(act)
			one := w.paidOrder("7", 2)
			two := w.waits(one, "2")
			var acted Acted
			w.shop(token, "POST", "/v1/orders/7/hold", `{"lines":["2"]}`).Want(200).Into(&acted)
			w.shop(token, "POST", "/v1/orders/7/release", fmt.Sprintf(`{"lines":["2"],"versions":{"2":%d}}`, acted.Lines[0].Version)).Want(200).Into(&acted)
			if acted.Lines[0].Version != 3 || !acted.Lines[0].Done {
				t.Errorf("released at its version: %+v", acted.Lines)
			}
			before := w.dump()
			for _, seen := range []string{`{"1":2,"2":1}`, `{"2":1}`, `{"1":1,"2":3}`} {
				got := w.shop(token, "POST", path, fmt.Sprintf(body, seen)).Want(409)
				changed := "body.versions.2"
				if strings.Contains(seen, `"2":3`) {
					changed = "body.versions.1"
				}
				if where := fmt.Sprint(got.Locations()); where != "["+changed+"]" || !strings.Contains(got.Body, "is now at version") || !strings.Contains(got.Body, "nothing was done") {
					t.Errorf("seen at %s: %s", seen, got.Body)
				}
			}
			w.shop(token, "POST", path, fmt.Sprintf(body, `{"3":1}`)).Want(422)
			w.shop(token, "POST", path, fmt.Sprintf(body, `{"1":0}`)).Want(422)
			if after := w.dump(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("a refused act changed something")
			}
			got := w.shop(token, "POST", path, fmt.Sprintf(body, `{"1":2,"2":3}`)).Want(200)
			if now := w.state(two.ID); now.Version <= 3 && act != "resend" {
				t.Errorf("at their versions: %s", got.Body)
			}
			dynamotest.Audit(t, w.tables)
		})
	}
}

// Units are given back under an id, so that a call that is sent twice gives back once.
func TestReturn_unitsNeedAnID(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.paidOrder("7", 3)
	units := `{"lines":[{"line":"1","units":1}]}`
	if got := w.shop(token, "POST", "/v1/orders/7/return", units).Want(422).Locations(); fmt.Sprint(got) != "[body.refund]" {
		t.Errorf("at fault are %v", got)
	}
	for range 3 {
		w.shop(token, "POST", "/v1/orders/7/return", strings.Replace(units, `{`, `{"refund":"RMA-1","versions":{"1":2},`, 1)).Want(200)
	}
	w.shop(token, "POST", "/v1/orders/7/return", strings.Replace(units, `{`, `{"refund":"RMA-2","versions":{"1":2},`, 1)).Want(409)
	var read OrderList
	if w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read); read.Items[0].Lines[0].Returned != 1 || read.Items[0].Lines[0].Version != 3 {
		t.Errorf("read %+v", read.Items[0].Lines[0])
	}
	for range 2 { // all that is left needs none
		w.shop(token, "POST", "/v1/orders/7/return", `{"lines":[{"line":"1"}],"reason":"all"}`).Want(200)
	}
	read = OrderList{}
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	if line := read.Items[0].Lines[0]; line.State != "returned" || len(inHistory(read.Items[0])) != 2 {
		t.Errorf("read %+v", line)
	}
	dynamotest.Audit(t, w.tables)
}

// A key is replaced in the line that was seen.
func TestReplace_versions(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	line := w.paidOrder("7", 1)
	dynamotest.Stock(w, w.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, 4, dynamotest.Texts("NEW", 3)...)
	body := `{"line":"1","key_id":"` + string(line.Keys[0].ID) + `","versions":{"1":%d}}`
	w.shop(token, "POST", "/v1/orders/7/replace", fmt.Sprintf(body, 1)).Want(409)
	w.shop(token, "POST", "/v1/orders/7/replace", fmt.Sprintf(body, 2)).Want(200)
	w.shop(token, "POST", "/v1/orders/7/replace", fmt.Sprintf(body, 2)).Want(409)
	if now := w.state(line.ID); len(now.Replaced) != 1 || now.Allocated != 1 {
		t.Errorf("the line is %+v", now)
	}
	dynamotest.Audit(t, w.tables)
}

// A body that names a member twice is refused by all operations: which of the two was meant
// is not known.
func TestBodies_nameNothingTwice(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.paidOrder("7", 2)
	before := w.dump()
	for _, c := range []struct{ method, path, body, names string }{
		{"POST", "/v1/orders/7/hold", `{"versions":{"1":7,"1":2}}`, "versions.1"},
		{"POST", "/v1/orders/7/hold", `{"versions":{"1":7},"versions":{"1":2}}`, "versions"},
		{"POST", "/v1/orders/7/hold", `{"versions":{"1":7,"\u0031":2}}`, "versions.1"},
		{"POST", "/v1/orders/7/return", `{"refund":"R","lines":[{"line":"1","units":1},{"line":"1","line":"2"}]}`, "lines.1.line"},
		{"POST", "/v1/orders/release?order=7", `{"disputes":false,"disputes":true}`, "disputes"},
		{"PUT", "/v1/pools/other", `{"title":"Elden","title":"Other"}`, "title"},
		{"PUT", "/v1/accounts/my-shop", `{"platform":"generic","settings":{"order":"/a","order":"/b"}}`, "settings.order"},
	} {
		got := w.shop(token, c.method, c.path, c.body).Want(400)
		if where := fmt.Sprint(got.Locations()); where != "[body]" || !strings.Contains(got.Body, `"`+c.names+" is there twice") {
			t.Errorf("%s: %s", c.body, got.Body)
		}
		if diff := cmp.Diff(before, w.dump()); diff != "" {
			t.Errorf("%s: it was refused, and changed\n%s", c.body, diff)
		}
	}
}

// unversioned are the changes that need no version, and why. All others are made under an
// optimistic lock.
var unversioned = map[string]string{
	"revoke-token":    "a token never changes: it is there or revoked",
	"release-brake":   "the brake is set or it is not, and to take off what is off changes nothing",
	"forget-readings": "answers are kept or forgotten: the question comes again with the next file",
}

// Every setting that is changed or deleted is so under an optimistic lock: whoever adds one
// gives it the lock, or says here why it needs none.
func TestEveryOperation_changesUnderALock(t *testing.T) {
	t.Parallel()
	o := newOwner(open(t))
	seen := map[string]bool{}
	for _, c := range document.Calls(t) {
		if c.Method != "PUT" && c.Method != "DELETE" {
			continue
		}
		seen[c.Operation] = true
		headers, statuses := document.Takes(t, c.Operation)
		locked := slices.Contains(headers, "If-Match") && slices.Contains(statuses, "412") && slices.Contains(statuses, "428")
		if _, needsNone := unversioned[c.Operation]; locked == needsNone {
			t.Errorf("%s takes If-Match, and answers 412 and 428: %v", c.Operation, locked)
		}
		if !locked {
			continue
		}
		// Without a condition, or with that of a version long gone, it changes nothing that exists.
		before := o.dump()
		if got := o.shop(o.token, c.Method, c.Path, c.Body); got.StatusCode != 428 {
			t.Errorf("%s without a condition: %d, want 428", c.Operation, got.StatusCode)
		}
		if got := o.shop(o.token, c.Method, c.Path, c.Body, "if-match", `"77"`); got.StatusCode != 412 {
			t.Errorf("%s of version 77: %d, want 412", c.Operation, got.StatusCode)
		}
		if diff := cmp.Diff(before, o.dump()); diff != "" {
			t.Errorf("%s changed something:\n%s", c.Operation, diff)
		}
		if c.Method == "PUT" {
			read := o.shop(o.token, "GET", c.Path, nil)
			if read.StatusCode != 200 || read.Headers["Etag"] == "" {
				t.Errorf("GET %s: %d, ETag %q", c.Path, read.StatusCode, read.Headers["Etag"])
			}
		}
	}
	for operation := range unversioned {
		if !seen[operation] {
			t.Errorf("%s is no change any more", operation)
		}
	}
}
