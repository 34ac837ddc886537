package shopify_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/shopifyapi"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

// seen is the order of the examples as the API shows it.
func seen() platform.Paid {
	p := paid()
	p.ChangedAt, p.Risk = now, "accept"
	p.PaidAt = time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	return p
}

// With the merchant's app the risk of an order is known, and when it was paid.
func TestDecode_withTheApp(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), seen())
	if got := fmt.Sprint(w.queries); got != "[order]" || w.grants != 1 {
		t.Errorf("asked %s by %d tokens", got, w.grants)
	}
	for verdict, want := range map[string]string{"CANCEL": "cancel", "INVESTIGATE": "investigate", "NONE": ""} {
		w.orders[0]["risk"] = object{"recommendation": verdict, "assessments": []object{{"riskLevel": "NONE"}}}
		risky := seen()
		risky.Risk = want
		decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), risky)
	}
	w.orders[0]["risk"] = object{"recommendation": "NONE", "assessments": []object{{"riskLevel": "PENDING"}}}
	pending := seen()
	pending.Risk = "pending"
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), pending)

	w.queries = nil
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account(`"fraud_risk":"ignore"`)), paid())
	decodes(t, a, webhook(t, "shopify_updated"), withApp(account()), ignored("orders/updated"))
	decodes(t, a, webhook(t, "shopify_pending"), withApp(account()), ignored("orders/paid"))
	decodes(t, a, webhook(t, "shopify_test_notification"), withApp(account()), ignored("orders/paid"))
	if len(w.queries) != 0 {
		t.Errorf("asked %v for nothing", w.queries)
	}
}

// An order that waits for a transfer is paid when the money comes, not when it was placed,
// and an edit that is paid for later does not make it a new one.
func TestDecode_firstPayment(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	pay := func(kind, status, at string) object {
		return transaction(kind, status, "1.00").With(object{"processedAt": at})
	}
	w.orders[0]["transactions"] = []object{
		pay("SALE", "SUCCESS", "2026-01-09T12:00:00Z"), pay("SALE", "PENDING", "2026-01-02T15:03:00Z"), pay("AUTHORIZATION", "SUCCESS", "2026-01-03T00:00:00Z"),
		pay("CAPTURE", "FAILURE", "2026-01-04T00:00:00Z"), pay("CAPTURE", "SUCCESS", "2026-01-05T00:00:00Z"), pay("REFUND", "SUCCESS", "2026-01-02T15:03:01Z"),
	}
	want := seen()
	want.PaidAt = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), want)
	w.orders[0]["processedAt"] = "2020-05-06T07:08:09Z" // imported
	want.PaidAt = time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), want)
}

// A webhook that comes late meets an order as it is now.
func TestDecode_orderAsItIsNow(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders[0]["lineItems"] = []object{line("14001234567890", 2).With(object{"currentQuantity": 1})}
	w.orders[0]["displayFinancialStatus"] = "PARTIALLY_REFUNDED"
	w.orders[0]["refunds"] = []object{refund("920001", line("14001234567890", 2), 1, transaction("REFUND", "SUCCESS", "59.99"))}
	w.orders[0]["disputes"] = []object{{"id": shopifyapi.GID("OrderDisputeSummary", "815"), "status": "NEEDS_RESPONSE"}}
	back := platform.Returned{Order: "5501234567890", ID: "920001", At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC), Lines: []platform.ReturnedLine{{ID: "14001234567890", Quantity: 1}}}
	dispute := platform.Disputed{Order: "5501234567890", ID: "815", State: platform.DisputeOpen, At: now}
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), back, dispute, seen())

	w.orders[0]["displayFinancialStatus"] = "REFUNDED"
	all := platform.Returned{Order: "5501234567890", ID: "refunded", All: true, At: now}
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), back, all, dispute)

	unknown := paid()
	unknown.Risk = "unknown"
	w.orders[0]["test"] = true // of the other side: it is not the order that was signed
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), unknown)
	w.orders = nil // older than the app may read
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), unknown)
}

