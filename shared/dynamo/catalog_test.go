package dynamo_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// A product is read by each of its ids: the same product, at the cost of one item. An id
// names one product, whoever comes first, and an alias that was taken away names none.
func TestPutProduct_aliases(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var meter dynamotest.Meter
	store, _ := dynamotest.Open(t, meter.Option)
	product := func(id string, version int, aliases ...string) catalog.Product {
		return catalog.Product{Merchant: "acme", ID: id, Version: version, Title: "Elden", Aliases: aliases}
	}
	put := func(p catalog.Product, want error) {
		t.Helper()
		if err := store.PutProduct(ctx, p); !errors.Is(err, want) {
			t.Errorf("put %s with %q at version %d: %v, want %v", p.ID, p.Aliases, p.Version, err, want)
		}
	}
	reads := func(id, want string) {
		t.Helper()
		meter.Reset()
		p, ok, err := store.Product(ctx, "acme", id)
		if err != nil || p.ID != want || ok != (want != "") {
			t.Errorf("%s is the product %q (%v, %v), want %q", id, p.ID, ok, err, want)
		}
		if read, _ := meter.Units(); len(meter.Calls()) != 1 || read != 1 {
			t.Errorf("reading %s took %v", id, meter.Calls())
		}
	}
	put(product("elden", 0, "a", "b"), nil)
	for _, id := range []string{"elden", "a", "b"} {
		reads(id, "elden")
	}
	put(product("ring", 0, "c"), nil)
	for _, taken := range []string{"a", "elden"} {
		put(product("ring", 1, "c", taken), catalog.ErrConflict) // an alias, and a product, of another
	}
	put(product("a", 0), catalog.ErrConflict)
	put(product("a", 1), catalog.ErrConflict) // the version that the alias shows
	if err := store.DeleteProduct(ctx, "acme", "a", 1); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("deleting an alias as a product: %v", err)
	}
	put(product("elden", 1, "b", "d"), nil)
	reads("a", "")
	reads("d", "elden")
	put(product("ring", 1, "a"), nil)
	reads("a", "ring")
	reads("c", "")
	var ids []string
	for after := ""; ; {
		products, next, err := store.ProductPage(ctx, "acme", after, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range products {
			ids = append(ids, p.ID)
		}
		if after = next; after == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"elden", "ring"}, ids); diff != "" {
		t.Errorf("the products, one by one (-want +got):\n%s", diff)
	}
	if err := store.DeleteProduct(ctx, "acme", "elden", 2); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"elden", "b", "d"} {
		reads(id, "")
	}
	put(product("b", 0), nil)
}

