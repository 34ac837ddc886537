package callback_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/shared/callback"
	"keypool/shared/catalog"
)

// account is a merchant's account with a platform as the catalog holds it, and
// how often it was asked for.
type account struct {
	secrets []catalog.SealedSecret
	reads   int
	opened  int
}

func (a *account) account(_ context.Context, merchant, _ string) (catalog.Account, bool, error) {
	a.reads++
	return catalog.Account{Platform: "standard", Secrets: a.secrets}, merchant == "acme", nil
}

func (a *account) open(_ context.Context, _, _ string, sealed []byte) ([]byte, error) {
	a.opened++
	return sealed, nil
}

func TestKeyring_rotation(t *testing.T) {
	const before, after = "the secret before the rotation..", "the secret after the rotation..."
	now := exampleAt
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte(before)}}}
	ring := &callback.Keyring{Account: a.account, Open: a.open, Now: func() time.Time { return now }}
	verify := func(secret string) bool {
		t.Helper()
		r := request(exampleBody, map[string]string{
			"webhook-id": exampleID, "webhook-timestamp": strconv.FormatInt(now.Unix(), 10),
			"webhook-signature": callback.Sign([]byte(secret), exampleID, now, []byte(exampleBody)),
		})
		_, err := ring.Verify(t.Context(), "acme", "standard", r)
		if err != nil && !errors.Is(err, callback.ErrSignature) {
			t.Fatal(err)
		}
		return err == nil
	}

	if !verify(before) || verify(after) {
		t.Error("before the rotation, the old secret is good and the new one is not")
	}
	now = now.Add(time.Minute)
	expires := now.Add(10 * time.Minute)
	a.secrets = []catalog.SealedSecret{{Blob: []byte(after)}, {Blob: []byte(before), ExpiresAt: expires}}
	if !verify(after) || !verify(before) {
		t.Error("after the rotation, both secrets are good")
	}
	now = expires.Add(-time.Second)
	if !verify(before) {
		t.Error("a moment before it expires, the old secret is good")
	}
	now = expires
	if verify(before) || !verify(after) {
		t.Error("once it expires, the old secret is not good any more, though it is still remembered")
	}
	a.secrets = []catalog.SealedSecret{{Blob: []byte("yet another secret, known to few")}}
	now = now.Add(5 * time.Minute)
	if verify(after) {
		t.Error("a secret that was taken away is good five minutes later")
	}
}

func TestKeyring_expiredSecretIsNotOpened(t *testing.T) {
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte("long gone"), ExpiresAt: exampleAt}}}
	ring := &callback.Keyring{Account: a.account, Open: a.open, Now: func() time.Time { return exampleAt }}
	if _, err := ring.Verify(t.Context(), "acme", "standard", signed(exampleSignature)); !errors.Is(err, callback.ErrSignature) {
		t.Error(err)
	}
	if a.opened != 0 {
		t.Error("a secret that nobody may use was opened")
	}
}

// A catalog that does not answer must not keep the call beyond its time: the
// platform would be told nothing, and no reason to come again.
func TestKeyring_doesNotOutlastTheCall(t *testing.T) {
	ends := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(ends) })
	ring := &callback.Keyring{
		Account: func(context.Context, string, string) (catalog.Account, bool, error) {
			<-ends
			return catalog.Account{}, false, nil
		},
		Now: time.Now,
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ring.Verify(ctx, "acme", "standard", request(exampleBody, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the time is up", err)
	}
}

func TestKeyring_whatCanBeNoAccountIsNotLookedUp(t *testing.T) {
	a := &account{}
	ring := &callback.Keyring{Account: a.account, Open: a.open, Now: func() time.Time { return exampleAt }}
	for _, merchant := range []string{"", "ACME", "a/b", strings.Repeat("a", 5000)} {
		if _, err := ring.Verify(t.Context(), merchant, "standard", signed(exampleSignature)); !errors.Is(err, callback.ErrSignature) {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "No Name", "a/b"} {
		if _, err := ring.Verify(t.Context(), "acme", name, signed(exampleSignature)); !errors.Is(err, callback.ErrSignature) {
			t.Error(err)
		}
	}
	if a.reads != 0 {
		t.Errorf("%d reads", a.reads)
	}
}

// However many signatures a stranger sends, each secret passes over the body once.
func TestStandard_manySignaturesCostNoMore(t *testing.T) {
	body := make([]byte, callback.MaxBody)
	verify := func(signatures string) time.Duration {
		r := callback.Request{Body: body, Header: func(name string) string {
			return map[string]string{"webhook-id": exampleID, "webhook-timestamp": exampleTime, "webhook-signature": signatures}[name]
		}}
		start := time.Now()
		if err := (callback.Standard{}).Verify(r, [][]byte{[]byte("a secret"), []byte("another")}, exampleAt); !errors.Is(err, callback.ErrSignature) {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	one, many := time.Hour, time.Hour
	for range 5 {
		one, many = min(one, verify("v1,")), min(many, verify(strings.Repeat("v1, ", 2400)))
	}
	if many > 20*one { // a pass for each would be 2,400 times
		t.Errorf("one signature took %s, 2,400 took %s", one, many)
	}
}
