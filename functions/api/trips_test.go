package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// mostTrips are the round trips that a page of the API takes at most, beside that for its
// token.
const mostTrips = 2

// TestPages_roundTrips walks all operations that read, with more of everything than a page
// shows: a list is asked for its page as it is by default, and for the greatest. The second
// call is counted: the first also writes when its token was used, and reads the salt of the
// merchant.
func TestPages_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	o := newOwner(open(t, calls.Option))
	o.fillPages()
	tried, lists := 0, 0
	for _, c := range document.Calls(t) {
		if c.Method != "GET" {
			continue
		}
		tried++
		o.wantTrips(&calls, c.Operation, c.Method, c.Path, c.Body)
		if c.Most == 0 {
			continue
		}
		lists++
		o.wantTrips(&calls, c.Operation, c.Method, fmt.Sprint(c.Path, "?limit=", c.Most), c.Body)
		if got := o.shop(o.token, c.Method, c.Path, c.Body); !strings.Contains(got.Body, `"next":`) {
			t.Errorf("%s has no second page: plant more in fillPages\n%s", c.Operation, got.Body)
		}
	}
	for _, filter := range []string{"email=ada@example.com", "state=on_hold", "attention=true", "test=true", "account=shop-eu&product=4711"} {
		o.wantTrips(&calls, "list-orders", "GET", "/v1/orders?limit=100&"+filter, nil)
	}
	if tried < 15 || lists < 8 {
		t.Errorf("only %d operations, %d of them lists, were tried", tried, lists)
	}
}

// fillPages plants more than the greatest page of each list shows.
func (o *owner) fillPages() {
	o.Helper()
	for n := range 101 {
		name := fmt.Sprintf("more-%03d", n)
		o.shop(o.token, "PUT", "/v1/pools/"+name, Pool{}).Want(201)
		o.shop(o.token, "PUT", "/v1/products/"+name, Product{Title: name, Pool: name}).Want(201)
		o.upload(upload.Upload{Merchant: ownersName, ID: name, File: name, Pool: name, Side: pool.Live, State: upload.Finished, Ranges: 1})
		o.refuse(ownersName, name, noon)
		o.held(ownersName, pool.Live, name, noon)
		if err := o.store.RaiseNotice(o.Context(), notice.New(ownersName, notice.LowStock, name, notice.Facts{Pool: name}, noon)); err != nil {
			o.Fatal(err)
		}
		if err := o.store.StartJob(o.Context(), job.Job{Merchant: ownersName, ID: name, Kind: job.Wipe, Side: pool.Test, CreatedAt: noon, DueAt: noon}); err != nil {
			o.Fatal(err)
		}
	}
}

// However long the things of a list are, and however many of them it leaves out, a page is no
// third round trip: it has fewer, and all pages together have each of them once.
func TestPages_roundTripsOfLongOnes(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	o := newOwner(open(t, calls.Option))
	entries := o.fillLongPages(60)
	for path, want := range map[string]int{"/v1/products?limit=100": 60 + 2, "/v1/audit?limit=100": entries, "/v1/uploads?limit=100": 101 + 2} {
		seen := map[string]bool{}
		for after, pages := "", 0; ; pages++ {
			var page struct {
				Items []struct{ ID string }
				Next  string
			}
			next := path + "&after=" + url.QueryEscape(after)
			o.wantTrips(&calls, "a list", "GET", next, nil)
			if err := json.Unmarshal([]byte(o.shop(o.token, "GET", next, nil).Want(200).Body), &page); err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				if seen[item.ID] {
					t.Errorf("%s has %s twice", path, item.ID)
				}
				seen[item.ID] = true
			}
			if after = page.Next; after == "" || pages > 100 {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("all pages of %s have %d, want %d", path, len(seen), want)
		}
	}
}

// fillLongPages plants products of long texts, each next to one of many aliases, with entries
// in the audit trail, and uploads with as much as is kept of one. It returns how many entries
// there are.
func (o *owner) fillLongPages(products int) int {
	o.Helper()
	texts := func(letter string) map[string]Text {
		all := map[string]Text{}
		for language := range strings.FieldsSeq("af am ar az be bg bn ca cs da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn ko lo lt lv mk ml mn mr ms ne nl pl pt ro") {
			all[language] = Text{Body: "{KEY}" + strings.Repeat(letter, 3000)}
		}
		return all
	}
	for n := range products {
		name := fmt.Sprintf("more-%03d", n)
		p := Product{Title: name, Pool: "elden"}
		if n%2 == 0 {
			for alias := range 10 {
				p.Aliases = append(p.Aliases, fmt.Sprint(name, "-", alias))
			}
			o.shop(o.token, "PUT", "/v1/products/"+name, p).Want(201)
			continue
		}
		p.Texts = texts("a")
		o.shop(o.token, "PUT", "/v1/products/"+name, p).Want(201)
		p.Texts = texts("b")
		o.shop(o.token, "PUT", "/v1/products/"+name, p, "if-match", "*").Want(200)
	}
	var long upload.Upload
	for line := range upload.KeptRejected {
		long.Kept = append(long.Kept, upload.RejectedLine{Line: 10_000_000 + line, Reason: upload.AnotherPool, SoldAt: noon})
	}
	for n := range 101 {
		u := long
		u.Merchant, u.ID, u.File = ownersName, fmt.Sprintf("more-%03d", n), strings.Repeat("x", 900)
		u.Pool, u.Side, u.State, u.Ranges = "elden", pool.Live, upload.Finished, 1
		o.upload(u)
	}
	entries := 0
	for id := range o.items() {
		if strings.HasPrefix(id, "catalog audit#"+ownersName+" ") {
			entries++
		}
	}
	return entries
}

