package generic_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform/generic"
)

// A sender that signs a time, and names its events in the body.
func TestConformance_timed(t *testing.T) {
	t.Parallel()
	body := func(kind, status string, o platformtest.Order) platformtest.Webhook {
		return platformtest.Webhook{Body: fmt.Appendf(nil,
			`{"event":%q,"order":{"id":%d,"status":%q,"sandbox":%t,"paid_at":%q,"email":%q,"items":[{"id":1,"sku":%q,"qty":%d}]},"refund":{"id":%d,"full":true}}`,
			kind, o.N, status, o.Test, o.PaidAt.Format(time.RFC3339), o.Email, o.Product, o.Quantity, o.Refund)}
	}
	platformtest.Run(t, platformtest.Platform{
		Name: "generic", Adapter: generic.Adapter{},
		Settings: json.RawMessage(`{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"},
			"event":{"pointer":"/event","paid":["order.paid"],"returned":["order.refunded"],"ignored":["ping"]},"when":[{"pointer":"/order/status","in":["paid"]}],
			"order":"/order/id","test":{"pointer":"/order/sandbox","in":[true]},"paid_at":"/order/paid_at","customer":{"email":"/order/email"},
			"lines":{"pointer":"/order/items","line":"/id","product":"/sku","quantity":"/qty"},
			"return":{"id":"/refund/id","order":"/order/id","lines":"/order/items","line":"/id","quantity":"/qty","full_when":{"pointer":"/refund/full","in":[true]}}}`),
		Secrets:   [3]string{"the first secret", "the second secret", "the third secret"},
		Signature: "X-Signature",
		Sign: func(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
			stamp := strconv.FormatInt(at.Unix(), 10)
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(stamp + "."))
			mac.Write(w.Body)
			w.Header = http.Header{}
			w.Header.Set("X-Signature", "t="+stamp+",v1="+hex.EncodeToString(mac.Sum(nil)))
			return w
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:       func(o platformtest.Order) platformtest.Webhook { return body("order.paid", "paid", o) },
			platformtest.Concerns:   func(o platformtest.Order) platformtest.Webhook { return body("order.paid", "pending", o) },
			platformtest.Unheard:    func(o platformtest.Order) platformtest.Webhook { return body("order.shipped", "paid", o) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook { o.Email = ""; return body("order.paid", "paid", o) },
		},
	})
}

// A sender of forms, which signs no time and has a secret for its test mode.
func TestConformance_form(t *testing.T) {
	t.Parallel()
	form := func(action string, o platformtest.Order) platformtest.Webhook {
		return platformtest.Webhook{Body: []byte(url.Values{
			"action": {action}, "order": {strconv.Itoa(o.N)}, "paid": {o.PaidAt.Format(time.DateTime)}, "email": {o.Email},
			"sku": {o.Product}, "qty": {strconv.Itoa(o.Quantity)},
		}.Encode())}
	}
	platformtest.Run(t, platformtest.Platform{
		Name: "generic", Adapter: generic.Adapter{},
		Settings: json.RawMessage(`{"signature":{"header":"X-Hmac","algorithm":"sha512","encoding":"base64","key":"text"},"body":"form",
			"event":{"pointer":"/action","paid":["sale"],"returned":["refund"],"ignored":["test"]},"order":"/order","paid_at":"/paid","customer":{"email":"/email"},
			"lines":{"product":"/sku","quantity":"/qty"},"return":{"order":"/order"}}`),
		Secrets: [3]string{"the first secret", "the second secret", "the third secret"}, TestSecret: "the test mode's secret",
		Signature: "X-Hmac", Replays: true,
		Sign: func(key []byte, w platformtest.Webhook, _ time.Time) platformtest.Webhook {
			mac := hmac.New(sha512.New, key)
			mac.Write(w.Body)
			w.Header = http.Header{}
			w.Header.Set("X-Hmac", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			return w
		},
		Pad: func(body []byte, size int) []byte {
			const name = "&zz_nobody_knows="
			return append(append(body, name...), strings.Repeat("0", size-len(body)-len(name))...)
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:       func(o platformtest.Order) platformtest.Webhook { return form("sale", o) },
			platformtest.Concerns:   func(o platformtest.Order) platformtest.Webhook { return form("test", o) },
			platformtest.Unheard:    func(o platformtest.Order) platformtest.Webhook { return form("chargeback", o) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook { o.Quantity = 0; return form("sale", o) },
		},
	})
}
