package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// Tolerance is how far a platform's clock and ours may be apart, in either direction.
const Tolerance = 5 * time.Minute

// Signatures are what a request is signed with.
type Signatures struct {
	Given [][]byte                // those of the right form; one that fits is enough
	At    time.Time               // when it was signed; zero: no time is signed, and it is good for ever
	Sum   func(key []byte) []byte // the signature that a key makes; see Signer
}

// Verify says which of an account's secrets signed the request: see Adapter.Verify.
func (s Signatures) Verify(secrets []SigningSecret, now time.Time) (Signed, error) {
	secret, fits := Signer(secrets, s.Given, s.Sum)
	age := now.Sub(s.At)
	timely := s.At.IsZero() || age <= Tolerance && age >= -Tolerance
	switch {
	case fits && timely:
		return Signed{Secret: secret}, nil
	case fits:
		return Signed{}, ErrClock
	case timely && len(s.Given) > 0:
		return Signed{}, ErrSecret
	}
	return Signed{}, ErrSignature
}

// Signer returns the index of the first secret that made one of the given signatures, false
// if none did. Sum returns the signature that a key makes, nil if it is no key. It is called
// once for each secret, however many signatures a stranger sends, and once where there is no
// secret: the time it takes does not tell whether the account exists.
func Signer(secrets []SigningSecret, given [][]byte, sum func(key []byte) []byte) (int, bool) {
	if len(secrets) == 0 {
		sum(make([]byte, sha256.Size))
	}
	found, fits := 0, false
	for i, secret := range secrets {
		key := secret.Secret.Reveal()
		if len(key) == 0 {
			continue // anybody signs by it
		}
		want := sum(key)
		for _, signature := range given {
			if !fits && want != nil && hmac.Equal(signature, want) {
				found, fits = i, true
			}
		}
	}
	return found, fits
}
