package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// owner is the merchant of the document's examples, with everything that they name.
// Every text that the merchant wrote is a canary.
type owner struct {
	*world
	canaries canary.Set
	token    string
}

const ownersName = "acme"

// domainOfSample is the domain of sampleSender, which a stranger may name: it is nobody's.
const domainOfSample = "shop.example"

func newOwner(w *world) *owner {
	w.Helper()
	o := &owner{world: w}
	o.token = w.merchant(ownersName)
	w.setMerchant(catalog.Merchant{Name: ownersName, Title: o.canaries.New("setting"), NoticeAddress: o.canaries.Address(canary.Merchant)})
	o.canaries.Add(canary.Token, o.token)
	for _, name := range []string{"elden", "elden-latam"} {
		w.shop(o.token, "PUT", "/v1/pools/"+name, Pool{Title: o.canaries.New("setting")}).Want(201)
		dynamotest.Stock(w, w.tables, pool.ID{Merchant: ownersName, Pool: name, Side: pool.Live}, 4, o.canaries.New(canary.Key), o.canaries.New(canary.Key))
	}
	w.shop(o.token, "PUT", "/v1/products/4711", Product{Title: o.canaries.New("setting"), Pool: "elden", OrderPage: "on"}).Want(201)
	w.shop(o.token, "PUT", "/v1/products/demo", Product{Title: o.canaries.New("setting"), Keys: &KeyRule{Mode: "shared"}}).Want(201)
	w.shop(o.token, "PUT", "/v1/codes/demo", Codes{Code: o.canaries.New(canary.Key), TestCode: o.canaries.New(canary.Key)}, "if-match", "*").Want(200)
	var account Account
	w.shop(o.token, "PUT", "/v1/accounts/standard", Account{}).Want(201).Into(&account)
	secret, err := platform.ParseSecret(account.Secret)
	if err != nil {
		w.Fatal(err)
	}
	o.canaries.Add(canary.Secret, string(secret))
	w.shop(o.token, "PUT", "/v1/accounts/shop-eu", Account{
		Platform: "noventiq", Secrets: []AccountSecret{{Name: "order.payment.succeeded", Secret: o.canaries.New(canary.Secret)}},
	}).Want(201)
	w.shop(o.token, "PUT", "/v1/pools/"+sampleMoveKeys.To, Pool{}).Want(201)
	before := w.claim(ownersName, "elden", pool.Live, "A-1001", 1)
	after := before
	after.Version, after.Allocated = 2, 1
	after.Customer = order.Customer{Name: o.canaries.New(canary.Customer), Email: o.canaries.Address(canary.Customer)}
	after.Keys = []pool.Key{{ID: pool.KeyID(sampleReplace.KeyID), Text: pool.Conceal(o.canaries.New(canary.Key))}}
	sold := dynamotest.KeyItem(pool.ID{Merchant: ownersName, Pool: "elden", Side: pool.Live}, 4, 1, after.Keys[0].Text.Reveal())
	delete(sold, "shard")
	delete(sold, "place")
	for name, value := range map[string]string{"pk": sampleReplace.KeyID, "state": string(pool.KeyClaimed), "line": string(before.ID)} {
		sold[name] = &types.AttributeValueMemberS{Value: value}
	}
	if _, err := dynamotest.Client(w).PutItem(w.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Keys, Item: sold}); err != nil {
		w.Fatal(err)
	}
	if err := w.store.Commit(w.Context(), order.Change{Before: &before, After: after}); err != nil {
		w.Fatal(err)
	}
	w.shop(o.token, "PUT", "/v1/sender", Sender{Address: "keys@planted.example"}).Want(201)
	w.upload(upload.Upload{
		Merchant: ownersName, ID: sampleUpload.ID, File: o.canaries.New("setting") + ".txt", Pool: "elden", Side: pool.Live, State: upload.Finished, Ranges: 1,
	})
	leaked := upload.Upload{Merchant: ownersName, ID: "leaked", File: o.canaries.New("setting"), Pool: "elden", Side: pool.Live, State: upload.Finished, Ranges: 1}
	w.upload(leaked)
	if _, err := w.store.StartWithdrawal(w.Context(), job.Job{
		Merchant: ownersName, ID: sampleJob.ID, Kind: job.Withdraw, Upload: leaked.ID, Pool: leaked.Pool, Side: leaked.Side,
		By: o.canaries.New("setting"), Why: o.canaries.New("setting"), CreatedAt: noon, DueAt: noon,
	}); err != nil {
		w.Fatal(err)
	}
	exported := job.Job{
		Merchant: ownersName, ID: sampleExport.ID, Kind: job.Export, Pool: "elden", Side: pool.Live, Choice: job.Choice{Which: job.Sold, Format: job.CSV},
		By: o.canaries.New("setting"), CreatedAt: noon, DueAt: noon,
	}
	if err := w.store.StartJob(w.Context(), exported); err != nil {
		w.Fatal(err)
	}
	if exported, err = w.store.TakeJob(w.Context(), ownersName, exported.ID, noon); err != nil {
		w.Fatal(err)
	}
	exported.Done, exported.FinishedAt, exported.File = true, noon, job.File{Size: 10}
	if err := w.store.EndJob(w.Context(), exported); err != nil {
		w.Fatal(err)
	}
	if err := w.store.PutToken(w.Context(), access.Token{Hash: sampleTokens.Items[0].ID, Merchant: ownersName, Name: o.canaries.New("setting")}); err != nil {
		w.Fatal(err)
	}
	w.shop(o.token, "PUT", "/v1/people/ada", Person{Name: o.canaries.New("setting"), Email: o.canaries.Address(canary.Merchant), Role: "manager"}).Want(201)
	if m, _, err := w.store.Merchant(w.Context(), ownersName); err != nil || len(m.Salt) == 0 {
		w.Fatalf("the merchant has no salt: %v", err)
	} else {
		o.canaries.Add(canary.Salt, string(m.Salt))
	}
	stockText(w, w.store, w.tables, ownersName, "elden", sampleFindKeys.Keys[0])
	return o
}

