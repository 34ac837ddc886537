package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/settings"
)

// guide is how a platform is connected. Its steps stand in platforms/<platform>.html.
type guide struct {
	Platform string // as an account names it
	Title    string
	About    string // what it is for
	Slots    []slot
	Needs    []string // the settings that an account cannot do without, from its first day
}

// slot is a secret or a credential that an account has a place for.
type slot struct {
	Name       string // of the secret, or of the credential
	Credential bool   // for the platform's API
	Test       bool   // a secret that signs what the test mode sends
	Also       string // the credential that has the same text; "": none
	Label      string
	Help       string
	Proposed   bool // the merchant makes it up, and enters it at the platform too
}

// Field is the name of its field in a form.
func (s slot) Field() string {
	if s.Credential {
		return "credential." + s.Name
	}
	return "secret." + s.Name
}

// guides are the platforms in the order in which they are offered.
var guides = []guide{
	{Platform: "stripe", Title: "Stripe", About: "Checkout, Payment Links and subscriptions.", Slots: []slot{
		{Name: "live", Label: "Signing secret, live", Help: "It begins with whsec_."},
		{Name: "sandbox", Test: true, Label: "Signing secret of the sandbox", Help: "It begins with whsec_ too. Its orders get test keys."},
		{Name: "live_key", Credential: true, Label: "Restricted key, live", Help: "It begins with rk_live_. A secret key (sk_…) is refused: it may do anything."},
		{Name: "test_key", Credential: true, Label: "Restricted key of the sandbox", Help: "It begins with rk_test_."},
	}},
	{Platform: "woocommerce", Title: "WooCommerce", About: "The shop plugin of WordPress.", Needs: []string{"shop"}, Slots: []slot{
		{Name: "live", Label: "Secret of the webhooks", Proposed: true, Help: "We made one for you. Paste it into the field Secret of both webhooks."},
		{Name: "consumer_key", Credential: true, Label: "Consumer key", Help: "It begins with ck_."},
		{Name: "consumer_secret", Credential: true, Label: "Consumer secret", Help: "It begins with cs_."},
	}},
	{Platform: "shopify", Title: "Shopify", About: "A shop of Shopify's, by an app of your own or by webhooks that you make.", Needs: []string{"shop", "webhooks"}, Slots: []slot{
		{Name: "client_id", Credential: true, Label: "Client ID of the app", Help: "32 letters and digits."},
		{Name: "app", Also: "client_secret", Label: "Client secret of the app", Help: "It begins with shpss_. It signs webhooks, and opens the API."},
		{Name: "notifications", Label: "Secret under Settings, Notifications", Help: "Only if you make the webhooks by hand."},
	}},
	{Platform: "paddle", Title: "Paddle", About: "Paddle Billing. Paddle Classic is another product.", Slots: []slot{
		{Name: "live", Label: "Secret key of the destination, live", Help: "It begins with pdl_ntfset_."},
		{Name: "sandbox", Test: true, Label: "Secret key of the destination in the sandbox", Help: "It begins with pdl_ntfset_ too. Its orders get test keys."},
		{Name: "live_key", Credential: true, Label: "API key, live", Help: "It begins with pdl_live_apikey_."},
		{Name: "test_key", Credential: true, Label: "API key of the sandbox", Help: "It begins with pdl_sdbx_apikey_."},
	}},
	{Platform: "noventiq", Title: "Noventiq", About: "Noventiq checkout, formerly Softline.", Slots: []slot{
		{Name: "paid", Label: "Secret key of order.payment.succeeded", Proposed: true, Help: "We made one for you. Enter it at that webhook in Noventiq."},
		{Name: "returned", Label: "Secret key of product.returned", Help: "Of 16 characters or more."},
		{Name: "test", Test: true, Label: "Secret key of the test mode", Help: "Never that of the live one: nothing else tells a test order from a paid one."},
	}},
	{Platform: platform.Standard, Title: "Your own shop", About: "A shop that can send what Keypool documents, signed as Standard Webhooks says."},
	{Platform: "generic", Title: "Any other sender", About: "Webhooks in JSON or as a form, signed by an HMAC, of a platform that is not listed here.", Slots: []slot{
		{Name: "live", Label: "Signing secret", Help: "As the sender shows it."},
	}},
}

// guideOf returns how a platform is connected, false if there is no such platform.
func guideOf(name string) (guide, bool) {
	at := slices.IndexFunc(guides, func(g guide) bool { return g.Platform == name })
	if at < 0 {
		return guide{}, false
	}
	return guides[at], true
}

// Slot returns the slot of a field, for a page's author.
func (g guide) Slot(field string) slot {
	for _, s := range g.Slots {
		if s.Field() == field {
			return s
		}
	}
	panic("the platform " + g.Platform + " has no " + field)
}

// settingsField is a setting of a platform, as its adapter describes it.
type settingsField struct {
	Name    string // of the field in a form: "settings.shop"
	Label   string
	Help    string
	Kind    string   // text, choice, tick, lines, pairs
	Options []option // of a choice
	member  string   // of the settings
}

