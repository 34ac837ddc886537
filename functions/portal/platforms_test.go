package main

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
)

// Each platform that an account can be of is offered, has steps, and every setting that its
// adapter has a field for.
func TestPlatforms_allAreOffered(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	p := b.get("/portal/platforms").has("No platform reports paid orders yet")
	if len(guides) != len(all.Adapters) {
		t.Errorf("%d platforms are offered of %d", len(guides), len(all.Adapters))
	}
	for _, name := range slices.Sorted(maps.Keys(all.Adapters)) {
		g, ok := guideOf(name)
		if !ok {
			t.Errorf("%s is not offered", name)
			continue
		}
		p.has(g.Title)
		form := b.get("/portal/platforms/_add/"+name).has("Connect "+g.Title, "Name of the account").with("name", "my-"+name)
		if form.Has("settings.shop") {
			form.Set("settings.shop", map[string]string{"shopify": "acme.myshopify.com", "woocommerce": "https://acme.example"}[name])
		}
		b.post("/portal/platforms/_add/"+name, form).has("https://keypool.example/webhooks/acme/my-" + name)
		steps := b.get("/portal/platforms/my-" + name + "/connect").has("https://keypool.example/webhooks/acme/my-" + name)
		if strings.Contains(steps.body, `type="password"`) { // Chromium takes several for a change of one
			t.Errorf("a secret of %s is asked for as a person's password", name)
		}
		for _, s := range g.Slots {
			if !strings.Contains(steps.body, `id="field-`+s.Field()+`"`) {
				t.Errorf("the steps of %s have no place for %s", name, s.Field())
			}
		}
		page := b.get("/portal/platforms/my-"+name).has("What came", "Nothing came yet")
		fields, simple := settingsFields(name)
		for _, f := range fields {
			if !strings.Contains(page.body, `id="field-`+f.Name+`"`) {
				t.Errorf("the account of %s has no field for %s", name, f.Name)
			}
		}
		if !simple && !strings.Contains(page.body, `id="field-settings"`) {
			t.Errorf("the settings of %s stand nowhere", name)
		}
	}
}

func TestPlatforms_stripeFromPickToHeard(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.post("/portal/platforms/_add/stripe", b.get("/portal/platforms/_add/stripe").form()).has("Create an event destination", "checkout.session.completed", "https://keypool.example/webhooks/acme/stripe")
	b.get("/portal/platforms").has("stripe", "Not connected yet")
	b.get("/portal/platforms/stripe").has("It is not connected yet")
	steps := b.get("/portal/platforms/stripe/connect")
	wrong := b.post("/portal/platforms/stripe/connect", steps.with("secret.live", "whsec_live0123456789abcdef", "credential.live_key", "sk_live_0123456789abcdef")).has("is a secret key, which may do anything")
	if !strings.Contains(wrong.body, `href="#field-credential.live_key"`) {
		t.Error("the mistake stands at no field")
	}
	wrong.hasNot("sk_live_0123456789abcdef", "whsec_live0123456789abcdef")
	steps = b.get("/portal/platforms/stripe/connect")
	b.post("/portal/platforms/stripe/connect", steps.with("secret.live", "whsec_live0123456789abcdef", "secret.sandbox", "whsec_test0123456789abcdef", "credential.live_key", "rk_live_0123456789abcdef")).
		has("Saved. Go on with the step below")
	b.get("/portal/platforms/stripe").has("Nothing was heard from it yet", "live", "sandbox", "test", "live_key").hasNot("whsec_live", "rk_live_0123456789abcdef")
	a, _, err := w.store.Account(t.Context(), "acme", "stripe")
	if err != nil || len(a.Secrets) != 2 || !a.Secrets[1].Test || a.Secrets[0].Test || len(a.Credentials) != 1 {
		t.Fatalf("stored is %+v, %v", a, err)
	}
	// One that is replaced stays good for a day; what is left empty stays.
	b.post("/portal/platforms/stripe/connect", b.get("/portal/platforms/stripe/connect").has("It begins with rk_test_.").with("secret.live", "whsec_next0123456789abcdef")).has("Saved.")
	b.get("/portal/platforms/stripe").has("replaced, and good until 24 Nov 2026, 12:00")
	if a, _, _ = w.store.Account(t.Context(), "acme", "stripe"); len(a.Secrets) != 3 || len(a.Credentials) != 1 {
		t.Errorf("stored is %+v", a)
	}
	w.heard("stripe", noon.Add(-2*time.Minute))
	b.get("/portal/platforms/stripe").has("Heard from 2 minutes ago").hasNot("Make a test purchase") // it would not come from Stripe
	b.get("/portal/platforms").has("Heard from 2 minutes ago")
	b.post("/portal/platforms/stripe/remove", b.get("/portal/platforms/stripe/remove?kind=secret&name=sandbox").has("Take the secret sandbox away?", "are refused from then on").form()).has("It is taken away")
	b.post("/portal/platforms/stripe/remove", b.get("/portal/platforms/stripe/remove?kind=credential&name=live_key").form()).has("It is taken away").hasNot("live_key")
	if p := b.get("/portal/platforms/stripe/remove?kind=secret&name=gone"); p.status != 404 {
		t.Errorf("what is not there can be taken away: %d", p.status)
	}
}