// Keys of which a call counts few, since they are long, are no third one.
func TestGetPool_roundTripsOfLongKeys(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	o := newOwner(open(t, calls.Option))
	texts := dynamotest.Texts(strings.Repeat("K", 2000), 2_400)
	dynamotest.Stock(t, o.tables, pool.ID{Merchant: ownersName, Pool: "elden-latam", Side: pool.Live}, 4, texts...)
	o.wantTrips(&calls, "get-pool", "GET", "/v1/pools/elden-latam", nil)
}

// A search for as many keys as one takes is no third one, though each stands on both sides, and
// has a file and an order of its own.
func TestFindKeys_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	o := newOwner(open(t, calls.Option))
	m, _, err := o.store.Merchant(t.Context(), ownersName)
	if err != nil {
		t.Fatal(err)
	}
	var find FindKeys
	for n := range inventory.MaxFound {
		find.Keys = append(find.Keys, fmt.Sprint("SOLD-", n))
		for _, side := range pool.Sides {
			name := fmt.Sprint("found-", n, "-", side)
			o.upload(upload.Upload{Merchant: ownersName, ID: name, File: name, Pool: "elden", Side: side, State: upload.Finished, Ranges: 1})
			line := o.claim(ownersName, "elden", side, name, 1)
			sold := dynamotest.KeyItem(pool.ID{Merchant: ownersName, Pool: "elden", Side: side}, 4, 0, find.Keys[n])
			delete(sold, "shard")
			delete(sold, "place")
			for attribute, value := range map[string]string{
				"pk": string(pool.Identify(m.Salt, ownersName, side, find.Keys[n])), "state": string(pool.KeyClaimed), "line": string(line.ID), "upload": name,
			} {
				sold[attribute] = &types.AttributeValueMemberS{Value: value}
			}
			if _, err := dynamotest.Client(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &o.tables.Keys, Item: sold}); err != nil {
				t.Fatal(err)
			}
		}
	}
	o.wantTrips(&calls, "find-keys", "POST", "/v1/keys/find", find)
	var got KeyList
	o.shop(o.token, "POST", "/v1/keys/find", find).Want(200).Into(&got)
	if len(got.Items) != 2*inventory.MaxFound {
		t.Fatalf("found %d keys", len(got.Items))
	}
	for _, k := range got.Items {
		if k.Upload == nil || k.Upload.File == "" || k.Sold == nil || k.Sold.Order == "" {
			t.Errorf("found without its file, or its order: %+v", k)
		}
	}
}

// The place of a waiting line in its queue is no third one, nor is a number that several
// orders of both sides have.
func TestGetOrder_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	o := newOwner(open(t, calls.Option))
	for _, side := range pool.Sides {
		o.claim(ownersName, "elden", side, "waits", 2)
	}
	for _, query := range []string{"", "?test=true", "?account=shop-eu"} {
		o.wantTrips(&calls, "get-order", "GET", "/v1/orders/waits"+query, nil)
	}
}

// An order of an account that is new since the last one was looked for is found at once.
func TestGetOrder_ofANewAccount(t *testing.T) {
	t.Parallel()
	o := newOwner(open(t))
	o.shop(o.token, "GET", "/v1/orders/A-1001", nil).Want(200)
	account := o.account(ownersName, "shop-us")
	id := order.Identity{Merchant: ownersName, Side: pool.Live, Origin: account.Origin, Order: "us-1", Line: "1"}.ID()
	if err := o.store.Commit(t.Context(), order.Change{After: order.Fulfillment{
		ID: id, Version: 1, Merchant: ownersName, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: "us-1", Line: "1", Product: "4711", Quantity: 1, ReceivedAt: noon,
	}}); err != nil {
		t.Fatal(err)
	}
	var got OrderList
	o.shop(o.token, "GET", "/v1/orders/us-1", nil).Want(200).Into(&got)
	if len(got.Items) != 1 || got.Items[0].Account != "shop-us" {
		t.Errorf("found %+v", got.Items)
	}
	o.shop(o.token, "GET", "/v1/orders/us-1?account=shop-eu", nil).Want(404)
}

// wantTrips holds how many round trips a page takes at most. The second call is counted.
func (o *owner) wantTrips(calls *dynamotest.Trips, operation, method, path string, body any) {
	o.Helper()
	o.shop(o.token, method, path, body).Want(200)
	trips := 0
	// A busy machine starts calls late that are made side by side: they overlap if they last.
	for latency := 5 * time.Millisecond; latency < 300*time.Millisecond; latency *= 2 {
		calls.Reset(latency)
		o.shop(o.token, method, path, body).Want(200)
		if now := calls.RoundTrips(); trips == 0 || now < trips {
			trips = now
		}
		if trips <= 1+mostTrips {
			return
		}
	}
	o.Errorf("%s %s takes %d round trips beside its token's, and %d are the most", operation, path, trips-1, mostTrips)
}
