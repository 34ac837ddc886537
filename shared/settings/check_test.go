package settings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/settings"
)

// paths returns the settings that have problems.
func paths(problems []settings.Problem) []string {
	var all []string
	for _, p := range problems {
		if p.Message == "" {
			all = append(all, p.Path+" (without a word)")
			continue
		}
		all = append(all, p.Path)
	}
	return all
}

var acme = catalog.Merchant{
	Name: "acme-2", Title: "Acme Games", NoticeAddress: "stock+low@acme.example", SenderName: "Acme – Spiele", ReplyTo: "o'neill@acme.example",
	Logo: "https://acme.example/logo.png?v=2", Languages: []string{"en", "pt-BR", "zh-Hant", "de"}, TimeZone: "America/Argentina/Buenos_Aires", DefaultPool: "elden",
}

func TestCheckMerchant(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(*catalog.Merchant)
		want   []string
	}{
		"good":                {func(*catalog.Merchant) {}, nil},
		"bare":                {func(m *catalog.Merchant) { *m = catalog.Merchant{Name: "a", Title: "A", NoticeAddress: "a@b"} }, nil},
		"nothing":             {func(m *catalog.Merchant) { *m = catalog.Merchant{} }, []string{"name", "title", "notice_address"}},
		"name in capitals":    {func(m *catalog.Merchant) { m.Name = "Acme" }, []string{"name"}},
		"name that climbs":    {func(m *catalog.Merchant) { m.Name = "../acme" }, []string{"name"}},
		"name of 64":          {func(m *catalog.Merchant) { m.Name = strings.Repeat("a", 64) }, []string{"name"}},
		"title of two lines":  {func(m *catalog.Merchant) { m.Title = "Acme\r\nBcc: all@example.com" }, []string{"title"}},
		"sender turned round": {func(m *catalog.Merchant) { m.SenderName = "Acme\u202e" }, []string{"sender_name"}},
		"title of 201":        {func(m *catalog.Merchant) { m.Title = strings.Repeat("ä", 201) }, []string{"title"}},
		"title of 200":        {func(m *catalog.Merchant) { m.Title = strings.Repeat("ä", 200) }, nil},
		"address with a name": {func(m *catalog.Merchant) { m.NoticeAddress = "Acme <a@b.example>" }, []string{"notice_address"}},
		"two addresses":       {func(m *catalog.Merchant) { m.ReplyTo = "a@b.example,c@d.example" }, []string{"reply_to"}},
		"address beyond ASCII": {
			func(m *catalog.Merchant) { m.ReplyTo = "größe@b.example" },
			[]string{"reply_to"},
		},
		"international domain": {func(m *catalog.Merchant) { m.ReplyTo = "info@bücher.example" }, nil},
		"address of two lines": {func(m *catalog.Merchant) { m.ReplyTo = "a@b.example\n" }, []string{"reply_to"}},
		"plain http":           {func(m *catalog.Merchant) { m.Logo = "http://acme.example/logo.png" }, []string{"logo"}},
		"no host":              {func(m *catalog.Merchant) { m.Logo = "https:///logo.png" }, []string{"logo"}},
		"not UTF-8":            {func(m *catalog.Merchant) { m.Logo = "https://acme.example/\x92.png" }, []string{"logo"}},
		"a script":             {func(m *catalog.Merchant) { m.Logo = "javascript:alert(1)" }, []string{"logo"}},
		"underscore":           {func(m *catalog.Merchant) { m.Languages = []string{"pt_BR"} }, []string{"languages[0]"}},
		"case":                 {func(m *catalog.Merchant) { m.Languages = []string{"pt-br"} }, []string{"languages[0]"}},
		"no region":            {func(m *catalog.Merchant) { m.Languages = []string{"en-EN"} }, []string{"languages[0]"}},
		"no language":          {func(m *catalog.Merchant) { m.Languages = []string{"en", "", "english"} }, []string{"languages[1]", "languages[2]"}},
		"twice":                {func(m *catalog.Merchant) { m.Languages = []string{"en", "de", "en"} }, []string{"languages[2]"}},
		"no zone":              {func(m *catalog.Merchant) { m.TimeZone = "CEST+2" }, []string{"time_zone"}},
		"the machine's zone":   {func(m *catalog.Merchant) { m.TimeZone = "Local" }, []string{"time_zone"}},
		"a file for a zone":    {func(m *catalog.Merchant) { m.TimeZone = "../../etc/passwd" }, []string{"time_zone"}},
		"a light color":        {func(m *catalog.Merchant) { m.Color = "#7fb0ff" }, []string{"color"}},
		"a color in words":     {func(m *catalog.Merchant) { m.Color = "red" }, []string{"color"}},
		"a color with a rule":  {func(m *catalog.Merchant) { m.Color = "#000000;x:y" }, []string{"color"}},
		"a dark color":         {func(m *catalog.Merchant) { m.Color = "#727272" }, nil},
		"readable on white":    {func(m *catalog.Merchant) { m.Color = "#737373" }, []string{"color"}}, // not in the box of keys
		"frames": {func(m *catalog.Merchant) {
			m.Frames = map[string]catalog.Frame{"en": {Greeting: "Dear {FULLNAME},", Signature: "Yours,\nAcme", Footer: "Acme Ltd, London"}}
		}, nil},
		"frames with mistakes": {func(m *catalog.Merchant) {
			m.Frames = map[string]catalog.Frame{
				"en": {Greeting: "Dear {FULNAME}, {EMAIL}", Signature: "Yours,\n\u202eAcme {FNAME}", Footer: "a\nb"}, "de": {Greeting: "{KEY}", Signature: strings.Repeat("a\n", 9), Footer: "{DATE}"},
			}
		}, []string{"frames.de.greeting", "frames.de.greeting", "frames.de.signature", "frames.de.footer", "frames.en.greeting", "frames.en.greeting", "frames.en.signature", "frames.en.footer", "frames.en.signature"}},
		"default pool": {func(m *catalog.Merchant) { m.DefaultPool = "El den" }, []string{"default_pool"}},
	} {
		m := acme
		c.change(&m)
		if diff := cmp.Diff(c.want, paths(settings.CheckMerchant(m))); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestCheckTexts(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		texts map[string]catalog.Text
		want  []string
	}{
		"none":         {nil, nil},
		"good":         {map[string]catalog.Text{"en": {Body: "{KEY}"}, "de": {Body: "**{KEY}**", Format: "markdown"}}, nil},
		"mistakes":     {map[string]catalog.Text{"en": {Body: "{KEI}"}, "pt_BR": {Body: "{KEY}"}}, []string{"texts.en.body", "texts.en.body", "texts"}},
		"far too much": {map[string]catalog.Text{"en": {Body: "{KEY}" + strings.Repeat("x ", 9_000)}, "de": {Body: "{KEY}" + strings.Repeat("x ", 9_000)}, "fr": {Body: "{KEY}" + strings.Repeat("x ", 9_000)}, "es": {Body: "{KEY}" + strings.Repeat("x ", 9_000)}}, []string{"texts"}},
	} {
		if diff := cmp.Diff(c.want, paths(settings.CheckTexts(c.texts))); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestCheckPool(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		pool catalog.Pool
		want []string
	}{
		"good":    {catalog.Pool{Name: "elden", Shards: 4, LowStock: 10, Reminder: 24 * time.Hour}, nil},
		"never":   {catalog.Pool{Name: "elden", Shards: 64}, nil},
		"nothing": {catalog.Pool{}, []string{"name", "shards"}},
		"too much": {
			catalog.Pool{Name: "x", Title: "a\tb", Shards: 65, LowStock: 10_001, Reminder: 366 * 24 * time.Hour},
			[]string{"title", "low_stock", "reminder_hours", "shards"},
		},
		"addresses": {catalog.Pool{Name: "elden", Shards: 4, NoticeAddresses: []string{"a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"}}, nil},
		"too many": {
			catalog.Pool{Name: "elden", Shards: 4, NoticeAddresses: []string{"a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example", "f@x.example"}},
			[]string{"notice_addresses"},
		},
		"no addresses": {
			catalog.Pool{Name: "elden", Shards: 4, NoticeAddresses: []string{"", "Ada <ada@x.example>", "a@x.example", "A@X.example"}},
			[]string{"notice_addresses[0]", "notice_addresses[1]", "notice_addresses[3]"},
		},
		"too little": {catalog.Pool{Name: "-x", LowStock: -1, Reminder: -time.Hour}, []string{"name", "low_stock", "reminder_hours", "shards"}},
	} {
		if diff := cmp.Diff(c.want, paths(settings.CheckPool(c.pool))); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestCheckProduct(t *testing.T) {
	t.Parallel()
	one := catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	good := catalog.Product{ID: "4711", Title: "Elden", Keys: one}
	for what, c := range map[string]struct {
		change func(*catalog.Product)
		want   []string
	}{
		"good":                 {func(*catalog.Product) {}, nil},
		"an id with a slash":   {func(p *catalog.Product) { p.ID = "gid://shop/Product/1" }, nil},
		"no id":                {func(p *catalog.Product) { p.ID = "" }, []string{"id"}},
		"an id that is cut":    {func(p *catalog.Product) { p.ID = "a?b" }, []string{"id"}},
		"an id that climbs":    {func(p *catalog.Product) { p.ID = ".." }, []string{"id"}},
		"an id of 129":         {func(p *catalog.Product) { p.ID = strings.Repeat("1", 129) }, []string{"id"}},
		"no title":             {func(p *catalog.Product) { p.Title = "" }, []string{"title"}},
		"title from elsewhere": {func(p *catalog.Product) { p.Title, p.Keys, p.Original = "", catalog.KeyRule{}, "4712" }, nil},
		"its own original":     {func(p *catalog.Product) { p.Original = "4711" }, []string{"original"}},
		"no rule":              {func(p *catalog.Product) { p.Keys = catalog.KeyRule{} }, []string{"keys.mode", "keys.count"}},
		"half a rule":          {func(p *catalog.Product) { p.Keys.Count, p.Original = 0, "4712" }, []string{"keys.count"}},
		"another rule":         {func(p *catalog.Product) { p.Keys.Mode = "per_moon" }, []string{"keys.mode"}},
		"a renewal":            {func(p *catalog.Product) { p.Renewal = catalog.ParentKey }, nil},
		"another renewal":      {func(p *catalog.Product) { p.Renewal = "half" }, []string{"renewal"}},
		"an order page":        {func(p *catalog.Product) { p.OrderPage = catalog.OrderPageOff }, nil},
		"half an order page":   {func(p *catalog.Product) { p.OrderPage = "half" }, []string{"order_page"}},
		"days to redeem":       {func(p *catalog.Product) { p.Redeem.WithinDays = 3650 }, nil},
		"too many days":        {func(p *catalog.Product) { p.Redeem.WithinDays = 3651 }, []string{"redeem_within_days"}},
		"days before":          {func(p *catalog.Product) { p.Redeem.WithinDays = -1 }, []string{"redeem_within_days"}},
		"a day to redeem":      {func(p *catalog.Product) { p.Redeem.By = "2028-02-29" }, nil},
		"no such day":          {func(p *catalog.Product) { p.Redeem.By = "2026-02-29" }, []string{"redeem_by"}},
		"a moment":             {func(p *catalog.Product) { p.Redeem.By = "2026-12-23T00:00:00Z" }, []string{"redeem_by"}},
		"a day and days":       {func(p *catalog.Product) { p.Redeem = catalog.Redeem{WithinDays: 1, By: "2026-12-23"} }, []string{"redeem_by"}},
		"aliases":              {func(p *catalog.Product) { p.Aliases = []string{"price_1", "gid://shop/2"} }, nil},
		"bad aliases": {
			func(p *catalog.Product) { p.Aliases = []string{"a?b", "4711", "twice", "twice"} },
			[]string{"aliases[0]", "aliases[1]", "aliases[3]"},
		},
		"too many aliases": {func(p *catalog.Product) { p.Aliases = strings.Split("abcdefghijk", "") }, []string{"aliases"}},
		"too many keys":    {func(p *catalog.Product) { p.Keys.Count = 1001 }, []string{"keys.count"}},
		"pools": {
			func(p *catalog.Product) {
				p.Pool, p.PoolsByCurrency = "El", map[string]string{"EUR": "elden", "eur": "elden", "EURO": "e", "USD": ""}
			},
			[]string{"pool", "pools_by_currency", "pools_by_currency.USD", "pools_by_currency"},
		},
		"links": {
			func(p *catalog.Product) {
				p.Instructions, p.Download = "ftp://x", "https://x.example/"+strings.Repeat("a", 2048)
			},
			[]string{"instructions", "download"},
		},
		"texts": {
			func(p *catalog.Product) {
				p.Texts = map[string]catalog.Text{
					"en": {Subject: "{KEY} of {PROGRAM}", Body: "none"}, "de": {Body: "{KEY}"}, "en_EN": {Body: "{KEY}"},
				}
			},
			[]string{"texts.en.subject", "texts.en.subject", "texts.en.body", "texts"},
		},
		"an item too large": {
			func(p *catalog.Product) {
				p.Texts = map[string]catalog.Text{}
				for i := range 16 {
					p.Texts[fmt.Sprintf("en-x-a%d", i)] = catalog.Text{Body: "{KEY}" + strings.Repeat("x", 19_000)}
				}
			},
			[]string{"texts"},
		},
	} {
		p := good
		c.change(&p)
		problems := settings.CheckProduct(p)
		if diff := cmp.Diff(c.want, paths(problems)); diff != "" {
			t.Errorf("%s: %s\n%+v", what, diff, problems)
		}
	}
}

// A problem shows what was written only cut short, and as one line.
func TestCheckProduct_quotesLittle(t *testing.T) {
	t.Parallel()
	problems := settings.CheckProduct(catalog.Product{
		ID: "1", Title: "x", Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 1},
		PoolsByCurrency: map[string]string{strings.Repeat("€\n", 1000): "elden"},
	})
	if len(problems) != 1 || len(problems[0].Message) > 400 || strings.Contains(problems[0].Message, "\n") {
		t.Errorf("%+v", problems)
	}
}

// Of a list that is too long, no more is looked at than there may be: each is compared with
// those before it.
func TestCheck_longLists(t *testing.T) {
	t.Parallel()
	long := slices.Repeat([]string{"again"}, 100_000)
	for name, c := range map[string]struct {
		got  []settings.Problem
		most int
	}{
		"aliases":          {settings.CheckProduct(catalog.Product{ID: "a", Title: "A", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Aliases: long}), 10},
		"notice addresses": {settings.CheckPool(catalog.Pool{Name: "a", Shards: 1, NoticeAddresses: long}), 2 * 5},
		"languages":        {settings.CheckMerchant(catalog.Merchant{Name: "a", Title: "A", NoticeAddress: "a@example.com", Languages: long}), 2 * 50},
	} {
		if len(c.got) == 0 || len(c.got) > c.most+1 || !strings.Contains(c.got[0].Message, "these are 100000; the limit is") {
			t.Errorf("%s: %d mistakes, the first %q", name, len(c.got), c.got[:min(1, len(c.got))])
		}
	}
}