// What is stored comes back whole, as the version after the one it was made from.
func TestCatalog_comesBackWhole(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)

	merchant := catalog.Merchant{
		Color:  "#0b57c2",
		Frames: map[string]catalog.Frame{"en": {Greeting: "Hi {FNAME}", Signature: "A\nB", Footer: "F"}},
		Name:   "acme", Title: "Acme Games", NoticeAddress: "stock@acme.example", SenderName: "Acme", ReplyTo: "help@acme.example",
		Logo: "https://acme.example/logo.png", Languages: []string{"en", "de"}, TimeZone: "Europe/Berlin", DefaultPool: "elden",
		Calls: 70_000, Mails: 70, Salt: []byte("salt of a test"), LinkKey: []byte("link key of a test"),
	}
	elden := catalog.Pool{Merchant: "acme", Name: "elden", Title: "Elden", LowStock: 0, Reminder: 90 * time.Minute, Shards: 4, NoticeAddresses: []string{"stock@acme.example", "ada@acme.example"}}
	texts := catalog.Texts{Merchant: "acme", Texts: map[string]catalog.Text{"en": {Subject: "S", Body: "{KEY}", Format: "markdown"}}}
	pages := catalog.OrderPages{Merchant: "acme", Default: catalog.OrderPageOn}
	product := catalog.Product{
		Merchant: "acme", ID: "gid://shop/1#?%", Aliases: []string{"price_1", "1001"}, Title: "Elden: The Long Night", ShortTitle: "Elden", Pool: "elden",
		PoolsByCurrency: map[string]string{"BRL": "elden-latam"}, Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 3},
		Texts:        map[string]catalog.Text{"en": {Subject: "Your key", Body: "{KEY}"}, "de": {Body: "Hier: {KEY}", Format: "markdown"}},
		Instructions: "https://acme.example/help", Download: "https://acme.example/elden.zip", Original: "other", Ignored: true,
		OrderPage: catalog.OrderPageOn,
		Redeem:    catalog.Redeem{WithinDays: 30, By: "2026-12-23"},
		Review:    &catalog.Rules{Always: true, Risk: true, Above: map[string]string{"EUR": "99.90"}, MaxKeys: 7, MaxOrders: 3},
	}
	account := catalog.Account{Merchant: "acme", Name: "shop-eu", Platform: "standard", Origin: "an id of its own", Secrets: []catalog.SealedSecret{
		{Name: "paid", Test: true, Blob: []byte("new"), CreatedAt: time.UnixMilli(1_800_000_000_000).UTC()},
		{Blob: []byte("old"), CreatedAt: time.UnixMilli(1_700_000_000_000).UTC(), ExpiresAt: time.UnixMilli(1_800_000_086_400).UTC()},
	}, Credentials: []catalog.SealedCredential{
		{Name: "api_key", Blob: []byte("a credential"), CreatedAt: time.UnixMilli(1_800_000_000_000).UTC()},
	}, DeliversFrom: time.UnixMilli(1_750_000_000_000).UTC(), OtherProducts: catalog.OthersIgnored, Settings: json.RawMessage(`{"shop": "acme"}`)}
	for version := range 2 {
		merchant.Version, elden.Version, product.Version, account.Version, texts.Version, pages.Version = version, version, version, version, version, version
		for _, err := range []error{
			store.PutMerchant(ctx, merchant), store.PutPool(ctx, elden), store.PutProduct(ctx, product), store.PutAccount(ctx, account), store.PutTexts(ctx, texts),
			store.PutOrderPages(ctx, pages),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	merchant.Version, elden.Version, product.Version, account.Version, texts.Version, pages.Version = 2, 2, 2, 2, 2, 2

	same := func(want, got any, ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Errorf("%T: %v, %v", want, ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	gotMerchant, ok, err := store.Merchant(ctx, "acme")
	same(merchant, gotMerchant, ok, err)
	gotPool, ok, err := store.Pool(ctx, "acme", "elden")
	same(elden, gotPool, ok, err)
	gotProduct, ok, err := store.Product(ctx, "acme", product.ID)
	same(product, gotProduct, ok, err)
	gotAccount, ok, err := store.Account(ctx, "acme", "shop-eu")
	same(account, gotAccount, ok, err)
	gotTexts, err := store.Texts(ctx, "acme")
	same(texts, gotTexts, true, err)
	gotPages, err := store.OrderPages(ctx, "acme")
	same(pages, gotPages, true, err)
	none, err := store.OrderPages(ctx, "acme2")
	same(catalog.OrderPages{Merchant: "acme2", Default: catalog.OrderPageOff}, none, true, err)
	pools, err := store.Pools(ctx, "acme", "", 0)
	same([]catalog.Pool{elden}, pools, true, err)

	// Another merchant has none of it, even one whose name begins the same.
	for _, other := range []string{"acm", "acme2", ""} {
		_, m, err1 := store.Merchant(ctx, other)
		_, p, err2 := store.Pool(ctx, other, "elden")
		pools, err3 := store.Pools(ctx, other, "", 0)
		products, err4 := store.Products(ctx, other)
		if m || p || len(pools)+len(products) > 0 || errors.Join(err1, err2, err3, err4) != nil {
			t.Errorf("%q sees acme's: %v %v %v %v %v", other, m, p, pools, products, errors.Join(err1, err2, err3, err4))
		}
	}
}

func TestCatalog_changesAreMadeFromTheVersionTheyName(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	for what, put := range map[string]func(version int, title string) error{
		"merchant": func(v int, title string) error {
			return store.PutMerchant(ctx, catalog.Merchant{Name: "zoo", Version: v, Title: title, Salt: []byte("s"), LinkKey: []byte("l")})
		},
		"pool": func(v int, title string) error {
			return store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", Version: v, Title: title, Shards: 4})
		},
		"product": func(v int, title string) error {
			return store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: "1", Version: v, Title: title})
		},
		"texts": func(v int, title string) error {
			return store.PutTexts(ctx, catalog.Texts{Merchant: "acme", Version: v, Texts: map[string]catalog.Text{"en": {Body: title}}})
		},
		"order pages": func(v int, title string) error {
			return store.PutOrderPages(ctx, catalog.OrderPages{Merchant: "acme", Version: v, Default: catalog.OrderPage(title)})
		},
		"account": func(v int, title string) error {
			return store.PutAccount(ctx, catalog.Account{Merchant: "acme", Name: "standard", Version: v})
		},
	} {
		want := func(version int, want error) {
			t.Helper()
			if err := put(version, "x"); !errors.Is(err, want) {
				t.Errorf("%s: a change from version %d: %v, want %v", what, version, err, want)
			}
		}
		want(1, catalog.ErrMissing)
		want(0, nil)
		want(0, catalog.ErrConflict)
		want(2, catalog.ErrConflict)
		want(1, nil)
		want(1, catalog.ErrConflict)

		var racers sync.WaitGroup
		won := make(chan int, 16)
		for i := range 16 {
			racers.Go(func() {
				switch err := put(2, fmt.Sprint(i)); {
				case err == nil:
					won <- i
				case !errors.Is(err, catalog.ErrConflict):
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		racers.Wait()
		if len(won) != 1 {
			t.Errorf("%s: %d of 16 changes from one version won", what, len(won))
		}
	}
	for version, want := range map[int]error{1: catalog.ErrConflict, 9: catalog.ErrConflict} {
		if err := store.DeletePool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", Version: version}); !errors.Is(err, want) {
			t.Errorf("deleting version %d: %v, want %v", version, err, want)
		}
	}
	for range 2 {
		if err := errors.Join(store.DeletePool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", Version: 3}), store.DeleteProduct(ctx, "acme", "1", 3)); err != nil {
			t.Error(err)
		}
	}
}

// The SDK repeats a change whose answer was lost, and meets what it wrote itself.
func TestCatalog_lostAnswerIsNoConflict(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	for what, change := range map[string]func() error{
		"merchant": func() error { return store.PutMerchant(ctx, catalog.Merchant{Name: "acme"}) },
		"pool":     func() error { return store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: "elden"}) },
		"product":  func() error { return store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: "1"}) },
		"account":  func() error { return store.PutAccount(ctx, catalog.Account{Merchant: "acme", Name: "standard"}) },
		"token":    func() error { return store.PutToken(ctx, access.Token{Hash: "hash", Merchant: "acme"}) },
	} {
		faults.Next("PutItem", 1, dynamotest.LostAnswer)
		if err := change(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := change(); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("%s, once more: %v, want %v", what, err, catalog.ErrConflict)
		}
	}
	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
	if err := store.DeletePool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", Version: 1}); err != nil {
		t.Error(err)
	}
}

