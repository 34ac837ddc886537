package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/problem"
	"keypool/shared/web/bodies"
)

const yamlType = "application/yaml"

// shopFile is a shop's set-up as people keep it.
const shopFile = `# Acme Games
pools:
  elden:
    title: Elden, Steam keys
    low_stock: 25
    notice_addresses: [stock@acme.example]
  elden-latam: {}
products:
  4711:
    title: "Elden: The Long Night"
    pool: elden
    pools_by_currency: {BRL: elden-latam}
    redeem_by: 2026-12-23
    texts:
      en:
        subject: Your key
        body: |-
          Here it is:

          {KEY}
  copy:
    original: "4711"
review:
  rules:
    max_keys: 50
`

// A shop's set-up is written from a file, changed, compared, and put back.
func TestCatalog_fromAFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	put := func(status int, query, body string, headers ...string) CatalogChanges {
		t.Helper()
		var changes CatalogChanges
		got := w.shop(bearer, "PUT", "/v1/catalog"+query, body, append([]string{"content-type", yamlType}, headers...)...).Want(status)
		if status == 200 {
			got.Into(&changes)
		}
		return changes
	}
	added := []CatalogChange{
		{Thing: "pool", Name: "elden", Change: "added", Fields: []string{"low_stock", "notice_addresses[0]", "reminder_hours", "shards", "title"}},
		{Thing: "pool", Name: "elden-latam", Change: "added", Fields: []string{"low_stock", "reminder_hours", "shards"}},
		{Thing: "product", Name: "4711", Change: "added", Fields: []string{"keys.count", "keys.mode", "pool", "pools_by_currency.BRL", "redeem_by", "texts.en.body", "texts.en.subject", "title"}},
		{Thing: "product", Name: "copy", Change: "added", Fields: []string{"original"}},
		{Thing: "review", Change: "changed", Fields: []string{"rules.max_keys"}},
	}
	before := w.dump()
	if diff := cmp.Diff(CatalogChanges{DryRun: true, Changes: added}, put(200, "?dry_run=true", shopFile)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a dry run wrote:\n%s", diff)
	}
	if diff := cmp.Diff(CatalogChanges{Changes: added}, put(200, "", shopFile)); diff != "" {
		t.Error(diff)
	}
	if got := put(200, "", shopFile); len(got.Changes) > 0 { // the same again, without a condition
		t.Errorf("the same again: %+v", got)
	}
	var product Product
	w.shop(bearer, "GET", "/v1/products/4711", nil).Want(200).Into(&product)
	if product.Texts["en"].Body != "Here it is:\n\n{KEY}" || product.Pool != "elden" || product.RedeemBy != "2026-12-23" {
		t.Errorf("%+v", product)
	}

	changed := strings.ReplaceAll(shopFile, "low_stock: 25", "low_stock: 5") + "accounts: {}\n"
	changed = changed[:strings.Index(changed, "  copy:")] + changed[strings.Index(changed, "review:"):]
	put(428, "", changed)
	put(412, "", changed, "if-match", `"0"`)
	want := CatalogChanges{Changes: []CatalogChange{
		{Thing: "pool", Name: "elden", Change: "changed", Fields: []string{"low_stock"}},
		{Thing: "product", Name: "copy", Change: "removed"},
	}}
	tag := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200).ETag()
	if diff := cmp.Diff(want, put(200, "", changed, "if-match", tag)); diff != "" {
		t.Error(diff)
	}
	put(412, "", shopFile, "if-match", tag)
	w.shop(bearer, "GET", "/v1/products/copy", nil).Want(404)
	if got := put(200, "", shopFile, "if-match", "*"); len(got.Changes) != 2 {
		t.Errorf("put back: %+v", got)
	}
	if got := put(200, "", "pools: {}\nproducts: {}\n", "if-match", "*"); len(got.Changes) != 4 {
		t.Errorf("all away: %+v", got)
	}
	w.shop(bearer, "PUT", "/v1/catalog", "{}", "content-type", "text/plain").Want(415)
	w.shop(bearer, "PUT", "/v1/catalog", `{"review": {}}`, "if-match", "*").Want(200)
}

