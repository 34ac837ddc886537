package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/platform/noventiq"
	"keypool/shared/platform/standard"
	"keypool/shared/platform/stripe"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// subscribed is Stripe's API as it stands after events/stripe_subscribed.json, in its
// documented shapes.
type subscribed struct{ session json.RawMessage }

func (s subscribed) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"id":"price_3","livemode":true,"unit_amount_decimal":"1200","product":{"id":"prod_3","name":"Pro","metadata":{"keypool_product":"game"}}}`
	switch r.URL.Path {
	case "/v1/checkout/sessions":
		body = `{"object":"list","has_more":false,"data":[` + string(s.session) + `]}`
	case "/v1/checkout/sessions/cs_live_s1/line_items":
		body = `{"object":"list","has_more":false,"data":[{"id":"li_1","quantity":1,"currency":"eur","amount_subtotal":1200,"amount_total":1200,"price":` + body + `}]}`
	case "/v1/prices/price_3":
	default:
		return &http.Response{StatusCode: http.StatusNotFound, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// outgoing keeps the mails that were sent.
type outgoing []mail.Message

func (o *outgoing) Send(_ context.Context, m mail.Message) (string, error) {
	*o = append(*o, m)
	return "ses", nil
}

// A renewal of each platform that tells the order it renews, from the signed webhook to the
// mail: where the product says so, one key is mailed twice, and no second is taken. The
// keys of the first order are found under the number that the renewal names.
func TestRenewals(t *testing.T) {
	for name, c := range map[string]struct {
		secret         string
		first, renewal string // fixtures
		parent         string
	}{
		platform.Standard: {signingSecret, "good_order_paid", "good_order_paid_renewal", "10001"},
		noventiq.Name:     {noventiqSecret, "good_noventiq_paid", "good_noventiq_paid_renewal", "90001"},
		stripe.Name:       {"whsec_live_secret_of_the_examples", "stripe_subscribed", "stripe_renewed", "cs_live_s1"},
	} {
		for _, renews := range []catalog.Renewal{catalog.NewKey, catalog.ParentKey} {
			t.Run(name+" "+string(renews), func(t *testing.T) {
				t.Parallel()
				store, tables := dynamotest.Open(t)
				clock := func() time.Time { return now }
				secret := []byte(c.secret)
				if name == platform.Standard {
					secret, _ = platform.ParseSecret(c.secret)
				}
				for _, err := range []error{
					store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
					store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
					store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Renewal: renews, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
					store.PutAccount(t.Context(), catalog.Account{
						Merchant: "acme", Name: name, Platform: name, Origin: "its own id",
						Secrets:     []catalog.SealedSecret{{Name: "all", Blob: secret, CreatedAt: now}},
						Credentials: []catalog.SealedCredential{{Name: "live_key", Blob: []byte("rk_live_1"), CreatedAt: now}},
					}),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("KEY", 4)...)
				api := subscribed{}
				if name == stripe.Name {
					var event struct {
						Data struct{ Object json.RawMessage }
					}
					if err := json.Unmarshal([]byte(fixture(t, c.first).Body), &event); err != nil {
						t.Fatal(err)
					}
					api.session = event.Data.Object
				}
				adapters := map[string]platform.Adapter{
					platform.Standard: standard.Adapter{}, noventiq.Name: noventiq.Adapter{}, stripe.Name: stripe.Adapter{API: outbound.Through(api), Now: clock},
				}
				server := serve(&handler{
					accounts: platform.NewAccounts(adapters, store.Account, asItIs{}, clock),
					intake: &intake.Intake{
						Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: ignore{}, Notices: store, By: "webhook", Now: clock},
						Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: ignore{}, By: "webhook", Now: clock},
						Records: store, Products: store, MaxQuantity: 1000, By: "webhook", Now: clock,
					},
				})
				var sent outgoing
				mailer := &delivery.Mailer{
					Lines: store.LineMails(), Notices: store.NoticeMails(), Orders: store, History: store, Settings: store, Uploads: store, Counts: store,
					Held: store, Sales: &review.Sales{Store: store, Brakes: store, Notices: store, Now: clock}, PublicURL: "https://api.keypool.example",
					MailSender: &sent, Sender: netmail.Address{Address: "keys@keypool.example"}, Now: clock,
				}
				var keys [2]string
				for i, event := range []string{c.first, c.renewal} {
					answer, err := server(t.Context(), fixture(t, event))
					if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(answer.Body, string(order.Fulfilled)) {
						t.Fatalf("%s is answered %d %s, %v", event, answer.StatusCode, answer.Body, err)
					}
					for id := range dynamotest.Audit(t, tables).Lines {
						if err := mailer.Mail(t.Context(), []outbox.Item{outbox.LineItem(id)})[0]; err != nil {
							t.Fatal(err)
						}
					}
					if len(sent) != i+1 {
						t.Fatalf("%d mails after %s", len(sent), event)
					}
					for _, word := range strings.Fields(sent[i].Text) {
						if strings.HasPrefix(word, "KEY") {
							keys[i] = word
						}
					}
				}
				if keys[0] == "" || (keys[0] == keys[1]) != (renews == catalog.ParentKey) {
					t.Errorf("mailed %q, then %q", keys[0], keys[1])
				}
				if books := dynamotest.Audit(t, tables); (books.Claimed == 1) != (renews == catalog.ParentKey) {
					t.Errorf("%d keys are claimed", books.Claimed)
				}
				for id := range dynamotest.Audit(t, tables).Lines {
					line, _, err := store.Fulfillment(t.Context(), order.LineID(id))
					if err != nil || line.Parent != "" && line.Parent != c.parent {
						t.Errorf("the line's parent is %q, %v", line.Parent, err)
					}
				}
			})
		}
	}
}
