package generic

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"keypool/shared/platform"
)

// maxParts is how many signatures of a webhook are looked at.
const maxParts = 8

// The lengths of a secret, in bytes. One that is text may be a merchant's own; a key in hex or
// base64 was made by the sender, and the shortest that one is known to make has 16.
const (
	minSecret = 8
	maxSecret = 200
	minKey    = 16
)

// ParseSecret implements platform.SecretForm. The secret is kept as it was copied: what
// key it is, the account's settings say, which may change.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	if len(strings.TrimSpace(text)) < minSecret || len(text) > maxSecret || !utf8.ValidString(text) {
		return nil, fmt.Errorf("a signing secret has %d to %d characters: copy the whole of it from the sender's settings", minSecret, maxSecret)
	}
	return []byte(text), nil
}

// CheckSecret implements platform.SecretReader.
func (Adapter) CheckSecret(settings json.RawMessage, text string) error {
	s, err := parse(settings)
	if err != nil || !slices.Contains(keyForms, s.Signature.Key) {
		return nil // the mistake is told as one of the settings
	}
	if _, err := keyOf(s.Signature.Key, text); err != nil {
		return fmt.Errorf("%w: copy the whole secret, or set signature.key to what it is", err)
	}
	return nil
}

// HasSignature implements platform.Adapter. Which header holds the signature, each
// account says for itself: a request has one if a header holds text as long as the
// shortest signature, SHA-256 in base64.
func (Adapter) HasSignature(h http.Header) bool {
	for _, values := range h {
		if slices.ContainsFunc(values, mayHoldSignature) {
			return true
		}
	}
	return false
}

func mayHoldSignature(value string) bool {
	const shortest = 43
	run := 0
	for i := range len(value) {
		c := value[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("+/-_", c) >= 0 {
			if run++; run >= shortest {
				return true
			}
		} else {
			run = 0
		}
	}
	return false
}

// Verify implements platform.Adapter. The signature is checked over the body's bytes,
// never over what was parsed of them.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	s, err := parse(a.Settings)
	if err != nil {
		s = Settings{}
		s.complete() // which none of its requests fits
	}
	given, err := s.signatures(r.Header)
	stamp, timeErr := s.stamp(r.Header)
	id, idErr := s.id(r.Header)
	message := s.message(stamp.text, id, r.Body)
	secret, ok := s.signer(given, message, a.Secrets)
	timely := s.isTimely(stamp, now)
	switch {
	case err != nil || timeErr != nil || idErr != nil:
		return platform.Signed{}, platform.ErrSignature
	case ok && timely:
		return platform.Signed{Secret: secret}, nil
	case ok:
		return platform.Signed{}, platform.ErrClock
	case timely:
		return platform.Signed{}, platform.ErrSecret
	}
	return platform.Signed{}, platform.ErrSignature
}

// signer returns the index of the secret that signed a message, false if none did.
func (s Settings) signer(given [][]byte, message [][]byte, secrets []platform.SigningSecret) (int, bool) {
	return platform.Signer(secrets, given, func(secret []byte) []byte {
		key, err := keyOf(s.Signature.Key, string(secret))
		want := digest(s.Signature.Algorithm, key, message)
		if err != nil {
			return nil
		}
		return want
	})
}

// keyOf returns the key that the text of a secret is in one of the forms. An empty key is
// none: anybody could sign with it. Nor is a decoded one that is so short that it could be
// found by trying: eight characters of hex are 4 bytes. The error quotes nothing.
func keyOf(form, secret string) ([]byte, error) {
	var key []byte
	var err error
	switch form {
	case "text":
		key = []byte(secret)
	case "hex":
		key, err = hex.DecodeString(strings.TrimSpace(secret))
	case "base64":
		if strings.HasPrefix(secret, "whsec_") { // whose letters are base64url too
			return nil, noKey(form)
		}
		key, err = decodeBase64(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(secret)), base64.RawStdEncoding)
	case "whsec":
		key, err = decodeBase64(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"), base64.RawStdEncoding)
	}
	switch {
	case err != nil || len(key) == 0:
		return nil, noKey(form)
	case form != "text" && len(key) < minKey:
		return nil, fmt.Errorf("is a key of %d bytes if it is read as %s, as signature.key says, and one of less than %d can be found by trying", len(key), form, minKey)
	}
	return key, nil
}

