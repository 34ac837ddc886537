package standard_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	body := func(kind string, o platformtest.Order) platformtest.Webhook {
		return platformtest.Webhook{Body: fmt.Appendf(nil,
			`{"type":%q,"data":{"order":"A-%d","test":%t,"paid_at":%q,"currency":"EUR","customer":{"email":%q},"lines":[{"line":"1","product":%q,"quantity":%d,"unit_price":"59.98"}]}}`,
			kind, o.N, o.Test, o.PaidAt.Format(time.RFC3339), o.Email, o.Product, o.Quantity)}
	}
	refund := func(o platformtest.Order, what string) platformtest.Webhook {
		return platformtest.Webhook{Body: fmt.Appendf(nil,
			`{"type":"order.refunded","data":{"order":"A-%d","test":%t,"refund":"R-%d-%d"%s}}`, o.N, o.Test, o.N, o.Refund, what)}
	}
	dispute := func(state string, o platformtest.Order) platformtest.Webhook {
		return platformtest.Webhook{Body: fmt.Appendf(nil,
			`{"type":"order.disputed","data":{"order":"A-%d","test":%t,"dispute":"D-%d-%d","state":%q}}`, o.N, o.Test, o.N, o.Refund, state)}
	}
	platformtest.Run(t, platformtest.Platform{
		Name:    platform.Standard,
		Adapter: standard.Adapter{},
		Secrets: [3]string{
			platform.FormatSecret([]byte("the first secret of the account.")),
			platform.FormatSecret([]byte("the second secret of the account")),
			platform.FormatSecret([]byte("the third secret of the account.")),
		},
		Signature: "webhook-signature",
		Sign: func(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
			w.Header = http.Header{}
			w.Header.Set("webhook-id", "msg_1")
			w.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
			w.Header.Set("webhook-signature", standard.Sign(key, "msg_1", at, w.Body))
			return w
		},
		Refused: true,
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:     func(o platformtest.Order) platformtest.Webhook { return body("order.paid", o) },
			platformtest.Refunded: func(o platformtest.Order) platformtest.Webhook { return refund(o, "") },
			platformtest.PartlyRefunded: func(o platformtest.Order) platformtest.Webhook {
				return refund(o, fmt.Sprintf(`,"lines":[{"line":"1","quantity":%d}]`, o.Quantity))
			},
			platformtest.AmountRefunded: func(o platformtest.Order) platformtest.Webhook {
				return refund(o, `,"amount":"29.99","currency":"EUR"`)
			},
			platformtest.RefundFailed:  func(o platformtest.Order) platformtest.Webhook { return refund(o, `,"failed":true`) },
			platformtest.DisputeOpened: func(o platformtest.Order) platformtest.Webhook { return dispute("open", o) },
			platformtest.DisputeWon:    func(o platformtest.Order) platformtest.Webhook { return dispute("won", o) },
			platformtest.DisputeLost:   func(o platformtest.Order) platformtest.Webhook { return dispute("lost", o) },
			platformtest.Dynamic: func(o platformtest.Order) platformtest.Webhook {
				w := body("order.paid", o)
				w.Body = bytes.Replace(w.Body, []byte(`"line":"1"`), []byte(`"line":"1","original":"`+platformtest.Game+`"`), 1)
				return w
			},
			platformtest.Unheard: func(o platformtest.Order) platformtest.Webhook { return body("order.shipped", o) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				o.Quantity = 0
				return body("order.paid", o)
			},
		},
	})
}