// walk counts what somebody does who follows the portal's pages: addresses that are opened, forms
// that are sent, and fields that are typed or pasted into.
type walk struct {
	*browser
	page
	opened, sent, typed int
}

// press follows the link of those words.
func (w *walk) press(words string) {
	w.Helper()
	found := regexp.MustCompile(`<a[^>]* href="([^"]*)"[^>]*>` + regexp.QuoteMeta(words)).FindStringSubmatch(w.body)
	if found == nil {
		w.Fatalf("%s has no link %q:\n%s", w.at, words, w.words())
	}
	w.opened++
	w.page = w.get(unescape(found[1]))
}

// fill sends the form of the page, with what is typed into its fields.
func (w *walk) fill(typed ...string) {
	w.Helper()
	w.sent++
	w.opened++
	w.typed += len(typed) / 2
	for i := 0; i < len(typed); i += 2 {
		if !strings.Contains(w.body, `name="`+typed[i]+`"`) {
			w.Fatalf("%s has no field %s", w.at, typed[i])
		}
	}
	to := regexp.MustCompile(`<form method="post" action="(/portal/platforms/[^"]*)"`).FindStringSubmatch(w.body)
	if to == nil {
		to = []string{"", w.at} // the form has no address of its own
	}
	w.page = w.post(to[1], w.with(typed...))
}

// A shop with a Stripe or WooCommerce account connects it by following the pages from Home on,
// each of which leads to the next: five pages, two forms, and nothing to type that is not pasted,
// but for the shop's address.
func TestPlatforms_connectedInFiveMinutes(t *testing.T) {
	t.Parallel()
	for platform, c := range map[string]struct {
		begin, steps []string // what is typed
		there        []string // what the steps name that is pressed or chosen there
		typed        int
	}{
		"stripe": {
			nil,
			[]string{"secret.live", "whsec_live0123456789abcdef", "credential.live_key", "rk_live_0123456789abcdef"},
			[]string{"Workbench , Webhooks , Create an event destination", "Webhook endpoint", "Snapshot", "signing secret", "Create restricted key", "Checkout Sessions, Products, Prices, Invoices, Charges and Refunds, Events, Webhook Endpoints", "4242 4242 4242 4242"},
			2,
		},
		"woocommerce": {
			[]string{"settings.shop", "https://acme.example"},
			[]string{"credential.consumer_key", "ck_0123456789012345678901234567890123456789", "credential.consumer_secret", "cs_0123456789012345678901234567890123456789"},
			[]string{"WooCommerce , Settings , Advanced , Webhooks , Add webhook", "Order updated", "WP REST API Integration v3", "Save webhook", "Order created", "REST API , Add key", "Generate API key"},
			3,
		},
	} {
		w := open(t)
		b := w.signIn("ada@acme.example")
		walked := &walk{browser: b, page: b.get("/portal"), opened: 1}
		walked.press("Connect one")
		walked.press("Connect<span class=\"only-read\"> " + map[string]string{"stripe": "Stripe", "woocommerce": "WooCommerce"}[platform])
		walked.fill(c.begin...)
		walked.has("https://keypool.example/webhooks/acme/" + platform).has(c.there...)
		if n := strings.Count(walked.body, "\n<li><p>"); n < 5 || n > 9 {
			t.Errorf("%s takes %d steps", platform, n)
		}
		walked.fill(c.steps...)
		walked.has("Saved. Go on with the step below", "Other ids")
		w.heard(platform, noon)
		b.get("/portal/platforms/"+platform).has("Heard from", "What came")
		t.Logf("%s: %d pages opened, %d forms sent, %d fields typed or pasted", platform, walked.opened, walked.sent, walked.typed)
		if walked.opened != 5 || walked.sent != 2 || walked.typed != c.typed {
			t.Errorf("%s: %d pages opened, %d forms sent, %d fields typed or pasted; want 5, 2, %d", platform, walked.opened, walked.sent, walked.typed, c.typed)
		}
		b.get("/portal").hasNot("Connect one")
	}
}

