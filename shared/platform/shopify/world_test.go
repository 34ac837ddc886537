package shopify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/infra/proof/shopifyapi"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

// The account of the examples in events/shopify_*.json.
const (
	shop       = "acme.myshopify.com"
	appSecret  = "shpss_of_the_examples_0123456789"
	handSecret = "of_the_examples_by_hand_0123456789abcdef"
	appID      = "0123456789abcdef0123456789abcdef"
	address    = "https://keypool.example.com/webhooks/acme/shopify"
)

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// account returns the account as function webhook hands it to Decode. More are further
// settings.
func account(more ...string) platform.Account {
	settings := `{"shop":"` + shop + `"`
	for _, setting := range more {
		settings += "," + setting
	}
	return platform.Account{
		Merchant: "acme", Name: "shopify", Platform: "shopify", Origin: shop, Settings: json.RawMessage(settings + "}"),
		Secrets: []platform.SigningSecret{
			{Name: "app", Secret: platform.Conceal([]byte(appSecret))},
			{Name: "notifications", Secret: platform.Conceal([]byte(handSecret))},
		},
	}
}

// withApp gives an account the credentials of the merchant's app.
func withApp(a platform.Account) platform.Account {
	a.Credentials = map[string]platform.Secret{"client_id": platform.Conceal([]byte(appID)), "client_secret": platform.Conceal([]byte(appSecret))}
	return a
}

var webhook, changed = platformtest.Example, platformtest.ChangedExample

// object is an object of the Admin API.
type object = shopifyapi.Object

// world is a stand-in of a shop's Admin API, by shopifyapi: it has these objects.
type world struct {
	testing.TB
	mu       sync.Mutex
	orders   []object
	webhooks []object
	refuses  map[string]bool // topics of which the app may have no webhook

	status  int      // of every answer, if not 0
	fails   string   // the code of every query's error
	denied  []string // members that the app may not read
	token   string   // that is valid now
	grants  int      // tokens given
	lasts   int      // seconds that a token is good for
	points  float64  // left, of the calls' points
	queries []string // what was asked: "order", "orders"
	costs   []int    // of each query, at most
}

// open returns a world with the order of the examples.
func open(t testing.TB) (*world, shopify.Adapter) {
	shopifyapi.Load()
	w := &world{TB: t, token: "shpat_first", lasts: 86399, points: 2000, refuses: map[string]bool{}}
	w.orders = []object{order("5501234567890", now, line("14001234567890", 2))}
	a := shopify.Through(apitest.Serve(t, w))
	a.Now = func() time.Time { return now }
	return w, a
}

func money(amount string) object {
	return object{"shopMoney": object{"amount": amount, "currencyCode": "EUR"}, "presentmentMoney": object{"amount": amount, "currencyCode": "GBP"}}
}

func order(id string, updated time.Time, lines ...object) object {
	return object{
		"id": shopifyapi.GID("Order", id), "name": "#1001", "test": false, "displayFinancialStatus": "PAID", "paymentGatewayNames": []string{"shopify_payments"},
		"createdAt": "2026-01-02T15:03:00Z", "processedAt": "2026-01-02T15:03:00Z", "updatedAt": updated.Format(time.RFC3339), "cancelledAt": nil,
		"currencyCode": "EUR", "taxesIncluded": true, "presentmentCurrencyCode": "GBP", "customerLocale": "en-GB", "email": "ada@example.com", "phone": nil,
		"customer": object{"firstName": "Ada", "lastName": "Byron", "defaultEmailAddress": object{"emailAddress": "ada@example.com"}, "defaultPhoneNumber": nil},
		"billingAddress": object{
			"firstName": "Ada", "lastName": "Byron", "company": "Analytical Engines", "address1": "12 St James's Square", "address2": nil, "city": "London", "zip": "SW1Y 4LE",
			"countryCodeV2": "GB", "phone": "+44 20 7946 0000",
		},
		"customAttributes": []object{{"key": "license_for", "value": "Augusta King"}},
		"transactions":     []object{transaction("SALE", "SUCCESS", "119.98")}, "lineItems": lines, "refunds": []object{}, "disputes": []object{},
		"risk": object{"recommendation": "ACCEPT", "assessments": []object{{"riskLevel": "LOW"}}},
	}
}

func line(id string, quantity int) object {
	return object{
		"id": shopifyapi.GID("LineItem", id), "quantity": quantity, "currentQuantity": quantity, "sku": "GAME-DLX", "name": "The Game - Deluxe", "title": "The Game",
		"requiresShipping": false, "isGiftCard": false, "variant": object{"id": shopifyapi.GID("ProductVariant", "44001234567890")}, "product": object{"id": shopifyapi.GID("Product", "8001234567890")},
		"originalUnitPriceSet": money("59.99"), "customAttributes": []object{},
		"discountAllocations": []object{}, "taxLines": []object{{"priceSet": money("19.16")}},
	}
}