func noKey(form string) error { return fmt.Errorf("is no %s, as signature.key says", form) }

// digest returns the HMAC of a message, which is the pieces one after the other.
func digest(algorithm string, key []byte, message [][]byte) []byte {
	made := func() hash.Hash { return sha256.New() }
	if algorithm == "sha512" {
		made = func() hash.Hash { return sha512.New() }
	}
	mac := hmac.New(made, key)
	for _, piece := range message {
		mac.Write(piece)
	}
	return mac.Sum(nil)
}

// message returns what is signed, in pieces.
func (s Settings) message(stamp, id string, body []byte) [][]byte {
	filled := strings.NewReplacer("{time}", stamp, "{id}", id)
	before, after, _ := strings.Cut(s.Signature.Signed, "{body}")
	return [][]byte{[]byte(filled.Replace(before)), body, []byte(filled.Replace(after))}
}

// problemError is a mistake in the headers of a request. It says what is wrong, and
// holds nothing of their values.
type problemError string

func (e problemError) Error() string { return string(e) }

// signatures returns the signatures of the header, at most maxParts. A part that is no
// signature in the encoding of the settings is passed over; an error says that no part is
// one.
func (s Settings) signatures(h http.Header) ([][]byte, error) {
	if s.Signature.Header == "" || len(h.Values(s.Signature.Header)) == 0 {
		return nil, problemError(fmt.Sprintf("there is no header %s", s.Signature.Header))
	}
	var given [][]byte
	looked := 0
	var last error
	for _, part := range s.parts(h) {
		text, ok := strings.CutPrefix(part, s.Signature.Prefix)
		if !ok {
			continue
		}
		if looked++; looked > maxParts {
			break
		}
		signature, err := s.decode(strings.TrimSpace(text))
		if err != nil {
			last = err
			continue
		}
		given = append(given, signature)
	}
	switch {
	case len(given) > 0:
		return given, nil
	case looked == 0:
		return nil, problemError(fmt.Sprintf("no part of the header %s begins with the prefix of the settings", s.Signature.Header))
	}
	return nil, last
}

// parts returns the parts of the signature's header, without blanks around them. A header
// that came twice is a list, and so is one whose repeats a gateway joined by commas, as
// AWS's HTTP API does: no signature holds a comma.
func (s Settings) parts(h http.Header) []string {
	var parts []string
	for _, value := range h.Values(s.Signature.Header) {
		pieces := []string{value}
		if s.Signature.Separator != "" {
			pieces = strings.Split(value, s.Signature.Separator)
		}
		for _, piece := range pieces {
			for piece != "" {
				var part string
				part, piece = s.cutJoined(piece)
				parts = append(parts, strings.Trim(part, " \t,"))
			}
		}
	}
	return parts
}

// cutJoined cuts a piece at the first comma after which another value of the header
// begins, by its prefix.
func (s Settings) cutJoined(piece string) (part, rest string) {
	for i := range len(piece) {
		if piece[i] != ',' || i < len(s.Signature.Prefix) {
			continue // a comma of the prefix itself, v1,
		}
		if after := strings.TrimLeft(piece[i+1:], " \t"); strings.HasPrefix(after, s.Signature.Prefix) {
			return piece[:i], after
		}
	}
	return piece, ""
}