// stockText puts a key for sale that has this text.
func stockText(t testing.TB, store *dynamo.Store, tables dynamo.Tables, merchant, name, key string) {
	t.Helper()
	m, _, err := store.Merchant(t.Context(), merchant)
	if err != nil {
		t.Fatal(err)
	}
	item := dynamotest.KeyItem(pool.ID{Merchant: merchant, Pool: name, Side: pool.Live}, 4, 0, key)
	item["pk"] = &types.AttributeValueMemberS{Value: string(pool.Identify(m.Salt, merchant, pool.Live, key))}
	if _, err := dynamotest.Client(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tables.Keys, Item: item}); err != nil {
		t.Fatal(err)
	}
}

// Another merchant gets the same answer, byte by byte, for a thing of the owner's and
// for one that does not exist, and changes nothing of the owner's.
func TestEveryOperation_strangerSeesNoDifference(t *testing.T) {
	t.Parallel()
	with, without := open(t), open(t)
	o := newOwner(with)
	strangers := map[*world]string{with: with.merchant("mallory"), without: without.merchant("mallory")}
	before := with.dump()

	conditions := [][]string{nil, {"if-match", "*"}, {"if-match", `"1"`}, {"if-none-match", "*"}}
	tried := 0
	for _, condition := range conditions {
		for _, c := range document.Calls(t) {
			tried++
			for _, w := range []*world{with, without} { // jobs list by when they were asked for
				w.clock = w.clock.Add(time.Second)
			}
			got := with.shop(strangers[with], c.Method, c.Path, c.Body, condition...)
			absent := without.shop(strangers[without], c.Method, c.Path, c.Body, condition...)
			if diff := gocmp.Diff(told(absent), told(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s %v: the answer tells a stranger that there is such a thing (-absent +another's):\n%s", c.Operation, condition, diff)
			}
			if found := o.canaries.Find(fmt.Sprint(got.Headers, got.Body)); found != nil {
				t.Errorf("%s %v: the answer to a stranger holds %v", c.Operation, condition, found)
			}
		}
	}
	after := with.dump()
	for id, item := range before {
		if strings.HasPrefix(id, "catalog merchant#mallory") { // put-shop
			continue
		}
		if diff := gocmp.Diff(item, after[id]); diff != "" {
			t.Errorf("a stranger changed %s:\n%s", id, diff)
		}
	}
	for id := range after {
		if _, old := before[id]; !old && !strings.Contains(id, "#mallory") && id != "catalog domains#"+domainOfSample+" domain" && !strings.Contains(id, " mallory#") {
			t.Errorf("a stranger wrote %s", id)
		}
	}
	canary.Figure("API calls with a foreign token", tried)
}

// A caller without a valid token is refused before anything is read, with the same
// bytes for every reason and whatever the request names.
func TestEveryOperation_wrongCallersAreRefusedAlike(t *testing.T) {
	t.Parallel()
	w := open(t)
	o := newOwner(w)
	back := w.merchant("mallory")
	w.shop(back, "DELETE", "/v1/tokens/"+access.Token{Hash: access.HashToken(back)}.ID(), nil).Want(204)
	expired := access.NewText("mallory")
	if err := w.store.PutToken(t.Context(), access.Token{Hash: access.HashToken(expired), Merchant: "mallory", Scopes: access.Scopes, ExpiresAt: noon}); err != nil {
		t.Fatal(err)
	}
	before := w.dump()

	bearer := map[string]string{
		"nothing":                 "",
		"no token":                "Bearer ",
		"the prefix alone":        "Bearer " + access.TokenPrefix,
		"a token that nobody has": "Bearer " + access.NewText(ownersName),
		"a token of no merchant":  "Bearer " + access.NewText("nobody"),
		"a token for another":     "Bearer " + strings.Replace(o.token, ownersName, "mallory", 1),
		"a token taken back":      "Bearer " + back,
		"an expired token":        "Bearer " + expired,
		"a token cut short":       "Bearer " + o.token[:len(o.token)-1],
		"a token with more":       "Bearer " + o.token + "x",
		"a token in capitals":     "Bearer " + strings.ToUpper(o.token),
		"the token's hash":        "Bearer " + access.HashToken(o.token),
		"the hash as a token":     "Bearer " + access.TokenPrefix + access.HashToken(o.token),
		"another scheme":          "Basic " + o.token,
		"the token alone":         o.token,
	}
	tried := 0
	first := ""
	for _, c := range document.Calls(t) {
		refuse := func(who string, e events.APIGatewayV2HTTPRequest) {
			tried++
			got := w.send(e)
			if got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s by %s: %d, want 401", c.Operation, who, got.StatusCode)
			}
			if first = cmp.Or(first, got.Body); first != got.Body {
				t.Errorf("%s refuses %s otherwise than others are:\n%s", c.Operation, who, got.Body)
			}
		}
		for who, authorization := range bearer {
			e := resttest.Altered(w, resttest.Event(t, "good_api_pool"), c.Method, c.Path, c.Body)
			delete(e.Headers, "authorization")
			if authorization != "" {
				e.Headers["authorization"] = authorization
			}
			refuse(who, e)
		}
		refuse("the operator", resttest.Altered(w, resttest.Event(t, "good_operator_merchant"), c.Method, c.Path, c.Body))
	}
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a refused caller changed something:\n%s", diff)
	}
	canary.Figure("API calls by the wrong caller", tried)
	canary.Figure("kinds of wrong callers", len(bearer)+1)
}

