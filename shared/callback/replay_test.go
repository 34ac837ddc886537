package callback_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"keypool/infra/proof/canary"
	"keypool/shared/callback"
	"keypool/shared/catalog"
)

// A callback that somebody recorded is good for five minutes either way of its
// time and not a moment more, whichever of the platform's secrets signed it; a
// secret that is not the platform's is good at no time.
func TestReplay_theEdgesAreSharp(t *testing.T) {
	const current, previous, third = "the secret that is current now..", "the secret that was before it...", "a secret that is somebody else's"
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("far east", 14*3600)} {
		for _, edge := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
			for _, off := range []time.Duration{-time.Hour, -time.Second, -time.Nanosecond, 0, time.Nanosecond, time.Second, time.Hour} {
				age := edge + off
				fresh := age >= -5*time.Minute && age <= 5*time.Minute
				now := exampleAt.Add(age).In(zone)
				a := &account{secrets: []catalog.SealedSecret{
					{Blob: []byte(current)}, {Blob: []byte(previous), ExpiresAt: now.Add(time.Nanosecond)},
				}}
				ring := &callback.Keyring{Account: a.account, Open: a.open, Now: func() time.Time { return now }}
				for secret, ours := range map[string]bool{current: true, previous: true, third: false} {
					canary.Figure("replays and rotations", 1)
					_, err := ring.Verify(t.Context(), "acme", "standard", signedBy(secret, exampleAt))
					if good := err == nil; good != (fresh && ours) {
						t.Errorf("by %q, %s old: %v", secret, age, err)
					}
					if err != nil && !errors.Is(err, callback.ErrSignature) {
						t.Errorf("refused for %v, which tells more than that it is refused", err)
					}
				}
			}
		}
	}
}

// A time that was changed to pass for a fresh one is part of what is signed.
func TestReplay_theTimeIsSigned(t *testing.T) {
	const secret = "the secret that is current now.."
	later := exampleAt.Add(time.Hour)
	r := signedBy(secret, exampleAt)
	for _, stamp := range []time.Time{later, later.Add(time.Minute)} {
		canary.Figure("replays and rotations", 1)
		forged := callback.Request{Body: r.Body, Header: func(name string) string {
			if name == "webhook-timestamp" {
				return strconv.FormatInt(stamp.Unix(), 10)
			}
			return r.Header(name)
		}}
		if err := (callback.Standard{}).Verify(forged, [][]byte{[]byte(secret)}, later); !errors.Is(err, callback.ErrSignature) {
			t.Errorf("a callback whose time was changed: %v", err)
		}
	}
}

// signedBy is a callback that the holder of a secret sent at that time.
func signedBy(secret string, at time.Time) callback.Request {
	return request(exampleBody, map[string]string{
		"webhook-id": exampleID, "webhook-timestamp": strconv.FormatInt(at.Unix(), 10),
		"webhook-signature": callback.Sign([]byte(secret), exampleID, at, []byte(exampleBody)),
	})
}