// Every mistake of form is told, and then every mistake of meaning, each with its place and
// its line; nothing is changed.
func TestCatalog_tellsAllMistakes(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/sold", Pool{}).Want(201)
	stockText(t, w.store, w.tables, "acme", "sold", "AAAA")
	w.shop(bearer, "PUT", "/v1/products/waits", Product{Title: "A"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/other", Product{Title: "A", Aliases: []string{"taken"}}).Want(201)
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{}).Want(201)
	f := order.Fulfillment{
		ID: order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop", Order: "1", Line: "1"}.ID(), Version: 1,
		Merchant: "acme", Side: pool.Live, Account: "shop-eu", Origin: "shop", Order: "1", Line: "1", Product: "waits",
		Quantity: 1, ReceivedAt: noon, PaidAt: noon, Mail: outbox.Entry{}.Next(outbox.Delay, noon),
	}
	if err := w.store.Commit(t.Context(), order.Change{After: f}); err != nil {
		t.Fatal(err)
	}
	before := w.dump()
	for name, c := range map[string]struct {
		media, body string
		want        []string
	}{
		"no document": {yamlType, "pools: [", []string{"body: is not YAML from here on (line 1)"}},
		"form": {yamlType, "pools:\n  elden:\n    titel: A\n    shards: 0\n    shards: 1\nproduct: {}\nproducts:\n  a:\n    title: 2077\n    keys: {count: 1}\n", []string{
			"body.pools.elden.shards: is there twice: which one counts is not known, so give it once (line 5)",
			"body.pools.elden.titel: unexpected property (line 3)",
			"body.product: unexpected property (line 6)",
			"body.products.a.keys.mode: it is needed (line 10)",
			"body.products.a.title: expected string (line 9)",
		}},
		"form, in JSON": {"application/json", "{\"pools\": {\n\"elden\": {\"titel\": \"A\",\n\"title\": 1}}}", []string{
			"body.pools.elden.titel: unexpected property (line 2)",
			"body.pools.elden.title: expected string (line 3)",
		}},
		"meaning": {yamlType, "pools:\n  El: {}\nproducts:\n  a:\n    title: A\n    pool: none\n  b:\n    original: c\n  c:\n    original: a\n  d:\n    title: D\n    aliases: [a]\nreview:\n  rules:\n    above: {EUR: much}\naccounts:\n  mine: {}\n", []string{
			"body.accounts.mine: there is no account of that name; set it up first, with its secrets (line 18)",
			"body.accounts.shop-eu: an account is not removed so; name it, or leave accounts out, and they stay as they are (line 17)",
			"body.pools.El: not a name; use 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen (line 2)",
			"body.pools.sold: it cannot be removed: its live side holds keys for sale (1); by force it is removed all the same (line 1)",
			"body.products.a.pool: there is no pool of that name; create it first (line 6)",
			`body.products.a: the id "a" is that of several products, or their alias: a, d (line 4)`,
			"body.products.b.original: that product has an original itself; name that one (line 8)",
			"body.products.d.aliases[0]: a product of its own has that id; delete it first (line 13)",
			`body.products.d: the id "a" is that of several products, or their alias: a, d (line 11)`,
			"body.products.waits: it cannot be removed: paid order lines wait for it to get a pool (1); by force it is removed all the same (line 3)",
			`body.review.rules.above.EUR: is not a sum such as "500.00" (line 16)`,
		}},
		"an account's": {yamlType, "accounts:\n  shop-eu:\n    platform: stripe\n    other_products: ignore\n", []string{
			"body.accounts.shop-eu.platform: an account keeps its platform, which is standard; give the other platform an account of its own (line 3)",
		}},
	} {
		for _, query := range []string{"?dry_run=true", ""} {
			got := w.shop(bearer, "PUT", "/v1/catalog"+query, c.body, "content-type", c.media, "if-match", "*").Want(422)
			var p problem.Problem
			got.Into(&p)
			var told []string
			for _, e := range p.Errors {
				told = append(told, e.Location+": "+e.Message)
			}
			line := func(e problem.Place) (n int) {
				_, after, _ := strings.Cut(e.Message, "(line ")
				n, _ = strconv.Atoi(strings.TrimSuffix(after, ")"))
				return n
			}
			if !slices.IsSortedFunc(p.Errors, func(a, b problem.Place) int { return line(a) - line(b) }) {
				t.Errorf("%s: not in the order of its lines: %v", name, p.Errors)
			}
			slices.Sort(told)
			told = slices.DeleteFunc(told, func(s string) bool { return strings.Contains(s, `inherits`) })
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a refused document changed something:\n%s", diff)
	}
	w.shop(bearer, "PUT", "/v1/catalog?force=true", "pools: {}\nproducts: {}\n", "content-type", yamlType, "if-match", "*").Want(200)
	if items := dynamotest.Items(t, w.tables.Keys, "acme"); len(items) != 1 {
		t.Errorf("by force keys were lost: %v", items)
	}
}

// An account's settings are shown without secrets, keep them when they change, and change
// only by a token that may set accounts up.
func TestCatalog_accounts(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	var made Account
	w.shop(bearer, "PUT", "/v1/accounts/own", Account{}).Want(201).Into(&made)
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{
		Platform: "noventiq", Secrets: []AccountSecret{{Name: "order.payment.succeeded", Secret: "a-secret-of-this-shop"}}, Settings: AccountSettings(`{"products":{"EL-1":"4711"}}`),
	}).Want(201)
	got := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200)
	if strings.Contains(got.Body, "secret") || strings.Contains(got.Body, "payment") {
		t.Errorf("it shows secrets: %s", got.Body)
	}
	var c Catalog
	got.Into(&c)
	a := c.Accounts["shop-eu"]
	a.OtherProducts, a.Settings = "ignore", AccountSettings(`{"products":{"EL-1":"4712"}}`)
	c.Accounts["shop-eu"] = a
	own := c.Accounts["own"]
	own.DeliversFrom = noon.Add(-time.Hour)
	c.Accounts["own"] = own
	only := w.token("acme", access.Settings)
	w.shop(only, "PUT", "/v1/catalog", got.Body, "if-match", "*").Want(200)
	w.shop(only, "PUT", "/v1/catalog", c, "if-match", "*").Want(403)
	sealed := len(w.kms.sealed)
	var changes CatalogChanges
	w.shop(bearer, "PUT", "/v1/catalog", c, "if-match", got.ETag()).Want(200).Into(&changes)
	if diff := cmp.Diff([]CatalogChange{
		{Thing: "account", Name: "own", Change: "changed", Fields: []string{"delivers_from"}},
		{Thing: "account", Name: "shop-eu", Change: "changed", Fields: []string{"other_products", "settings.products.EL-1"}},
	}, changes.Changes); diff != "" {
		t.Error(diff)
	}
	var after Account
	w.shop(bearer, "GET", "/v1/accounts/own", nil).Want(200).Into(&after)
	if diff := cmp.Diff(made.Secrets, after.Secrets); diff != "" || len(w.kms.sealed) != sealed {
		t.Errorf("the secret changed: %s", diff)
	}
	w.shop(bearer, "GET", "/v1/accounts/shop-eu", nil).Want(200).Into(&after)
	if len(after.Secrets) != 1 || after.OtherProducts != "ignore" {
		t.Errorf("%+v", after)
	}
}

