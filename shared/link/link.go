// Package link signs the links in customers' mails: the pages of their orders.
//
// The signature is HMAC-SHA256 under a key that is derived (HKDF) from random bytes of the
// merchant for the one purpose: a link of another merchant is of no use.
package link

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// ErrInvalid means that a token was cut, altered, or signed by nobody who may.
var ErrInvalid = errors.New("the link is not valid")

var encoding = base64.RawURLEncoding.Strict()

// decode refuses what decodes but is not as it was encoded, such as line breaks: a token is
// written in one way only.
func decode(text string) ([]byte, error) {
	decoded, err := encoding.DecodeString(text)
	if err != nil || encoding.EncodeToString(decoded) != text {
		return nil, ErrInvalid
	}
	return decoded, nil
}

// PagePath is the path of customers' order pages below the public address; the token follows.
const PagePath = "/o/"

// LostPath is where customers go who have lost the mail; the merchant's name follows.
const LostPath = PagePath + "lost/"

// Page is the link of a customer to the page of an order. Its token is the order's name and
// the first 128 bits of a signature. It does not hold what it says else: who knows the order
// knows that, so that a link is short, and is replaced or revoked by the number in the order.
// When it ends is a setting.
type Page struct {
	Merchant string
	Order    string // the half of a line's name that all lines of the order share
	Number   int    // of links that were replaced or revoked before
}

const (
	version = "1" // begins what is signed
	purpose = "order-page"

	orderLength = 22 // characters of an order's name
	macSize     = 16 // bytes
	tokenLength = orderLength + 22
)

// Token returns the link as one text, signed by the merchant's key.
func (p Page) Token(key []byte) (string, error) {
	mac, err := p.mac(key)
	if err != nil {
		return "", err
	}
	return p.Order + encoding.EncodeToString(mac), nil
}

// URL returns the link's address below the public one, signed by the merchant's key.
func (p Page) URL(public string, key []byte) (string, error) {
	token, err := p.Token(key)
	if err != nil {
		return "", err
	}
	return public + PagePath + token, nil
}

// PageOrder returns the order that a token names, unchecked. Its error is ErrInvalid.
func PageOrder(token string) (string, error) {
	if _, err := decode(token); err != nil || len(token) != tokenLength {
		return "", ErrInvalid
	}
	return token[:orderLength], nil
}

// Check returns ErrInvalid unless the token is the link, signed by the merchant's key.
func (p Page) Check(token string, key []byte) error {
	name, given, ok := strings.Cut(token, p.Order)
	mac, err := decode(given)
	if !ok || name != "" || err != nil {
		return ErrInvalid
	}
	want, err := p.mac(key)
	if err != nil || !hmac.Equal(mac, want) {
		return ErrInvalid
	}
	return nil
}

func (p Page) mac(key []byte) ([]byte, error) {
	sum, err := sign(key, strings.Join([]string{version, p.Merchant, p.Order, strconv.Itoa(p.Number)}, "\n"))
	if err != nil {
		return nil, err
	}
	return sum[:macSize], nil
}

// keySize is the least that a merchant's key has.
const keySize = 32

var errKey = errors.New("a merchant without a key of links")

func sign(key []byte, said string) ([]byte, error) {
	if len(key) < keySize {
		return nil, errKey // an empty key would sign for everybody
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "keypool link "+purpose, sha256.Size)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write([]byte(said))
	return mac.Sum(nil), nil
}
