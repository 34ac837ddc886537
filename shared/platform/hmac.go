package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// BodyHMAC is the HMAC-SHA-256 of a webhook's body, in base64, in a header. It signs no time:
// a webhook is good for ever.
type BodyHMAC struct {
	Header string // in its canonical form: X-Wc-Webhook-Signature
}

// In reports whether the header is there.
func (s BodyHMAC) In(h http.Header) bool { return h.Get(s.Header) != "" }

// Sign returns the signature of a body, as the header holds it.
func (s BodyHMAC) Sign(key, body []byte) string {
	return base64.StdEncoding.EncodeToString(hmacOf(key, body))
}

// Verify says which of an account's secrets signed the request: see Adapter.Verify. A header
// that is there twice, or has line ends in it, signs nothing.
func (s BodyHMAC) Verify(r Request, secrets []SigningSecret, now time.Time) (Signed, error) {
	var given [][]byte
	if values := r.Header[s.Header]; len(values) == 1 && len(values[0]) == base64.StdEncoding.EncodedLen(sha256.Size) {
		if sum, err := base64.StdEncoding.Strict().DecodeString(values[0]); err == nil && len(sum) == sha256.Size {
			given = [][]byte{sum}
		}
	}
	return Signatures{Given: given, Sum: func(key []byte) []byte { return hmacOf(key, r.Body) }}.Verify(secrets, now)
}

// TimedHMAC is the HMAC-SHA-256 of a time and a webhook's body, in hexadecimal, in a header
// such as "t=1767366245,v1=…,v1=…": there are several signatures while a secret is rotated.
type TimedHMAC struct {
	Header     string
	Time       string // the name of the time: "t"
	Signature  string // the name of a signature: "v1"
	Separators string // what may stand between two parts; the first is what we write
	Between    string // what stands between the time and the body, as they are signed
}

// In reports whether the header is there.
func (s TimedHMAC) In(h http.Header) bool { return h.Get(s.Header) != "" }

// Sign returns the signature of a body at a time, as the header holds it.
func (s TimedHMAC) Sign(key []byte, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := hex.EncodeToString(hmacOf(key, []byte(stamp+s.Between), body))
	return s.Time + "=" + stamp + s.Separators[:1] + s.Signature + "=" + sum
}

// Verify says which of an account's secrets signed the request: see Adapter.Verify.
func (s TimedHMAC) Verify(r Request, secrets []SigningSecret, now time.Time) (Signed, error) {
	header := s.parse(r.Header)
	return Signatures{Given: header.given, At: header.at, Sum: func(key []byte) []byte {
		return hmacOf(key, []byte(header.stamp+s.Between), r.Body)
	}}.Verify(secrets, now)
}

// timedHeader is what the header of a TimedHMAC says.
type timedHeader struct {
	stamp string // the time, as it is signed
	at    time.Time
	given [][]byte // signatures of the length of SHA-256
}

// parse returns the zero timedHeader if there is no time, or several: which one was signed
// with which signature is not known then. A header that is there twice is read as one, and
// other parts are passed over.
func (s TimedHMAC) parse(h http.Header) timedHeader {
	var t timedHeader
	isSeparator := func(r rune) bool { return strings.ContainsRune(s.Separators, r) }
	for part := range strings.FieldsFuncSeq(strings.Join(h.Values(s.Header), s.Separators[:1]), isSeparator) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case s.Time:
			if t.stamp != "" && t.stamp != value {
				return timedHeader{}
			}
			t.stamp = value
		case s.Signature:
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
				t.given = append(t.given, sum)
			}
		}
	}
	seconds, err := strconv.ParseInt(t.stamp, 10, 64)
	if err != nil || strings.Trim(t.stamp, "0123456789") != "" || len(t.stamp) > len("253402300799") {
		return timedHeader{} // the last second of the year 9999
	}
	t.at = time.Unix(seconds, 0)
	return t
}

func hmacOf(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
