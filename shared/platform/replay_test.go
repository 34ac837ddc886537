package platform_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"keypool/infra/proof/canary"
	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// A webhook that somebody recorded is good for five minutes either way of its
// time and not a moment more, whichever of the account's secrets signed it; a
// secret that is not the account's is good at no time.
func TestReplay_theEdgesAreSharp(t *testing.T) {
	const current, previous, third = "the secret that is current now..", "the secret that was before it...", "a secret that is somebody else's"
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("far east", 14*3600)} {
		for _, edge := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
			for _, off := range []time.Duration{-time.Hour, -time.Second, -time.Nanosecond, 0, time.Nanosecond, time.Second, time.Hour} {
				age := edge + off
				fresh := age >= -5*time.Minute && age <= 5*time.Minute
				now := signedAt.Add(age).In(zone)
				a := &account{secrets: []catalog.SealedSecret{
					{Blob: []byte(current)}, {Blob: []byte(previous), ExpiresAt: now.Add(time.Nanosecond)},
				}}
				accounts := a.accounts(always(now))
				for secret, ours := range map[string]bool{current: true, previous: true, third: false} {
					canary.Figure("replays and rotations", 1)
					_, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(secret, signedAt))
					if good := err == nil; good != (fresh && ours) {
						t.Errorf("by %q, %s old: %v", secret, age, err)
					}
					if err != nil && !errors.Is(err, platform.ErrSignature) {
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
	later := signedAt.Add(time.Hour)
	r := signedBy(secret, signedAt)
	for _, stamp := range []time.Time{later, later.Add(time.Minute)} {
		canary.Figure("replays and rotations", 1)
		forged := request(r.Header.Get("webhook-id"), strconv.FormatInt(stamp.Unix(), 10), r.Header.Get("webhook-signature"))
		account := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte(secret))}}}
		if _, err := (standard.Adapter{}).Verify(forged, account, later); !errors.Is(err, platform.ErrSignature) {
			t.Errorf("a webhook whose time was changed: %v", err)
		}
	}
}