// How long customers are kept is compared, locked, checked and told as all else is, and the job
// that keeps to it is made; a document that does not say it leaves it as it is.
func TestCatalog_retention(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	get := func() (c Catalog, tag string) {
		t.Helper()
		read := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200)
		read.Into(&c)
		return c, read.ETag()
	}
	put := func(query, body string, headers ...string) []CatalogChange {
		t.Helper()
		var changes CatalogChanges
		w.shop(bearer, "PUT", "/v1/catalog"+query, body, append([]string{"content-type", yamlType}, headers...)...).Want(200).Into(&changes)
		return changes.Changes
	}
	first, before := get()
	if first.Retention == nil || first.Retention.Days != 0 {
		t.Errorf("at first: %+v", first.Retention)
	}
	want := []CatalogChange{{Thing: "retention", Change: "changed", Fields: []string{"days"}}}
	for _, query := range []string{"?dry_run=true", ""} {
		if query == "" {
			w.shop(bearer, "GET", "/v1/jobs/retention", nil).Want(404)
		}
		if diff := cmp.Diff(want, put(query, "retention: {days: 30}\n")); diff != "" { // nothing was set: no condition is needed
			t.Error(diff)
		}
	}
	w.shop(bearer, "GET", "/v1/jobs/retention", nil).Want(200)
	w.shop(bearer, "PUT", "/v1/catalog", "retention: {days: 40}\n", "content-type", yamlType).Want(428)
	w.shop(bearer, "PUT", "/v1/catalog", "retention: {days: 40}\n", "content-type", yamlType, "if-match", before).Want(412)
	now, _ := get()
	if now.Retention.Days != 30 {
		t.Errorf("once set: %+v", now.Retention)
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	told := slices.DeleteFunc(trail.Items, func(e AuditEntry) bool { return e.Thing != "retention" })
	if len(told) != 1 || fmt.Sprint(told[0].Before, told[0].After) != "map[] map[days:30]" {
		t.Errorf("the audit trail: %+v", told)
	}
	if changes := put("", "order_page: {default: on}\npools: {elden: {}}\n", "if-match", "*"); len(changes) != 2 {
		t.Errorf("a document without it: %+v", changes)
	}
	if now, _ := get(); now.Retention.Days != 30 || now.OrderPage.Default != "on" {
		t.Errorf("after one that does not say it: %+v, %+v", now.Retention, now.OrderPage)
	}
	_, tag := get()
	w.shop(bearer, "PUT", "/v1/retention", Retention{Days: 50}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/catalog", "pools: {}\n", "content-type", yamlType, "if-match", tag).Want(412)
	dump := w.dump()
	for body, place := range map[string]string{
		"pools: {}\nretention: {days: 4000}\n":                             "body.retention.days",
		"pools: {}\nretention: {}\n":                                       "body.retention.days",
		"order_page: {default: half}\nretention: {days: 1}\n":              "body.order_page.default",
		"retention: {days: 1}\nproducts: {a: {title: A, pool: nowhere}}\n": "body.products.a.pool",
	} {
		got := w.shop(bearer, "PUT", "/v1/catalog", body, "content-type", yamlType, "if-match", "*").Want(422)
		if !slices.Contains(got.Locations(), place) {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	if diff := cmp.Diff(dump, w.dump()); diff != "" {
		t.Errorf("a refused document changed something:\n%s", diff)
	}
}

// Whatever catalog follows on whatever other: what is answered is what is done, each single
// change is allowed where it comes, one that is cut off is finished by the same again, and
// what is read changes nothing when it is sent back.
func TestCatalog_randomOnes(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, seed))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("catalogs by seed %d", seed)
		}
	})
	faults := dynamotest.NewFaults(t, seed)
	w := open(t, faults.Option)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/accounts/generic", resttestAccount(t)).Want(201)
	put := func(query, media, body string, headers ...string) resttest.Response {
		t.Helper()
		return w.shop(bearer, "PUT", "/v1/catalog"+query, body, append([]string{"content-type", media}, headers...)...)
	}
	cut, shards := 0, map[string]int{}
	for range 25 {
		var now, want Catalog
		read := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200)
		read.Into(&now)
		want = randomCatalog(rng, now, shards)
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		body := string(raw)
		var planned, done CatalogChanges
		put("?dry_run=true", "application/json", body).Want(200).Into(&planned)
		if rng.IntN(4) == 0 {
			faults.After("TransactWriteItems", rng.IntN(6), 1000, dynamotest.Throttled)
			got := put("", "application/json", body, "if-match", read.ETag())
			faults.Stop()
			if got.StatusCode != 200 {
				got.Want(503)
				cut++
			}
			put("", "application/json", body, "if-match", "*").Want(200)
		} else {
			put("", "application/json", body, "if-match", read.ETag()).Want(200).Into(&done)
			if diff := cmp.Diff(planned.Changes, done.Changes); diff != "" {
				t.Fatalf("done otherwise than planned:\n%s", diff)
			}
		}
		for _, media := range []string{"application/json", yamlType} {
			var none CatalogChanges
			again := w.shop(bearer, "GET", "/v1/catalog", nil, "accept", media).Want(200)
			if media != again.Headers["Content-Type"] {
				t.Fatalf("asked for %s, got %s", media, again.Headers["Content-Type"])
			}
			put("?dry_run=true", media, again.Body).Want(200).Into(&none)
			if len(none.Changes) > 0 {
				t.Fatalf("what was read would change %+v:\n%s", none.Changes, again.Body)
			}
			if media == yamlType {
				continue
			}
			var got Catalog
			again.Into(&got)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
		}
		if t.Failed() {
			return
		}
	}
	if cut == 0 {
		t.Error("none was cut off")
	}
}

