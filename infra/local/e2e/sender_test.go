//go:build deployment

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"keypool/infra/local/machine"
)

// A shop's mails come from the operator's address, with the shop's name, until its own is
// verified. Another shop cannot name the domain. There is no DNS here: the emulator finds
// the records of a domain by its name.
func TestSender_ownDomain(t *testing.T) {
	t.Parallel()
	type answer struct {
		Address, State string
		Records        []struct{ Type, Name, Value, For string }
	}
	put := func(m *merchant, domain string) (a answer, err error) {
		err = world.shop.Ask(t.Context(), m.token, http.MethodPut, "/v1/sender", map[string]string{"address": "keys@" + domain}, &a)
		return a, err
	}
	domains := map[string]string{}
	for state, from := range map[string]string{"pending": machine.Sender, "verified": ""} {
		m := newMerchant(t)
		domains[state] = state + "-" + m.Merchant + ".example"
		m.stock(1)
		a, err := put(m, domains[state])
		if err != nil || a.State != state || len(a.Records) != 6 {
			t.Fatalf("%s: %+v, %v", state, a, err)
		}
		if from == "" {
			from = a.Address
		}
		o := m.order(1)
		m.pay(o, "fulfilled", 1)
		if got := m.mailTo(o.Email, world.mark).From; !strings.Contains(got, from) || !strings.Contains(got, "Shop "+m.Merchant) {
			t.Errorf("%s: the mail is from %s, want %s", state, got, from)
		}
	}
	other := newMerchant(t)
	for state, domain := range domains {
		if _, err := put(other, domain); err == nil || strings.Contains(err.Error(), "Shop ") {
			t.Errorf("%s: another shop names its domain: %v", state, err)
		}
	}
}
