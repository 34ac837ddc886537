package main

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/callback"
	"keypool/shared/catalog"
)

// Platform is a merchant's account with a payment platform.
type Platform struct {
	Name              string           `json:"name,omitempty" readOnly:"true" doc:"The platform."`
	CallbackPath      string           `json:"callback_path,omitempty" readOnly:"true" doc:"Where the platform sends its events, below this API's address."`
	Secret            string           `json:"secret,omitempty" maxLength:"200" doc:"Signing secret: whsec_ and 24 to 64 bytes in base64. One is made where left out, and shown in this answer only. Never read back."`
	KeepPreviousHours *int             `json:"keep_previous_hours,omitempty" writeOnly:"true" minimum:"0" maximum:"720" doc:"How long the secret before stays valid, so that no callback is refused while the sender changes over; 0 ends all others at once. 24 where left out."`
	Secrets           []PlatformSecret `json:"secrets,omitempty" readOnly:"true" nullable:"false" doc:"The secrets that are valid, the newest first."`
}

// PlatformSecret is what is shown of a signing secret.
type PlatformSecret struct {
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"No longer valid from then on; never where left out."`
}

var (
	samplePlatformBody = Platform{KeepPreviousHours: new(48)}
	samplePlatform     = Platform{
		Name: "standard", CallbackPath: "/webhooks/acme/standard",
		Secrets: []PlatformSecret{
			{CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
			{CreatedAt: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)},
		},
	}
)

func (a *api) newPlatform(p catalog.Platform) Platform {
	body := Platform{Name: p.Name, CallbackPath: "/webhooks/" + p.Merchant + "/" + p.Name}
	for _, secret := range valid(p.Secrets, a.now()) {
		body.Secrets = append(body.Secrets, PlatformSecret{secret.CreatedAt, secret.ExpiresAt})
	}
	return body
}

type PlatformPath struct {
	Platform string `path:"platform" maxLength:"63" doc:"Name of the platform; standard is Keypool's own scheme, by the Standard Webhooks specification." example:"standard"`
}

type putPlatform struct {
	PlatformPath
	Precondition
	Body Platform
}

// Resolve adds what is wrong with the settings to what is wrong with their form.
func (in *putPlatform) Resolve(huma.Context) []error {
	var errs []error
	if _, ok := callback.Platforms[in.Platform]; !ok {
		known := strings.Join(slices.Sorted(maps.Keys(callback.Platforms)), ", ")
		errs = append(errs, &huma.ErrorDetail{Message: "not a platform we know; use one of: " + known, Location: "path.platform"})
	}
	if in.Body.Secret != "" {
		if _, err := callback.ParseSecret(in.Body.Secret); err != nil {
			errs = append(errs, &huma.ErrorDetail{Message: err.Error(), Location: "body.secret"})
		}
	}
	return errs
}

type platformAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   Platform
}

func (a *api) platforms() {
	register(a, huma.Operation{
		OperationID: "put-platform", Method: http.MethodPut, Path: "/v1/platforms/{platform}", Tags: []string{"Platforms"},
		Summary:     "Set up a payment platform, or give it a new signing secret",
		Description: "Each call brings a new secret. The one before stays valid for a while, so that it can be changed at the sender without a refused callback.",
		Security:    byMerchant, Errors: []int{401, 412, 428},
		RequestBody: body(samplePlatformBody), Responses: a.answers(samplePlatform, 200, 201),
	}, a.putPlatform)
	register(a, huma.Operation{
		OperationID: "get-platform", Method: http.MethodGet, Path: "/v1/platforms/{platform}", Tags: []string{"Platforms"},
		Summary:  "Read how a payment platform is set up",
		Security: byMerchant, Errors: []int{401, 404},
		Responses: a.answers(samplePlatform, 200),
	}, a.getPlatform)
}

const (
	keepPrevious = 24 // hours, where the caller names none

	// maxSecrets is one more than a rotation needs. A caller who never saw the
	// answer that held a new secret rotates again; the sender still uses the one
	// from before both.
	maxSecrets = 3
)

func (a *api) putPlatform(ctx context.Context, in *putPlatform) (*platformAnswer, error) {
	before, _, err := a.store.Platform(ctx, caller(ctx), in.Platform)
	if err != nil {
		return nil, err
	}
	if err := in.check(before.Version, false); err != nil {
		return nil, err
	}
	secret, err := callback.ParseSecret(in.Body.Secret)
	made := in.Body.Secret == ""
	if made {
		secret = make([]byte, 32)
		rand.Read(secret)
	} else if err != nil {
		return nil, err
	}
	sealed, err := a.secrets.Seal(ctx, caller(ctx), in.Platform, secret)
	if err != nil {
		return nil, err
	}
	next := catalog.Platform{
		Merchant: caller(ctx), Name: in.Platform, Version: before.Version,
		Secrets: rotated(before.Secrets, sealed, a.now(), time.Duration(or(in.Body.KeepPreviousHours, keepPrevious))*time.Hour),
	}
	if err := a.store.PutPlatform(ctx, next); err != nil {
		return nil, err
	}
	body := a.newPlatform(next)
	if made {
		body.Secret = callback.FormatSecret(secret)
	}
	return &platformAnswer{created(before.Version), etag(before.Version + 1), body}, nil
}

// rotated returns the secrets after a new one came: it, and those before that
// are still valid, for no longer than keep.
func rotated(secrets []catalog.SealedSecret, sealed []byte, now time.Time, keep time.Duration) []catalog.SealedSecret {
	now = now.UTC().Truncate(time.Millisecond)
	next := []catalog.SealedSecret{{Blob: sealed, CreatedAt: now}}
	for _, secret := range valid(secrets, now) {
		if end := now.Add(keep); secret.ExpiresAt.IsZero() || end.Before(secret.ExpiresAt) {
			secret.ExpiresAt = end
		}
		if keep > 0 && len(next) < maxSecrets {
			next = append(next, secret)
		}
	}
	return next
}

func valid(secrets []catalog.SealedSecret, now time.Time) []catalog.SealedSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s catalog.SealedSecret) bool {
		return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
	})
}

func (a *api) getPlatform(ctx context.Context, in *PlatformPath) (*platformAnswer, error) {
	p, ok, err := a.store.Platform(ctx, caller(ctx), in.Platform)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	return &platformAnswer{http.StatusOK, etag(p.Version), a.newPlatform(p)}, nil
}