// An account that was checked against a roster is stored if no other was since.
func TestPutAccountOf(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	ctx := t.Context()
	at := func(version, accounts int) {
		t.Helper()
		roster, err := store.Roster(ctx, "acme")
		if err != nil || roster.Version != version || len(roster.Accounts) != accounts {
			t.Errorf("%+v, %v; want version %d, and %d accounts", roster, err, version, accounts)
		}
	}
	put := func(roster int, name string, version int) error {
		return store.PutAccountOf(ctx, roster, catalog.Account{Merchant: "acme", Name: name, Version: version})
	}
	at(0, 0)
	for _, c := range []struct {
		roster  int
		name    string
		version int
		want    error
	}{
		{0, "one", 0, nil},
		{0, "two", 0, catalog.ErrRosterChanged},
		{1, "two", 0, nil},
		{1, "one", 1, catalog.ErrRosterChanged},
		{2, "one", 0, catalog.ErrConflict},
		{2, "one", 1, nil},
		{2, "one", 1, catalog.ErrConflict}, // both have changed: it is the account that counts
		{3, "none", 1, catalog.ErrMissing},
	} {
		if err := put(c.roster, c.name, c.version); !errors.Is(err, c.want) {
			t.Errorf("%s of version %d, by roster %d: %v, want %v", c.name, c.version, c.roster, err, c.want)
		}
	}
	at(3, 2)
	if err := store.PutAccountOf(ctx, 0, catalog.Account{Merchant: "nova", Name: "one"}); err != nil {
		t.Errorf("another merchant's: %v", err)
	}
	// The answer to a write that was made is lost: the repeat finds its own.
	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
	if err := put(3, "three", 0); err != nil {
		t.Errorf("a lost answer: %v", err)
	}
	at(4, 3)
}

