package settings_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/settings"
)

// paper is a platform that makes its secrets, has an API, and settings.
type paper struct{ plain }

// plain is a platform without an API and settings.
type plain struct{}

func (plain) HasSignature(http.Header) bool { return false }

func (plain) Verify(platform.Request, platform.Account, time.Time) (platform.Signed, error) {
	return platform.Signed{}, platform.ErrSignature
}

func (plain) Decode(context.Context, platform.Request, platform.Account) ([]platform.Event, error) {
	return nil, nil
}

func (plain) Answer([]platform.Result) platform.Response { return platform.Response{Status: 200} }

func (paper) ParseSecret(text string) ([]byte, error) {
	if key, ok := strings.CutPrefix(text, "paper_"); ok {
		return []byte(key), nil
	}
	return nil, errors.New("is not a secret of the platform: copy the one that begins with paper_")
}

// Changed implements platform.Lister.
func (paper) Changed(context.Context, platform.Account, time.Time) iter.Seq2[platform.Purchase, error] {
	return func(func(platform.Purchase, error) bool) {}
}

func (paper) CheckCredential(name, text string) error {
	if name != "api_key" || !strings.HasPrefix(text, "key_") {
		return errors.New("is not an api_key, which begins with key_")
	}
	return nil
}

func (paper) CheckSettings(raw json.RawMessage) error {
	var s struct {
		Shop  string
		Count int
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return &platform.FieldError{Problem: "has a member of another type"}
	}
	var wrong platform.FieldErrors
	if s.Shop == "" {
		wrong = append(wrong, &platform.FieldError{Field: "shop", Problem: "is missing"})
	}
	if s.Count < 0 {
		wrong = append(wrong, &platform.FieldError{Field: "count", Problem: "is less than 0"})
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// desk is the use case on the in-process engine.
type desk struct {
	*testing.T
	*settings.Accounts
	now   time.Time
	saved *saved
	asked []any // messages to catch-up
}

// Send implements settings.Queue.
func (d *desk) Send(_ context.Context, message any, _ time.Duration) error {
	d.asked = append(d.asked, message)
	return nil
}

// saved is what the store was given.
type saved struct {
	settings.AccountStore
	told []notice.Notice
	puts int
}

func (s *saved) PutAccountOf(ctx context.Context, roster int, a catalog.Account, with ...audit.Record) error {
	s.puts++
	for _, record := range with {
		s.told = append(s.told, record.Tell...)
	}
	return s.AccountStore.PutAccountOf(ctx, roster, a, with...)
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	store, _ := dynamotest.Open(t)
	d := &desk{T: t, now: noon, saved: &saved{AccountStore: store}}
	d.Accounts = &settings.Accounts{
		Store: d.saved, Sealer: &seals{}, Heard: store, Catchup: d, Now: func() time.Time { return d.now },
		Adapters: map[string]platform.Adapter{platform.Standard: standard.Adapter{}, "paper": paper{}, "plain": plain{}},
	}
	return d
}

// seals counts what it seals, so that no blob is another's.
type seals struct{ n int }

func (s *seals) Seal(_ context.Context, _, _ string, secret []byte) ([]byte, error) {
	s.n++
	return fmt.Appendf(nil, "%d secret %s", s.n, secret), nil
}

func (s *seals) SealCredential(_ context.Context, _, _, name string, credential []byte) ([]byte, error) {
	s.n++
	return fmt.Appendf(nil, "%d %s %s", s.n, name, credential), nil
}

// put changes an account of acme that exists, or makes it.
func (d *desk) put(change settings.AccountChange) (catalog.Account, error) {
	d.Helper()
	change.Merchant, change.Name, change.By = "acme", cmp.Or(change.Name, "shop"), access.Operator()
	_, _, err := d.Get(d.Context(), "acme", change.Name)
	condition := settings.Condition{}
	if err == nil {
		condition.Version = func(int) bool { return true }
	}
	a, _, _, err := d.Put(d.Context(), change, condition)
	return a, err
}

func (d *desk) mustPut(change settings.AccountChange) catalog.Account {
	d.Helper()
	a, err := d.put(change)
	if err != nil {
		d.Fatal(err)
	}
	return a
}

// places returns where the mistakes of a change are.
func (d *desk) places(change settings.AccountChange) []string {
	d.Helper()
	_, err := d.put(change)
	var wrong *settings.InvalidError
	if !errors.As(err, &wrong) {
		d.Fatalf("%+v is taken: %v", change, err)
	}
	var all []string
	for _, p := range wrong.Problems {
		all = append(all, p.Path)
	}
	return all
}

func named(a catalog.Account) []string {
	var all []string
	for _, s := range a.Secrets {
		line := s.Name
		if s.Test {
			line += " test"
		}
		if !s.ExpiresAt.IsZero() {
			line += " until " + s.ExpiresAt.Format("15:04")
		}
		all = append(all, line)
	}
	return all
}

var forShop = json.RawMessage(`{"Shop": "acme.example"}`)

func secretsOf(texts ...string) []settings.SecretChange {
	var all []settings.SecretChange
	for i := 0; i < len(texts); i += 2 {
		all = append(all, settings.SecretChange{Name: texts[i], Text: texts[i+1]})
	}
	return all
}

// An account of a platform has several secrets by name, each live or test. They go on,
// are replaced and end by their names.
func TestAccounts_namedSecrets(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	is := func(a catalog.Account, want ...string) {
		t.Helper()
		if diff := gocmp.Diff(want, named(a)); diff != "" {
			t.Errorf("secrets (-want +got):\n%s", diff)
		}
	}
	made := d.mustPut(settings.AccountChange{Platform: "paper", Settings: forShop})
	is(made)
	live := settings.SecretChange{Name: "paid", Text: "paper_one"}
	test := settings.SecretChange{Name: "paid-test", Text: "paper_two", Test: true}
	first := d.mustPut(settings.AccountChange{Secrets: []settings.SecretChange{live, test}, KeepPrevious: time.Hour})
	is(first, "paid", "paid-test test")

	// The same again changes nothing, nor does what a GET showed.
	before := d.saved.puts
	is(d.mustPut(settings.AccountChange{Secrets: []settings.SecretChange{live, test}}), "paid", "paid-test test")
	is(d.mustPut(settings.AccountChange{Secrets: []settings.SecretChange{{Name: "paid"}, {Name: "paid-test", Test: true}}}), "paid", "paid-test test")
	is(d.mustPut(settings.AccountChange{}), "paid", "paid-test test")
	if d.saved.puts != before {
		t.Errorf("%d changes of nothing were stored", d.saved.puts-before)
	}

	// One that is replaced stays good for a while, the other as it is.
	changed := d.mustPut(settings.AccountChange{
		Secrets:      append(secretsOf("paid", "paper_three"), settings.SecretChange{Name: "paid-test", Test: true}),
		KeepPrevious: time.Hour,
	})
	is(changed, "paid", "paid-test test", "paid until 13:00")
	if string(changed.Secrets[1].Blob) != string(first.Secrets[1].Blob) || string(changed.Secrets[2].Blob) != string(first.Secrets[0].Blob) {
		t.Error("a secret that stays was sealed again")
	}
	d.now = noon.Add(2 * time.Hour)
	is(d.mustPut(settings.AccountChange{OtherProducts: catalog.OthersIgnored}), "paid", "paid-test test")

	// A name that is not listed is taken away, and so are all.
	is(d.mustPut(settings.AccountChange{Secrets: []settings.SecretChange{{Name: "paid"}}}), "paid")
	is(d.mustPut(settings.AccountChange{Secrets: secretsOf("paid", "paper_four")}), "paid")
	is(d.mustPut(settings.AccountChange{Secrets: []settings.SecretChange{}}))

	ten := []settings.SecretChange{}
	for i := range 10 {
		ten = append(ten, settings.SecretChange{Name: fmt.Sprint("s", i), Text: fmt.Sprint("paper_number_", i)})
	}
	d.mustPut(settings.AccountChange{Secrets: ten})
	for name, c := range map[string]struct {
		change settings.AccountChange
		want   []string
	}{
		"eleven":               {settings.AccountChange{Secrets: append(slices.Clone(ten), settings.SecretChange{Name: "s10", Text: "paper_x"})}, []string{"secrets"}},
		"ten and one before":   {settings.AccountChange{Secrets: append(slices.Clone(ten[:9]), settings.SecretChange{Name: "s9", Text: "paper_x"}), KeepPrevious: time.Hour}, []string{"secrets"}},
		"another form":         {settings.AccountChange{Platform: "paper", Secrets: secretsOf("a", "whsec_xyz")}, []string{"secrets[0].secret"}},
		"empty":                {settings.AccountChange{Secrets: secretsOf("a", "paper_")}, []string{"secrets[0].secret"}},
		"a name twice":         {settings.AccountChange{Secrets: secretsOf("a", "paper_a", "a", "paper_b")}, []string{"secrets[1].name"}},
		"no name":              {settings.AccountChange{Secrets: secretsOf("", "paper_a")}, []string{"secrets[0].name"}},
		"a name with a blank":  {settings.AccountChange{Secrets: secretsOf("a b", "paper_a")}, []string{"secrets[0].name"}},
		"nothing to keep":      {settings.AccountChange{Secrets: secretsOf("new", "")}, []string{"secrets[0].secret"}},
		"live and test":        {settings.AccountChange{Secrets: append(secretsOf("a", "paper_a"), settings.SecretChange{Name: "b", Text: "paper_a", Test: true})}, []string{"secrets"}},
		"as in our own scheme": {settings.AccountChange{Secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, []string{"secret"}},
	} {
		if diff := gocmp.Diff(c.want, d.places(c.change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// A secret is one account's.
	if got := d.places(settings.AccountChange{Name: "other", Platform: "paper", Settings: forShop, Secrets: secretsOf("a", "paper_number_3")}); !slices.Equal(got, []string{"secrets[0].secret"}) {
		t.Error(got)
	}
}

// Credentials are checked by the adapter, sealed by their names, and only for platforms
// whose API is called.
func TestAccounts_credentials(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	key := func(text string) []settings.CredentialChange {
		return []settings.CredentialChange{{Name: "api_key", Text: text}}
	}
	made := d.mustPut(settings.AccountChange{Platform: "paper", Settings: forShop, Credentials: key("key_1")})
	if diff := gocmp.Diff([]any{platform.AskCatchup("acme", "shop")}, d.asked); diff != "" {
		t.Errorf("asked of catch-up, so that the shop is connected at once (-want +got):\n%s", diff)
	}
	if len(made.Credentials) != 1 || made.Credentials[0].Name != "api_key" || !strings.HasSuffix(string(made.Credentials[0].Blob), " api_key key_1") {
		t.Errorf("%+v", made.Credentials)
	}
	for name, change := range map[string]settings.AccountChange{"left out": {}, "without its text": {Credentials: key("")}} {
		if got := d.mustPut(change); !gocmp.Equal(got.Credentials, made.Credentials) {
			t.Errorf("%s: %+v", name, got.Credentials)
		}
	}
	if got := d.mustPut(settings.AccountChange{Credentials: key("key_2")}); string(got.Credentials[0].Blob) == string(made.Credentials[0].Blob) {
		t.Error("it was not replaced")
	}
	if got := d.mustPut(settings.AccountChange{Credentials: []settings.CredentialChange{}}); len(got.Credentials) != 0 {
		t.Errorf("%+v", got.Credentials)
	}
	if len(d.asked) != 2 {
		t.Errorf("catch-up was asked %d times: by the two changes of an account with credentials", len(d.asked))
	}
	for name, c := range map[string]struct {
		change settings.AccountChange
		want   []string
	}{
		"another form":    {settings.AccountChange{Credentials: key("sk_1")}, []string{"credentials[0]"}},
		"nothing to keep": {settings.AccountChange{Credentials: key("")}, []string{"credentials[0].credential"}},
		"twice":           {settings.AccountChange{Credentials: append(key("key_1"), key("key_2")...)}, []string{"credentials[1].name"}},
		"no API":          {settings.AccountChange{Name: "other", Platform: "plain", Credentials: key("key_1")}, []string{"credentials"}},
		"our own scheme":  {settings.AccountChange{Name: "other", Credentials: key("key_1")}, []string{"credentials"}},
	} {
		if diff := gocmp.Diff(c.want, d.places(c.change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// An account delivers from when it was made, tells the merchant of unknown products, and
// keeps what a change leaves out. Settings are checked by the adapter.
func TestAccounts_settings(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	made := d.mustPut(settings.AccountChange{Platform: "paper", Settings: forShop})
	if !made.DeliversFrom.Equal(noon) || made.OtherProducts != catalog.OthersUnconnected || string(made.Settings) != `{"Shop":"acme.example"}` {
		t.Errorf("made %+v", made)
	}
	d.now = noon.Add(time.Hour)
	from := noon.AddDate(-1, 0, 0)
	d.mustPut(settings.AccountChange{DeliversFrom: from, OtherProducts: catalog.OthersIgnored})
	d.mustPut(settings.AccountChange{Settings: json.RawMessage(`{"Shop":"acme.example", "Count":2}`)})
	got, _, err := d.Get(t.Context(), "acme", "shop")
	if err != nil || !got.DeliversFrom.Equal(from) || got.OtherProducts != catalog.OthersIgnored || string(got.Settings) != `{"Shop":"acme.example","Count":2}` ||
		got.Origin != made.Origin || got.Version != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		change settings.AccountChange
		want   []string
	}{
		"none where some are needed": {settings.AccountChange{Name: "other", Platform: "paper"}, []string{"settings.shop"}},
		"two mistakes":               {settings.AccountChange{Settings: json.RawMessage(`{"Count":-1}`)}, []string{"settings.shop", "settings.count"}},
		"one mistake":                {settings.AccountChange{Settings: json.RawMessage(`{"Count":"many"}`)}, []string{"settings"}},
		"a list":                     {settings.AccountChange{Settings: json.RawMessage(`[]`)}, []string{"settings"}},
		"a member twice":             {settings.AccountChange{Settings: json.RawMessage(`{"Shop":"a","Shop":"b"}`)}, []string{"settings"}},
		"too large":                  {settings.AccountChange{Settings: json.RawMessage(`{"Shop":"` + strings.Repeat("a", 33<<10) + `"}`)}, []string{"settings"}},
		"a platform without any":     {settings.AccountChange{Name: "other", Platform: "plain", Settings: forShop}, []string{"settings"}},
		"before all shops":           {settings.AccountChange{DeliversFrom: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)}, []string{"delivers_from"}},
		"in ten years":               {settings.AccountChange{DeliversFrom: noon.AddDate(10, 0, 0)}, []string{"delivers_from"}},
		"other products":             {settings.AccountChange{OtherProducts: "sell"}, []string{"other_products"}},
		"a platform of its own":      {settings.AccountChange{Platform: "plain"}, []string{"platform"}},
		"no platform of ours":        {settings.AccountChange{Name: "other", Platform: "nosuch"}, []string{"platform"}},
	} {
		if diff := gocmp.Diff(c.want, d.places(c.change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d.mustPut(settings.AccountChange{Name: "other", Platform: "plain", Settings: json.RawMessage(`{ }`)})
}

// Keypool's own scheme keeps its secret where only its settings change.
func TestAccounts_ownSchemeKeepsItsSecret(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	made := d.mustPut(settings.AccountChange{KeepSecret: true}) // there is none to keep
	if len(made.Secrets) != 1 {
		t.Fatalf("%+v", made)
	}
	got := d.mustPut(settings.AccountChange{KeepSecret: true, OtherProducts: catalog.OthersIgnored})
	if got.OtherProducts != catalog.OthersIgnored || !gocmp.Equal(got.Secrets, made.Secrets) {
		t.Errorf("%+v, made with %+v", got, made)
	}
	rotated := d.mustPut(settings.AccountChange{KeepPrevious: time.Hour})
	if len(rotated.Secrets) != 2 || rotated.OtherProducts != catalog.OthersIgnored {
		t.Errorf("%+v", rotated)
	}
	const own = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	if diff := gocmp.Diff([]string{"secret"}, d.places(settings.AccountChange{KeepSecret: true, Secret: own})); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"secrets"}, d.places(settings.AccountChange{Secrets: secretsOf("a", own)})); diff != "" {
		t.Error(diff)
	}
}

// What decides who gets keys is told to the merchant when it changes, and never what the
// secrets are.
func TestAccounts_changesAreTold(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, c := range []struct {
		name   string
		change settings.AccountChange
		want   map[notice.Kind][]string
	}{
		{
			"made",
			settings.AccountChange{Platform: "paper", Settings: forShop, Secrets: secretsOf("live", "paper_one")},
			map[notice.Kind][]string{notice.NewSecret: {"live"}},
		},
		{"nothing", settings.AccountChange{}, nil},
		{
			"a test secret",
			settings.AccountChange{Secrets: append(secretsOf("live", ""), settings.SecretChange{Name: "test", Text: "paper_two", Test: true})},
			map[notice.Kind][]string{notice.NewSecret: {"test"}},
		},
		{
			"a test secret made live",
			settings.AccountChange{Secrets: secretsOf("live", "", "test", "")},
			map[notice.Kind][]string{notice.NewSecret: {"test"}},
		},
		{"a secret taken away", settings.AccountChange{Secrets: secretsOf("live", "")}, map[notice.Kind][]string{notice.NewSecret: nil}},
		{
			"settings",
			settings.AccountChange{DeliversFrom: noon.AddDate(-3, 0, 0), OtherProducts: catalog.OthersIgnored, Settings: json.RawMessage(`{"Shop":"b"}`)},
			map[notice.Kind][]string{notice.ChangedAccount: {"delivers_from", "other_products", "settings"}},
		},
		{
			"a credential",
			settings.AccountChange{Credentials: []settings.CredentialChange{{Name: "api_key", Text: "key_1"}}},
			map[notice.Kind][]string{notice.ChangedAccount: {"credential api_key"}},
		},
		{
			"a credential taken away",
			settings.AccountChange{Credentials: []settings.CredentialChange{}},
			map[notice.Kind][]string{notice.ChangedAccount: {"credential api_key"}},
		},
	} {
		d.saved.told = nil
		d.mustPut(c.change)
		got := map[notice.Kind][]string{}
		for _, n := range d.saved.told {
			got[n.Kind] = n.Facts.Changed[0].Parts
			if raw := fmt.Sprint(n); strings.Contains(raw, "paper_") || strings.Contains(raw, "key_1") {
				t.Errorf("%s: a secret is told: %s", c.name, raw)
			}
		}
		if c.want == nil {
			c.want = map[notice.Kind][]string{}
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