// An address that the webhook lacks is read, where the app may.
func TestDecode_addressOfTheAPI(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "shopify_no_address"), withApp(account()), seen())
	decodes(t, a, webhook(t, "shopify_no_address"), withApp(account(`"fraud_risk":"ignore"`)), seen())
	w.denied = []string{"email", "customer", "billingAddress"}
	got, err := a.Decode(t.Context(), webhook(t, "shopify_no_address"), withApp(account()))
	if err != nil || len(got) != 1 || got[0].(platform.Paid).Customer.Email != "" {
		t.Errorf("%+v, %v", got, err)
	}
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), seen()) // the webhook has it
}

// A refund that names no line is all of the money, or an amount.
func TestDecode_refundedAmountWithTheApp(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	at := time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	w.orders[0]["displayFinancialStatus"] = "PARTIALLY_REFUNDED"
	decodes(t, a, webhook(t, "shopify_refunded_amount"), withApp(account()), platform.Returned{Order: "5501234567890", ID: "920002", At: at, Amount: "10.00", Currency: "EUR"})
	w.orders[0]["displayFinancialStatus"], w.orders[0]["test"] = "REFUNDED", true
	decodes(t, a, webhook(t, "shopify_refunded_amount"), withApp(account()), platform.Returned{Order: "5501234567890", Test: true, ID: "refunded", All: true, At: at})
	w.queries = nil
	if _, err := a.Decode(t.Context(), webhook(t, "shopify_refunded_part"), withApp(account())); err != nil || len(w.queries) != 0 {
		t.Errorf("a refund of units asks %v: %v", w.queries, err)
	}
	w.status = http.StatusBadGateway
	if _, err := a.Decode(t.Context(), webhook(t, "shopify_refunded_amount"), withApp(account())); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%v", err)
	}
}

// The risk may come after the order was paid: the order is reported again, with it.
func TestDecode_lateRisk(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders[0]["risk"] = object{"recommendation": "CANCEL", "assessments": []object{{"riskLevel": "HIGH"}}}
	want := seen()
	want.Risk = "cancel"
	decodes(t, a, webhook(t, "shopify_risk"), withApp(account()), want)
	w.orders[0]["displayFinancialStatus"] = "PENDING"
	decodes(t, a, webhook(t, "shopify_risk"), withApp(account()), ignored("orders/risk_assessment_changed"))
	decodes(t, a, webhook(t, "shopify_risk"), account(), ignored("orders/risk_assessment_changed"))
	w.fails = "THROTTLED"
	if _, err := a.Decode(t.Context(), webhook(t, "shopify_risk"), withApp(account())); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%v", err)
	}
}

// A limit that was reached is told in an answer of 200, and passes.
func TestDecode_apiThatIsBusy(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"THROTTLED":   func(w *world) { w.fails = "THROTTLED" },
		"its trouble": func(w *world) { w.fails = "INTERNAL_SERVER_ERROR" },
		"429":         func(w *world) { w.status = http.StatusTooManyRequests },
		"503":         func(w *world) { w.status = http.StatusServiceUnavailable },
		"no points":   func(w *world) { w.points = 3 },
	} {
		w, a := open(t)
		change(w)
		events, err := a.Decode(t.Context(), webhook(t, "shopify_paid"), withApp(account()))
		if !errors.Is(err, platform.ErrTryAgain) || strings.Contains(err.Error(), appSecret) {
			t.Errorf("%s: %+v, %v", name, events, err)
		}
	}
}

// Credentials that do not serve hold up no customer: the order is delivered, of unknown risk.
func TestDecode_credentialsThatDoNotServe(t *testing.T) {
	t.Parallel()
	want := paid()
	want.Risk = "unknown"
	for name, change := range map[string]func(*world){
		"401":          func(w *world) { w.status = http.StatusUnauthorized },
		"403":          func(w *world) { w.status = http.StatusForbidden },
		"access":       func(w *world) { w.denied = []string{"order"} },
		"schema":       func(w *world) { w.fails = "undefinedField" },
		"maximum cost": func(w *world) { w.fails = "MAX_COST_EXCEEDED" },
		"its order":    func(w *world) { w.orders[0]["lineItems"].([]object)[0]["quantity"] = "two" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := open(t)
			change(w)
			decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), want)
		})
	}
	half := withApp(account())
	delete(half.Credentials, "client_secret")
	_, a := open(t)
	decodes(t, a, webhook(t, "shopify_paid"), half, want)
}