// A change of a setting and the notice of it are stored together, or neither is; an event
// that is added to the notice meanwhile is not lost.
func TestCatalog_tellsInOneTransaction(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	told := func(name string) notice.Notice {
		facts := notice.Facts{Count: 1, Changed: []notice.Changed{{Name: name, Parts: []string{"a", "b"}, ID: "i", Until: noon, Ended: 2, By: "the operator", At: noon}}, Address: "x@example.com"}
		n := notice.Gather("acme", notice.NewToken, facts, noon)
		n.To = "y@example.com"
		return n
	}
	for what, change := range map[string]func(*dynamo.Store, context.Context, notice.Notice) error{
		"merchant": func(s *dynamo.Store, ctx context.Context, n notice.Notice) error {
			return s.PutMerchant(ctx, catalog.Merchant{Name: "acme"}, recorded(n))
		},
		"product": func(s *dynamo.Store, ctx context.Context, n notice.Notice) error {
			return s.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: "1"}, recorded(n))
		},
		"account": func(s *dynamo.Store, ctx context.Context, n notice.Notice) error {
			return s.PutAccount(ctx, catalog.Account{Merchant: "acme", Name: "standard"}, recorded(n))
		},
		"token": func(s *dynamo.Store, ctx context.Context, n notice.Notice) error {
			return s.PutToken(ctx, access.Token{Hash: "hash", Merchant: "acme"}, recorded(n))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			faults := dynamotest.NewFaults(t, 1)
			store, tables := dynamotest.Open(t, faults.Option)
			names := func() string {
				t.Helper()
				n, ok, err := store.Notice(ctx, told("").ID)
				if err != nil || ok && n.Facts.Count != len(n.Facts.Changed) {
					t.Fatalf("%+v, %v", n, err)
				}
				var all []string
				for _, c := range n.Facts.Changed {
					all = append(all, c.Name)
				}
				return strings.Join(all, " ")
			}
			settings := func() int { return len(dynamotest.Items(t, tables.Catalog, "")) } // and their entries in the audit trail

			faults.Next("TransactWriteItems", 20, dynamotest.Throttled)
			short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			if err := change(store, short, told("throttled")); err == nil || settings() != 0 || names() != "" {
				t.Fatalf("throttled: %v, %d settings, told %q", err, settings(), names())
			}
			faults.Stop()
			if err := store.RaiseNotice(ctx, told("other")); err != nil {
				t.Fatal(err)
			}
			// Between the read of the notice and the transaction, another event is added.
			faults.Next("TransactWriteItems", 1, dynamotest.Conflict(tables.Orders))
			faults.After("TransactWriteItems", 1, 1, dynamotest.LostAnswer)
			if err := change(store, ctx, told("stored")); err != nil || settings() != 2 || names() != "other stored" {
				t.Fatalf("stored: %v, %d settings, told %q", err, settings(), names())
			}
			if err := change(store, ctx, told("again")); !errors.Is(err, catalog.ErrConflict) || names() != "other stored" {
				t.Errorf("once more: %v, told %q", err, names())
			}
			n, _, err := store.Notice(ctx, told("").ID)
			want := told("stored")
			if diff := cmp.Diff(want.Facts.Changed[0], n.Facts.Changed[1]); err != nil || diff != "" || n.To != want.To || n.Facts.Address != want.Facts.Address {
				t.Errorf("it reads back otherwise: %v, %+v\n%s", err, n, diff)
			}
		})
	}
}

