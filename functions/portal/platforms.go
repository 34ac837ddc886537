package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/phrase"
	"keypool/shared/platform"
	"keypool/shared/settings"
)

const platformsPath = "/portal/platforms"

// accountPath is the address of an account with a payment platform.
func accountPath(name string) string { return platformsPath + "/" + url.PathEscape(name) }

// refusals lists what could not be taken.
type refusals interface {
	// Refusals returns up to limit refusals, newest first, and where to go on.
	Refusals(ctx context.Context, merchant, before string, limit int) (refusals []order.Refusal, next string, err error)
}

// An account's name begins with a letter or a digit and has no underscore: no account is reached
// by the addresses that begin with one.
func (p *portal) platformScreens() []screen {
	return []screen{
		{pattern: "GET /portal/platforms", does: "get-account", serve: p.platforms},
		{pattern: "GET /portal/platforms/_add/{platform}", does: "put-account", fresh: true, serve: p.newAccount},
		{pattern: "POST /portal/platforms/_add/{platform}", does: "put-account", fresh: true, serve: p.addAccount},
		{pattern: "GET /portal/platforms/{account}", does: "get-account", serve: p.account},
		{pattern: "POST /portal/platforms/{account}", does: "put-account", fresh: true, serve: p.saveAccount},
		{pattern: "GET /portal/platforms/{account}/connect", does: "put-account", fresh: true, serve: p.connect},
		{pattern: "POST /portal/platforms/{account}/connect", does: "put-account", fresh: true, serve: p.saveConnect},
		{pattern: "GET /portal/platforms/{account}/secret", does: "put-account", fresh: true, serve: p.askSecret},
		{pattern: "POST /portal/platforms/{account}/secret", does: "put-account", fresh: true, serve: p.newSecret},
		{pattern: "GET /portal/platforms/{account}/remove", does: "put-account", fresh: true, serve: p.askRemoveSecret},
		{pattern: "POST /portal/platforms/{account}/remove", does: "put-account", fresh: true, serve: p.removeSecret},
	}
}

// accountRow is an account in the list.
type accountRow struct {
	Name, Path, Platform string
	State                heardState
	Active               bool // it has a secret, or credentials
}

// heardState is what was heard of an account, as a mark and a time.
type heardState struct {
	Class, Says string
	At          time.Time // zero: never
}

// heardFrom says what was heard from an account.
func heardFrom(a catalog.Account, calls catalog.Calls) heardState {
	switch {
	case len(a.Secrets) == 0 && len(a.Credentials) == 0:
		return heardState{Class: "warn", Says: "Not connected yet"}
	case calls.LastFailedAt.After(calls.LastSeenAt):
		return heardState{Class: "stop", Says: "The secret there is not this one", At: calls.LastFailedAt}
	case calls.LastSeenAt.IsZero():
		return heardState{Class: "warn", Says: "Not heard from yet"}
	}
	return heardState{Class: "good", Says: "Heard from", At: calls.LastSeenAt}
}

type platformsData struct {
	Accounts  []accountRow
	Connected bool // one of them at least is a platform's: test purchases have one that nobody made
	Offered   []guide
}

func (p *portal) platforms(v *visit) (answer, error) {
	list, err := p.accounts.List(v.Context(), v.Merchant)
	data := platformsData{Offered: guides}
	for _, a := range list {
		g, _ := guideOf(a.Platform)
		if a.Name == settings.TestAccount {
			g.Title = "Keypool's test purchases"
		} else {
			data.Connected = true
		}
		data.Accounts = append(data.Accounts, accountRow{
			Name: a.Name, Path: accountPath(a.Name), Platform: cmp.Or(g.Title, a.Platform), State: heardFrom(a.Account, a.Calls), Active: len(a.Secrets)+len(a.Credentials) > 0,
		})
	}
	return answer{page: "platforms", title: "Platforms", data: data}, err
}

type newAccountData struct {
	form
	Guide    guide
	Settings []settingsField
	Written  bool // its settings are written as JSON, later
}

func (p *portal) newAccount(v *visit) (answer, error) {
	g, ok := guideOf(v.PathValue("platform"))
	if !ok {
		return answer{}, errNotFound
	}
	name := g.Platform
	if g.Platform == platform.Standard || g.Platform == "generic" {
		name = "my-shop"
	}
	return newAccountPage(g, form{Values: url.Values{"name": {name}}}), nil
}

func newAccountPage(g guide, f form) answer {
	d := newAccountData{form: f, Guide: g}
	if len(g.Needs) > 0 {
		d.Settings, _ = settingsFields(g.Platform, g.Needs...)
	}
	return answer{page: "account-new", title: "Connect " + g.Title, data: d}
}

