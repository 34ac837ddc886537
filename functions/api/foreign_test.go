package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/shared/callback"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// call is an operation of the document as a request, with the examples that the
// document gives for its path and body.
type call struct {
	operation    string
	method, path string
	body         string
	operators    bool // the operator's, not a merchant's
}

// calls makes a request of every operation of the document, so that a new one is
// covered by being there: reads first, then what deletes, then what writes.
func calls(t *testing.T) []call {
	t.Helper()
	document.load(t)
	var all []call
	for template, methods := range document.doc.Paths {
		for lower, op := range methods {
			c := call{operation: op.OperationID, method: strings.ToUpper(lower), path: template}
			for _, p := range op.Parameters {
				if p.In == "path" && len(p.Schema.Examples) > 0 {
					c.path = strings.ReplaceAll(c.path, "{"+p.Name+"}", fmt.Sprint(p.Schema.Examples[0]))
				}
			}
			if strings.Contains(c.path, "{") {
				t.Fatalf("%s: the document gives no example for %s", op.OperationID, c.path)
			}
			if op.RequestBody != nil {
				if c.body = string(op.RequestBody.Content["application/json"].Example); c.body == "" {
					t.Fatalf("%s: the document gives no example of its body", op.OperationID)
				}
			}
			if len(op.Security) != 1 {
				t.Fatalf("%s: the document does not say for whom it is", op.OperationID)
			}
			_, c.operators = op.Security[0][operatorScheme]
			all = append(all, c)
		}
	}
	order := []string{"GET", "DELETE", "POST", "PUT"}
	slices.SortFunc(all, func(a, b call) int {
		if a.method != b.method {
			return slices.Index(order, a.method) - slices.Index(order, b.method)
		}
		return strings.Compare(a.path, b.path)
	})
	return all
}

// owner is the merchant whom the document's examples speak of, with all that they
// name. Whatever the merchant wrote is a canary.
type owner struct {
	*world
	cage  canary.Cage
	token string
}

const ownersName = "acme"

func newOwner(w *world) *owner {
	w.Helper()
	o := &owner{world: w}
	var made Token
	w.operator("PUT", "/v1/merchants/"+ownersName, Merchant{
		Title: o.cage.New("setting"), NoticeAddress: o.cage.Address(canary.Merchant),
	}).want(201)
	w.operator("POST", "/v1/merchants/"+ownersName+"/tokens", nil).want(201).into(&made)
	o.token = made.Token
	o.cage.Keep(canary.Token, made.Token)
	for _, name := range []string{"elden", "elden-latam"} {
		w.shop(o.token, "PUT", "/v1/pools/"+name, Pool{Title: o.cage.New("setting")}).want(201)
		dynamotest.Stock(w, w.tables, pool.ID{Merchant: ownersName, Pool: name, Side: pool.Live}, 4, o.cage.New(canary.Key), o.cage.New(canary.Key))
	}
	w.shop(o.token, "PUT", "/v1/products/4711", Product{Title: o.cage.New("setting"), Pool: "elden"}).want(201)
	var account Account
	w.shop(o.token, "PUT", "/v1/accounts/shop-eu", Account{}).want(201).into(&account)
	secret, err := callback.ParseSecret(account.Secret)
	if err != nil {
		w.Fatal(err)
	}
	o.cage.Keep(canary.Secret, string(secret))
	before := w.claim(ownersName, "elden", pool.Live, "A-1001", 1)
	after := before
	after.Version, after.Allocated = 2, 1
	after.Customer = order.Customer{Name: o.cage.New(canary.Customer), Email: o.cage.Address(canary.Customer)}
	after.Keys = []pool.Key{{ID: "sold", Text: pool.Conceal(o.cage.New(canary.Key))}}
	if err := w.store.Commit(w.Context(), order.Change{Before: &before, After: after}); err != nil {
		w.Fatal(err)
	}
	w.upload(upload.Upload{
		Merchant: ownersName, ID: sampleUpload.ID, File: o.cage.New("setting") + ".txt", Pool: "elden", Side: pool.Live, State: upload.Finished,
	})
	if m, _, err := w.store.Merchant(w.Context(), ownersName); err != nil || len(m.Salt) == 0 {
		w.Fatalf("the merchant has no salt: %v", err)
	} else {
		o.cage.Keep(canary.Salt, string(m.Salt))
	}
	return o
}

