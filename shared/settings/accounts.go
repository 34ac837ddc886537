package settings

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/lazy"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Accounts creates, changes and reads a merchant's accounts with payment platforms.
type Accounts struct {
	Store    AccountStore
	Sealer   Sealer
	Heard    HeardStore
	Catchup  Queue                       // the queue of platform.CatchupRequest
	Adapters map[string]platform.Adapter // the platforms that an account can be of, by name
	Now      func() time.Time
}

// AccountStore keeps accounts, under optimistic locks as MerchantStore does.
type AccountStore interface {
	Account(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	// Accounts returns all of a merchant's accounts, by name.
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
	// Roster returns all of a merchant's accounts, and PutAccountOf stores one that was
	// checked against them: catalog.ErrRosterChanged if another was stored since.
	Roster(ctx context.Context, merchant string) (catalog.Roster, error)
	PutAccountOf(ctx context.Context, roster int, a catalog.Account, with ...audit.Record) error
}

// HeardStore knows what was heard of accounts.
type HeardStore interface {
	// Calls returns the webhooks that came to the account's address.
	Calls(ctx context.Context, merchant, account string) (catalog.Calls, error)
	// Catchup returns how far catch-up has come with the account.
	Catchup(ctx context.Context, merchant, account string) (catalog.Catchup, error)
}

// Heard is what was heard of an account.
type Heard struct {
	Calls   catalog.Calls
	Catchup catalog.Catchup
}

// Sealer encrypts what an account must keep to itself, so that it can be opened for that
// account only.
type Sealer interface {
	Seal(ctx context.Context, merchant, account string, secret []byte) ([]byte, error)
	// SealCredential seals a credential of the platform's API, so that who may open
	// signing secrets cannot open it, and the other way round.
	SealCredential(ctx context.Context, merchant, account, name string, credential []byte) ([]byte, error)
}

// AccountChange is what a caller sets of an account. What it leaves out stays as it is.
type AccountChange struct {
	Merchant, Name string
	Platform       string // "": as it is, or the default

	// Keypool's own scheme has one signing secret.
	Secret     string // as text; "": make one
	KeepSecret bool   // the secret stays as it is

	// Any other platform has up to ten, which the platform made.
	Secrets []SecretChange // nil: as they are; a secret that is not listed is taken away

	KeepPrevious time.Duration // how long a secret that is replaced stays valid; 0 ends it as soon as no cache holds it, see catalog.CacheFor

	Credentials   []CredentialChange // nil: as they are; one that is not listed is taken away
	DeliversFrom  time.Time          // zero: as it is, or now
	OtherProducts catalog.OtherProducts
	Settings      json.RawMessage // nil: as they are

	By access.Principal
}

// SecretChange is a signing secret of an account that has several.
type SecretChange struct {
	Name string
	Test bool
	Text string // "": the secret of that name stays as it is
}

// CredentialChange is a credential of the platform's API.
type CredentialChange struct {
	Name string
	Text string // "": the credential of that name stays as it is
}

// The limits of an account.
const (
	maxSecrets     = 10 // that are valid together
	maxCredentials = 10
	maxSecretName  = 40       // characters
	maxSettings    = 32 << 10 // bytes
	firstPaid      = 1970     // the first year that DeliversFrom may name
	latestPaid     = 366 * 24 * time.Hour
)

// maxRotated is one more than a rotation needs, in Keypool's own scheme. A caller who
// never saw the answer with the new secret rotates again, while the sender still uses
// the secret from before both rotations.
const maxRotated = 3

// CheckAccount returns the mistakes in a change of an account, of one of the platforms.
// Those that depend on the platform are found only if the change names it.
func CheckAccount(change AccountChange, adapters map[string]platform.Adapter, now time.Time) []Problem {
	var p problems
	if err := pool.CheckName(change.Name); err != nil {
		p.add("name", "%s", err)
	}
	if change.Name == catalog.ByHandName {
		p.add("name", "%s is the account of orders that people fulfil by hand; use another name", catalog.ByHandName)
	}
	if from := change.DeliversFrom; !from.IsZero() && (from.Year() < firstPaid || from.After(now.Add(latestPaid))) {
		p.add("delivers_from", "not between the year %d and a year from now", firstPaid)
	}
	switch change.OtherProducts {
	case "", catalog.OthersUnconnected, catalog.OthersIgnored:
	default:
		p.add("other_products", "not one of: %s, %s", catalog.OthersUnconnected, catalog.OthersIgnored)
	}
	if change.Secret != "" && change.KeepSecret {
		p.add("secret", "a new secret is given, and keep_secret says that it stays as it is; give one of the two")
	}
	p.secretNames(change.Secrets)
	p.credentialNames(change.Credentials)
	if change.Platform == "" {
		return p
	}
	adapter, known := adapters[change.Platform]
	if !known {
		names := slices.Sorted(maps.Keys(adapters))
		p.add("platform", "not a platform we know; use one of: %s", strings.Join(names, ", "))
		return p
	}
	p.secrets(change, adapter)
	p.credentials(change, adapter)
	p.settings(change, adapter)
	return p
}

func (p *problems) secretNames(secrets []SecretChange) {
	if len(secrets) > maxSecrets {
		p.add("secrets", "these are %d; the limit is %d", len(secrets), maxSecrets)
	}
	seen := map[string]bool{}
	for i, secret := range secrets {
		p.partName(fmt.Sprintf("secrets[%d].name", i), secret.Name, seen)
	}
}

func (p *problems) credentialNames(credentials []CredentialChange) {
	if len(credentials) > maxCredentials {
		p.add("credentials", "these are %d; the limit is %d", len(credentials), maxCredentials)
	}
	seen := map[string]bool{}
	for i, credential := range credentials {
		p.partName(fmt.Sprintf("credentials[%d].name", i), credential.Name, seen)
	}
}

// partName checks the name of one of several parts of an account.
func (p *problems) partName(path, name string, seen map[string]bool) {
	switch {
	case !secretName().MatchString(name) || len(name) > maxSecretName:
		p.add(path, "not a name; use up to %d letters, digits, and . _ - within, such as live", maxSecretName)
	case seen[name]:
		p.add(path, "is named twice")
	}
	seen[name] = true
}

var secretName = lazy.Regexp(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// secrets checks the texts of signing secrets.
func (p *problems) secrets(change AccountChange, adapter platform.Adapter) {
	if change.Platform == platform.Standard {
		if change.Secret != "" {
			if _, err := platform.ParseSecret(change.Secret); err != nil {
				p.add("secret", "%s", err)
			}
		}
		if change.Secrets != nil {
			p.add("secrets", "an account of Keypool's own scheme has one secret; give it as secret, or leave both out")
		}
		return
	}
	if change.Secret != "" || change.KeepSecret {
		p.add("secret", "the platform makes the secrets of this account; give them as secrets, each with a name")
	}
	for i, secret := range change.Secrets {
		if problem := platform.MarkProblem(adapter); secret.Test && problem != "" {
			p.add(fmt.Sprintf("secrets[%d].test", i), "cannot be set: %s", problem)
		}
		if secret.Text == "" {
			continue
		}
		path := fmt.Sprintf("secrets[%d].secret", i)
		if _, err := parseSecret(adapter, secret.Text); err != nil {
			p.add(path, "%s", err)
			continue
		}
		if reader, ok := adapter.(platform.SecretReader); ok && change.Settings != nil {
			if err := reader.CheckSecret(change.Settings, secret.Text); err != nil {
				p.add(path, "%s", err)
			}
		}
	}
}

func parseSecret(adapter platform.Adapter, text string) ([]byte, error) {
	parse := platform.ParseSecret
	if form, ok := adapter.(platform.SecretForm); ok {
		parse = form.ParseSecret
	}
	key, err := parse(text)
	if err == nil && len(key) == 0 {
		err = errors.New("is empty")
	}
	return key, err
}

func (p *problems) credentials(change AccountChange, adapter platform.Adapter) {
	fetcher, ok := adapter.(platform.Fetcher)
	if !ok && len(change.Credentials) > 0 {
		p.add("credentials", "Keypool calls no API of the platform %s: leave them out", change.Platform)
		return
	}
	for i, credential := range change.Credentials {
		if credential.Text == "" {
			continue
		}
		if err := fetcher.CheckCredential(credential.Name, credential.Text); err != nil {
			p.add(fmt.Sprintf("credentials[%d]", i), "%s", err)
		}
	}
}

// settings checks the settings of the account's platform.
func (p *problems) settings(change AccountChange, adapter platform.Adapter) {
	if change.Settings == nil {
		return
	}
	if value := jsontext.Value(change.Settings); len(value) > maxSettings || !value.IsValid() || value.Kind() != '{' {
		p.add("settings", "not a JSON object of at most %d bytes that names no member twice", maxSettings)
		return
	}
	configurer, ok := adapter.(platform.Configurer)
	if !ok {
		if !bytes.Equal(compacted(change.Settings), []byte("{}")) {
			p.add("settings", "an account of the platform %s has none: leave them out", change.Platform)
		}
		return
	}
	for _, mistake := range mistakesOf(configurer.CheckSettings(change.Settings)) {
		path := "settings"
		if mistake.Field != "" {
			path += "." + mistake.Field
		}
		p.add(path, "%s", mistake.Problem)
	}
}

// mistakesOf returns the mistakes that an adapter found, each with its place.
func mistakesOf(err error) platform.FieldErrors {
	var one *platform.FieldError
	var several platform.FieldErrors
	switch {
	case errors.As(err, &several):
		return several
	case errors.As(err, &one):
		return platform.FieldErrors{one}
	case err != nil:
		return platform.FieldErrors{{Problem: err.Error()}}
	}
	return nil
}

// checkParts returns the mistakes in what an account holds together, also what it held
// before: secrets and credentials are not given again with every change.
func checkParts(a catalog.Account, adapter platform.Adapter) error {
	checker, ok := adapter.(platform.PartsChecker)
	if !ok {
		return nil
	}
	parts := platform.Parts{Settings: a.Settings}
	stays := slices.DeleteFunc(slices.Clone(a.Secrets), func(s catalog.SealedSecret) bool { return !s.ExpiresAt.IsZero() })
	for _, secret := range stays {
		parts.Secrets = append(parts.Secrets, secret.Name)
	}
	for _, credential := range a.Credentials {
		parts.Credentials = append(parts.Credentials, credential.Name)
		same := func(s catalog.SealedSecret) bool {
			return credential.Fingerprint != nil && bytes.Equal(s.Fingerprint, credential.Fingerprint)
		}
		if slices.ContainsFunc(stays, same) {
			parts.Signing = append(parts.Signing, credential.Name)
		}
	}
	var p problems
	for _, mistake := range mistakesOf(checker.CheckParts(parts)) {
		p.add(mistake.Field, "%s", mistake.Problem)
	}
	return invalid(p...)
}

// compacted returns valid JSON without white space.
func compacted(raw json.RawMessage) json.RawMessage {
	value := jsontext.Value(slices.Clone(raw))
	if value.Compact() != nil {
		return raw
	}
	return json.RawMessage(value)
}

// Warnings says what the settings of an account leave open.
func (s *Accounts) Warnings(a catalog.Account) []string {
	if warner, ok := s.Adapters[a.Platform].(platform.Warner); ok {
		return warner.Warnings(a.Settings)
	}
	return nil
}

// AccountCalls is an account, and what came to its address.
type AccountCalls struct {
	catalog.Account
	Calls catalog.Calls
}

// List returns all of a merchant's accounts, by name, with the secrets that are valid now, and what
// came to their addresses.
func (s *Accounts) List(ctx context.Context, merchant string) ([]AccountCalls, error) {
	accounts, err := s.Store.Accounts(ctx, merchant)
	if err != nil {
		return nil, err
	}
	list := make([]AccountCalls, len(accounts))
	reading, ctx := errgroup.WithContext(ctx)
	for i, a := range accounts {
		a.Secrets = validSecrets(a.Secrets, s.Now())
		list[i].Account = a
		reading.Go(func() (err error) {
			list[i].Calls, err = s.Heard.Calls(ctx, merchant, a.Name)
			return err
		})
	}
	return list, reading.Wait()
}

// Get returns an account with the secrets that are valid now, and what was heard of it.
// Its error is ErrNotFound if there is none.
func (s *Accounts) Get(ctx context.Context, merchant, name string) (catalog.Account, Heard, error) {
	var (
		a     catalog.Account
		ok    bool
		heard Heard
	)
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() (err error) {
		a, ok, err = s.Store.Account(ctx, merchant, name)
		return err
	})
	reading.Go(func() (err error) {
		heard.Calls, err = s.Heard.Calls(ctx, merchant, name)
		return err
	})
	reading.Go(func() (err error) {
		heard.Catchup, err = s.Heard.Catchup(ctx, merchant, name)
		return err
	})
	if err := reading.Wait(); err != nil {
		return catalog.Account{}, Heard{}, err
	}
	if !ok {
		return catalog.Account{}, Heard{}, ErrNotFound
	}
	a.Secrets = validSecrets(a.Secrets, s.Now())
	return a, heard, nil
}

// askCatchup has catch-up look at an account at once, whose settings have changed. If the
// message is lost, the next tick finds the account.
func (s *Accounts) askCatchup(ctx context.Context, a catalog.Account) {
	if len(a.Credentials) == 0 || !platform.CaughtUp(s.Adapters[a.Platform]) {
		return
	}
	if err := s.Catchup.Send(ctx, platform.AskCatchup(a.Merchant, a.Name), 0); err != nil {
		slog.WarnContext(ctx, "catchup.not_requested", "merchant", a.Merchant, "account", a.Name, "error", err)
	}
}

// Put creates an account, or changes it, and returns it with its new version. The
// merchant is told of new secrets and changed settings. Made is the text of the secret
// if Keypool made one: it is shown this once. Its error is an *InUseError if another account
// has the shop.
func (s *Accounts) Put(ctx context.Context, change AccountChange, c Condition) (a catalog.Account, made string, created bool, err error) {
	for range putTries {
		a, made, created, err = s.put(ctx, change, c)
		if !errors.Is(err, catalog.ErrRosterChanged) {
			return a, made, created, err
		}
	}
	return a, "", false, fmt.Errorf("%w: %w", retry.ErrChanged, err)
}

// putTries is how often a change is checked anew because another account of the merchant was
// changed meanwhile.
const putTries = 5

func (s *Accounts) put(ctx context.Context, change AccountChange, c Condition) (a catalog.Account, made string, created bool, err error) {
	now := s.Now().UTC().Truncate(time.Millisecond)
	if err := invalid(CheckAccount(change, s.Adapters, now)...); err != nil {
		return a, "", false, err
	}
	before, _, err := s.Store.Account(ctx, change.Merchant, change.Name)
	if err != nil {
		return a, "", false, err
	}
	if err := c.check(before.Version, false); err != nil {
		return a, "", false, err
	}
	if change, err = s.complete(before, change, now); err != nil {
		return a, "", false, err
	}
	roster, err := s.Store.Roster(ctx, change.Merchant)
	if err != nil {
		return a, "", false, err
	}
	next := s.next(before, change, now)
	if made, err = s.setSecrets(ctx, roster, before, &next, change, now); err != nil {
		return a, "", false, err
	}
	if err := s.setCredentials(ctx, before, &next, change, now); err != nil {
		return a, "", false, err
	}
	if err := checkParts(next, s.Adapters[next.Platform]); err != nil {
		return a, "", false, err
	}
	if err := checkAlone(roster, next, s.Adapters[next.Platform], now); err != nil {
		return a, "", false, err
	}
	if sameAccount(before, next) {
		return before, "", false, nil
	}
	e := entry(ctx, change.By, audit.Account, next.Merchant, next.Name, shownIf(before.Version > 0, before), next.Shown(), now)
	if err := s.Store.PutAccountOf(ctx, roster.Version, next, audit.Record{Entry: e, Tell: accountChanged(before, next, change.By, now)}); err != nil {
		return a, "", false, err
	}
	s.askCatchup(ctx, next)
	next.Version++
	next.Secrets = validSecrets(next.Secrets, now)
	return next, made, before.Version == 0, nil
}

// complete returns a change with the platform that it is about, and checks it against the
// account that it changes, aside from other accounts.
func (s *Accounts) complete(before catalog.Account, change AccountChange, now time.Time) (AccountChange, error) {
	if before.Version > 0 && change.Platform != "" && change.Platform != before.Platform {
		return change, invalid(Problem{
			Path: "platform", Message: "an account keeps its platform, which is " + before.Platform + "; give the other platform an account of its own",
		})
	}
	change.Platform = cmp.Or(change.Platform, before.Platform, platform.Standard)
	if change.Settings == nil && before.Version == 0 {
		change.Settings = json.RawMessage("{}") // a platform may need some
	}
	if err := invalid(CheckAccount(change, s.Adapters, now)...); err != nil {
		return change, err
	}
	return change, s.checkShop(before, change)
}

// shop returns the shop that a change's settings name, "" if they name none.
func (s *Accounts) shop(change AccountChange) string {
	if namer, ok := s.Adapters[change.Platform].(platform.ShopNamer); ok && change.Settings != nil {
		return namer.Shop(change.Settings)
	}
	return ""
}

// checkShop refuses to turn an account to another shop: shops number their orders alike,
// and an order of the one would be taken for the other's.
func (s *Accounts) checkShop(before catalog.Account, change AccountChange) error {
	if shop := s.shop(change); before.Version > 0 && shop != "" && shop != before.Origin {
		return invalid(Problem{
			Path: "settings", Message: "an account keeps its shop, which is " + before.Origin + "; give the other shop an account of its own",
		})
	}
	return nil
}

// checkAlone refuses a second active account of a shop for the same side: an order of the shop
// would come by both, and a setting of the one would not hold for the other.
func checkAlone(roster catalog.Roster, next catalog.Account, adapter platform.Adapter, now time.Time) error {
	advice := "change that one, or take its secrets and credentials away first"
	if platform.MarkProblem(adapter) == "" {
		advice += "; test and live orders may have an account each"
	}
	live, test := sides(next, now)
	for _, other := range roster.Accounts {
		if other.Name == next.Name || other.Origin != next.Origin {
			continue
		}
		if otherLive, otherTest := sides(other, now); live && otherLive || test && otherTest {
			return &InUseError{Thing: "shop " + next.Origin, Reasons: []string{
				"the account " + other.Name + " is of it; " + advice,
			}}
		}
	}
	return nil
}

// sides says whether an account takes live orders and test orders, as its secrets are marked.
// One with credentials alone takes those that catch-up finds. One with neither takes none: it
// is not active.
func sides(a catalog.Account, now time.Time) (live, test bool) {
	secrets := validSecrets(a.Secrets, now)
	for _, secret := range secrets {
		live, test = live || !secret.Test, test || secret.Test
	}
	return live || len(secrets) == 0 && len(a.Credentials) > 0, test
}

// next returns the account as the change leaves it, its secrets and credentials aside.
func (s *Accounts) next(before catalog.Account, change AccountChange, now time.Time) catalog.Account {
	next := before
	next.Merchant, next.Name, next.Platform = change.Merchant, change.Name, change.Platform
	next.Secrets, next.Credentials = nil, nil
	if before.Version == 0 {
		next.Origin = cmp.Or(s.shop(change), rand.Text())
		next.DeliversFrom, next.OtherProducts = now, catalog.OthersUnconnected
	}
	if !change.DeliversFrom.IsZero() {
		next.DeliversFrom = change.DeliversFrom.UTC().Truncate(time.Millisecond)
	}
	next.OtherProducts = cmp.Or(change.OtherProducts, next.OtherProducts)
	if change.Settings != nil {
		next.Settings = compacted(change.Settings)
	}
	if string(next.Settings) == "{}" {
		next.Settings = nil
	}
	return next
}

// sameAccount reports whether a change changed nothing.
func sameAccount(before, next catalog.Account) bool {
	return before.Version > 0 && next.DeliversFrom.Equal(before.DeliversFrom) && next.OtherProducts == before.OtherProducts &&
		bytes.Equal(next.Settings, before.Settings) &&
		slices.EqualFunc(next.Secrets, before.Secrets, func(a, b catalog.SealedSecret) bool {
			return a.Name == b.Name && a.Test == b.Test && bytes.Equal(a.Blob, b.Blob) && a.ExpiresAt.Equal(b.ExpiresAt)
		}) &&
		slices.EqualFunc(next.Credentials, before.Credentials, func(a, b catalog.SealedCredential) bool {
			return a.Name == b.Name && bytes.Equal(a.Blob, b.Blob)
		})
}

// setSecrets gives the account its signing secrets after a change. Made is the text of
// one that Keypool made.
func (s *Accounts) setSecrets(ctx context.Context, roster catalog.Roster, before catalog.Account, next *catalog.Account, change AccountChange, now time.Time) (made string, err error) {
	if change.Platform != platform.Standard {
		next.Secrets, err = s.named(ctx, roster, before.Secrets, change, now)
		return "", err
	}
	if change.KeepSecret && len(before.Secrets) > 0 {
		next.Secrets = before.Secrets
		return "", nil
	}
	secret, made, err := parseOrMakeSecret(change.Secret)
	if err != nil {
		return "", err
	}
	sealed, err := s.seal(ctx, roster, change, "secret", secret, change.Secret == "")
	if err != nil {
		return "", err
	}
	next.Secrets = rotate(before.Secrets, sealed, now, change.KeepPrevious)
	return made, nil
}

// named returns the secrets of an account that has several. Those of before go on under
// their names, or end.
func (s *Accounts) named(ctx context.Context, roster catalog.Roster, before []catalog.SealedSecret, change AccountChange, now time.Time) ([]catalog.SealedSecret, error) {
	before = validSecrets(before, now)
	if change.Secrets == nil {
		return before, nil
	}
	var next, replaced []catalog.SealedSecret
	for i, set := range change.Secrets {
		path := fmt.Sprintf("secrets[%d].secret", i)
		var current catalog.SealedSecret
		for _, secret := range before {
			switch {
			case secret.Name != set.Name:
			case secret.ExpiresAt.IsZero():
				current = secret
			default:
				replaced = append(replaced, secret)
			}
		}
		if set.Text == "" && current.Blob == nil {
			return nil, invalid(Problem{Path: path, Message: "is missing: there is no secret of that name yet"})
		}
		if set.Text != "" {
			key, err := parseSecret(s.Adapters[change.Platform], set.Text)
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(current.Fingerprint, fingerprint(change.Merchant, key)) {
				sealed, err := s.seal(ctx, roster, change, path, key, false)
				if err != nil {
					return nil, err
				}
				if end := now.Add(change.KeepPrevious); current.Blob != nil && change.KeepPrevious > 0 {
					current.ExpiresAt = end
					replaced = append(replaced, current)
				}
				current = sealed
				current.Name, current.CreatedAt = set.Name, now
			}
		}
		current.Test = set.Test
		next = append(next, current)
	}
	next = append(next, replaced...)
	if len(next) > maxSecrets {
		return nil, invalid(Problem{Path: "secrets", Message: fmt.Sprintf(
			"with those that are replaced and stay valid for a while these are %d, and the limit is %d; give keep_previous_hours 0, which ends them", len(next), maxSecrets)})
	}
	for i, secret := range next {
		for _, other := range next[:i] {
			if secret.Test != other.Test && bytes.Equal(secret.Fingerprint, other.Fingerprint) {
				return nil, invalid(Problem{Path: "secrets", Message: fmt.Sprintf(
					"%s and %s are the same, and one of them is live: which side an order is of would not be known", other.Name, secret.Name)})
			}
		}
	}
	return next, nil
}

// seal seals a secret that no other account of the merchant has. One that was made here
// is nobody else's.
func (s *Accounts) seal(ctx context.Context, roster catalog.Roster, change AccountChange, path string, secret []byte, made bool) (catalog.SealedSecret, error) {
	sealed := catalog.SealedSecret{Fingerprint: fingerprint(change.Merchant, secret)}
	if !made {
		if holder := s.holder(roster, change.Name, sealed.Fingerprint); holder != "" {
			return sealed, invalid(Problem{
				Path: path, Message: "the account " + holder + " has it: each account needs a secret of its own, or a webhook of one could be sent to the other",
			})
		}
	}
	var err error
	sealed.Blob, err = s.Sealer.Seal(ctx, change.Merchant, change.Name, secret)
	return sealed, err
}

// setCredentials gives the account the credentials of its platform's API after a change.
func (s *Accounts) setCredentials(ctx context.Context, before catalog.Account, next *catalog.Account, change AccountChange, now time.Time) error {
	if change.Credentials == nil {
		next.Credentials = before.Credentials
		return nil
	}
	for i, set := range change.Credentials {
		at := slices.IndexFunc(before.Credentials, func(c catalog.SealedCredential) bool { return c.Name == set.Name })
		switch {
		case set.Text == "" && at < 0:
			return invalid(Problem{Path: fmt.Sprintf("credentials[%d].credential", i), Message: "is missing: there is no credential of that name yet"})
		case set.Text == "":
			next.Credentials = append(next.Credentials, before.Credentials[at])
			continue
		}
		blob, err := s.Sealer.SealCredential(ctx, change.Merchant, change.Name, set.Name, []byte(set.Text))
		if err != nil {
			return err
		}
		sealed := catalog.SealedCredential{Name: set.Name, Blob: blob, CreatedAt: now}
		if key, err := parseSecret(s.Adapters[change.Platform], set.Text); err == nil {
			sealed.Fingerprint = fingerprint(change.Merchant, key)
		}
		next.Credentials = append(next.Credentials, sealed)
	}
	return nil
}

// holder returns the name of another account of the merchant that holds the secret
// with that fingerprint, "" if none does.
func (s *Accounts) holder(roster catalog.Roster, name string, fingerprint []byte) string {
	for _, other := range roster.Accounts {
		for _, secret := range validSecrets(other.Secrets, s.Now()) {
			if other.Name != name && bytes.Equal(secret.Fingerprint, fingerprint) {
				return other.Name
			}
		}
	}
	return ""
}

// fingerprint tells whether two secrets of a merchant are the same. It gives away none
// that is long and random: an adapter's ParseSecret refuses short ones.
func fingerprint(merchant string, secret []byte) []byte {
	hash := hmac.New(sha256.New, secret)
	hash.Write([]byte("fingerprint of a secret of " + merchant))
	return hash.Sum(nil)
}

// parseOrMakeSecret returns the secret of a text, or a new one and its text.
func parseOrMakeSecret(text string) (secret []byte, made string, err error) {
	if text != "" {
		secret, err = platform.ParseSecret(text)
		return secret, "", err
	}
	secret = make([]byte, 32)
	rand.Read(secret)
	return secret, platform.FormatSecret(secret), nil
}

// rotate returns the secrets after a new one was set: the new one, and those of
// before that are still valid, for no longer than keep.
func rotate(secrets []catalog.SealedSecret, sealed catalog.SealedSecret, now time.Time, keep time.Duration) []catalog.SealedSecret {
	sealed.CreatedAt = now
	next := []catalog.SealedSecret{sealed}
	for _, secret := range validSecrets(secrets, now) {
		if end := now.Add(keep); secret.ExpiresAt.IsZero() || end.Before(secret.ExpiresAt) {
			secret.ExpiresAt = end
		}
		if keep > 0 && len(next) < maxRotated {
			next = append(next, secret)
		}
	}
	return next
}

func validSecrets(secrets []catalog.SealedSecret, now time.Time) []catalog.SealedSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s catalog.SealedSecret) bool {
		return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
	})
}
