package standin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"keypool/infra/local/sample"
	"keypool/infra/proof/shopifyapi"
	"keypool/shared/platform/payload"
)

// ShopifyHost is the shop of the samples.
const ShopifyHost = "acme.myshopify.com"

// shopifyShop is the Admin API of a Shopify shop, as far as Keypool asks for it, made from its
// documentation: the orders of the samples that were taken, with their refunds, disputes and
// risk, and the webhooks that were made by it. Each of its apps knows its own orders.
type shopifyShop struct {
	mu   sync.Mutex
	apps map[string]*shopifyApp // by the client id
}

// shopifyApp is an app of the shop's, as its client id names it.
type shopifyApp struct {
	secret, token string
	orders        map[string]*shopifyOrder // by the number
	webhooks      []shopifyapi.Object
}

// shopifyOrder is an order, as the shop's webhooks wrote it.
type shopifyOrder struct {
	body      payload.Value
	cancelled string // when; empty: it was not
	refunds   []payload.Value
	disputes  []payload.Value
	risk      string // of the last assessment: high
}

func newShopify() *shopifyShop {
	shopifyapi.Load()
	return &shopifyShop{apps: map[string]*shopifyApp{}}
}

func (s *shopifyShop) know(credentials map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret := credentials["client_id"], credentials["client_secret"]
	if id == "" || s.apps[id] != nil {
		return
	}
	sum := sha256.Sum256([]byte(id + " " + secret))
	s.apps[id] = &shopifyApp{secret: secret, token: "shpat_" + hex.EncodeToString(sum[:16]), orders: map[string]*shopifyOrder{}}
}

// send does nothing: Keypool makes the webhooks of an app.
func (s *shopifyShop) send(string, map[string]string) {}

// take has an app know what a sample is about. The order of a refund, dispute or risk is that
// of the sample paid, where it is not known.
func (s *shopifyShop) take(w *sample.Webhook, o sample.Order, credentials map[string]string) error {
	body, err := payload.Parse(w.Body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.apps[credentials["client_id"]]
	if app == nil {
		return nil // of an account whose webhooks were made by hand
	}
	if !body.Find("/line_items").Missing() {
		app.order(text(body, "/id")).change(body)
		return nil
	}
	of := text(body, "/order_id")
	if of == "" {
		return nil
	}
	if app.orders[of] == nil {
		paid, err := w.Platform.Read(w.Folder, "paid")
		if err != nil {
			return err
		}
		paid.Be(o)
		first, err := payload.Parse(paid.Body)
		if err != nil {
			return err
		}
		app.order(of).change(first)
	}
	order, topic := app.order(of), strings.ToLower(w.Kind())
	switch {
	case strings.HasPrefix(topic, "refunds/"):
		order.refunds = replaced(order.refunds, body)
	case strings.HasPrefix(topic, "disputes/"):
		order.disputes = replaced(order.disputes, body)
	default:
		order.risk = text(body, "/risk_level")
	}
	return nil
}

func (a *shopifyApp) order(number string) *shopifyOrder {
	if a.orders[number] == nil {
		a.orders[number] = &shopifyOrder{}
	}
	return a.orders[number]
}

// change takes what a webhook says of the order. Once cancelled it stays so.
func (o *shopifyOrder) change(body payload.Value) {
	o.body = body
	if at := text(body, "/cancelled_at"); at != "" {
		o.cancelled = at
	}
	for _, refund := range body.Find("/refunds").List {
		o.refunds = replaced(o.refunds, refund)
	}
}

// replaced returns a list with an object in the place of the one with the same id.
func replaced(all []payload.Value, by payload.Value) []payload.Value {
	all = slices.DeleteFunc(all, func(v payload.Value) bool { return text(v, "/id") == text(by, "/id") })
	return append(all, by)
}

// text returns a member that is a text or a number, else "".
func text(v payload.Value, at payload.Pointer) string {
	if found := v.Find(at); found.Kind == '"' || found.Kind == '0' {
		return found.Text
	}
	return ""
}

// textOrNil returns a member that is a text, else nil.
func textOrNil(v payload.Value, at payload.Pointer) any {
	if found := text(v, at); found != "" {
		return found
	}
	return nil
}

func isTrue(v payload.Value, at payload.Pointer) bool { return v.Find(at).Kind == 't' }

func number(v payload.Value, at payload.Pointer) int {
	n, _ := v.Find(at).Quantity()
	return n
}

// ServeHTTP implements http.Handler.
func (s *shopifyShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method != http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, `{"errors":"Method Not Allowed"}`)
	case r.URL.Path == "/admin/oauth/access_token":
		s.grant(w, r)
	case r.URL.Path == "/admin/api/"+shopifyapi.Version+"/graphql.json":
		for _, app := range s.apps {
			if r.Header.Get("X-Shopify-Access-Token") == app.token {
				app.ask(w, r)
				return
			}
		}
		refuse(w, http.StatusUnauthorized, `{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}`)
	default:
		refuse(w, http.StatusNotFound, `{"errors":"Not Found"}`)
	}
}

