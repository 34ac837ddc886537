package pool

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeyID is a key's identity: merchant, side and a keyed hash of its text. It is
// the partition key of the key's item, so that storing a text a second time is
// refused by the table itself, and it can stand in an audit log without giving
// the text away.
type KeyID string

// Identify returns the identity of a key's trimmed text under the merchant's
// random salt. Identity folds no case and no Unicode form.
func Identify(salt []byte, merchant string, side Side, text string) KeyID {
	mac := hmac.New(sha256.New, salt)
	for _, part := range []string{"key", merchant, string(side), text} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		io.WriteString(mac, part)
	}
	return KeyID(Identities(merchant, side) + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}

// Identities is what the identities of all keys of a merchant's side begin with, and no others.
func Identities(merchant string, side Side) string { return merchant + "#" + string(side) + "#" }

// Key is one license in a pool.
type Key struct {
	ID     KeyID
	Text   Secret
	Upload string // the upload that brought it

	// Shard is the index partition the key was found in while it was available;
	// empty on a key that a line holds.
	Shard string
}

// KeyState is the state of a stored key.
type KeyState string

// The states of a key. Tables carry these words.
const (
	KeyAvailable KeyState = "available" // for sale
	KeyClaimed   KeyState = "claimed"   // a line holds it
	KeyRevoked   KeyState = "revoked"   // a line gave it back, and nobody may use it
	KeyKept      KeyState = "kept"      // a line gave it back, and its customer may go on using it
	KeyShared    KeyState = "shared"    // the code of a product, or was: everybody's, and in no pool
	KeyWithdrawn KeyState = "withdrawn" // taken out of sale before it was sold, or blocked before it was ever uploaded
)

// Secret is a license key as the customer will see it. Only Reveal gives it up:
// no format verb, logger or encoder prints it. It holds a pointer, so that
// printing an enclosing struct with an unexported field shows an address.
type Secret struct{ text *string }

// Conceal makes a Secret of a key's text.
func Conceal(text string) Secret { return Secret{text: &text} }

// Reveal returns the key's text, for the store and the mailer.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const concealed = "[license key]"

// Format prints a placeholder, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, concealed) }

// LogValue logs a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(concealed) }

// MarshalText fails: a placeholder would one day be stored as the key.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("a license key is not encoded: use Reveal where it must be shown")
}
