package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// The request that the tests sign.
const (
	requestID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	body      = `{"test": 2432232314}`
)

var signedAt = time.Unix(1614265330, 0)

func request(id, timestamp, signature string) platform.Request {
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", timestamp)
	header.Set("webhook-signature", signature)
	return platform.Request{Header: header, Body: []byte(body)}
}

// signedBy returns a request that the holder of a secret sent at that time.
func signedBy(secret string, at time.Time) platform.Request {
	return request(requestID, strconv.FormatInt(at.Unix(), 10), standard.Sign([]byte(secret), requestID, at, []byte(body)))
}

// account is the merchant acme's one account as the catalog holds it. It counts how
// often it is read, and how often a secret is opened.
type account struct {
	secrets []catalog.SealedSecret
	reads   int
	opened  int

	credentials       []catalog.SealedCredential
	openedCredentials int
	settings          json.RawMessage
}

func (a *account) read(_ context.Context, merchant, _ string) (catalog.Account, bool, error) {
	a.reads++
	if merchant != "acme" {
		return catalog.Account{}, false, nil
	}
	return catalog.Account{
		Merchant: "acme", Name: "shop-eu", Platform: platform.Standard, Origin: "its id", Secrets: a.secrets,
		Credentials: a.credentials, Settings: a.settings, DeliversFrom: signedAt, OtherProducts: catalog.OthersIgnored,
	}, true, nil
}

func (a *account) Unseal(_ context.Context, _, _ string, sealed []byte) ([]byte, error) {
	a.opened++
	return sealed, nil
}

func (a *account) UnsealCredential(_ context.Context, _, _, name string, sealed []byte) ([]byte, error) {
	a.openedCredentials++
	return []byte(name + " " + string(sealed)), nil
}

// accounts returns the account behind a cache, at the time that now tells.
func (a *account) accounts(now func() time.Time) *platform.Accounts {
	return platform.NewAccounts(adapters, a.read, a, now)
}

var adapters = map[string]platform.Adapter{platform.Standard: standard.Adapter{}}

func always(t time.Time) func() time.Time { return func() time.Time { return t } }

func TestAccounts_rotation(t *testing.T) {
	const before, after = "the secret before the rotation..", "the secret after the rotation..."
	now := signedAt
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte(before)}}}
	accounts := a.accounts(func() time.Time { return now })
	verify := func(secret string) bool {
		t.Helper()
		_, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(secret, now))
		if err != nil && !errors.Is(err, platform.ErrSignature) {
			t.Fatal(err)
		}
		return err == nil
	}

	if !verify(before) || verify(after) {
		t.Error("before the rotation, the old secret is good and the new one is not")
	}
	now = now.Add(time.Second)
	expires := now.Add(10 * time.Minute)
	a.secrets = []catalog.SealedSecret{{Blob: []byte(after)}, {Blob: []byte(before), ExpiresAt: expires}}
	if !verify(after) || !verify(before) {
		t.Error("after the rotation, both secrets are good at once")
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
	now = now.Add(30 * time.Second)
	if verify(after) {
		t.Error("a secret that was taken away is good 30 seconds later")
	}
}

// Each secret is opened once: neither its age nor a wrong signature has it opened anew.
func TestAccounts_opensEachSecretOnce(t *testing.T) {
	now := signedAt
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte("a secret of the account's own...")}}}
	accounts := a.accounts(func() time.Time { return now })
	for range 10 {
		for _, secret := range []string{"a secret of the account's own...", "the secret of somebody unknown.."} {
			accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(secret, now))
			now = now.Add(20 * time.Second)
		}
	}
	if a.opened != 1 || a.reads < 10 {
		t.Errorf("%d reads, the secret was opened %d times", a.reads, a.opened)
	}
	a.secrets = append([]catalog.SealedSecret{{Blob: []byte("one more")}}, a.secrets...)
	now = now.Add(30 * time.Second)
	if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy("one more", now)); err != nil || a.opened != 2 {
		t.Errorf("%v; %d secrets were opened, want 2", err, a.opened)
	}
}

