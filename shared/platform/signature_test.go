package platform_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"keypool/shared/platform"
)

func mac(key []byte) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte("a message"))
	return sum.Sum(nil)
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	secrets := func(keys ...string) (all []platform.SigningSecret) {
		for _, key := range keys {
			all = append(all, platform.SigningSecret{Secret: platform.Conceal([]byte(key))})
		}
		return all
	}
	good, other := mac([]byte("b")), mac([]byte("x"))
	for name, test := range map[string]struct {
		given   [][]byte
		at      time.Time
		secrets []platform.SigningSecret
		signer  int
		err     error
	}{
		"by the second secret":            {[][]byte{good}, now, secrets("a", "b"), 1, nil},
		"several signatures":              {[][]byte{other, good}, now, secrets("a", "b"), 1, nil},
		"by two secrets":                  {[][]byte{mac([]byte("c")), good}, now, secrets("b", "c"), 0, nil},
		"at the edge":                     {[][]byte{good}, now.Add(-platform.Tolerance), secrets("b"), 0, nil},
		"at the other edge":               {[][]byte{good}, now.Add(platform.Tolerance), secrets("b"), 0, nil},
		"too old":                         {[][]byte{good}, now.Add(-platform.Tolerance - 1), secrets("b"), 0, platform.ErrClock},
		"of the future":                   {[][]byte{good}, now.Add(platform.Tolerance + 1), secrets("b"), 0, platform.ErrClock},
		"no time":                         {[][]byte{good}, time.Time{}, secrets("b"), 0, nil},
		"by none":                         {[][]byte{other}, now, secrets("a", "b"), 0, platform.ErrSecret},
		"by none, and old":                {[][]byte{other}, now.Add(-time.Hour), secrets("b"), 0, platform.ErrSignature},
		"no signature":                    {nil, now, secrets("b"), 0, platform.ErrSignature},
		"no secret":                       {[][]byte{good}, now, nil, 0, platform.ErrSecret},
		"no secret, by its empty key":     {[][]byte{mac(nil)}, now, secrets(""), 0, platform.ErrSecret},
		"no secret, by one of zeros":      {[][]byte{mac(make([]byte, sha256.Size))}, now, nil, 0, platform.ErrSecret},
		"an empty signature":              {[][]byte{{}}, now, secrets("b"), 0, platform.ErrSecret},
		"an empty one, of what is no key": {[][]byte{{}}, now, secrets("not a key"), 0, platform.ErrSecret},
	} {
		sums := 0
		signed, err := platform.Signatures{Given: test.given, At: test.at, Sum: func(key []byte) []byte {
			sums++
			if string(key) == "not a key" {
				return nil
			}
			return mac(key)
		}}.Verify(test.secrets, now)
		want := platform.Signed{Secret: test.signer}
		if signed != want || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, signed, err, want, test.err)
		}
		if name != "no secret, by its empty key" && sums != max(1, len(test.secrets)) {
			t.Errorf("%s: hashed %d times", name, sums)
		}
	}
}