// addAccount makes an account. One of Keypool's own scheme has a secret, which is shown once.
func (p *portal) addAccount(v *visit) (answer, error) {
	g, ok := guideOf(v.PathValue("platform"))
	if !ok {
		return answer{}, errNotFound
	}
	r := formReader{values: v.form}
	change := settings.AccountChange{
		Merchant: v.Merchant, By: v.Principal, Name: r.line("name"), Platform: g.Platform, Settings: readSettings(&r, g.Platform, nil),
	}
	if g.Platform == "generic" {
		change.Settings = genericStart()
	}
	a, made, _, err := p.accounts.Put(v.Context(), change, settings.Condition{New: true})
	if errors.Is(err, settings.ErrExists) {
		err = mistaken(settings.Problem{Path: "name", Message: "there is an account of that name already; use another one, such as " + change.Name + "-2"})
	}
	if f, ok := again(v.form, inUse(err, "name")); ok {
		again := newAccountPage(g, f)
		again.status = http.StatusUnprocessableEntity
		return again, nil
	}
	if err != nil {
		return answer{}, err
	}
	if made != "" {
		return p.showSecret(v, a, made), nil
	}
	return answer{see: accountPath(a.Name) + "/connect"}, nil
}

// genericStart is what settings of a sender begin with: those of the most common form.
func genericStart() json.RawMessage {
	return json.RawMessage(`{"signature":{"header":"X-Signature","prefix":"sha256="},"order":"/order/id","customer":{"email":"/order/email"},"lines":{"pointer":"/order/items","product":"/sku","quantity":"/quantity"}}`)
}

// inUse makes the reasons that keep an account from being stored a mistake in a field.
func inUse(err error, field string) error {
	var used *settings.InUseError
	if errors.As(err, &used) {
		return mistaken(settings.Problem{Path: field, Message: phrase.Capital(used.Thing) + ": " + phrase.List(used.All())})
	}
	return err
}

type secretData struct {
	Name, Path string
	Secret     string
	Address    string
	Until      time.Time // when the former one ends; zero: there was none
}

// showSecret is the page that shows a new secret, this once.
func (p *portal) showSecret(v *visit, a catalog.Account, made string) answer {
	d := secretData{Name: a.Name, Path: accountPath(a.Name), Secret: made, Address: p.webhookAddress(a)}
	for _, s := range a.Secrets {
		if s.ExpiresAt.After(d.Until) {
			d.Until = s.ExpiresAt
		}
	}
	return answer{page: "secret", title: "The secret of " + a.Name, data: d, secret: true}
}

// webhookAddress is where an account's webhooks go.
func (p *portal) webhookAddress(a catalog.Account) string {
	return p.publicURL + platform.WebhookPath(a.Merchant, a.Name)
}

// accountOf reads the account that an address names, with what was heard of it.
func (p *portal) accountOf(v *visit) (catalog.Account, settings.Heard, error) {
	return p.accounts.Get(v.Context(), v.Merchant, v.PathValue("account"))
}

type accountData struct {
	form
	Name, Path, Address string
	Guide               guide
	State               heardState
	Own                 bool // of Keypool's own scheme: its secret is made here
	Active              bool
	Secrets             []catalog.SealedSecret
	Credentials         []catalog.SealedCredential
	Settings            []settingsField
	Written             bool // its settings are written as JSON
	Others              []option
	Calls               []callRow
	Failed              int
	LastFailed          time.Time
	Hours               []catalog.FailedHour
	Refused             []order.Refusal
	Warnings            []string
	Catchup             catalog.Catchup
	Readonly            bool
}

// callRow is a webhook that came.
type callRow struct {
	catalog.Call
	Class, Became string
}

// became says in words what became of a webhook.
var became = map[string][2]string{
	"accepted":        {"good", "taken"},
	"skipped":         {"", "asks for nothing"},
	"changed":         {"warn", "reported otherwise before"},
	"rejected":        {"stop", "refused"},
	"left_to_catchup": {"warn", "asked for again soon"},
	"failed":          {"warn", "to be sent again"},
	catalog.NotSigned: {"stop", "wrong signature"},
	"":                {"", "received"},
}

// refusalsShown is how many refusals of the merchant the page of an account looks at.
const refusalsShown = 100

func (p *portal) account(v *visit) (answer, error) {
	return p.accountPage(v, nil, done(v, map[string]band{
		"saved":   {Says: "Saved. Webhooks that come from now on follow it, within half a minute."},
		"removed": {Says: "It is taken away, and no longer good within half a minute."},
	}))
}