// resttestAccount is the account of events/good_api_account_generic.json.
func resttestAccount(t *testing.T) string {
	return resttest.Event(t, "good_api_account_generic").Body
}

// randomCatalog returns a catalog that can follow on another. Shards are those that each
// pool has, or had before it was deleted.
func randomCatalog(rng *rand.Rand, now Catalog, shards map[string]int) Catalog {
	for name, p := range now.Pools {
		shards[name] = *p.Shards
	}
	some := func(names ...string) []string {
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		return names[:rng.IntN(len(names)+1)]
	}
	one := func(names ...string) string { return names[rng.IntN(len(names))] }
	c := Catalog{Pools: map[string]Pool{}, Products: map[string]Product{}, Texts: map[string]Text{}, Accounts: maps.Clone(now.Accounts)}
	c.Shop = &bodies.ShopSettings{Title: one("acme", "Ünï: #x"), NoticeAddress: one("a@x.example", "b@x.example"), TimeZone: one("", "Europe/Berlin"), Color: one("", "#0b57c2")}
	for _, name := range some("elden", "ring", "latam") {
		c.Pools[name] = Pool{Title: one("", "A", "Ünï: #x"), LowStock: new(rng.IntN(9)), ReminderHours: new(rng.IntN(9)), Shards: new(max(4, shards[name]) + rng.IntN(2)), NoticeAddresses: some("a@x.example", "b@x.example")}
	}
	for _, language := range some("en", "de", "no") {
		c.Texts[language] = Text{Subject: one("", "on"), Body: one("{KEY}", "- {KEY}\n"), Format: one("", "markdown")}
	}
	pools := append(slices.Collect(maps.Keys(c.Pools)), "")
	ids := []string{"1", "2", "3", "true", "a b", "6"}
	rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	free := []string{"x", "y: z"}
	var originals []string
	for _, id := range ids {
		if rng.IntN(3) == 0 {
			free = append(free, id)
			continue
		}
		p := Product{Title: one("A", "1.0", "null", "~", "# a", "- b", "é 日本", "x'y: z"), Pool: one(pools...), Ignored: rng.IntN(5) == 0, Renewal: one("", "new_key", "parent_key"), OrderPage: one("", "on", "off")}
		switch rng.IntN(3) {
		case 0:
			p.RedeemWithin = 30
		case 1:
			p.RedeemBy = "2026-12-23"
		}
		if len(originals) > 0 && rng.IntN(2) == 0 {
			p.Original = one(originals...)
		} else {
			p.Keys = &KeyRule{Mode: one("per_unit", "per_line"), Count: 1 + rng.IntN(3)}
			originals = append(originals, id)
		}
		if named := one(pools...); named != "" {
			p.PoolsByCurrency = map[string]string{one("EUR", "BRL"): named}
		}
		if rng.IntN(2) == 0 {
			p.Texts = map[string]Text{one("en", "de", "no"): {Subject: one("", "on", "'"), Body: one("{KEY}", "\n {KEY} \n\n", "a\r\n{KEY}", "a\n\n{KEY}\n", "\t{KEY}\u2028\n \n")}}
		}
		if rng.IntN(4) == 0 {
			p.Review = &Review{Above: map[string]string{"EUR": "1.50"}}
		}
		c.Products[id] = p
	}
	for _, id := range slices.Sorted(maps.Keys(c.Products)) {
		if aliases := some(free...); len(aliases) > 0 && rng.IntN(2) == 0 {
			p := c.Products[id]
			p.Aliases = slices.Clone(aliases)
			c.Products[id] = p
			free = slices.DeleteFunc(slices.Clone(free), func(id string) bool { return slices.Contains(p.Aliases, id) })
		}
		if len(free) == 0 {
			break
		}
	}
	c.Review = &ReviewSettings{Rules: Review{Always: rng.IntN(2) == 0, MaxKeys: rng.IntN(3)}, BrakesItself: rng.IntN(2) == 0}
	c.OrderPage, c.Retention = &OrderPage{Default: one("on", "off"), Days: 1 + rng.IntN(400), QueuePlace: rng.IntN(2) == 0}, &Retention{Days: rng.IntN(3)}
	a := c.Accounts["generic"]
	a.OtherProducts, a.DeliversFrom = one("ignore", "unconnected"), noon.Add(time.Duration(rng.IntN(3))*time.Hour)
	c.Accounts["generic"] = a
	return c
}

