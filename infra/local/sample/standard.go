package sample

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"keypool/shared/platform"
	own "keypool/shared/platform/standard"
)

// standard is Keypool's own scheme. Of an order A-7, the renewal is A-72.
var standard = Platform{
	Name: platform.Standard, file: "order", testAt: "/data/test", testIs: "true",
	KindAt: "/type", Kinds: []string{"order.paid", "order.refunded", "order.disputed"},
	Secret: func(random string) string {
		raw, err := hex.DecodeString(random)
		if err != nil {
			panic(err) // it is hexadecimal
		}
		return platform.FormatSecret(append(raw, raw...))
	},
	ID:      func(random string, _ bool) string { return "A-" + random },
	CheckID: anyID,
	about: func(body any, o Order) (values, string) {
		v := values{}
		order := o.ID
		if member(body, "/data/parent") != "" && order != "" {
			v.put(order, "/data/parent")
			order += "2"
		}
		v.put(order, "/data/order")
		v.put(o.Email, "/data/customer/email")
		if member(body, "/type") == "order.paid" { // a refund of a line is of one unit
			v.put(o.Quantity, "/data/lines/0/quantity")
		}
		v.put(o.Test, "/data/test")
		v.putProduct(body, o.Product, "/data/lines/0/product")
		if paidAt := member(body, "/data/paid_at"); paidAt != "today" { // which nobody can read, on purpose
			v.put(stamp(o.PaidAt, time.RFC3339), "/data/paid_at")
		}
		return v, cmp.Or(order, member(body, "/data/order"))
	},
	sign: func(w *Webhook, key []byte, at time.Time) error {
		id, prefix := "msg_"+rand.Text(), "webhook-"
		if w.Header.Get("svix-id") != "" {
			prefix = "svix-"
		}
		w.Header.Set(prefix+"id", id)
		w.Header.Set(prefix+"timestamp", strconv.FormatInt(at.Unix(), 10))
		w.Header.Set(prefix+"signature", own.Sign(key, id, at, w.Body))
		return nil
	},
}

// stamp returns a time in a layout, nothing for no time.
func stamp(at time.Time, layout string) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(layout)
}

// seconds returns a time in Unix seconds, 0 for no time.
func seconds(at time.Time) int {
	if at.IsZero() {
		return 0
	}
	return int(at.Unix())
}

// anyID takes every number of an order.
func anyID(string) error { return nil }

// digits takes numbers of digits.
func digits(id string) error {
	if _, err := strconv.ParseUint(id, 10, 63); err != nil || id[0] == '0' {
		return errors.New("is a whole number, such as 70001")
	}
	return nil
}