// grant gives an app a token, which is good for a day.
func (s *shopifyShop) grant(w http.ResponseWriter, r *http.Request) {
	app := s.apps[r.PostFormValue("client_id")]
	if app == nil || r.PostFormValue("client_secret") != app.secret || r.PostFormValue("grant_type") != "client_credentials" {
		refuse(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	answer(w, map[string]any{"access_token": app.token, "scope": "read_orders,read_customers,read_shopify_payments_disputes", "expires_in": 86399})
}

// points are those that the shop gives to an app's calls, and never fewer here.
const points = 2000

// ask answers a query.
func (a *shopifyApp) ask(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	query, err := shopifyapi.Parse(body)
	var found shopifyapi.Answer
	if err == nil {
		found, err = query.Answer(a.root)
	}
	switch {
	case err != nil:
		answer(w, map[string]any{"errors": []any{map[string]any{"message": err.Error()}}})
	case query.Cost() > shopifyapi.MostCost:
		answer(w, map[string]any{"errors": []any{map[string]any{"message": "Query cost exceeds the limit", "extensions": map[string]any{"code": "MAX_COST_EXCEEDED"}}}})
	default:
		answer(w, map[string]any{"data": found.Data, "extensions": map[string]any{"cost": map[string]any{
			"requestedQueryCost": query.Cost(), "actualQueryCost": found.Nodes,
			"throttleStatus": map[string]any{"maximumAvailable": points, "currentlyAvailable": points, "restoreRate": points / 20},
		}}})
	}
}

// root returns what a query's first members are.
func (a *shopifyApp) root(member string, of shopifyapi.Arguments) any {
	orders := a.objects()
	id, _ := of("id").(string)
	switch member {
	case "order":
		return shopifyapi.Find(orders, id)
	case "refund":
		for _, o := range orders {
			if refund := shopifyapi.Find(o["refunds"].([]shopifyapi.Object), id); refund != nil {
				return refund
			}
		}
	case "orders":
		since, _ := strings.CutPrefix(fmt.Sprint(of("query")), "updated_at:>=")
		from, err := time.Parse(time.RFC3339, strings.Trim(since, "'"))
		if err != nil {
			return []shopifyapi.Object{}
		}
		return slices.DeleteFunc(orders, func(o shopifyapi.Object) bool { return changedAt(o).Before(from) })
	case "webhookSubscriptions":
		return a.webhooks
	case "webhookSubscriptionCreate":
		input, _ := of("webhookSubscription").(map[string]any)
		made := shopifyapi.Object{
			"id": shopifyapi.GID("WebhookSubscription", strconv.Itoa(len(a.webhooks)+1)), "topic": of("topic"), "uri": input["uri"], "format": input["format"],
		}
		a.webhooks = append(a.webhooks, made)
		return shopifyapi.Object{"webhookSubscription": made, "userErrors": []shopifyapi.Object{}}
	}
	return nil
}

// objects returns all orders, the earliest change first.
func (a *shopifyApp) objects() []shopifyapi.Object {
	var all []shopifyapi.Object
	for _, o := range a.orders {
		all = append(all, o.object())
	}
	slices.SortFunc(all, func(a, b shopifyapi.Object) int { return changedAt(a).Compare(changedAt(b)) })
	return all
}

func changedAt(o shopifyapi.Object) time.Time {
	at, err := time.Parse(time.RFC3339, o["updatedAt"].(string))
	if err != nil {
		return time.Time{}
	}
	return at
}

// object returns the order as the Admin API shows it.
func (o *shopifyOrder) object() shopifyapi.Object {
	in := o.body
	var gateways []string
	for _, name := range in.Find("/payment_gateway_names").List {
		gateways = append(gateways, name.Text)
	}
	lines, refunds, disputes := []shopifyapi.Object{}, []shopifyapi.Object{}, []shopifyapi.Object{}
	for _, line := range in.Find("/line_items").List {
		lines = append(lines, o.line(line))
	}
	changed := text(in, "/updated_at")
	for _, refund := range o.refunds {
		refunds = append(refunds, o.refund(refund))
		changed = later(changed, text(refund, "/created_at"))
	}
	for _, dispute := range o.disputes {
		disputes = append(disputes, shopifyapi.Object{"id": shopifyapi.GID("ShopifyPaymentsDispute", text(dispute, "/id")), "status": strings.ToUpper(text(dispute, "/status"))})
		changed = later(changed, text(dispute, "/finalized_on"))
	}
	paid := []shopifyapi.Object{}
	if status := text(in, "/financial_status"); status != "pending" && status != "voided" && status != "authorized" {
		paid = append(paid, shopifyapi.Object{
			"id": shopifyapi.GID("OrderTransaction", "1"), "kind": "SALE", "status": "SUCCESS", "test": isTrue(in, "/test"),
			"processedAt": text(in, "/processed_at"), "amountSet": o.money(text(in, "/total_price")),
		})
	}
	return shopifyapi.Object{
		"id": shopifyapi.GID("Order", text(in, "/id")), "name": text(in, "/name"), "test": isTrue(in, "/test"), "displayFinancialStatus": o.status(), "paymentGatewayNames": gateways,
		"createdAt": text(in, "/created_at"), "processedAt": text(in, "/processed_at"), "updatedAt": later(changed, o.cancelled), "cancelledAt": nilIfEmpty(o.cancelled),
		"currencyCode": text(in, "/currency"), "taxesIncluded": isTrue(in, "/taxes_included"), "presentmentCurrencyCode": text(in, "/presentment_currency"),
		"customerLocale": textOrNil(in, "/customer_locale"), "email": textOrNil(in, "/email"), "phone": textOrNil(in, "/phone"),
		"customer": customer(in.Find("/customer")), "billingAddress": billingAddress(in.Find("/billing_address")), "customAttributes": attributes(in.Find("/note_attributes")),
		"transactions": paid, "lineItems": lines, "refunds": refunds, "disputes": disputes, "risk": o.assessed(),
	}
}

func nilIfEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// later returns the later of two times of RFC 3339; an empty one is the earliest.
func later(a, b string) string {
	at, _ := time.Parse(time.RFC3339, a)
	if other, err := time.Parse(time.RFC3339, b); err == nil && other.After(at) {
		return b
	}
	return a
}

// status returns how the order is paid: what went back of it is not in the webhook of its
// payment.
func (o *shopifyOrder) status() string {
	status, left, back := text(o.body, "/financial_status"), 0, new(big.Rat)
	for _, line := range o.body.Find("/line_items").List {
		left += number(line, "/current_quantity") - o.returned(text(line, "/id"))
	}
	for _, refund := range o.refunds {
		for _, payment := range refund.Find("/transactions").List {
			if amount, ok := new(big.Rat).SetString(text(payment, "/amount")); ok && text(payment, "/status") == "success" {
				back.Add(back, amount)
			}
		}
	}
	total, ok := new(big.Rat).SetString(text(o.body, "/total_price"))
	switch {
	case status != "paid" || back.Sign() == 0:
	case left <= 0 || ok && back.Cmp(total) >= 0:
		status = "refunded"
	default:
		status = "partially_refunded"
	}
	return strings.ToUpper(status)
}

// returned returns the units of a line that refunds took, which are not in the webhook of the
// payment.
func (o *shopifyOrder) returned(line string) int {
	units := 0
	for _, refund := range o.refunds {
		for _, back := range refund.Find("/refund_line_items").List {
			if text(back, "/line_item_id") == line && !o.hasRefund(text(refund, "/id")) {
				units += number(back, "/quantity")
			}
		}
	}
	return units
}

// hasRefund says whether the webhook of the order itself lists a refund.
func (o *shopifyOrder) hasRefund(id string) bool {
	return slices.ContainsFunc(o.body.Find("/refunds").List, func(v payload.Value) bool { return text(v, "/id") == id })
}

func (o *shopifyOrder) line(v payload.Value) shopifyapi.Object {
	line := shopifyapi.Object{
		"id": shopifyapi.GID("LineItem", text(v, "/id")), "quantity": number(v, "/quantity"), "currentQuantity": max(number(v, "/current_quantity")-o.returned(text(v, "/id")), 0),
		"sku": textOrNil(v, "/sku"), "name": text(v, "/name"), "title": text(v, "/title"), "requiresShipping": isTrue(v, "/requires_shipping"), "isGiftCard": isTrue(v, "/gift_card"),
		"originalUnitPriceSet": o.money(text(v, "/price")), "customAttributes": attributes(v.Find("/properties")), "variant": nil, "product": nil,
	}
	discounts, taxes := []shopifyapi.Object{}, []shopifyapi.Object{}
	for _, discount := range v.Find("/discount_allocations").List {
		discounts = append(discounts, shopifyapi.Object{"allocatedAmountSet": o.money(text(discount, "/amount"))})
	}
	for _, tax := range v.Find("/tax_lines").List {
		taxes = append(taxes, shopifyapi.Object{"priceSet": o.money(text(tax, "/price"))})
	}
	line["discountAllocations"], line["taxLines"] = discounts, taxes
	if id := text(v, "/variant_id"); id != "" {
		line["variant"] = shopifyapi.Object{"id": shopifyapi.GID("ProductVariant", id)}
	}
	if id := text(v, "/product_id"); id != "" {
		line["product"] = shopifyapi.Object{"id": shopifyapi.GID("Product", id)}
	}
	return line
}

func (o *shopifyOrder) refund(v payload.Value) shopifyapi.Object {
	lines, payments, adjusted := []shopifyapi.Object{}, []shopifyapi.Object{}, []shopifyapi.Object{}
	for _, a := range v.Find("/order_adjustments").List {
		adjusted = append(adjusted, shopifyapi.Object{"amountSet": o.money(text(a, "/amount")), "taxAmountSet": o.money(text(a, "/tax_amount"))})
	}
	for _, back := range v.Find("/refund_line_items").List {
		line := o.line(back.Find("/line_item"))
		line["id"] = shopifyapi.GID("LineItem", text(back, "/line_item_id"))
		lines = append(lines, shopifyapi.Object{"quantity": number(back, "/quantity"), "lineItem": line})
	}
	for _, p := range v.Find("/transactions").List {
		payments = append(payments, shopifyapi.Object{
			"id": shopifyapi.GID("OrderTransaction", text(p, "/id")), "kind": strings.ToUpper(text(p, "/kind")), "status": strings.ToUpper(text(p, "/status")),
			"test": isTrue(p, "/test"), "processedAt": text(v, "/created_at"), "amountSet": o.money(text(p, "/amount")),
		})
	}
	return shopifyapi.Object{"id": shopifyapi.GID("Refund", text(v, "/id")), "createdAt": text(v, "/created_at"), "refundLineItems": lines, "transactions": payments, "orderAdjustments": adjusted}
}

func (o *shopifyOrder) money(amount string) shopifyapi.Object {
	in := func(currency payload.Pointer) shopifyapi.Object {
		return shopifyapi.Object{"amount": amount, "currencyCode": text(o.body, currency)}
	}
	return shopifyapi.Object{"shopMoney": in("/currency"), "presentmentMoney": in("/presentment_currency")}
}

// assessed returns the order's risk of fraud.
func (o *shopifyOrder) assessed() shopifyapi.Object {
	verdicts := map[string]string{"": "ACCEPT", "low": "ACCEPT", "medium": "INVESTIGATE", "high": "CANCEL"}
	level := strings.ToUpper(o.risk)
	if level == "" {
		level = "LOW"
	}
	return shopifyapi.Object{"recommendation": verdicts[o.risk], "assessments": []shopifyapi.Object{{"riskLevel": level}}}
}

func customer(v payload.Value) any {
	if v.Kind != '{' {
		return nil
	}
	found := shopifyapi.Object{"firstName": textOrNil(v, "/first_name"), "lastName": textOrNil(v, "/last_name"), "defaultEmailAddress": nil, "defaultPhoneNumber": nil}
	if email := text(v, "/email"); email != "" {
		found["defaultEmailAddress"] = shopifyapi.Object{"emailAddress": email}
	}
	if phone := text(v, "/phone"); phone != "" {
		found["defaultPhoneNumber"] = shopifyapi.Object{"phoneNumber": phone}
	}
	return found
}

func billingAddress(v payload.Value) any {
	if v.Kind != '{' {
		return nil
	}
	found := shopifyapi.Object{"countryCodeV2": textOrNil(v, "/country_code")}
	for name, at := range map[string]payload.Pointer{
		"firstName": "/first_name", "lastName": "/last_name", "company": "/company", "address1": "/address1", "address2": "/address2", "city": "/city", "zip": "/zip", "phone": "/phone",
	} {
		found[name] = textOrNil(v, at)
	}
	return found
}

func attributes(list payload.Value) []shopifyapi.Object {
	all := []shopifyapi.Object{}
	for _, pair := range list.List {
		all = append(all, shopifyapi.Object{"key": text(pair, "/name"), "value": textOrNil(pair, "/value")})
	}
	return all
}