// accountPage is the page of an account; with a form that was sent, what was typed stays.
func (p *portal) accountPage(v *visit, sent *form, b *band) (answer, error) {
	var (
		a       catalog.Account
		heard   settings.Heard
		refused []order.Refusal
		reading errgroup.Group
	)
	reading.Go(func() (err error) { a, heard, err = p.accountOf(v); return err })
	if v.may("list-refusals") {
		reading.Go(func() (err error) {
			refused, _, err = p.refused.Refusals(v.Context(), v.Merchant, "", refusalsShown)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	g, _ := guideOf(a.Platform)
	d := accountData{
		form: accountForm(v, a), Name: a.Name, Path: accountPath(a.Name), Address: p.webhookAddress(a), Guide: g, State: heardFrom(a, heard.Calls),
		Own: a.Platform == platform.Standard, Active: len(a.Secrets)+len(a.Credentials) > 0, Secrets: a.Secrets, Credentials: a.Credentials,
		Others: []option{{string(catalog.OthersUnconnected), "it waits, and you are told"}, {string(catalog.OthersIgnored), "it is passed over: the shop sells other things too"}},
		Failed: heard.Calls.Failed, LastFailed: heard.Calls.LastFailedAt, Hours: heard.Calls.FailedHours, Warnings: p.accounts.Warnings(a), Catchup: heard.Catchup, Readonly: !v.may("put-account"),
	}
	var ok bool
	d.Settings, ok = settingsFields(a.Platform)
	d.Written = !ok
	if sent != nil {
		d.form = *sent
	}
	for _, c := range heard.Calls.Last {
		words := became[c.Became]
		d.Calls = append(d.Calls, callRow{Call: c, Class: words[0], Became: cmp.Or(words[1], c.Became)})
	}
	for _, r := range refused {
		if r.Account == a.Name {
			d.Refused = append(d.Refused, r)
		}
	}
	return answer{page: "account", title: a.Name, data: d, band: b}, nil
}

// inMinutes is how a browser writes a day and a time in a field of its own.
const inMinutes = "2006-01-02T15:04"

// accountForm is what the form of an account's settings holds.
func accountForm(v *visit, a catalog.Account) form {
	f := form{Version: a.Version, Values: url.Values{
		"other_products": {string(cmp.Or(a.OtherProducts, catalog.OthersUnconnected))}, "delivers_from": {""},
	}}
	if !a.DeliversFrom.IsZero() {
		f.Values.Set("delivers_from", a.DeliversFrom.In(v.zone()).Format(inMinutes))
	}
	showSettings(f, a.Platform, a.Settings)
	return f
}

func (p *portal) saveAccount(v *visit) (answer, error) {
	a, _, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	r := formReader{values: v.form}
	change := settings.AccountChange{
		Merchant: v.Merchant, By: v.Principal, Name: a.Name, KeepSecret: a.Platform == platform.Standard,
		OtherProducts: catalog.OtherProducts(r.line("other_products")), Settings: readSettings(&r, a.Platform, a.Settings),
	}
	if was := accountForm(v, a).Value("delivers_from"); r.line("delivers_from") != was {
		change.DeliversFrom, err = time.ParseInLocation(inMinutes, r.line("delivers_from"), v.zone())
		if err != nil {
			r.problems = append(r.problems, settings.Problem{Path: "delivers_from", Message: "use a day and a time"})
		}
	}
	if err = mistaken(r.problems...); err == nil {
		_, _, _, err = p.accounts.Put(v.Context(), change, condition(v.form))
	}
	if errors.Is(err, catalog.ErrConflict) {
		if a, _, err = p.accountOf(v); err != nil { // they may have saved after it was read
			return answer{}, err
		}
		f := besideTheirs(v.form, accountForm(v, a))
		page, err := p.accountPage(v, &f, nil)
		page.status = http.StatusConflict
		return page, err
	}
	if f, ok := again(v.form, inUse(err, "settings")); ok {
		page, err := p.accountPage(v, &f, nil)
		page.status = http.StatusUnprocessableEntity
		return page, err
	}
	return answer{see: accountPath(a.Name) + "?done=saved"}, err
}

type connectData struct {
	form
	Name, Path, Address string
	Guide               guide
	State               heardState
	Settings            []settingsField
	there               map[string]time.Time // since when a slot is filled
}

// slotView is a slot in the steps of a platform.
type slotView struct {
	slot
	Field fieldView
	Since time.Time // zero: it is empty
}

// SlotView returns a slot, for the part of a page that shows one.
func (d connectData) SlotView(field string) slotView {
	s := d.Guide.Slot(field)
	f := newField(d.form, field, s.Label, s.Help)
	return slotView{s, f, d.there[field]}
}

// there returns since when the slots of an account are filled.
func filled(a catalog.Account) map[string]time.Time {
	there := map[string]time.Time{}
	for _, s := range a.Secrets {
		if s.ExpiresAt.IsZero() {
			there["secret."+s.Name] = s.CreatedAt
		}
	}
	for _, c := range a.Credentials {
		there["credential."+c.Name] = c.CreatedAt
	}
	return there
}

func (p *portal) connect(v *visit) (answer, error) {
	a, heard, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	f := form{Values: url.Values{}, Version: a.Version}
	showSettings(f, a.Platform, a.Settings)
	page, err := p.connectPage(a, heard, f)
	page.band = done(v, map[string]band{"connected": {Says: "Saved. Go on with the step below the button Save."}})
	return page, err
}

func (p *portal) connectPage(a catalog.Account, heard settings.Heard, f form) (answer, error) {
	g, ok := guideOf(a.Platform)
	if !ok {
		return answer{}, errNotFound
	}
	d := connectData{form: f, Name: a.Name, Path: accountPath(a.Name), Address: p.webhookAddress(a), Guide: g, State: heardFrom(a, heard.Calls), there: filled(a)}
	for _, s := range g.Slots {
		if s.Proposed && d.there[s.Field()].IsZero() && f.Value(s.Field()) == "" {
			f.Values.Set(s.Field(), rand.Text()+rand.Text())
		}
		if !s.Proposed {
			f.Values.Del(s.Field()) // what was typed there is not shown again
		}
	}
	return answer{page: "connect", with: "platforms/" + g.Platform, title: "Connect " + g.Title, data: d}, nil
}

// keptFor is how long a secret that is replaced stays good.
const keptFor = 24 * time.Hour

// saveConnect stores what was pasted into the slots. An empty one leaves what there is.
func (p *portal) saveConnect(v *visit) (answer, error) {
	a, heard, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	g, ok := guideOf(a.Platform)
	if !ok {
		return answer{}, errNotFound
	}
	r := formReader{values: v.form}
	change := settings.AccountChange{
		Merchant: v.Merchant, By: v.Principal, Name: a.Name, KeepSecret: a.Platform == platform.Standard, KeepPrevious: keptFor, Settings: readSettings(&r, a.Platform, a.Settings),
	}
	change.Secrets, change.Credentials = fill(g, a, &r)
	if err = mistaken(r.problems...); err == nil {
		_, _, _, err = p.accounts.Put(v.Context(), change, condition(v.form))
	}
	var invalid *settings.InvalidError
	if errors.As(err, &invalid) {
		err = mistaken(atFields(invalid.Problems, change)...)
	}
	if errors.Is(err, catalog.ErrConflict) {
		if a, heard, err = p.accountOf(v); err != nil { // they may have saved after it was read
			return answer{}, err
		}
		err = mistaken(settings.Problem{Path: "secrets", Message: "somebody else has changed the account meanwhile: look at it below, and paste again what is missing"})
		v.form.Set("version", numeral(a.Version))
	}
	if f, ok := again(v.form, inUse(err, "secrets")); ok {
		page, err := p.connectPage(a, heard, f)
		page.status = http.StatusUnprocessableEntity
		return page, err
	}
	return answer{see: accountPath(a.Name) + "/connect?done=connected"}, err
}

// fill returns an account's secrets and credentials with what a form has for its slots; nil
// where it has nothing.
func fill(g guide, a catalog.Account, r *formReader) (secrets []settings.SecretChange, credentials []settings.CredentialChange) {
	var newSecrets, newCredentials bool
	for _, s := range a.Secrets {
		if s.ExpiresAt.IsZero() {
			secrets = append(secrets, settings.SecretChange{Name: s.Name, Test: s.Test})
		}
	}
	for _, c := range a.Credentials {
		credentials = append(credentials, settings.CredentialChange{Name: c.Name})
	}
	setCredential := func(name, text string) {
		newCredentials = true
		at := slices.IndexFunc(credentials, func(c settings.CredentialChange) bool { return c.Name == name })
		if at < 0 {
			at, credentials = len(credentials), append(credentials, settings.CredentialChange{Name: name})
		}
		credentials[at].Text = text
	}
	for _, s := range g.Slots {
		text := r.line(s.Field())
		switch {
		case text == "":
		case s.Credential:
			setCredential(s.Name, text)
		default:
			newSecrets = true
			at := slices.IndexFunc(secrets, func(c settings.SecretChange) bool { return c.Name == s.Name })
			if at < 0 {
				at, secrets = len(secrets), append(secrets, settings.SecretChange{Name: s.Name, Test: s.Test})
			}
			secrets[at].Text = text
			if s.Also != "" {
				setCredential(s.Also, text)
			}
		}
	}
	if !newSecrets {
		secrets = nil
	}
	if !newCredentials {
		credentials = nil
	}
	return secrets, credentials
}

// askSecret says what a new secret of Keypool's own scheme changes, before there is one.
func (p *portal) askSecret(v *visit) (answer, error) {
	a, _, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	if a.Platform != platform.Standard {
		return answer{}, errNotFound
	}
	return confirmation{
		Says: []string{
			"It is shown once, and you paste it into your shop. The one that is there now stays good for a day, so that no webhook is refused meanwhile.",
			"You are told by mail, at the shop's notice address.",
		},
		Does: accountPath(a.Name) + "/secret", Back: accountPath(a.Name), Button: "Make a new secret", Values: [][2]string{{"version", numeral(a.Version)}},
	}.page("A new secret for " + a.Name + "?"), nil
}

func (p *portal) newSecret(v *visit) (answer, error) {
	a, made, _, err := p.accounts.Put(v.Context(), settings.AccountChange{
		Merchant: v.Merchant, By: v.Principal, Name: v.PathValue("account"), KeepPrevious: keptFor,
	}, condition(v.form))
	var invalid *settings.InvalidError
	if errors.As(err, &invalid) || err == nil && made == "" {
		return answer{}, errNotFound // of a platform that makes its secrets itself
	}
	if err != nil {
		return answer{}, err
	}
	return p.showSecret(v, a, made), nil
}

// removed returns what an address asks to take away from an account: a secret or a credential.
func removed(a catalog.Account, kind, name string) (change settings.AccountChange, known bool) {
	change.Secrets, change.Credentials = nil, nil
	switch kind {
	case "secret":
		change.Secrets = []settings.SecretChange{}
		for _, s := range a.Secrets {
			switch {
			case s.Name == name:
				known = true
			case s.ExpiresAt.IsZero():
				change.Secrets = append(change.Secrets, settings.SecretChange{Name: s.Name, Test: s.Test})
			}
		}
	case "credential":
		change.Credentials = []settings.CredentialChange{}
		for _, c := range a.Credentials {
			if c.Name == name {
				known = true
			} else {
				change.Credentials = append(change.Credentials, settings.CredentialChange{Name: c.Name})
			}
		}
	}
	return change, known && name != ""
}

func (p *portal) askRemoveSecret(v *visit) (answer, error) {
	a, _, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	kind, name := v.URL.Query().Get("kind"), v.URL.Query().Get("name")
	if _, known := removed(a, kind, name); !known {
		return answer{}, errNotFound
	}
	says := "Webhooks that it signs are refused from then on, within half a minute, and their orders get no keys until the platform sends them again."
	if kind == "credential" {
		says = "Keypool can no longer ask the platform for what its webhooks leave out, or for orders whose webhook was lost."
	}
	return confirmation{
		Says: []string{says, "Keypool keeps no copy: to have it back, paste it again."}, Does: accountPath(a.Name) + "/remove", Back: accountPath(a.Name), Button: "Take it away", Stop: true,
		Values: [][2]string{{"version", numeral(a.Version)}, {"kind", kind}, {"name", name}},
	}.page(fmt.Sprintf("Take the %s %s away?", kind, name)), nil
}

func (p *portal) removeSecret(v *visit) (answer, error) {
	a, _, err := p.accountOf(v)
	if err != nil {
		return answer{}, err
	}
	change, known := removed(a, v.form.Get("kind"), v.form.Get("name"))
	if !known {
		return answer{}, errNotFound
	}
	change.Merchant, change.By, change.Name = v.Merchant, v.Principal, a.Name
	_, _, _, err = p.accounts.Put(v.Context(), change, condition(v.form))
	var invalid *settings.InvalidError
	if errors.As(err, &invalid) {
		var says []string
		for _, problem := range invalid.Problems {
			says = append(says, problem.Path+" "+problem.Message)
		}
		return failurePage(http.StatusUnprocessableEntity, "It was not taken away", failed{phrase.Capital(strings.Join(says, "; ")) + ".", "Change that first, then take it away."}), nil
	}
	return answer{see: accountPath(a.Name) + "?done=removed"}, err
}