// Signatures that do not fit read the account a few times, and then once a second;
// the first of them always does.
func TestAccounts_readsAgainAtALimitedRate(t *testing.T) {
	now := signedAt
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte("a secret of the account's own...")}}}
	accounts := a.accounts(func() time.Time { return now })
	wrong := func() {
		t.Helper()
		if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy("another", now)); !errors.Is(err, platform.ErrSignature) {
			t.Error(err)
		}
	}
	wrong()
	if a.reads != 1 {
		t.Errorf("%d reads for an account that was read in the same call, want 1", a.reads)
	}
	for range 1000 {
		now = now.Add(time.Millisecond)
		wrong()
	}
	if a.reads > 8 || a.reads < 3 {
		t.Errorf("a thousand wrong signatures in a second read the account %d times", a.reads)
	}
	before := a.reads
	now = now.Add(5 * time.Second)
	wrong()
	if a.reads != before+1 {
		t.Error("after a pause, the first wrong signature does not read the account again")
	}
}

// A webhook without the headers of a signature is refused before anything is read.
func TestAccounts_withoutASignatureNothingIsRead(t *testing.T) {
	a := &account{}
	accounts := a.accounts(always(signedAt))
	for _, r := range []platform.Request{request("", "", ""), request(requestID, "1614265330", ""), request("", "1614265330", "v1,x"), request(requestID, "", "v1,x"), {}} {
		if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", r); !errors.Is(err, platform.ErrSignature) {
			t.Error(err)
		}
	}
	if a.reads != 0 {
		t.Errorf("%d reads", a.reads)
	}
}

// Whoever makes up names of accounts evicts no account that exists.
func TestAccounts_madeUpNamesEvictNoSecret(t *testing.T) {
	const own = "a secret of the account's own..."
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte(own)}}}
	accounts := a.accounts(always(signedAt))
	verify := func() {
		t.Helper()
		if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(own, signedAt)); err != nil {
			t.Error(err)
		}
	}
	verify()
	stranger := signedBy("a stranger's", signedAt)
	for i := range 25_000 {
		accounts.Verify(t.Context(), "m"+strconv.Itoa(i), "shop-eu", stranger)
	}
	before := a.reads
	verify()
	if a.reads != before || a.opened != 1 {
		t.Errorf("the account was read %d times more, its secret was opened %d times", a.reads-before, a.opened)
	}
	accounts.Verify(t.Context(), "m24999", "shop-eu", stranger)
	if a.reads != before {
		t.Error("that a name does not exist is forgotten at once")
	}
}

func TestAccounts_expiredSecretIsNotOpened(t *testing.T) {
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte("long gone"), ExpiresAt: signedAt}}}
	accounts := a.accounts(always(signedAt))
	if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy("long gone", signedAt)); !errors.Is(err, platform.ErrSignature) {
		t.Error(err)
	}
	if a.opened != 0 {
		t.Error("a secret that nobody may use was opened")
	}
}

// A catalog that does not answer must not keep the call beyond its time: the
// platform would be told nothing, and no reason to come again.
func TestAccounts_doesNotOutlastTheCall(t *testing.T) {
	ends := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(ends) })
	accounts := platform.NewAccounts(adapters, func(context.Context, string, string) (catalog.Account, bool, error) {
		<-ends
		return catalog.Account{}, false, nil
	}, nil, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := accounts.Verify(ctx, "acme", "shop-eu", signedBy("a secret", time.Now())); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the time is up", err)
	}
}

// fetcher is an adapter that calls its platform's API.
type fetcher struct{ standard.Adapter }

func (fetcher) CheckCredential(string, string) error { return nil }

// Credentials are opened after a secret fitted, once, and only for an adapter that calls
// the platform's API.
func TestAccounts_credentials(t *testing.T) {
	const secret = "the secret that is current now.."
	a := &account{secrets: []catalog.SealedSecret{{Blob: []byte(secret)}}, credentials: []catalog.SealedCredential{{Name: "api_key", Blob: []byte("one")}}}
	verify := func(accounts *platform.Accounts, secret string) (platform.Sender, error) {
		return accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(secret, signedAt))
	}
	plain := a.accounts(always(signedAt))
	if sender, err := verify(plain, secret); err != nil || sender.Account.Credentials != nil || a.openedCredentials != 0 {
		t.Errorf("without an API: %v, %v, opened %d", sender.Account.Credentials, err, a.openedCredentials)
	}
	now := signedAt
	accounts := platform.NewAccounts(map[string]platform.Adapter{platform.Standard: fetcher{}}, a.read, a, func() time.Time { return now })
	if sender, err := verify(accounts, "a secret that is somebody else's"); err == nil || sender.Account.Credentials != nil || a.openedCredentials != 0 {
		t.Errorf("for a stranger: %v, opened %d", err, a.openedCredentials)
	}
	for range 3 {
		now = now.Add(time.Minute) // the account is read again
		sender, err := verify(accounts, secret)
		if err != nil || string(sender.Account.Credentials["api_key"].Reveal()) != "api_key one" || a.openedCredentials != 1 {
			t.Fatalf("%v, %v, opened %d", sender.Account.Credentials, err, a.openedCredentials)
		}
	}
	a.credentials = []catalog.SealedCredential{{Name: "api_key", Blob: []byte("two")}}
	now = now.Add(time.Minute)
	if sender, err := verify(accounts, secret); err != nil || string(sender.Account.Credentials["api_key"].Reveal()) != "api_key two" || a.openedCredentials != 2 {
		t.Errorf("after a change: %v, opened %d", err, a.openedCredentials)
	}
}