// A token is kept for as long as it is good, in memory, and asked for again before it ends.
func TestTokens(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	clock := now
	a.Now = func() time.Time { return clock }
	ask := func(of platform.Account) {
		t.Helper()
		if _, err := a.Decode(t.Context(), webhook(t, "shopify_paid"), of); err != nil {
			t.Error(err)
		}
	}
	for i, after := range []time.Duration{0, time.Hour, 23 * time.Hour, 23*time.Hour + 49*time.Minute} {
		clock = now.Add(after)
		ask(withApp(account()))
		if w.grants != 1 {
			t.Errorf("call %d: %d tokens were asked for", i, w.grants)
		}
	}
	clock = now.Add(23*time.Hour + 51*time.Minute)
	ask(withApp(account()))
	if w.grants != 2 {
		t.Errorf("%d tokens were asked for, of 24 hours each", w.grants)
	}
	// One that the shop knows no more is asked for again at once.
	w.token = "shpat_second"
	w.queries = nil
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), seen())
	if w.grants != 3 || !slices.Equal(w.queries, []string{"refused", "order"}) {
		t.Errorf("%d tokens, asked %v", w.grants, w.queries)
	}
	// An app of the shop's admin has a token of its own.
	own := account()
	own.Credentials = map[string]platform.Secret{"access_token": platform.Conceal([]byte("shpat_second"))}
	decodes(t, a, webhook(t, "shopify_paid"), own, seen())
	own.Credentials["access_token"] = platform.Conceal([]byte("shpat_revoked"))
	w.queries = nil
	unknown := paid()
	unknown.Risk = "unknown"
	decodes(t, a, webhook(t, "shopify_paid"), own, unknown)
	if w.grants != 3 || len(w.queries) != 1 {
		t.Errorf("%d tokens, asked %v", w.grants, w.queries)
	}
}

// Another account of the same process never gets the first one's token.
func TestTokens_areOfTheirApp(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "shopify_paid"), withApp(account()), seen())
	other := withApp(account())
	other.Credentials["client_secret"] = platform.Conceal([]byte("shpss_of_somebody_else"))
	unknown := paid()
	unknown.Risk = "unknown"
	decodes(t, a, webhook(t, "shopify_paid"), other, unknown)
	if w.grants != 1 {
		t.Errorf("%d tokens", w.grants)
	}
}

// What the merchant is to mend names the credential, and quotes none.
func TestErrors_nameWhatToMend(t *testing.T) {
	t.Parallel()
	token := func(a platform.Account) platform.Account {
		a.Credentials = map[string]platform.Secret{"access_token": platform.Conceal([]byte("shpat_revoked_long_ago"))}
		return a
	}
	half := withApp(account())
	delete(half.Credentials, "client_id")
	for name, test := range map[string]struct {
		from        platform.Account
		change      func(*world)
		field, says string
	}{
		"no credentials": {account(), func(*world) {}, "credentials.client_id", "Dev Dashboard"},
		"half an app":    {half, func(*world) {}, "credentials.client_id", "both a client id and a client secret"},
		"not installed":  {withApp(account()), func(w *world) { w.status = http.StatusBadRequest }, "credentials.client_secret", "installed in this shop"},
		"revoked":        {token(account()), func(*world) {}, "credentials.access_token", "401"},
		"no scope":       {withApp(account()), func(w *world) { w.denied = []string{"orders"} }, "credentials.client_id", "scopes"},
		"no settings":    {platform.Account{}, func(*world) {}, "settings", "shop is missing"},
	} {
		w, a := open(t)
		test.change(w)
		for _, err := range a.Changed(t.Context(), test.from, now) {
			var setup *platform.SetupError
			if !errors.As(err, &setup) || setup.Field != test.field || !strings.Contains(setup.Problem, test.says) {
				t.Errorf("%s: %v", name, err)
			}
			for _, secret := range []string{appID, appSecret, "shpat_"} {
				if strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// Calls go to the account's own shop at Shopify, and nowhere else.
func TestCalls_goToTheShop(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	from := withApp(account())
	from.Settings = []byte(`{"shop":"evil.example.com"}`)
	for _, err := range a.Changed(t.Context(), from, now) {
		var setup *platform.SetupError
		if !errors.As(err, &setup) || setup.Field != "settings" {
			t.Errorf("%v", err)
		}
	}
	var _ platform.Lister = shopify.Adapter{}
	var _ platform.Subscriber = shopify.Adapter{}
}