// The requests of the two tests above reach the thing when its owner sends them:
// without that, they would prove nothing.
func TestEveryOperation_ownerGetsThere(t *testing.T) {
	t.Parallel()
	o := newOwner(open(t))
	before := o.dump()
	all := document.Calls(t)
	// Deletions come last, and a thing after the things in it. So does what revokes the link that
	// others show.
	slices.SortStableFunc(all, func(a, b resttest.Call) int {
		deletes := func(c resttest.Call) int {
			if strings.HasPrefix(c.Operation, "revoke-order-link") {
				return 1
			}
			return len(c.Method) / len("DELETE")
		}
		return deletes(a) - deletes(b)
	})
	for _, c := range all {
		var condition []string
		if c.Method == "PUT" || c.Method == "DELETE" {
			condition = []string{"if-match", "*"}
		}
		// 409 is the answer for a thing that exists.
		if got := o.shop(o.token, c.Method, c.Path, c.Body, condition...); got.StatusCode >= 300 && got.StatusCode != http.StatusConflict {
			t.Errorf("%s: its owner got %d; plant what the document's examples name, in newOwner\n%s", c.Operation, got.StatusCode, got.Body)
		} else if found := o.canaries.Find(got.Body, "setting", canary.Customer, canary.Merchant); found != nil {
			t.Errorf("%s: the answer to the owner holds %v", c.Operation, found)
		}
	}
	canary.Figure("API operations", len(all))

	// Merchants and tokens are the operator's, and a token is the merchant's to revoke. A
	// test of infra/deployment holds that the function has no right to write them; this
	// one, that it needs none.
	// Of a merchant, what is its own to set is left out.
	operators := func(id string) bool { return strings.Contains(id, " merchant#") || strings.Contains(id, " tokens#") }
	others := func(id, item string) map[string]any {
		var all map[string]any
		if err := json.Unmarshal([]byte(item), &all); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(all, func(name string, _ any) bool {
			return strings.Contains(id, " merchant#"+ownersName) && slices.Contains(dynamo.OwnOfMerchant, name)
		})
		return all
	}
	revoked := "catalog tokens#" + ownersName + " " + sampleTokens.Items[0].ID
	after := o.dump()
	for id, item := range before {
		if !operators(id) || id == revoked {
			continue
		}
		if diff := gocmp.Diff(others(id, item), others(id, after[id])); diff != "" {
			t.Errorf("the API changed %s:\n%s", id, diff)
		}
	}
	if after[revoked] != "" {
		t.Error("the token that was revoked is there")
	}
	for id := range after {
		if _, old := before[id]; !old && operators(id) {
			t.Errorf("the API wrote %s", id)
		}
	}
}