// Changes at the same time are all told, in one notice.
func TestCatalog_tellsOfEveryChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	told := func(n int) notice.Notice {
		return notice.Gather("acme", notice.NewToken, notice.Facts{Count: 1, Changed: []notice.Changed{{Name: fmt.Sprint(n)}}}, now)
	}
	var all sync.WaitGroup
	errs := make([]error, 6)
	for n := range errs {
		all.Go(func() {
			errs[n] = store.PutToken(ctx, access.Token{Hash: fmt.Sprint(n), Merchant: "acme"}, recorded(told(n)))
		})
	}
	all.Wait()
	tokens, err := store.Tokens(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := store.Notice(ctx, told(0).ID)
	if err != nil || n.Facts.Count != len(tokens) || len(n.Facts.Changed) != len(tokens) || len(tokens) == 0 {
		t.Errorf("%d tokens, and a notice of %d: %v, %v", len(tokens), n.Facts.Count, err, errs)
	}
}

// A merchant's salt is made with the merchant and stays: every key's identity
// hangs on it.
func TestCatalog_saltStays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	made, _, err := store.Merchant(ctx, "acme")
	if err != nil || len(made.Salt) != 32 || len(made.LinkKey) != 32 || string(made.Salt) == string(made.LinkKey) {
		t.Fatalf("a salt of %d bytes and a key of links of %d, %v", len(made.Salt), len(made.LinkKey), err)
	}
	other := made
	other.Salt = []byte("another")
	if err := store.PutMerchant(ctx, other); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("another salt: %v", err)
	}
	other = made
	other.LinkKey = []byte("another")
	if err := store.PutMerchant(ctx, other); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("another key of links: %v", err)
	}
	if err := store.PutMerchant(ctx, made); err != nil {
		t.Error(err)
	}
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "zoo"}); err != nil {
		t.Fatal(err)
	}
	if zoo, _, _ := store.Merchant(ctx, "zoo"); string(zoo.Salt) == string(made.Salt) {
		t.Error("two merchants share a salt")
	}
}

func TestCatalog_shardsNeverShrink(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	p := catalog.Pool{Merchant: "acme", Name: "elden", Shards: 8}
	if err := store.PutPool(ctx, p); err != nil {
		t.Fatal(err)
	}
	p.Version, p.Shards = 1, 4
	if err := store.PutPool(ctx, p); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("fewer shards: %v", err)
	}
}

func TestCatalog_productsInPages(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	for i := range 5 {
		if err := store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: fmt.Sprint("p", i)}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(products []catalog.Product, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, p := range products {
			all = append(all, p.ID)
		}
		return strings.Join(all, " ")
	}
	if got := ids(store.Products(ctx, "acme")); got != "p0 p1 p2 p3 p4" {
		t.Errorf("all of them: %q", got)
	}
	for _, c := range []struct {
		after      string
		limit      int
		want, next string
	}{{"", 5, "p0 p1 p2 p3 p4", ""}, {"", 2, "p0 p1", "p1"}, {"p1", 2, "p2 p3", "p3"}, {"p3", 2, "p4", ""}, {"p4", 2, "", ""}, {"p2x", 3, "p3 p4", ""}} {
		products, next, err := store.ProductPage(ctx, "acme", c.after, c.limit)
		if got := ids(products, err); got != c.want || next != c.next {
			t.Errorf("%d after %q: %q and then %q, want %q and then %q", c.limit, c.after, got, next, c.want, c.next)
		}
	}
}

