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

// The forms that senders show of a secret, of which the key is the decoded bytes.
func TestParseSecret(t *testing.T) {
	t.Parallel()
	padded := platform.FormatSecret([]byte("a key of 25 bytes, padded"))
	for text, size := range map[string]int{
		padded:                                             25,
		strings.TrimRight(padded, "="):                     25,
		"v1," + padded:                                     25,
		"v1," + strings.TrimRight(padded, "="):             25,
		strings.TrimPrefix(padded, "whsec_"):               25,
		" " + padded + "\n":                                25,
		platform.FormatSecret(bytes.Repeat([]byte{1}, 16)): 16,
		platform.FormatSecret(bytes.Repeat([]byte{1}, 64)): 64,
	} {
		if key, err := platform.ParseSecret(text); err != nil || len(key) != size {
			t.Errorf("%q is a key of %d bytes, %v", text, len(key), err)
		}
	}
	for _, text := range []string{
		"", "whsec_", "v1,whsec_", "whsec_!!!!", "====", "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK", "whsk_" + padded,
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZ\nIo2LaLaSw", platform.FormatSecret(bytes.Repeat([]byte{1}, 15)), platform.FormatSecret(bytes.Repeat([]byte{1}, 65)),
	} {
		if key, err := platform.ParseSecret(text); err == nil || text != "" && len(text) > 9 && strings.Contains(err.Error(), text) {
			t.Errorf("%q is a key of %d bytes, %v", text, len(key), err)
		}
	}
}
