package platform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"keypool/shared/platform"
)

// A secret is given up by Reveal alone, even from within another value.
func TestSecret_isNotPrinted(t *testing.T) {
	t.Parallel()
	const key = "a key that signs"
	s := platform.Conceal([]byte(key))
	type wraps struct{ account platform.Account }
	holder := wraps{platform.Account{Merchant: "acme", Secrets: []platform.SigningSecret{{Secret: s}}}}

	var said strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&said, verb, s)
		fmt.Fprintf(&said, verb, holder)
		fmt.Fprintf(&said, verb, &holder)
	}
	slog.New(slog.NewJSONHandler(&said, nil)).Info("a secret", "secret", s, "account", holder.account)
	slog.New(slog.NewTextHandler(&said, nil)).Info("a secret", "secret", s, "account", holder.account)
	for _, form := range []string{key, fmt.Sprintf("%x", key), fmt.Sprint([]byte(key)), platform.FormatSecret([]byte(key))[6:]} {
		if strings.Contains(said.String(), form) {
			t.Errorf("%q is told", form)
		}
	}
	if encoded, err := json.Marshal(holder.account); err == nil {
		t.Errorf("encoded: %s", encoded)
	}
	if !bytes.Equal(s.Reveal(), []byte(key)) {
		t.Error("it is not given up either")
	}
}