func transaction(kind, status, amount string) object {
	return object{"id": shopifyapi.GID("OrderTransaction", "77"), "kind": kind, "status": status, "test": false, "processedAt": "2026-01-02T15:04:00Z", "amountSet": money(amount)}
}

// refund returns a refund of units of a line.
func refund(id string, of object, quantity int, transactions ...object) object {
	r := object{"id": shopifyapi.GID("Refund", id), "createdAt": "2026-01-03T09:00:00Z", "refundLineItems": []object{}, "transactions": transactions, "orderAdjustments": []object{}}
	if of != nil {
		r["refundLineItems"] = []object{{"quantity": quantity, "lineItem": of}}
	}
	return r
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Host != shop || r.Method != http.MethodPost {
		w.Errorf("called is %s %s", r.Method, r.Host)
	}
	out.Header().Set("Content-Type", "application/json")
	switch {
	case w.status != 0:
		out.WriteHeader(w.status)
		fmt.Fprint(out, `{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}`)
	case r.URL.Path == "/admin/oauth/access_token":
		w.grant(out, r, string(body))
	case r.URL.Path != "/admin/api/2026-07/graphql.json":
		w.Errorf("called is %s", r.URL.Path)
	case r.Header.Get("X-Shopify-Access-Token") != w.token:
		w.queries = append(w.queries, "refused")
		out.WriteHeader(http.StatusUnauthorized)
	default:
		w.ask(out, body)
	}
}

func (w *world) grant(out http.ResponseWriter, r *http.Request, form string) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || form != "client_id="+appID+"&client_secret="+appSecret+"&grant_type=client_credentials" {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	w.grants++
	json.NewEncoder(out).Encode(object{"access_token": w.token, "scope": "read_orders", "expires_in": w.lasts})
}

// ask answers a query.
func (w *world) ask(out http.ResponseWriter, body []byte) {
	query, err := shopifyapi.Parse(body)
	if err != nil {
		w.Error(err)
		return
	}
	cost := query.Cost()
	w.costs = append(w.costs, cost)
	if cost > shopifyapi.MostCost {
		w.Errorf("the query costs %d points, and one may cost %d", cost, shopifyapi.MostCost)
	}
	w.queries = append(w.queries, query.Name())
	if w.fails != "" || w.points < float64(cost) {
		code := w.fails
		if code == "" {
			code = "THROTTLED"
		}
		json.NewEncoder(out).Encode(object{"errors": []object{{"message": "Throttled", "extensions": object{"code": code}}}})
		return
	}
	found, err := query.Answer(w.root, w.denied...)
	if err != nil {
		w.Error(err)
	}
	w.points -= float64(found.Nodes)
	answer := object{"data": found.Data, "extensions": object{"cost": object{
		"requestedQueryCost": cost, "actualQueryCost": found.Nodes, "throttleStatus": object{"maximumAvailable": 2000.0, "currentlyAvailable": w.points, "restoreRate": 100.0},
	}}}
	if found.Errors != nil {
		answer["errors"] = found.Errors
	}
	json.NewEncoder(out).Encode(answer)
}

// root returns what a query's first members are.
func (w *world) root(member string, of shopifyapi.Arguments) any {
	id, _ := of("id").(string)
	switch member {
	case "order":
		return shopifyapi.Find(w.orders, id)
	case "refund":
		for _, o := range w.orders {
			if r := shopifyapi.Find(o["refunds"].([]object), id); r != nil {
				return r
			}
		}
	case "orders":
		return w.since(of("query"), of("sortKey"))
	case "webhookSubscriptions":
		return w.webhooks
	case "webhookSubscriptionCreate":
		return w.create(of("topic").(string), of("webhookSubscription").(map[string]any))
	}
	return nil
}

// since returns the orders that a search by updated_at finds, the earliest change first.
func (w *world) since(query, sortKey any) []object {
	text, ok := strings.CutPrefix(fmt.Sprint(query), "updated_at:>='")
	from, err := time.Parse(time.RFC3339, strings.TrimSuffix(text, "'"))
	if !ok || err != nil || sortKey != "UPDATED_AT" {
		w.Errorf("searched is %v by %v", query, sortKey)
	}
	found := slices.DeleteFunc(slices.Clone(w.orders), func(o object) bool { return updated(o).Before(from) })
	slices.SortStableFunc(found, func(a, b object) int { return updated(a).Compare(updated(b)) })
	return found
}

func updated(o object) time.Time {
	at, _ := time.Parse(time.RFC3339, o["updatedAt"].(string))
	return at
}

func (w *world) create(topic string, input map[string]any) object {
	if w.refuses[topic] {
		return object{"webhookSubscription": nil, "userErrors": []object{{"field": []string{"topic"}, "message": "You cannot create a webhook subscription with the specified topic"}}}
	}
	made := object{"id": shopifyapi.GID("WebhookSubscription", strconv.Itoa(len(w.webhooks)+1)), "topic": topic, "uri": input["uri"], "format": input["format"]}
	w.webhooks = append(w.webhooks, made)
	return object{"webhookSubscription": made, "userErrors": []object{}}
}
