package platform

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Secret is an account's signing secret, opened. Only Reveal gives it up: it is
// not printed, logged or encoded, not even from within another value. (A pointer to
// a slice would be: fmt follows it where the verb does not fit.)
type Secret struct{ key *string }

// Conceal returns the secret with that key.
func Conceal(key []byte) Secret {
	text := string(key)
	return Secret{&text}
}

// Reveal returns the key that signs.
func (s Secret) Reveal() []byte { return []byte(*s.key) }

const concealed = "[signing secret]"

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, concealed) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(concealed) }

// MarshalText always fails.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("a signing secret is not encoded; use Reveal")
}

// secretPrefix marks a signing secret as people see it: whsec_<base64>.
const secretPrefix = "whsec_"

// FormatSecret returns the key of a signing secret as the sender is given it:
// "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".
func FormatSecret(key []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// The lengths of a key, in bytes. The specification asks for 24 to 64; there are senders whose
// keys have 16.
const (
	minKey = 16
	maxKey = 64
)

// ParseSecret returns the key of a signing secret of the Standard Webhooks specification, in
// the forms that senders show: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", the same after
// "v1,", or without any prefix, with the padding of base64 or without it. The key is never
// the text itself.
func ParseSecret(s string) ([]byte, error) {
	text := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(s), "v1,"), secretPrefix)
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil || strings.ContainsAny(text, "\r\n") || len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("a signing secret is %s and %d to %d bytes in base64: copy the whole of it", secretPrefix, minKey, maxKey)
	}
	return key, nil
}