// A stranger is answered the same, byte by byte, whether what the request names is
// another merchant's or is not there at all, and changes nothing of another's.
func TestEveryOperation_strangerSeesNoDifference(t *testing.T) {
	t.Parallel()
	with, without := open(t), open(t)
	o := newOwner(with)
	strangers := map[*world]string{with: with.merchant("mallory"), without: without.merchant("mallory")}
	before := with.dump()

	conditions := [][]string{nil, {"if-match", "*"}, {"if-match", `"1"`}, {"if-none-match", "*"}}
	tried := 0
	for _, condition := range conditions {
		for _, c := range calls(t) {
			if c.operators {
				continue
			}
			tried++
			got := with.shop(strangers[with], c.method, c.path, c.body, condition...)
			absent := without.shop(strangers[without], c.method, c.path, c.body, condition...)
			if diff := cmp.Diff(told(absent), told(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s %v: the answer tells a stranger that there is such a thing (-absent +another's):\n%s", c.operation, condition, diff)
			}
			if found := o.cage.In(fmt.Sprint(got.Headers, got.Body)); found != nil {
				t.Errorf("%s %v: the answer to a stranger holds %v", c.operation, condition, found)
			}
		}
	}
	after := with.dump()
	for id, item := range before {
		if diff := cmp.Diff(item, after[id]); diff != "" {
			t.Errorf("a stranger changed %s:\n%s", id, diff)
		}
	}
	for id := range after {
		if _, old := before[id]; !old && !strings.Contains(id, "#mallory") {
			t.Errorf("a stranger wrote %s", id)
		}
	}
	canary.Figure("API calls with a foreign token", tried)
}

// Whoever is not the right kind of caller is refused before anything is looked
// at, with the same bytes for every reason and whatever is named.
func TestEveryOperation_wrongCallersAreRefusedAlike(t *testing.T) {
	t.Parallel()
	w := open(t)
	o := newOwner(w)
	back := w.merchant("mallory")
	w.takeBack(back)
	before := w.dump()

	bearer := map[string]string{
		"nothing":                 "",
		"no token":                "Bearer ",
		"the prefix alone":        "Bearer " + tokenPrefix,
		"a token that nobody has": "Bearer " + tokenPrefix + strings.Repeat("A", 43),
		"a token taken back":      "Bearer " + back,
		"a token cut short":       "Bearer " + o.token[:len(o.token)-1],
		"a token with more":       "Bearer " + o.token + "x",
		"a token in capitals":     "Bearer " + strings.ToUpper(o.token),
		"the token's hash":        "Bearer " + hashToken(o.token),
		"the hash as a token":     "Bearer " + tokenPrefix + hashToken(o.token),
		"another scheme":          "Basic " + o.token,
		"the token alone":         o.token,
	}
	tried := 0
	refusals := map[int]string{}
	for _, c := range calls(t) {
		status, wrong := http.StatusUnauthorized, maps.Clone(bearer)
		if c.operators {
			status = http.StatusForbidden
			wrong["a merchant's token"] = "Bearer " + o.token
		}
		refuse := func(who string, e events.APIGatewayV2HTTPRequest) {
			tried++
			got := w.send(e)
			if got.StatusCode != status {
				t.Errorf("%s by %s: %d, want %d", c.operation, who, got.StatusCode, status)
			}
			if first, ok := refusals[status]; ok && first != got.Body {
				t.Errorf("%s refuses %s otherwise than others are:\n%s", c.operation, who, got.Body)
			}
			refusals[status] = got.Body
		}
		for who, authorization := range wrong {
			e := altered(w, event(t, "good_api_pool"), c.method, c.path, c.body, nil)
			delete(e.Headers, "authorization")
			if authorization != "" {
				e.Headers["authorization"] = authorization
			}
			refuse(who, e)
		}
		if !c.operators {
			refuse("the operator", altered(w, event(t, "good_api_merchant"), c.method, c.path, c.body, nil))
		}
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a refused caller changed something:\n%s", diff)
	}
	canary.Figure("API calls by the wrong caller", tried)
	canary.Figure("kinds of wrong callers", len(bearer)+2)
}

// What the two tests above send does reach the thing when its owner sends it:
// without that, they would prove nothing.
func TestEveryOperation_ownerGetsThere(t *testing.T) {
	t.Parallel()
	o := newOwner(open(t))
	all := calls(t)
	// What deletes comes last, what holds other things after what it holds.
	slices.SortStableFunc(all, func(a, b call) int {
		deletes := func(c call) int { return len(c.method) / len("DELETE") }
		return deletes(a) - deletes(b)
	})
	for _, c := range all {
		var condition []string
		if c.method == "PUT" || c.method == "DELETE" {
			condition = []string{"if-match", "*"}
		}
		send := func() answer {
			if c.operators {
				return o.operator(c.method, c.path, c.body, condition...)
			}
			return o.shop(o.token, c.method, c.path, c.body, condition...)
		}
		// 409 is said of a thing that is there.
		if got := send(); got.StatusCode >= 300 && got.StatusCode != http.StatusConflict {
			t.Errorf("%s: its owner got %d; plant what the document's examples name, in newOwner\n%s", c.operation, got.StatusCode, got.Body)
		} else if found := o.cage.In(got.Body, "setting", canary.Customer, canary.Merchant); found != nil {
			t.Errorf("%s: the answer to the owner holds %v", c.operation, found)
		}
	}
	canary.Figure("API operations", len(all))
}

// made are the texts that are made anew for each answer.
var made = regexp.MustCompile(`(whsec_|` + tokenPrefix + `)[A-Za-z0-9+/_=-]+`)

// told is what an answer tells, but for what is random in it.
func told(a answer) map[string]any {
	return map[string]any{"status": a.StatusCode, "headers": a.Headers, "body": made.ReplaceAllString(a.Body, "$1…")}
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

// takeBack makes a token worth nothing, as an operator does: its item is deleted.
func (w *world) takeBack(token string) {
	w.Helper()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := dynamotest.Client(w).DeleteItem(w.Context(), &dynamodb.DeleteItemInput{
		TableName: &w.tables.Catalog, Key: map[string]types.AttributeValue{"pk": text("token#" + hashToken(token)), "sk": text("token")},
	})
	if err != nil {
		w.Fatal(err)
	}
}
