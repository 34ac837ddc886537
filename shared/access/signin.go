package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"
)

// A person signs in by a mail with a link and a code. Both are of use in the browser that
// asked for them alone: programs that look at mails open the links in them, and press the
// buttons behind those. The code is for who reads mail elsewhere.
//
// The browser is known by the name of its request, which its cookie holds and nothing else:
// the request is stored under a hash of it. Link and code are made by who writes the mail,
// and stored as hashes too, so that the mail is the one place where they stand.

// SignInGoodFor is how long a sign-in request is good.
const SignInGoodFor = 10 * time.Minute

// MaxTries is how many wrong codes end a sign-in request.
const MaxTries = 5

// MaxPlaces is at how many merchants a person signs in by one address.
const MaxPlaces = 50

// CodeDigits is the number of digits of a code. Five tries of ten million are one in two
// millions.
const CodeDigits = 7

// SignIn is a request to sign in, as it is stored.
type SignIn struct {
	Hash    string // of its name, see HashName
	Version int
	Address string // that was typed: nobody may have it
	Browser string // that asked, in a few words
	From    string // network address that it asked from
	AskedAt time.Time

	Tries int // wrong codes so far

	// Of the last mail, which made those of earlier ones worthless. Empty until it is written,
	// and for ever where nobody has the address.
	LinkHash string
	CodeHash string
	People   []Whom // who have the address

	By string // who opens the portal for somebody else, by the request's name alone: see NewHelp; empty: a person signs in
}

// Whom names a person of a merchant's.
type Whom struct{ Merchant, Person string }

// The errors of signing in. None tells whether somebody has an address.
var (
	// ErrSignInOver means that a sign-in request is not there, not good any more, or used.
	ErrSignInOver = errors.New("the sign-in request is over")
	// ErrWrongCode means that a code, or a link, is not that of the request's last mail.
	ErrWrongCode = errors.New("the code is wrong")
)

// NewName returns the name of a sign-in request, the random part of that of a session, or of
// a link: 256 random bits as text.
func NewName() string {
	var random [randomBytes]byte
	rand.Read(random[:])
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// HashName returns the form in which a random name is stored and found.
func HashName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// NewCode returns a code, all digits.
func NewCode() string {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(CodeDigits), nil)
	n, err := rand.Int(rand.Reader, most)
	if err != nil {
		panic(err) // rand.Reader does not fail
	}
	digits := n.String()
	return strings.Repeat("0", CodeDigits-len(digits)) + digits
}

// PortalPath is the path of the Merchant Portal below the deployment's address.
const PortalPath = "/portal"

// SignInPath is the path of the links of sign-in mails below the deployment's address; the link
// follows.
const SignInPath = PortalPath + "/sign-in/"

// FormatCode returns a code as people read it: "123 4567".
func FormatCode(code string) string { return code[:3] + " " + code[3:] }

// digits returns the digits of a code as a person types it: "123 4567", "123-4567".
func digits(typed string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, typed)
}

// Good reports whether the request can be signed in by at that time.
func (s SignIn) Good(now time.Time) bool {
	return s.Version > 0 && now.Before(s.AskedAt.Add(SignInGoodFor)) && s.Tries < MaxTries
}

// CheckLink returns nil if the link is that of the request's last mail.
func (s SignIn) CheckLink(link string, now time.Time) error {
	if !s.Good(now) {
		return ErrSignInOver
	}
	return same(s.LinkHash, HashName(link))
}

// CheckCode returns nil if a person typed the code of the request's last mail. A wrong one has
// to be counted.
func (s SignIn) CheckCode(typed string, now time.Time) error {
	if !s.Good(now) {
		return ErrSignInOver
	}
	return same(s.CodeHash, s.hashCode(digits(typed)))
}

// Mailed returns the request as the mail with this link and this code leaves it: those of
// earlier mails are worthless from then on. Tries at them count on: a mail is written for an
// address that somebody has alone, and a request that takes more tries would tell of it.
func (s SignIn) Mailed(link, code string, people []Whom) SignIn {
	s.LinkHash, s.CodeHash, s.People = HashName(link), s.hashCode(code), people
	return s
}

// whom returns who of the people is signed in, and who else has the address: whoever the
// browser's session is of, if there is one, else the first.
func (s SignIn) whom(former Session) (whom Whom, also []Whom) {
	i := max(0, slices.Index(s.People, former.Whom))
	return s.People[i], slices.Concat(s.People[:i], s.People[i+1:])
}

// hashCode returns the form in which the request stores a code. There are few codes, and
// whoever reads the table could try them all: of use is one only with the request's name,
// which its hash does not tell.
func (s SignIn) hashCode(code string) string { return HashName(s.Hash + " " + code) }

// same compares two hashes in a time that tells nothing. Of a request that nobody was mailed
// about, no link and no code is right.
func same(stored, given string) error {
	if stored == "" || subtle.ConstantTimeCompare([]byte(stored), []byte(given)) != 1 {
		return ErrWrongCode
	}
	return nil
}
