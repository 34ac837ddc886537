package settings_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/settings"
)

// located is a platform whose accounts name their shop.
type located struct{ paper }

func (located) Shop(raw json.RawMessage) string {
	var s struct{ Shop string }
	_ = json.Unmarshal(raw, &s)
	return strings.ToLower(s.Shop)
}

// An account's origin is the shop that it is made for, and it is never another's: shops
// number their orders alike.
func TestAccounts_keepTheirShop(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.Adapters = map[string]platform.Adapter{"located": located{}}
	made := d.mustPut(settings.AccountChange{Platform: "located", Settings: json.RawMessage(`{"Shop":"Acme.example"}`)})
	if made.Origin != "acme.example" {
		t.Errorf("its origin is %q", made.Origin)
	}
	for _, same := range []settings.AccountChange{
		{DeliversFrom: noon.Add(time.Hour)},
		{Settings: json.RawMessage(`{"Shop":"acme.example","Count":2}`)},
	} {
		if got := d.mustPut(same); got.Origin != made.Origin {
			t.Errorf("after a change its origin is %q", got.Origin)
		}
	}
	var wrong *settings.InvalidError
	_, err := d.put(settings.AccountChange{Settings: json.RawMessage(`{"Shop":"other.example"}`)})
	if !errors.As(err, &wrong) || wrong.Problems[0].Path != "settings" || !strings.Contains(wrong.Problems[0].Message, "acme.example") {
		t.Errorf("another shop: %v", err)
	}
}