// made matches what is made for a response: secrets, and the ids of tokens, uploads, jobs and keys.
var made = regexp.MustCompile(`(whsec_|` + access.TokenPrefix + `)[A-Za-z0-9+/_=-]+|("id":"|"thing":"token","name":")[0-9a-f]{16}"|("id":"[0-9T.]+Z-)[0-9a-f]{16}"|(by":"the token \\"test\\" \()[0-9a-f]{16}|("(?:upload|id|name)":"[0-9]+T[0-9]+-)[0-9a-f]{16}|("key_id":"mallory#(?:live|test)#)[A-Za-z0-9_-]{43}|(keys-)[a-z0-9]{12}`)

// told returns a response without its random parts.
func told(a resttest.Response) map[string]any {
	body := made.ReplaceAllString(a.Body, "$1$2$3$4$5$6$7…")
	if strings.HasPrefix(body, `{"items":[{`) && (strings.Contains(body, `"thing":`) || strings.Contains(body, `"kind":`)) { // entries, and jobs, of one moment are in any order
		entries := strings.Split(strings.TrimSuffix(strings.TrimPrefix(body, `{"items":[{`), `}]}`+"\n"), "},{")
		slices.Sort(entries)
		body = strings.Join(entries, "\n")
	}
	return map[string]any{"status": a.StatusCode, "headers": a.Headers, "body": body}
}

// dump returns all items of all tables by table and key.
func (w *world) dump() map[string]string {
	w.Helper()
	dump := map[string]string{}
	for id, kept := range w.items() {
		raw, err := json.Marshal(kept.item)
		if err != nil {
			w.Fatal(err)
		}
		dump[id] = string(raw)
	}
	return dump
}

// kept is an item, and where it is kept.
type kept struct {
	table string
	item  map[string]types.AttributeValue
}

// key is the item's primary key.
func (k kept) key() map[string]types.AttributeValue {
	key := map[string]types.AttributeValue{}
	for _, name := range []string{"pk", "sk"} {
		if part, ok := k.item[name]; ok {
			key[name] = part
		}
	}
	return key
}

// items returns all items of all tables by table and key.
func (w *world) items() map[string]kept {
	w.Helper()
	client := dynamotest.Client(w)
	items := map[string]kept{}
	for _, table := range []string{w.tables.Catalog, w.tables.Keys, w.tables.Orders} {
		pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &table})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			for _, item := range page.Items {
				id := table[strings.LastIndexByte(table, '-')+1:]
				for _, name := range []string{"pk", "sk"} {
					if part, ok := item[name].(*types.AttributeValueMemberS); ok {
						id += " " + part.Value
					}
				}
				items[id] = kept{table, item}
			}
		}
	}
	return items
}
