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

// ParseSecret returns the key of a signing secret as FormatSecret writes it. A
// key has 24 to 64 bytes.
func ParseSecret(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a signing secret is " + secretPrefix + " and 24 to 64 bytes in base64")
	}
	return key, nil
}
