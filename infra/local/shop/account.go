package shop

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"keypool/infra/local/sample"
	"keypool/shared/platform"
)

// PlatformAccount is a merchant's account with a payment platform, as the API shows it.
type PlatformAccount struct {
	Platform     string
	DeliversFrom time.Time `json:"delivers_from"`
	Webhook      string    // active, inactive, missing: what the platform says of it
	CatchUp      *struct {
		Watermark   time.Time
		RanAt       time.Time `json:"ran_at"`
		SucceededAt time.Time `json:"succeeded_at"`
		Error       string
	} `json:"catch_up"`
}

// PlatformAccount reads an account, false if there is none of that name.
func (s *Shop) PlatformAccount(ctx context.Context, token, name string) (PlatformAccount, bool, error) {
	var found PlatformAccount
	err := s.Ask(ctx, token, http.MethodGet, "/v1/accounts/"+name, nil, &found)
	if IsMissing(err) {
		return found, false, nil
	}
	return found, err == nil, err
}

// Secrets are the signing secrets of an account with a platform, and the credentials of the
// platform's API by their names. An account without a test mode's secret of its own has the
// same for both.
type Secrets struct {
	Live, Test  string
	Credentials map[string]string
}

// Of returns the secret that signs a sample.
func (s Secrets) Of(w *sample.Webhook) string {
	if w.Test {
		return s.Test
	}
	return s.Live
}

// NewSecrets returns the secrets of an account, formed from what random returns for each.
func NewSecrets(p sample.Platform, random func(side string) string) Secrets {
	made := Secrets{Live: p.Secret(random("live"))}
	if made.Test = made.Live; p.BySecret {
		made.Test = p.Secret(random("test"))
	}
	if p.Credentials != nil {
		made.Credentials = p.Credentials(random("credentials"), made.Live)
	}
	return made
}

// AddPlatformAccount makes an account with a platform, as a merchant does: with a token of
// scope secrets, by the name of the platform.
func (s *Shop) AddPlatformAccount(ctx context.Context, token, name string, p sample.Platform, secrets Secrets) error {
	type secret struct {
		Name   string `json:"name"`
		Test   bool   `json:"test,omitempty"`
		Secret string `json:"secret"`
	}
	type credential struct {
		Name       string `json:"name"`
		Credential string `json:"credential"`
	}
	in := struct {
		Platform    string          `json:"platform"`
		Secret      string          `json:"secret,omitempty"`
		Secrets     []secret        `json:"secrets,omitempty"`
		Credentials []credential    `json:"credentials,omitempty"`
		Settings    json.RawMessage `json:"settings,omitempty"`
	}{Platform: p.Name, Settings: p.Settings}
	if p.Name == platform.Standard {
		in.Secret = secrets.Live // it has one
	} else {
		in.Secrets = []secret{{Name: "live", Secret: secrets.Live}}
	}
	if p.BySecret {
		in.Secrets = append(in.Secrets, secret{"test", true, secrets.Test})
	}
	for name, text := range secrets.Credentials {
		in.Credentials = append(in.Credentials, credential{name, text})
	}
	return s.Ask(ctx, token, http.MethodPut, "/v1/accounts/"+name, in, nil)
}

// WithToken has a token of some scopes for a moment: made by the operator, taken away when
// do has ended.
func (s *Shop) WithToken(ctx context.Context, merchant string, scopes []string, do func(token string) error) (err error) {
	token, err := s.AddToken(ctx, merchant, NewToken{Name: "setting up, for a moment", Scopes: scopes, Days: 1})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.Operate(ctx, http.MethodDelete, "/v1/merchants/"+merchant+"/tokens/"+token.ID, nil, nil))
	}()
	return do(token.Text)
}

// Sample returns the request that sends a sample to an account, signed at a time.
func (s *Shop) Sample(w *sample.Webhook, merchant, account string, secrets Secrets, at time.Time) (Request, error) {
	if err := w.Sign(secrets.Of(w), at); err != nil {
		return Request{}, err
	}
	return Request{Method: http.MethodPost, Path: platform.WebhookPath(merchant, account), Header: w.Header, Body: w.Body}, nil
}
