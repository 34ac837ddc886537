package main

import (
	"strings"
	"testing"

	"keypool/shared/catalog"
	"keypool/shared/order"
)

// hostile is a text that would be markup or script wherever it stood as it is.
const hostile = `zq"'><img src=x onerror=zq()></title></style></script><script>zq()</script>` + "\r\nSet-Cookie: zq=1"

// Whatever a shop, its customers and its platforms call things, the page shows it as a text, and
// leads nowhere but to addresses of the web.
func TestPage_textIsText(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant(catalog.Merchant{Name: "nova", Title: hostile, Logo: "javascript:zq()", Color: hostile, TimeZone: hostile, Languages: []string{hostile, "en"}})
	elden, _, err := w.store.Product(t.Context(), "nova", "elden")
	w.must(err)
	elden.Title, elden.Download, elden.Instructions = hostile, "javascript:zq()", `https://nova.example/"onclick="zq()`
	w.must(w.store.PutProduct(t.Context(), elden))
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn, QueuePlace: true})
	f := w.sold(hostile, "elden", 1, 1, func(f *order.Fulfillment) {
		f.Title, f.Language, f.Customer = hostile, hostile, order.Customer{Name: hostile, Email: `z"><img src=x>@example.com`}
		f.Mail = sent
	})
	w.sold(hostile, "ring", 1, 0, func(f *order.Fulfillment) { f.Title, f.Language = hostile, hostile })
	at := w.link(f)
	w.speaks = hostile
	for _, a := range []answer{
		w.get(at).want(200).has(`zq"'><img src=x`), w.get(at + "?sent&" + hostile).want(200), w.post(at+"/keys", nil).want(200).has("KEY-" + `zq"'><img src=x`), w.get("/o/lost/nova").want(200),
		w.post("/o/lost/nova", map[string][]string{"email": {hostile}, "order": {hostile}}).want(303), w.get("/o/" + hostile), w.get("/o/lost/" + hostile), w.post(at+"/keys", map[string][]string{"as": {hostile}}),
		w.get("//evil.example/o/x").want(404), w.get("/o//evil.example").want(404), w.get("/o/../portal").want(404), w.get("/o/lost/nova/").want(404), w.get(at + "/").want(404),
	} {
		for _, raw := range []string{`zq"'`, "<img src=x", "<script>zq", "</title></style>", `="javascript:`, `"onclick="`} {
			if i := strings.Index(a.body, raw); i >= 0 {
				t.Errorf("%s holds %s as it is: %s", a.at, raw, a.body[max(0, i-100):min(len(a.body), i+100)])
			}
		}
		for name, value := range a.headers {
			if strings.ContainsAny(value, "\r\n") || strings.Contains(value, "zq") || strings.Contains(value, "evil.example") {
				t.Errorf("%s: the header %s is %q", a.at, name, value)
			}
		}
	}
	// As a text, it is one, of a name of ours.
	text := w.post(at+"/keys", map[string][]string{"as": {"text"}}).want(200)
	if text.headers["Content-Type"] != "text/plain; charset=utf-8" || text.headers["X-Content-Type-Options"] != "nosniff" || text.headers["Content-Disposition"] != `attachment; filename="keys.txt"` {
		t.Errorf("%v", text.headers)
	}
}
