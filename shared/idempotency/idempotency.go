// Package idempotency makes a call harmless to repeat that is not so by itself: a caller who
// lost the answer sends the same call with the same key again, and gets the answer of the
// first. The key is the caller's own, in the header Idempotency-Key (IETF draft
// httpapi-idempotency-key), and optional.
//
// A call is made at most once while its record is kept, 24 hours, with two exceptions. One
// that failed, by a status other than 2xx, is forgotten: its mistake can be mended under the
// same key. And if a process dies between the act and its record, the same call made later
// does the act again. An act that can be named by its call, such as an order, takes its name
// from Name, so that even then there is one.
//
// A record holds the answer's status, headers and body. An answer with a secret, such as a
// new token, is not kept: its repeat is refused.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"keypool/shared/random"
)

// Header is the header that carries a call's key.
const Header = "Idempotency-Key"

// MaxKey is how many characters a key may have.
const MaxKey = 128

// Kept is how long the answer of a call is kept.
const Kept = 24 * time.Hour

// lease is longer than a call may take: after it a call without an answer has failed.
const lease = 30 * time.Second

// What stands in the way of a call.
var (
	// ErrRunning means that the same call is being made at this moment.
	ErrRunning = errors.New("the call is running")
	// ErrOther means that another call was made with this key.
	ErrOther = errors.New("the key was used for another call")
	// ErrSecret means that the call was made, and its answer not kept because it held a secret.
	ErrSecret = errors.New("the answer was not kept")
)

// Call is a call that was begun.
type Call struct {
	ID        string // of the caller and the key
	Request   string // digest of what was asked for
	Owner     string // who makes it
	Until     time.Time
	ExpiresAt time.Time // a whole second
	Done      bool
	Answer    Answer // of a call that is done
}

// Answer is what a call was answered with.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// Store keeps calls.
type Store interface {
	// BeginCall stores a call, unless one of its ID is there that is done and has not
	// expired, or is being made: that one is returned, and begun is false.
	BeginCall(ctx context.Context, c Call, now time.Time) (there Call, begun bool, err error)
	// EndCall stores a call that is done, if its owner still has it.
	EndCall(ctx context.Context, c Call) error
	// ForgetCall removes a call, if its owner still has it.
	ForgetCall(ctx context.Context, c Call) error
}

// Guard lets each call be made once.
type Guard struct {
	Store Store
	Now   func() time.Time
}

// NewCall returns the call that a caller makes with a key. The parts are all that says what
// it asks for. Only digests of all of these are kept.
func NewCall(caller, key string, parts ...string) Call {
	return Call{ID: digest(caller, key), Request: digest(parts...)}
}

// Begin begins a call: it is to be made if done is false, and to be ended then. Otherwise it
// was made before, and its answer is returned.
func (g *Guard) Begin(ctx context.Context, c Call) (_ Call, done bool, err error) {
	now := g.Now()
	c.Owner, c.Until, c.ExpiresAt = name16(ctx), now.Add(lease), now.Add(Kept).Truncate(time.Second)
	there, begun, err := g.Store.BeginCall(ctx, c, now)
	switch {
	case err != nil || begun || there.Owner == c.Owner: // the last: its answer was lost, and the store asked again
		return c, false, err
	case there.Request != c.Request:
		return c, false, ErrOther
	case !there.Done:
		return c, false, ErrRunning
	case there.Answer.Status == 0:
		return c, false, ErrSecret
	}
	return there, true, nil
}

// End keeps the answer of a call that was made, or forgets a call that failed. A secret
// answer is not kept. It goes on for a moment after the call's time is over.
func (g *Guard) End(ctx context.Context, c Call, answer Answer, secret bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second/2)
	defer cancel()
	if answer.Status < 200 || answer.Status > 299 {
		return g.Store.ForgetCall(ctx, c)
	}
	c.Done = true
	if !secret {
		c.Answer = answer
	}
	return g.Store.EndCall(ctx, c)
}

type nameKey struct{}

// With returns a context of a call.
func With(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, nameKey{}, c.ID[:nameLength])
}

const nameLength = 16

// Name returns a name for what a call makes: 16 hexadecimal digits, the same for each repeat
// of the call, and of this call alone where it has no key.
func Name(ctx context.Context) string {
	if name, ok := ctx.Value(nameKey{}).(string); ok {
		return name
	}
	return name16(ctx)
}

func name16(ctx context.Context) string { return fmt.Sprintf("%016x", random.Uint64(ctx)) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