// settingsFields returns the settings of a platform in the order of its adapter's form; only those
// that are named, if any are. Not ok: they are written as JSON, since they have parts of their own.
func settingsFields(name string, only ...string) (fields []settingsField, ok bool) {
	shown, ok := all.Adapters[name].(platform.SettingsForm)
	if !ok {
		_, has := all.Adapters[name].(platform.Configurer)
		return nil, !has
	}
	form := reflect.TypeOf(shown.SettingsForm())
	for i := range form.NumField() {
		member := form.Field(i)
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		f := settingsField{Name: "settings." + name, Label: words(name), Help: strings.ReplaceAll(member.Tag.Get("doc"), "where left out", "by default"), member: name}
		switch {
		case member.Type.Kind() == reflect.Bool:
			f.Kind = "tick"
		case member.Type.Kind() == reflect.String && member.Tag.Get("enum") != "":
			f.Kind = "choice"
			f.Options = []option{{"", "the default"}}
			for choice := range strings.SplitSeq(member.Tag.Get("enum"), ",") {
				f.Options = append(f.Options, option{choice, choice})
			}
		case member.Type.Kind() == reflect.String:
			f.Kind = "text"
		case member.Type == reflect.TypeFor[[]string]():
			f.Kind = "lines"
		case member.Type == reflect.TypeFor[map[string]string]():
			f.Kind = "pairs"
		default:
			return nil, false
		}
		if len(only) == 0 || slices.Contains(only, name) {
			fields = append(fields, f)
		}
	}
	return fields, true
}

// words writes the name of a member as a label: "Paid statuses" of "paid_statuses".
func words(member string) string {
	s := strings.ReplaceAll(member, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// showSettings puts settings into the fields of a form.
func showSettings(f form, platformName string, raw json.RawMessage) {
	fields, ok := settingsFields(platformName)
	if !ok {
		var written any
		pretty := raw
		if json.Unmarshal(raw, &written) == nil {
			pretty, _ = json.MarshalIndent(written, "", "  ")
		}
		f.Values.Set("settings", cmp.Or(string(pretty), "{}"))
		return
	}
	members := map[string]any{}
	_ = json.Unmarshal(raw, &members) // what cannot be read was not stored
	for _, field := range fields {
		switch value := members[field.member].(type) {
		case string:
			f.Values.Set(field.Name, value)
		case bool:
			f.Values.Set(field.Name, tick(value))
		case []any:
			var lines []string
			for _, line := range value {
				if line, ok := line.(string); ok {
					lines = append(lines, line)
				}
			}
			f.Values.Set(field.Name, strings.Join(lines, "\n"))
		case map[string]any:
			named := map[string]string{}
			for name, line := range value {
				named[name], _ = line.(string)
			}
			f.Values.Set(field.Name, pairs(named))
		default:
			f.Values.Set(field.Name, "")
		}
	}
}

// readSettings returns the settings that a form describes: those of before, with what the form has.
func readSettings(r *formReader, platformName string, before json.RawMessage) json.RawMessage {
	fields, ok := settingsFields(platformName)
	if !ok {
		if !r.values.Has("settings") {
			return before
		}
		return json.RawMessage(cmp.Or(strings.TrimSpace(r.text("settings")), "{}"))
	}
	members := map[string]any{}
	_ = json.Unmarshal(before, &members)
	for _, field := range fields {
		// A box that is not ticked is not sent, so that its form says that it has one.
		if !r.values.Has(field.Name) && !slices.Contains(r.values["has"], field.Name) {
			continue
		}
		delete(members, field.member)
		switch field.Kind {
		case "tick":
			if r.ticked(field.Name) {
				members[field.member] = true
			}
		case "lines":
			if lines := r.lines(field.Name); len(lines) > 0 {
				members[field.member] = lines
			}
		case "pairs":
			if named := r.pairs(field.Name); len(named) > 0 {
				members[field.member] = named
			}
		default:
			if line := r.line(field.Name); line != "" {
				members[field.member] = line
			}
		}
	}
	raw, err := json.Marshal(members)
	if err != nil {
		panic(err) // of texts
	}
	return raw
}

// atFields returns the mistakes in an account at the fields of its form: an account lists its
// secrets, and a form has a field for each.
func atFields(problems []settings.Problem, change settings.AccountChange) []settings.Problem {
	names := map[string]string{}
	for i, s := range change.Secrets {
		names["secrets["+strconv.Itoa(i)+"]"] = "secret." + s.Name
	}
	for i, c := range change.Credentials {
		names["credentials["+strconv.Itoa(i)+"]"] = "credential." + c.Name
		if c.Name == "client_secret" {
			names["credentials["+strconv.Itoa(i)+"]"] = "secret.app"
		}
	}
	at := slices.Clone(problems)
	for i, p := range at {
		for _, start := range slices.Sorted(maps.Keys(names)) {
			if strings.HasPrefix(p.Path, start) {
				at[i].Path = names[start]
			}
		}
	}
	return at
}
