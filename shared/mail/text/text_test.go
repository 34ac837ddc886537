package text_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/mail/text"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, subject, body string
		want                []text.Problem
	}{
		{name: "every tag", body: everyTag(), subject: "{PROGRAM_NAME}, order {ORDER_ID}"},
		{name: "no subject: the default one", body: "{KEY}"},
		{name: "braces that are no tags", body: "{KEY} {} { } {1} {color: red} {a.b} }{ {\"x\"}"},
		{
			name: "no key", body: "Thank you.",
			want: []text.Problem{{"body", "{KEY} is missing: it is where the customer finds the license."}},
		},
		{
			name: "a tag in another case", body: "{KEY} {Fname} { program-name }",
			want: []text.Problem{
				{"body", "there is no tag {Fname}; write {FNAME}."},
				{"body", "there is no tag { program-name }; write {PROGRAM_NAME}."},
			},
		},
		{
			name: "an unknown tag, once", subject: "{LICENSE}", body: "{KEY} {LICENSE} {LICENSE}",
			want: []text.Problem{
				{"subject", "there is no tag {LICENSE}; the tags are " + tagNames() + "."},
				{"body", "there is no tag {LICENSE}; the tags are " + tagNames() + "."},
			},
		},
		{
			name: "an unknown tag on two lines", body: "{KEY} {\r\n\tKEYS }",
			want: []text.Problem{{"body", "there is no tag { KEYS }; the tags are " + tagNames() + "."}},
		},
		{
			name: "a long one", body: "{KEY} {" + strings.Repeat("x", 999) + "}",
			want: []text.Problem{{"body", "there is no tag {" + strings.Repeat("x", 39) + "…; the tags are " + tagNames() + "."}},
		},
		{
			name: "doubled braces, as other programs have them", subject: "{{ order_id }}", body: "Code: {{KEY}} {{{FULLNAME}}} {{ license.key }} {{#if x}}",
			want: []text.Problem{
				{"subject", "{{ order_id }} has doubled braces, which would stay in the mail; write {ORDER_ID}."},
				{"body", "{{KEY}} has doubled braces, which would stay in the mail; write {KEY}."},
				{"body", "{{{FULLNAME}}} has doubled braces, which would stay in the mail; write {FULLNAME}."},
				{"body", "{{ license.key }} has doubled braces, which would stay in the mail; the tags are " + tagNames() + "."},
				{"body", "{{#if x}} has doubled braces, which would stay in the mail; the tags are " + tagNames() + "."},
			},
		},
		{
			name: "a brace too many", body: "{KEY}} {{URL}",
			want: []text.Problem{
				{"body", "{KEY}} has doubled braces, which would stay in the mail; write {KEY}."},
				{"body", "{{URL} has doubled braces, which would stay in the mail; write {URL}."},
			},
		},
		{
			name: "a key in the subject", subject: "Your key {KEY}", body: "{KEY}",
			want: []text.Problem{{"subject", "{KEY} must not stand here: subjects show on locked screens. Put it into the body."}},
		},
		{
			name: "a subject of two lines", subject: "Your key\r\nBcc: x", body: "{KEY}",
			want: []text.Problem{{"subject", "it must be one line, without control characters."}},
		},
		{
			name: "too long", body: "{KEY}" + strings.Repeat("x", 20_000),
			want: []text.Problem{{"body", "it is 20005 bytes long; the limit is 20000."}},
		},
		{name: "as many tags as fit into a mail", body: strings.Repeat("{KEY}", text.MaxKeys) + strings.Repeat("{URL}", text.MaxTags-text.MaxKeys)},
		{
			name: "more", body: strings.Repeat("{KEY}", text.MaxKeys) + "{PARENT_KEY}" + strings.Repeat("{URL}", text.MaxTags-text.MaxKeys),
			want: []text.Problem{
				{"body", "it holds 201 tags; the limit is 200."},
				{"body", "{KEY} and {PARENT_KEY} stand in it 11 times; the limit is 10, since each brings all keys of a line."},
			},
		},
		{
			name: "not UTF-8", body: "{KEY} \xff",
			want: []text.Problem{{"body", "it is not valid UTF-8."}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := text.Check(c.subject, c.body)
			var got []text.Problem
			if wrong, ok := errors.AsType[*text.CheckError](err); ok {
				got = wrong.Problems
			} else if err != nil {
				t.Fatalf("another error: %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTags_areTwentyFour(t *testing.T) {
	if len(text.Tags) != 24 {
		t.Errorf("%d tags", len(text.Tags))
	}
}

func TestSubject_isOneCleanLine(t *testing.T) {
	for _, c := range []struct{ subject, name, want string }{
		{"Your key for {PROGRAM_NAME}", "Elden", "Your key for Elden"},
		{"For {PROGRAM_NAME}", "A\r\nBcc: victim@example.com", "For A Bcc: victim@example.com"},
		{"For {PROGRAM_NAME}", "{ORDER_ID}", "For {ORDER_ID}"},
		{"For {PROGRAM_NAME}", "<b>R&D</b>", "For <b>R&D</b>"},
		{"For {PROGRAM_NAME}", "a\u202egnp.exe\u2028", "For a gnp.exe"},
		{"{PROGRAM_NAME}", strings.Repeat("é", 300), strings.Repeat("é", 199) + "…"},
	} {
		got := text.Subject(c.subject, text.Values{text.ProgramName: {c.name}, text.OrderID: {"55"}})
		if got != c.want {
			t.Errorf("%q for %q: got %q, want %q", c.subject, c.name, got, c.want)
		}
	}
}

func TestBody(t *testing.T) {
	one := text.Values{text.Key: {"AAAA-1"}}
	two := text.Values{text.Key: {"AAAA-1", "BBBB-2"}}
	says := func(s string) text.Line { return text.Line{{Text: s}} }
	key := func(s string) text.Run { return text.Run{Text: s, Key: true} }
	link := func(s string) text.Run { return text.Run{Text: s, Link: s} }
	keyLink := func(s string) text.Run { return text.Run{Text: s, Link: s, Key: true} }

	for _, c := range []struct {
		name, body string
		values     text.Values
		want       []text.Block
	}{
		{
			"paragraphs and lines", "One.\r\nTwo.\r\n\r\n\r\nThree.", nil,
			[]text.Block{{Lines: []text.Line{says("One."), says("Two.")}}, {Lines: []text.Line{says("Three.")}}},
		},
		{
			"a key alone is a block", "Here:\n{KEY}\nEnjoy.", one,
			[]text.Block{
				{Lines: []text.Line{says("Here:")}},
				{Keys: []text.Run{key("AAAA-1")}},
				{Lines: []text.Line{says("Enjoy.")}},
			},
		},
		{
			"one key stays in its sentence", "Your key is {KEY}.", one,
			[]text.Block{{Lines: []text.Line{{{Text: "Your key is "}, key("AAAA-1"), {Text: "."}}}}},
		},
		{
			"a key with doubled spaces leaves its sentence", "Your key is {KEY}.",
			text.Values{text.Key: {"AAAA  1"}},
			[]text.Block{{Lines: []text.Line{says("Your key is")}}, {Keys: []text.Run{key("AAAA  1")}}},
		},
		{
			"several keys leave their sentence", "Your keys are {KEY}. Enjoy.", two,
			[]text.Block{
				{Lines: []text.Line{says("Your keys are")}},
				{Keys: []text.Run{key("AAAA-1"), key("BBBB-2")}},
				{Lines: []text.Line{says("Enjoy.")}},
			},
		},
		{
			"a key that is a link", "{KEY}",
			text.Values{text.Key: {"https://files.example/l?a=1&b=<2>"}},
			[]text.Block{{Keys: []text.Run{keyLink("https://files.example/l?a=1&b=<2>")}}},
		},
		{
			"a key that only looks like one", "{KEY}",
			text.Values{text.Key: {"javascript:alert(1)"}},
			[]text.Block{{Keys: []text.Run{key("javascript:alert(1)")}}},
		},
		{
			"a link in the text", "See (https://shop.example/help).", nil,
			[]text.Block{{Lines: []text.Line{{{Text: "See ("}, link("https://shop.example/help"), {Text: ")."}}}}},
		},
		{
			"a value within a link is escaped for it", "https://shop.example/?who={FULLNAME}&x={ORDER_ID}",
			text.Values{text.FullName: {"A&B c/d"}, text.OrderID: {"55"}},
			[]text.Block{{Lines: []text.Line{{link("https://shop.example/?who=A%26B%20c%2Fd&x=55")}}}},
		},
		{
			"keys within a link", "Activate: https://shop.example/a?k={KEY}",
			text.Values{text.Key: {"A 1", "B+2"}},
			[]text.Block{
				{Lines: []text.Line{says("Activate:")}},
				{Keys: []text.Run{keyLink("https://shop.example/a?k=A%201"), keyLink("https://shop.example/a?k=B%2B2")}},
			},
		},
		{
			"a tag that is an address", "Help: {URL}?o={ORDER_ID}.",
			text.Values{text.URL: {"https://shop.example/help"}, text.OrderID: {"5 5"}},
			[]text.Block{{Lines: []text.Line{{{Text: "Help: "}, link("https://shop.example/help?o=5%205"), {Text: "."}}}}},
		},
		{
			"a customer's address leads nowhere", "Hello {FULLNAME}",
			text.Values{text.FullName: {"https://evil.example"}},
			[]text.Block{{Lines: []text.Line{says("Hello https://evil.example")}}},
		},
		{
			"a half address", "https:// and http://[", nil,
			[]text.Block{{Lines: []text.Line{{{Text: "https:// and http://["}}}}},
		},
		{
			"a value is never expanded", "Hello {FULLNAME}, {KEY}",
			text.Values{text.FullName: {"{KEY} {EMAIL}"}, text.Key: {"{FULLNAME}"}, text.Email: {"x"}},
			[]text.Block{{Lines: []text.Line{{{Text: "Hello {KEY} {EMAIL}, "}, key("{FULLNAME}")}}}},
		},
		{
			"a value with lines", "Note: {ADDINFO_TEXT}",
			text.Values{text.AddInfo: {"one\r\n\r\ntwo\x07"}},
			[]text.Block{{Lines: []text.Line{says("Note: one"), says("two")}}},
		},
		{"no value", "Parent: {PARENT_KEY}", nil, []text.Block{{Lines: []text.Line{says("Parent:")}}}},
		{"nothing", "", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, text.Body(c.body, c.values)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlain_keysStandAlone(t *testing.T) {
	got := text.Plain(text.Body("Hello {FULLNAME},\nyour keys: {KEY}\n\nBye.", text.Values{
		text.FullName: {"Anna"}, text.Key: {"AAAA-1", "BBBB-2"},
	}))
	want := "Hello Anna,\nyour keys:\n\nAAAA-1\nBBBB-2\n\nBye."
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// In a language that is written from right to left, the numbers of a key within a sentence
// would change their places, and a line that begins with a Latin name would be set from the left.
func TestPlainRightToLeft(t *testing.T) {
	values := text.Values{text.Key: {"1234 5678"}, text.ProgramName: {"Elden"}}
	for body, want := range map[string]string{
		"{PROGRAM_NAME} لك\nشكرًا":     "\u200fElden لك\n\u200fشكرًا",
		"مفتاحك هو {KEY}.":             "\u200fمفتاحك هو\n1234 5678",
		"{KEY} هو مفتاحك":              "1234 5678\n\u200fهو مفتاحك",
		"مفتاحك:\n{KEY}\n\nإلى اللقاء": "\u200fمفتاحك:\n\n1234 5678\n\n\u200fإلى اللقاء",
	} {
		if diff := cmp.Diff(want, text.PlainRightToLeft(text.Body(body, values))); diff != "" {
			t.Errorf("%s:\n%s", body, diff)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name, wanted    string
		have, languages []string
		want            string
	}{
		{"itself", "de", []string{"de", "en"}, []string{"en"}, "de"},
		{"case and separator", "PT_br", []string{"pt-BR", "pt"}, nil, "pt-BR"},
		{"without its region", "de-AT", []string{"de", "en"}, []string{"en"}, "de"},
		{"with another region", "pt", []string{"en", "pt-BR"}, []string{"en"}, "pt-BR"},
		{"a region for another", "pt-PT", []string{"en", "pt-BR"}, []string{"en"}, "pt-BR"},
		{"the merchant's first", "ja", []string{"de", "en", "fr"}, []string{"fr", "de"}, "fr"},
		{"the merchant's second", "ja", []string{"de", "en"}, []string{"fr", "de"}, "de"},
		{"English", "ja", []string{"de", "en-GB"}, nil, "en-GB"},
		{"whatever there is", "ja", []string{"it", "de"}, []string{"fr"}, "de"},
		{"no wish", "", []string{"de", "en"}, []string{"de"}, "de"},
		{"nothing", "de", nil, []string{"de"}, ""},
		{"Taiwan", "zh-TW", []string{"en", "zh-Hans", "zh-Hant"}, []string{"en"}, "zh-Hant"},
		{"Hong Kong", "zh_HK", []string{"en", "zh", "zh-Hant"}, []string{"en"}, "zh-Hant"},
		{"mainland", "zh-CN", []string{"en", "zh-Hant", "zh-Hans"}, []string{"en"}, "zh-Hans"},
		{"another script rather than another language", "zh-TW", []string{"en", "zh-Hans"}, []string{"en"}, "zh-Hans"},
		{"a region that is none", "en_EN", []string{"de", "en"}, []string{"de"}, "en"},
		{"a former tag", "iw", []string{"en", "he"}, []string{"en"}, "he"},
		{"Norwegian", "no", []string{"en", "nb"}, []string{"en"}, "nb"},
		{"not what its readers may know too", "uk", []string{"en", "ru"}, []string{"en"}, "en"},
		{"a region of the same English", "en-AU", []string{"en-GB", "en-US"}, nil, "en-GB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts := map[string]string{}
			for _, language := range c.have {
				texts[language] = "in " + language
			}
			language, chosen, ok := text.Choose(texts, c.wanted, c.languages)
			if language != c.want || ok != (c.want != "") || ok && chosen != "in "+c.want {
				t.Errorf("got %q, %q, %v; want %q", language, chosen, ok, c.want)
			}
		})
	}
}

func everyTag() string { return tagNames() }

// Whoever pastes a page of something else is not told a page of problems.
func TestCheck_tellsOfTenUnknownTags(t *testing.T) {
	var body strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&body, "{T%d}", i)
	}
	wrong, ok := errors.AsType[*text.CheckError](text.Check("", body.String()+"{KEY}"))
	if !ok || len(wrong.Problems) != 10 {
		t.Errorf("got %v, want 10 problems", wrong)
	}
}

func tagNames() string {
	var names []string
	for _, known := range text.Tags {
		names = append(names, known.Tag.String())
	}
	return strings.Join(names, " ")
}