func TestCatalog_tokens(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	want := access.Token{
		Hash: "hash", Merchant: "acme", Name: "nightly", Scopes: []access.Scope{access.Upload, access.Settings},
		CreatedAt: time.UnixMilli(1).UTC(), ExpiresAt: time.UnixMilli(2).UTC(),
	}
	if err := store.PutToken(ctx, want); err != nil {
		t.Fatal(err)
	}
	if err := store.PutToken(ctx, access.Token{Hash: "hash", Merchant: "acme"}); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("a token was written over: %v", err)
	}
	if got, ok, err := store.Token(ctx, "acme", "hash"); !ok || err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, %v, %s", ok, err, cmp.Diff(want, got))
	}
	for _, absent := range [][2]string{{"acme", "other"}, {"mallory", "hash"}} {
		if _, ok, err := store.Token(ctx, absent[0], absent[1]); ok || err != nil {
			t.Errorf("%s has a token %s: %v, %v", absent[0], absent[1], ok, err)
		}
	}
	if got, err := store.Tokens(ctx, "acme"); err != nil || !cmp.Equal([]access.Token{want}, got) {
		t.Errorf("%v, %s", err, cmp.Diff([]access.Token{want}, got))
	}
	for _, used := range []time.Time{time.UnixMilli(5).UTC(), time.UnixMilli(7).UTC()} {
		if _, err := store.UseToken(ctx, want, used, 0); err != nil {
			t.Fatal(err)
		}
		want.UsedAt = used
		if got, err := store.Tokens(ctx, "acme"); err != nil || !cmp.Equal([]access.Token{want}, got) {
			t.Errorf("%v, %s", err, cmp.Diff([]access.Token{want}, got))
		}
	}
	for _, c := range []struct{ at, spent, want time.Duration }{
		{0, time.Second, time.Second}, {0, time.Second, 2 * time.Second}, {time.Second, 0, 2 * time.Second}, {2 * time.Second, time.Millisecond, 2*time.Second + time.Millisecond},
	} {
		start := time.Unix(1000, 0).UTC()
		if got, err := store.UseToken(ctx, want, start.Add(c.at), c.spent); err != nil || !got.Equal(start.Add(c.want)) {
			t.Errorf("%s more spent after %s: up to %s, %v", c.spent, c.at, got, err)
		}
	}
	for range 2 { // the second time it is gone already
		if err := store.DeleteToken(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := store.Tokens(ctx, "acme"); err != nil || len(got) > 0 {
		t.Errorf("it is still there: %v, %v", got, err)
	}
}

// An upgrade leaves items of the version before; those of a later one are not guessed at.
func TestCatalog_schemaVersions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, tables := dynamotest.Open(t)
	for v, readable := range map[string]bool{"0": true, "1": true, "2": false} {
		_, err := dynamotest.Client(t).PutItem(ctx, &dynamodb.PutItemInput{
			TableName: aws.String(tables.Catalog),
			Item: map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: "settings#acme"}, "sk": &types.AttributeValueMemberS{Value: "pool#elden"},
				"v": &types.AttributeValueMemberN{Value: v}, "shards": &types.AttributeValueMemberN{Value: "4"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, ok, err1 := store.Pool(ctx, "acme", "elden")
		_, err2 := store.Pools(ctx, "acme", "", 0)
		if (err1 == nil) != readable || (err2 == nil) != readable || ok != readable {
			t.Errorf("version %s: %v, %v, %v", v, ok, err1, err2)
		}
	}
}

func TestCatalog_throttlesAreKnown(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t, dynamotest.Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 400, Request: r, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}`)),
		}, nil
	})), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
	_, _, read := store.Merchant(ctx, "acme")
	_, list := store.Pools(ctx, "acme", "", 0)
	put := store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: "elden"})
	for _, err := range []error{read, list, put} {
		if !errors.Is(err, retry.ErrThrottled) {
			t.Errorf("%v is not a throttle", err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLines_areThoseOfOneOrder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	for _, name := range []string{"1001", "1002"} {
		for _, line := range []string{"a", "b"} {
			f := order.Fulfillment{
				ID: order.Identity{Merchant: "acme", Side: pool.Live, Origin: "standard", Order: name, Line: line}.ID(), Version: 1, Merchant: "acme", Side: pool.Live,
				Account: "standard", Origin: "standard", Order: name, Line: line, Product: "1", Pool: "elden", Quantity: 1, Wanted: 1, ReceivedAt: time.UnixMilli(1),
			}
			if err := store.Commit(ctx, order.Change{After: f}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for id, want := range map[string]int{
		order.Identity{Merchant: "acme", Side: pool.Live, Origin: "standard", Order: "1001"}.OrderID():    2,
		order.Identity{Merchant: "acme", Side: pool.Test, Origin: "standard", Order: "1001"}.OrderID():    0,
		order.Identity{Merchant: "mallory", Side: pool.Live, Origin: "standard", Order: "1001"}.OrderID(): 0,
	} {
		lines, err := store.Lines(ctx, id)
		if err != nil || len(lines) != want {
			t.Errorf("%d lines, %v; want %d", len(lines), err, want)
		}
		for _, line := range lines {
			if line.Order != "1001" {
				t.Errorf("a line of order %s", line.Order)
			}
		}
	}
}

// A large pool is not counted through: what is shown adds up from uploads and takes.
func TestStock_exactAsFarAsAThousand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, tables := dynamotest.Open(t)
	now := time.UnixMilli(1_800_000_000_000).UTC()
	recounted := now.Add(-time.Hour)
	large := pool.ID{Merchant: "acme", Pool: "large", Side: pool.Live}
	dynamotest.Stock(t, tables, large, 4, dynamotest.Texts("k", 1_003)...)
	count := func(accepted, taken string) {
		t.Helper()
		n := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
		_, err := dynamotest.Client(t).PutItem(ctx, &dynamodb.PutItemInput{
			TableName: aws.String(tables.Catalog),
			Item: map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: "counts#acme"}, "sk": &types.AttributeValueMemberS{Value: "count#large#live"},
				"v": n("1"), "accepted": n(accepted), "taken": n(taken), "revoked": n("2"), "settledAt": n(fmt.Sprint(recounted.UnixMilli())),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stock := func(p pool.ID) catalog.Stock {
		t.Helper()
		got, err := store.Stock(ctx, []catalog.Pool{{Merchant: p.Merchant, Name: p.Pool, Shards: 4}}, now)
		if err != nil {
			t.Fatal(err)
		}
		return got[p]
	}
	count("5000", "1400")
	if diff := cmp.Diff(catalog.Stock{Pool: large, Available: 3600, Claimed: 1398, Revoked: 2, AsOf: recounted}, stock(large)); diff != "" {
		t.Error(diff)
	}
	// Counts that lag behind never show less than was just seen.
	count("900", "0")
	if got := stock(large).Available; got != 1_001 {
		t.Errorf("%d available, want the 1,001 that were seen", got)
	}
	small := pool.ID{Merchant: "acme", Pool: "small", Side: pool.Live}
	dynamotest.Stock(t, tables, small, 4, dynamotest.Texts("s", 12)...)
	if diff := cmp.Diff(catalog.Stock{Pool: small, Available: 12, AsOf: now}, stock(small)); diff != "" {
		t.Error(diff)
	}
}

var _ catalog.Reader = (*dynamo.Store)(nil)

// recorded returns what is stored with a change that a notice tells of.
func recorded(n notice.Notice) audit.Record {
	return audit.Record{Entry: audit.Entry{Merchant: n.Merchant, ID: rand.Text(), Thing: audit.Pool}, Tell: []notice.Notice{n}}
}

// A name that is longer than a key can be is that of nothing, and no failure.
func TestCatalog_namesOfNothing(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	long := strings.Repeat("a", 5000)
	if _, there, err := store.Pool(t.Context(), "acme", long); there || err != nil {
		t.Errorf("a pool: %v, %v", there, err)
	}
	if _, there, err := store.Product(t.Context(), "acme", long); there || err != nil {
		t.Errorf("a product: %v, %v", there, err)
	}
	if former, err := store.FormerShards(t.Context(), "acme", long, "elden"); former[long] != 0 || err != nil {
		t.Errorf("former pools: %v, %v", former, err)
	}
}