// heard writes that an account signed a webhook then, and that others were not signed.
func (w *world) heard(account string, at time.Time, failed ...time.Time) {
	w.Helper()
	calls := catalog.Calls{LastSeenAt: at, Failed: len(failed), Last: []catalog.Call{{At: at, Event: "paid", Order: "cs_1", Became: "accepted", State: order.Fulfilled}}}
	for _, at := range failed {
		calls.LastFailedAt = at
		calls.FailedHours = catalog.AddFailedHours(calls.FailedHours, []catalog.FailedHour{{From: at.Truncate(time.Hour), Webhooks: 1}})
		calls.Last = append(calls.Last, catalog.Call{At: at, Became: catalog.NotSigned})
	}
	if err := w.store.AddCalls(w.Context(), "acme", account, calls); err != nil {
		w.Fatal(err)
	}
}

var shownSecret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{44}`)

// secret returns the secret that a page shows, "" if it shows none. A page writes a plus as &#43;.
func (p page) secret() string { return shownSecret.FindString(unescape(p.body)) }

// A secret of Keypool's own scheme is shown once, when it is made, and the former one is good for
// a day.
func TestPlatforms_ownSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/platforms/_add/standard").form()
	first := b.post("/portal/platforms/_add/standard", form).has("This is the only time that it is shown", "I have copied both")
	secret := first.secret()
	if secret == "" || first.headers["Cache-Control"] != "no-store" {
		t.Fatalf("no secret is shown, or it is kept: %v", first.headers)
	}
	b.post("/portal/platforms/_add/standard", form).has("what it showed is shown once").hasNot("whsec_")
	for _, path := range []string{"/portal/platforms/my-shop", "/portal/platforms/my-shop/connect", "/portal/platforms"} {
		b.get(path).hasNot("whsec_")
	}
	again := b.get("/portal/platforms/my-shop/secret").has("stays good for a day").form()
	next := b.post("/portal/platforms/my-shop/secret", again).has("The former one stays good until 24 Nov 2026, 12:00")
	if other := next.secret(); other == "" || other == secret {
		t.Errorf("the next secret is %q", other)
	}
	b.post("/portal/platforms/my-shop/secret", again).hasNot("whsec_")
	b.get("/portal/platforms/my-shop").has("replaced, and good until")
	// Other settings leave it as it is.
	b.post("/portal/platforms/my-shop", b.get("/portal/platforms/my-shop").with("other_products", "ignore", "delivers_from", "2026-11-01T08:00")).has("Saved. Webhooks")
	a, _, _ := w.store.Account(t.Context(), "acme", "my-shop")
	if len(a.Secrets) != 2 || a.OtherProducts != catalog.OthersIgnored || !a.DeliversFrom.Equal(time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("stored is %+v", a)
	}
	for _, ticked := range []string{"yes", ""} {
		want := ""
		if ticked != "" {
			want = `{"order_page_in_answer":true}`
		}
		page := b.get("/portal/platforms/my-shop").has("Order page in answer", "Whoever has the link can see the keys")
		b.post("/portal/platforms/my-shop", page.with("settings.order_page_in_answer", ticked)).has("Saved. Webhooks")
		if a, _, _ = w.store.Account(t.Context(), "acme", "my-shop"); string(a.Settings) != want || len(a.Secrets) != 2 {
			t.Errorf("stored is %+v", a)
		}
	}
}

// What gives power asks for a sign-in of the last 15 minutes, and is for owners.
func TestPlatforms_secretsAreForOwnersWhoSignedInLately(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.person("acme", "mary", "Mary", "mary@acme.example", access.Manager)
	b := w.signIn("ada@acme.example")
	b.post("/portal/platforms/_add/standard", b.get("/portal/platforms/_add/standard").form())
	mary := w.signIn("mary@acme.example")
	mary.get("/portal/platforms/my-shop").has("Signing secret").hasNot("/secret\"", "/connect\"")
	w.later(16 * time.Minute)
	for _, s := range w.portal.platformScreens() {
		if s.does == "get-account" {
			continue
		}
		if !s.fresh {
			t.Errorf("%s asks for no fresh sign-in", s.pattern)
		}
		method, path, _ := strings.Cut(s.pattern, " ")
		path = strings.NewReplacer("{account}", "my-shop", "{platform}", "standard").Replace(path)
		var form url.Values
		if method == "POST" {
			form = url.Values{"version": {"1"}, "name": {"other"}}
		}
		if p := mary.send(method, path, form); p.status != 403 {
			t.Errorf("a manager: %s %s is %d", method, path, p.status)
		}
		if p := b.send(method, path, form); !strings.HasPrefix(p.headers["Location"], againPath) {
			t.Errorf("an owner of 16 minutes: %s %s is %d, %s", method, path, p.status, p.headers["Location"])
		}
	}
	if a, _, _ := w.store.Account(t.Context(), "acme", "my-shop"); a.Version != 1 {
		t.Errorf("something was changed: version %d", a.Version)
	}
}

func TestPlatforms_whatCame(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.account("my-shop")
	b := w.signIn("ada@acme.example")
	w.heard("my-shop", noon.Add(-3*time.Hour), noon.Add(-62*time.Minute), noon.Add(-61*time.Minute), noon.Add(-2*time.Minute))
	b.get("/portal/platforms/my-shop").has("The last webhook was signed by another secret than those here , 2 minutes ago", "cs_1", "taken", "wrong signature",
		"3 webhooks were signed by none of the secrets", "2 webhooks in the hour from today, 10:00", "1 webhook in the hour from today, 11:00")
	b.get("/portal/platforms").has("The secret there is not this one")
	for account, number := range map[string]string{"my-shop": "A-1", "other-shop": "B-1"} {
		r := order.Refusal{Merchant: "acme", Account: account, Order: number, Field: "data.lines[0].quantity", Problem: "is less than 1", At: noon}
		if err := w.store.KeepRefusal(t.Context(), r, notice.Gather("acme", notice.OrderRefused, notice.Facts{Count: 1, Refused: []notice.Refused{{Order: number, Account: account}}}, noon)); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/portal/platforms/my-shop").has("A-1 :", "data.lines[0].quantity", "is less than 1").hasNot("B-1")
}

// account plants an account of Keypool's own scheme.
func (w *world) account(name string) {
	w.Helper()
	sealed, _ := w.seals.Seal(w.Context(), "acme", name, []byte("0123456789abcdef0123456789abcdef"))
	a := catalog.Account{Merchant: "acme", Name: name, Platform: platform.Standard, Origin: name, Secrets: []catalog.SealedSecret{{Blob: sealed, CreatedAt: noon}}}
	if err := w.store.PutAccount(w.Context(), a); err != nil {
		w.Fatal(err)
	}
}

func TestPlatforms_ofAnotherMerchant(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("other", "Other")
	if err := w.store.PutAccount(t.Context(), catalog.Account{Merchant: "other", Name: "their-shop", Platform: platform.Standard, Origin: "x"}); err != nil {
		t.Fatal(err)
	}
	b := w.signIn("ada@acme.example")
	b.get("/portal/platforms").hasNot("their-shop")
	for _, path := range []string{"", "/connect", "/secret", "/remove?kind=secret&name=a"} {
		if p := b.get("/portal/platforms/their-shop" + path); p.status != 404 {
			t.Errorf("%q: %d", path, p.status)
		}
	}
}

func TestPlatforms_settings(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/platforms/_add/woocommerce").has("The shop's address as its customers see it").with("settings.shop", "not a shop")
	form = b.post("/portal/platforms/_add/woocommerce", form).has("Nothing was changed").form()
	form.Set("settings.shop", "https://acme.example")
	steps := b.post("/portal/platforms/_add/woocommerce", form).has("We made one for you")
	proposed := steps.form().Get("secret.live")
	if len(proposed) < 40 {
		t.Fatalf("proposed is %q", proposed)
	}
	again := b.post("/portal/platforms/woocommerce/connect", steps.with("credential.consumer_key", "ck_0123456789abcdef0123456789abcdef")).has("one serves only with the other")
	if again.form().Get("secret.live") != proposed {
		t.Error("another secret is proposed than the one that was pasted there")
	}
	form = again.with("credential.consumer_key", "ck_0123456789abcdef0123456789abcdef", "credential.consumer_secret", "cs_0123456789abcdef0123456789abcdef")
	b.post("/portal/platforms/woocommerce/connect", form).has("Saved.").hasNot(proposed)
	page := b.get("/portal/platforms/woocommerce")
	page = b.post("/portal/platforms/woocommerce", page.with("settings.product", "sku", "settings.paid_statuses", "shipped\r\npacked")).has("Saved.", "shipped packed")
	a, _, _ := w.store.Account(t.Context(), "acme", "woocommerce")
	if got := string(a.Settings); got != `{"paid_statuses":["shipped","packed"],"product":"sku","shop":"https://acme.example"}` {
		t.Errorf("the settings are %s", got)
	}
	// A change meanwhile.
	b.post("/portal/platforms/woocommerce", b.get("/portal/platforms/woocommerce").with("settings.license_field", "theirs"))
	p := b.post("/portal/platforms/woocommerce", page.with("settings.license_field", "mine")).has("Somebody else has saved here: theirs")
	if p.form().Get("settings.license_field") != "mine" {
		t.Error("what was typed is lost")
	}
}
