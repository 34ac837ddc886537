package order_test

import (
	"testing"

	"keypool/shared/order"
)

func TestSameCustomer(t *testing.T) {
	for _, c := range []struct {
		stored, given string
		same          bool
	}{
		{"ada@example.com", "ada@example.com", true},
		{"Ada@Example.com", " ada@example.COM\u00a0", true},
		{"", "ada@example.com", true},
		{"ada@example.com", "", true},
		{"ada@example.com", "bob@example.com", false},
		{"ada@example.com", "ada@example.com.evil.example", false},
	} {
		f := order.Fulfillment{Customer: order.Customer{Email: c.stored}}
		if got := f.SameCustomer(order.Customer{Email: c.given}); got != c.same {
			t.Errorf("%q and %q: %v", c.stored, c.given, got)
		}
	}
	salt := []byte("salt")
	if order.HashAddress(salt, " Ada@example.com") != order.HashAddress(salt, "ada@example.com") || order.HashAddress(salt, "") != "" {
		t.Error("the hash is not that of the address")
	}
}