// The adapter gets what the account was set to, and the side of the secret that fits.
func TestAccounts_givesTheAccountAsItIsSet(t *testing.T) {
	const live, test = "the secret of live webhooks.....", "the secret of test webhooks....."
	a := &account{settings: json.RawMessage(`{"shop":"acme.example"}`), secrets: []catalog.SealedSecret{
		{Name: "live", Blob: []byte(live)}, {Name: "test", Test: true, Blob: []byte(test)}, {Name: "old", Blob: []byte("gone"), ExpiresAt: signedAt},
	}}
	accounts := a.accounts(always(signedAt))
	for secret, isTest := range map[string]bool{live: false, test: true} {
		sender, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy(secret, signedAt))
		got := sender.Account
		if err != nil || got.Test != isTest || got.Platform != platform.Standard || string(got.Settings) != `{"shop":"acme.example"}` ||
			!got.DeliversFrom.Equal(signedAt) || got.OtherProducts != catalog.OthersIgnored || len(got.Secrets) != 2 || got.Secrets[sender.Signed.Secret].Test != isTest {
			t.Errorf("by %q: %+v, %v", secret, got, err)
		}
	}
}

// careless is an adapter that takes everything as signed.
type careless struct{ standard.Adapter }

func (careless) Verify(platform.Request, platform.Account, time.Time) (platform.Signed, error) {
	return platform.Signed{}, nil
}

// An account without secrets has signed nothing, whatever its adapter says.
func TestAccounts_adapterThatNamesNoSecret(t *testing.T) {
	a := &account{}
	accounts := platform.NewAccounts(map[string]platform.Adapter{platform.Standard: careless{}}, a.read, a, always(signedAt))
	if _, err := accounts.Verify(t.Context(), "acme", "shop-eu", signedBy("a secret", signedAt)); !errors.Is(err, platform.ErrSignature) {
		t.Error(err)
	}
}

func TestAccounts_whatCanBeNoAccountIsNotLookedUp(t *testing.T) {
	a := &account{}
	accounts := a.accounts(always(signedAt))
	for _, merchant := range []string{"", "ACME", "a/b", strings.Repeat("a", 5000)} {
		if _, err := accounts.Verify(t.Context(), merchant, "shop-eu", signedBy("a secret", signedAt)); !errors.Is(err, platform.ErrSignature) {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "No Name", "a/b"} {
		if _, err := accounts.Verify(t.Context(), "acme", name, signedBy("a secret", signedAt)); !errors.Is(err, platform.ErrSignature) {
			t.Error(err)
		}
	}
	if a.reads != 0 {
		t.Errorf("%d reads", a.reads)
	}
}

// pinged is a platform that tries an address without a signature.
type pinged struct{ platform.Adapter }

func (pinged) Ping(r platform.Request) (platform.Response, bool) {
	return platform.Response{Status: 200}, string(r.Body) == "ping"
}

// A platform that tries an address is answered, and no account is looked up for it.
func TestAccounts_ping(t *testing.T) {
	t.Parallel()
	a := &account{}
	accounts := platform.NewAccounts(map[string]platform.Adapter{platform.Standard: standard.Adapter{}, "pinged": pinged{standard.Adapter{}}}, a.read, a, always(signedAt))
	for body, want := range map[string]bool{"ping": true, "pong": false, "": false} {
		answer, is := accounts.Ping(platform.Request{Body: []byte(body)})
		if is != want || is && answer.Status != 200 {
			t.Errorf("%q: %v, %+v", body, is, answer)
		}
	}
	if a.reads != 0 {
		t.Errorf("%d accounts were read", a.reads)
	}
}
