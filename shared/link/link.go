// Package link signs the links in mails to a merchant, by which somebody who reads them
// acts without signing in: releases an order, sets the brake.
//
// A link holds its purpose, its merchant, what it is about and its end, and a signature of
// them: nothing is stored. It says nothing in secret. Whoever has it can act by it, so it
// goes to the notice address alone, is written to no log, and its address only shows a page
// that asks: programs that look at mails open the links in them.
//
// The signature is HMAC-SHA256 under a key that is derived (HKDF) from random bytes of the
// merchant for the one purpose. A link of another merchant, or of another purpose, is of
// no use.
package link

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Purpose is what a link is for.
type Purpose string

// The purposes of links, each with what it is about.
const (
	Held         Purpose = "held"          // a line: release or reject it
	HeldAll      Purpose = "held-all"      // a side: release or reject what is held there
	SetBrake     Purpose = "set-brake"     // a day: set the brake
	ReleaseBrake Purpose = "release-brake" // the day on which it was set: take it off
)

// GoodFor is how long a link in a mail is good.
const GoodFor = 7 * 24 * time.Hour

// Path is the path of links below the API's address; the token follows.
const Path = "/links/"

// Link is what a link says.
type Link struct {
	Purpose  Purpose
	Merchant string // a name: it holds none of the characters that part the fields
	About    string // nor does this
	Until    time.Time
}

var (
	// ErrInvalid means that a token was cut, altered, or signed by nobody who may.
	ErrInvalid = errors.New("the link is not valid")
	// ErrExpired means that a token was valid.
	ErrExpired = errors.New("the link has expired")
)

// version begins what is signed.
const version = "1"

const parted = "\n"

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

// URL returns the link's address below that of the API, signed by the merchant's key.
func (l Link) URL(api string, key []byte) (string, error) {
	token, err := l.Token(key)
	return api + Path + token, err
}

// Token returns the link as one text, signed by the merchant's key.
func (l Link) Token(key []byte) (string, error) {
	said := strings.Join([]string{version, string(l.Purpose), l.Merchant, l.About, strconv.FormatInt(l.Until.Unix(), 10)}, parted)
	signature, err := sign(key, l.Purpose, said)
	if err != nil {
		return "", err
	}
	return encoding.EncodeToString([]byte(said)) + "." + encoding.EncodeToString(signature), nil
}

// Read returns what a token says, unchecked: with its merchant's key, Check tells whether
// somebody signed it. Its error is ErrInvalid.
func Read(token string) (Link, error) {
	body, _, _ := strings.Cut(token, ".")
	said, err := decode(body)
	if err != nil {
		return Link{}, err
	}
	fields := strings.Split(string(said), parted)
	if len(fields) != 5 || fields[0] != version {
		return Link{}, ErrInvalid
	}
	until, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil {
		return Link{}, ErrInvalid
	}
	return Link{Purpose: Purpose(fields[1]), Merchant: fields[2], About: fields[3], Until: time.Unix(until, 0).UTC()}, nil
}

// Check returns what a token says, if the merchant's key signed it and it is good now. Its
// error is ErrInvalid or ErrExpired.
func Check(token string, key []byte, now time.Time) (Link, error) {
	l, err := Read(token)
	if err != nil {
		return Link{}, err
	}
	body, signature, _ := strings.Cut(token, ".")
	said, err := decode(body)
	if err != nil {
		return Link{}, err
	}
	given, err := decode(signature)
	if err != nil {
		return Link{}, err
	}
	want, err := sign(key, l.Purpose, string(said))
	if err != nil || !hmac.Equal(given, want) {
		return Link{}, ErrInvalid
	}
	if !now.Before(l.Until) {
		return Link{}, ErrExpired
	}
	return l, nil
}

// keySize is the least that a merchant's key has.
const keySize = 32

var errKey = errors.New("a merchant without a key of links")

func sign(key []byte, purpose Purpose, said string) ([]byte, error) {
	if len(key) < keySize {
		return nil, errKey // an empty key would sign for everybody
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "keypool link "+string(purpose), sha256.Size)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write([]byte(said))
	return mac.Sum(nil), nil
}