// One body too large is refused, and settings too large for a response are not read as one.
func TestCatalog_limits(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	long := strings.Repeat("x", 19_900) + "{KEY}"
	for i := range 16 {
		texts := map[string]Text{}
		for _, language := range strings.Fields("en de fr es pt pl ru ja ar it nl sv da fi") {
			texts[language] = Text{Body: long}
		}
		w.shop(bearer, "PUT", fmt.Sprintf("/v1/products/%d", i), Product{Title: "A", Texts: texts}).Want(201)
	}
	w.shop(bearer, "GET", "/v1/catalog", nil).Want(409)
	w.shop(bearer, "PUT", "/v1/catalog", `{"pools": {"a": {"title": "`+strings.Repeat("x", bodies.LargestCatalog)+`"}}}`).Want(413)
}

// A dry run whose value is empty, or that is there twice, is not the change itself.
func TestCatalog_noChangeByMistake(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("shop")
	before := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200).Body
	for _, query := range []string{"dry_run=", "dry_run=true&dry_run=false"} {
		if got := w.shop(bearer, "PUT", "/v1/catalog?"+query, map[string]any{}, "If-Match", "*").Want(422).Locations(); fmt.Sprint(got) != "[query.dry_run]" {
			t.Errorf("%s: at fault are %v", query, got)
		}
	}
	var planned CatalogChanges
	if w.shop(bearer, "PUT", "/v1/catalog?dry_run", map[string]any{}, "If-Match", "*").Want(200).Into(&planned); !planned.DryRun {
		t.Error("a flag that stands alone is not set")
	}
	if after := w.shop(bearer, "GET", "/v1/catalog", nil).Want(200).Body; after != before {
		t.Errorf("the settings are %s", after)
	}
}
