package standard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Adapter implements platform.Adapter, Configurer, SettingsForm, PageAnswerer and SideTeller. The signature is HMAC-SHA256 over
// id.timestamp.body; the header webhook-signature holds one or more, each as
// "v1,<base64>". Svix, whose scheme the specification describes, names its headers
// svix-id, svix-timestamp and svix-signature; they are taken as well.
type Adapter struct{}

// TellsSide implements platform.SideTeller.
func (Adapter) TellsSide() string {
	return "each order says by data.test whether it is a test"
}

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(digest(key, id, strconv.FormatInt(at.Unix(), 10), body))
}

func digest(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify implements platform.Adapter.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	headers := headersOf(r.Header)
	seconds, err := strconv.ParseInt(headers.timestamp, 10, 64)
	if err != nil || !isPrintable(headers.id) || !payload.IsDigits(headers.timestamp) {
		return platform.Signed{}, platform.ErrSignature
	}
	return platform.Signatures{Given: headers.given(), At: time.Unix(seconds, 0), Sum: func(key []byte) []byte {
		return digest(key, headers.id, headers.timestamp, r.Body)
	}}.Verify(a.Secrets, now)
}

// headers are the three headers of a signature.
type headers struct{ id, timestamp, signature string }

// given returns the signatures of version 1, which stand between blanks.
func (h headers) given() (given [][]byte) {
	for signature := range strings.FieldsSeq(h.signature) {
		text, is := strings.CutPrefix(signature, "v1,")
		if sum, err := base64.StdEncoding.DecodeString(text); is && err == nil && len(sum) == sha256.Size {
			given = append(given, sum)
		}
	}
	return given
}

// headersOf returns the headers that the specification names, and those of Svix if
// there are none. Headers of one kind never complete those of the other.
func headersOf(h http.Header) headers {
	prefix := "webhook-"
	if h.Get("webhook-id") == "" && h.Get("webhook-timestamp") == "" && h.Get("webhook-signature") == "" {
		prefix = "svix-"
	}
	return headers{h.Get(prefix + "id"), h.Get(prefix + "timestamp"), h.Get(prefix + "signature")}
}

// isPrintable says whether s can be the id of a message: 1 to 256 characters of
// printable ASCII.
func isPrintable(s string) bool {
	return len(s) > 0 && len(s) <= 256 && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