// decode returns the bytes of a signature.
func (s Settings) decode(text string) ([]byte, error) {
	var signature []byte
	var err error
	switch s.Signature.Encoding {
	case "hex":
		signature, err = hex.DecodeString(text)
	case "base64":
		signature, err = decodeBase64(text, base64.RawStdEncoding)
	case "base64url":
		signature, err = decodeBase64(text, base64.RawURLEncoding)
	}
	size := sha256.Size
	if s.Signature.Algorithm == "sha512" {
		size = sha512.Size
	}
	switch {
	case err != nil:
		return nil, problemError(fmt.Sprintf("the signature is not %s", s.Signature.Encoding))
	case len(signature) != size:
		return nil, problemError(fmt.Sprintf("the signature has %d bytes; one by %s has %d", len(signature), s.Signature.Algorithm, size))
	}
	return signature, nil
}

// decodeBase64 decodes base64 with or without padding, and in one way only: no bits are
// left over.
func decodeBase64(text string, encoding *base64.Encoding) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return encoding.Strict().DecodeString(strings.TrimRight(text, "="))
}

// stamp is the time of a webhook: as it stood in the header, which is what is signed, and
// what it means.
type stamp struct {
	text string
	at   time.Time
}

// stamp returns the time of a webhook, a zero one if none is signed.
func (s Settings) stamp(h http.Header) (stamp, error) {
	if !s.isTimeSigned() {
		return stamp{}, nil
	}
	values, where := s.times(h)
	switch {
	case len(values) == 0:
		return stamp{}, problemError("there is no " + where)
	case len(values) > 1:
		return stamp{}, problemError("there are two different values of the " + where)
	}
	at, ok := s.Time.parse(values[0])
	if !ok {
		return stamp{text: values[0]}, problemError("the " + where + " is no time of the unit " + s.Time.Unit)
	}
	return stamp{values[0], at}, nil
}

// times returns the different values of the time, and where they stand.
func (s Settings) times(h http.Header) (values []string, where string) {
	if s.Time.Part == "" {
		for _, value := range h.Values(s.Time.Header) {
			values = append(values, strings.TrimSpace(value))
		}
		where = "header " + s.Time.Header
	} else {
		for _, part := range s.parts(h) {
			if value, ok := strings.CutPrefix(part, s.Time.Part+"="); ok {
				values = append(values, value)
			}
		}
		where = "part " + s.Time.Part + "= of the header " + s.Signature.Header
	}
	slices.Sort(values)
	return slices.Compact(values), where
}

// parse reads the time of a webhook in the unit.
func (t Time) parse(text string) (time.Time, bool) {
	const maxDigits = 15 // milliseconds of the year 33658
	switch t.Unit {
	case "s", "ms":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || len(text) > maxDigits || strings.Trim(text, "0123456789") != "" {
			return time.Time{}, false
		}
		if t.Unit == "ms" {
			return time.UnixMilli(n), true
		}
		return time.Unix(n, 0), true
	case "rfc3339":
		at, err := time.Parse(time.RFC3339, text)
		return at, err == nil
	default:
		at, err := http.ParseTime(text)
		return at, err == nil
	}
}

// isTimely says whether a webhook is of this time, as far as it says so.
func (s Settings) isTimely(at stamp, now time.Time) bool {
	if !s.isTimeSigned() {
		return true
	}
	tolerance := time.Duration(s.Time.ToleranceSeconds) * time.Second
	age := now.Sub(at.at)
	return age <= tolerance && age >= -tolerance
}

// id returns the id of a webhook, "" if none is signed.
func (s Settings) id(h http.Header) (string, error) {
	if !strings.Contains(s.Signature.Signed, "{id}") {
		return "", nil
	}
	values := slices.Compact(slices.Sorted(slices.Values(h.Values(s.IDHeader))))
	switch {
	case len(values) == 0 || values[0] == "":
		return "", problemError("there is no header " + s.IDHeader)
	case len(values) > 1:
		return "", problemError("there are two different values of the header " + s.IDHeader)
	case len(values[0]) > maxText || !isPrintable(values[0]):
		return "", problemError(fmt.Sprintf("the header %s is longer than %d characters, or holds others than ASCII", s.IDHeader, maxText))
	}
	return values[0], nil
}
