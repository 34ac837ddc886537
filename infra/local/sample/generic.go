package sample

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// generic is a shop of its own kind, as the events of that platform describe it.
var generic = Platform{
	Name: "generic", file: "generic", testAt: "/order/sandbox", testIs: "true",
	KindAt: "/event", Kinds: []string{"order.paid", "order.refunded"},
	Settings: json.RawMessage(`{
		"signature": {"header": "X-Signature", "prefix": "v1=", "separator": ",", "signed": "{time}.{body}"},
		"time": {"part": "t"},
		"event": {"pointer": "/event", "paid": ["order.paid"], "returned": ["order.refunded"], "ignored": ["ping"]},
		"when": [{"pointer": "/order/status", "in": ["paid", "complete"]}],
		"order": "/order/id",
		"test": {"pointer": "/order/sandbox", "in": [true, "1"]},
		"paid_at": "/order/paid_at", "currency": "/order/currency", "language": "/order/lang",
		"customer": {"email": "/order/email", "name": "/order/name", "country": "/order/country"},
		"lines": {"pointer": "/order/items", "line": "/id", "product": "/sku", "title": "/name", "quantity": "/qty", "unit_price": "/price"},
		"return": {"id": "/refund/id", "order": "/order/id", "lines": "/refund/items", "line": "/id", "quantity": "/qty",
			"full_when": {"pointer": "/refund/full", "in": [true]}}}`),
	Secret:  func(random string) string { return random },
	ID:      func(random string, _ bool) string { return random },
	CheckID: anyID,
	about: func(body any, o Order) (values, string) {
		v := values{}
		v.put(o.ID, "/order/id")
		v.put(o.Email, "/order/email")
		v.put(o.Quantity, "/order/items/0/qty", "/refund/items/0/qty")
		v.put(o.Test, "/order/sandbox")
		v.putProduct(body, o.Product, "/order/items/0/sku")
		v.put(stamp(o.PaidAt, time.RFC3339), "/order/paid_at")
		return v, cmp.Or(o.ID, member(body, "/order/id"))
	},
	sign: func(w *Webhook, key []byte, at time.Time) error {
		t := strconv.FormatInt(at.Unix(), 10)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(t + "."))
		mac.Write(w.Body)
		w.Header.Set("X-Signature", "t="+t+",v1="+hex.EncodeToString(mac.Sum(nil)))
		return nil
	},
}
