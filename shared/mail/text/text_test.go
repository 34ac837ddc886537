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
		name, format, subject, body string
		want                        []string
	}{
		{name: "every tag", body: everyTag(), subject: "{PROGRAM_NAME}, order {ORDER_ID}"},
		{name: "no subject: the default one", body: "{KEY}"},
		{name: "braces that are no tags", body: "{KEY} {} { } {1} {color: red} {a.b} }{ {\"x\"}"},
		{
			name: "no key", body: "Thank you.",
			want: []string{"body: {KEY} is missing: it is where the customer finds the license."},
		},
		{
			name: "a tag in another case", body: "{KEY} {Fname} { program-name }",
			want: []string{
				"body: line 1, column 7: there is no tag {Fname}; write {FNAME}.",
				"body: line 1, column 15: there is no tag { program-name }; write {PROGRAM_NAME}.",
			},
		},
		{
			name: "an unknown tag, once", subject: "{LICENSE}", body: "{KEY} {LICENSE} {LICENSE}",
			want: []string{
				"subject: column 1: there is no tag {LICENSE}; the tags are " + tagNames() + ".",
				"body: line 1, column 7: there is no tag {LICENSE}; the tags are " + tagNames() + ".",
			},
		},
		{
			name: "an unknown tag on two lines", body: "{KEY} {\r\n\tKEYS }",
			want: []string{"body: line 1, column 7: there is no tag { KEYS }; the tags are " + tagNames() + "."},
		},
		{
			name: "a long one", body: "{KEY} {" + strings.Repeat("x", 999) + "}",
			want: []string{"body: line 1, column 7: there is no tag {" + strings.Repeat("x", 39) + "…; the tags are " + tagNames() + "."},
		},
		{
			name: "doubled braces, as other programs have them", subject: "{{ order_id }}", body: "Code: {{KEY}} {{{FULLNAME}}} {{ license.key }} {{#if x}}",
			want: []string{
				"subject: column 1: {{ order_id }} has doubled braces, which would stay in the mail; write {ORDER_ID}.",
				"body: line 1, column 7: {{KEY}} has doubled braces, which would stay in the mail; write {KEY}.",
				"body: line 1, column 15: {{{FULLNAME}}} has doubled braces, which would stay in the mail; write {FULLNAME}.",
				"body: line 1, column 30: {{ license.key }} has doubled braces, which would stay in the mail; the tags are " + tagNames() + ".",
				"body: line 1, column 48: {{#if x}} has doubled braces, which would stay in the mail; the tags are " + tagNames() + ".",
			},
		},
		{
			name: "a brace too many", body: "{KEY}} {{URL}",
			want: []string{
				"body: line 1, column 1: {KEY}} has doubled braces, which would stay in the mail; write {KEY}.",
				"body: line 1, column 8: {{URL} has doubled braces, which would stay in the mail; write {URL}.",
			},
		},
		{
			name: "a brace too few", subject: "For FULLNAME}", body: "Größe:\r\n\r\nähm {KEY} and {KEY, {URL; and CITY} {not closed",
			want: []string{
				"subject: column 5: FULLNAME} lacks a brace; write {FULLNAME}.",
				"body: line 3, column 15: {KEY lacks a brace; write {KEY}.",
				"body: line 3, column 21: {URL lacks a brace; write {URL}.",
				"body: line 3, column 31: CITY} lacks a brace; write {CITY}.",
			},
		},
		{name: "a format that is none", format: "html", body: "{KEY}", want: []string{"format: use plain or markdown."}},
		{name: "a plain text has no markup", format: "plain", body: "**{KEY} <b> [x](javascript:x) ```"},
		{
			name: "markdown", format: "markdown",
			body: "# Thanks\n\n**Your key**, *{FNAME}*:\n\n- {KEY}\n  1. [Help]({URL}) and [mail](mailto:a@b.example?subject={ORDER_ID})\n\n> 5 * 3, snake_case, \\*so\\*, `*code`\n\n---\n\n```\nrun **{KEY}\n```\n" +
				"https://shop.example/_a_?b=*c&k={KEY} <https://shop.example/**> <a@b.example>, **[bold link](HTTPS://shop.example)**",
		},
		{
			name: "marks that do not end", format: "markdown", body: "Thank you **very much.\n\n*Terms apply, {KEY}\nall* of __them\nrun `code",
			want: []string{
				`body: line 1, column 11: ** begins something that does not end; end it, or write \* or \_ for the sign itself.`,
				`body: line 4, column 9: __ begins something that does not end; end it, or write \* or \_ for the sign itself.`,
				"body: line 5, column 5: ` begins code that does not end; end it, or write \\` for the sign itself.",
			},
		},
		{
			name: "a mark that only ends, in a list", format: "markdown", body: "{KEY}\n\n- one\n- two** three\n",
			want: []string{`body: line 4, column 6: ** ends something that does not begin; begin it, or write \* for the sign itself.`},
		},
		{
			name: "HTML", format: "markdown", body: "<b>{KEY}</b>\n<script src=x>",
			want: []string{
				"body: line 1, column 1: <b> is HTML, which would stay in the mail as it is; use Markdown, such as **bold** and [text](https://…).",
				"body: line 1, column 9: </b> is HTML, which would stay in the mail as it is; use Markdown, such as **bold** and [text](https://…).",
				"body: line 2, column 1: <script src=x> is HTML, which would stay in the mail as it is; use Markdown, such as **bold** and [text](https://…).",
			},
		},
		{
			name: "links that lead elsewhere", format: "markdown",
			body: "{KEY} [a](javascript:alert) [b](ftp://x.example) [c](/help) [d]({CITY}) [e](data:text/html,x) [f](mailto:)",
			want: []string{
				`body: line 1, column 8: the link leads to "javascript:alert"; use an address that begins with https://, http:// or mailto:.`,
				`body: line 1, column 30: the link leads to "ftp://x.example"; use an address that begins with https://, http:// or mailto:.`,
				`body: line 1, column 51: the link leads to "/help"; use an address that begins with https://, http:// or mailto:.`,
				`body: line 1, column 62: the link leads to "{CITY}"; use an address that begins with https://, http:// or mailto:.`,
				`body: line 1, column 74: the link leads to "data:text/html,x"; use an address that begins with https://, http:// or mailto:.`,
				`body: line 1, column 96: the link leads to "mailto:"; use an address that begins with https://, http:// or mailto:.`,
			},
		},
		{
			name: "keys in links, and a picture", format: "markdown", body: "[{KEY}](https://a.example)\n[x](https://a.example?k={KEY})\n![x](https://a.example/x.png)\n[no link](https://a.example/a b)",
			want: []string{
				"body: line 1, column 2: {KEY} must not stand in the text of a link: the customer copies it. Write it beside the link.",
				"body: line 2, column 2: {KEY} must not stand in the address of a link with a text; write the address by itself, so that each key has its link.",
				"body: line 3, column 3: a mail shows no pictures but the logo, which is a setting of yours; leave it out, or write a link.",
				"body: line 4, column 9: ](https://a.example/a is no link; write [text](https://…), without spaces in the address.",
			},
		},
		{
			name: "code that does not end", format: "markdown", body: "{KEY}\n\n```\ncode\n```\n\n~~~ sh\ncode",
			want: []string{"body: line 7, column 1: the lines of code that begin here do not end; end them by a line of ~~~."},
		},
		{
			name: "a key where nothing is shown", format: "markdown", body: "``` {KEY}\ncode\n```\n[x](https://a.example \"{KEY}\")",
			want: []string{"body: {KEY} stands where nothing is shown, such as beside the marks of code; put it into the text."},
		},
		{
			name: "nested too deep", format: "markdown", body: "{KEY}\n\n>>>>>>> deep",
			want: []string{"body: line 3, column 9: lists and quotes are nested deeper than 6 here."},
		},
		{
			name: "signs written as in HTML", format: "markdown", body: "5&nbsp;keys &amp; more &#8211; &#x20ac; {KEY}\n`&amp;` AT&T; R&D; \\&lt; https://a.example/?a=1&lt;=2",
			want: []string{
				"body: line 1, column 2: &nbsp; is HTML, which would stay in the mail as it is; write the sign itself.",
				"body: line 1, column 13: &amp; is HTML, which would stay in the mail as it is; write the sign itself.",
				"body: line 1, column 24: &#8211; is HTML, which would stay in the mail as it is; write the sign itself.",
				"body: line 1, column 32: &#x20ac; is HTML, which would stay in the mail as it is; write the sign itself.",
			},
		},
		{name: "such signs in a plain text", body: "&nbsp;{KEY}"},
		{
			name: "control characters", body: "a\tb\r\n{KEY}\n\x1b[0m and \x00",
			want: []string{"body: line 3, column 1: there is a control character here, which mail programs do not show; leave it out."},
		},
		{
			name: "a key in the subject", subject: "Your key {KEY}", body: "{KEY}",
			want: []string{"subject: column 10: {KEY} must not stand here: subjects show on locked screens. Put it into the body."},
		},
		{
			name: "a subject of two lines", subject: "Your key\r\nBcc: x", body: "{KEY}",
			want: []string{"subject: column 9: it must be one line, without control characters."},
		},
		{
			name: "too long", body: "{KEY}" + strings.Repeat("x", 20_000),
			want: []string{"body: it is 20005 bytes long; the limit is 20000."},
		},
		{name: "as many tags as fit into a mail", body: strings.Repeat("{KEY}", text.MaxKeys) + strings.Repeat("{URL}", text.MaxTags-text.MaxKeys)},
		{
			name: "more", body: strings.Repeat("{KEY}", text.MaxKeys) + "{PARENT_KEY}" + strings.Repeat("{URL}", text.MaxTags-text.MaxKeys),
			want: []string{
				"body: it holds 201 tags; the limit is 200.",
				"body: {KEY} and {PARENT_KEY} stand in it 11 times; the limit is 10, since each brings all keys of a line.",
			},
		},
		{
			name: "not UTF-8", body: "{KEY} \xff",
			want: []string{"body: it is not valid UTF-8."},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := text.Check(c.format, c.subject, c.body)
			var got []string
			if wrong, ok := errors.AsType[*text.CheckError](err); ok {
				for _, p := range wrong.Problems {
					got = append(got, p.Field+": "+p.String())
				}
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
			if diff := cmp.Diff(c.want, text.Body("", c.body, c.values)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Markdown is set; what stands for a tag is none, and addresses with underscores are whole.
func TestBody_markdown(t *testing.T) {
	says := func(s string) text.Line { return text.Line{{Text: s}} }
	one := text.Values{text.Key: {"AAAA-1"}, text.FullName: {"*Ada* _B_ [x](https://evil.example) `{KEY}` <b>"}, text.URL: {"https://shop.example/help_a_b"}, text.OrderID: {"5 5"}}
	two := text.Values{text.Key: {"AAAA_1_", "*BBBB*-2"}}
	for _, c := range []struct {
		name, body string
		values     text.Values
		want       []text.Block
		plain      string
	}{
		{
			"marks", "# Hi\n**bold words** and *it*, `co  de` \\*no\\*\nnext line\n\n---", one,
			[]text.Block{
				{Lines: []text.Line{says("Hi")}, Form: text.Form{Heading: 1}},
				{Lines: []text.Line{
					{{Text: "bold words", Strong: true}, {Text: " and "}, {Text: "it", Emphasis: true}, {Text: ", "}, {Text: "co de", Code: true}, {Text: " *no*"}},
					says("next line"),
				}},
				{Rule: true},
			},
			"Hi\n\nbold words and it, co de *no*\nnext line\n\n---",
		},
		{
			"values are no markup", "**Dear {FULLNAME}**, {PRICE_ONE_DUPLICATE}{ORDER_ID}", one,
			[]text.Block{{Lines: []text.Line{{
				{Text: "Dear *Ada* _B_ [x](https://evil.example) `{KEY}` <b>", Strong: true}, {Text: ", 5 5"},
			}}}},
			"Dear *Ada* _B_ [x](https://evil.example) `{KEY}` <b>, 5 5",
		},
		{
			"keys", "Your keys:\n\n- **{KEY}**\n\n*{KEY}*, bye", two,
			[]text.Block{
				{Lines: []text.Line{says("Your keys:")}},
				{Keys: []text.Run{{Text: "AAAA_1_", Key: true}, {Text: "*BBBB*-2", Key: true}}},
				{Keys: []text.Run{{Text: "AAAA_1_", Key: true}, {Text: "*BBBB*-2", Key: true}}},
				{Lines: []text.Line{says("bye")}},
			},
			"Your keys:\n\nAAAA_1_\n*BBBB*-2\n\nAAAA_1_\n*BBBB*-2\n\nbye",
		},
		{
			"links", "See [our *help*]({URL}), https://shop.example/a_b_c?o={ORDER_ID}, <a@shop.example> or [write](mailto:a@shop.example?subject={ORDER_ID}).", one,
			[]text.Block{{Lines: []text.Line{{
				{Text: "See "},
				{Text: "our ", Link: "https://shop.example/help_a_b"},
				{Text: "help", Link: "https://shop.example/help_a_b", Emphasis: true},
				{Text: ", "},
				{Text: "https://shop.example/a_b_c?o=5%205", Link: "https://shop.example/a_b_c?o=5%205"},
				{Text: ", "},
				{Text: "a@shop.example", Link: "mailto:a@shop.example"},
				{Text: " or "},
				{Text: "write", Link: "mailto:a@shop.example?subject=5%205"},
				{Text: "."},
			}}}},
			"See our help (https://shop.example/help_a_b), https://shop.example/a_b_c?o=5%205, a@shop.example or write (a@shop.example).",
		},
		{
			"marks in addresses", "https://shop.example/_next_/*a*?x=`1`&b=2, (https://a.example/_x_/). **https://b.example/_y_/**\n\"http://c.example/__z__/\": _https://e.example/f_g_", one,
			[]text.Block{{Lines: []text.Line{
				{
					{Text: "https://shop.example/_next_/*a*?x=`1`&b=2", Link: "https://shop.example/_next_/*a*?x=`1`&b=2"},
					{Text: ", ("},
					{Text: "https://a.example/_x_/", Link: "https://a.example/_x_/"},
					{Text: "). "},
					{Text: "https://b.example/_y_/", Link: "https://b.example/_y_/", Strong: true},
				},
				{
					{Text: "\""},
					{Text: "http://c.example/__z__/", Link: "http://c.example/__z__/"},
					{Text: "\": "},
					{Text: "https://e.example/f_g", Link: "https://e.example/f_g", Emphasis: true},
				},
			}}},
			"https://shop.example/_next_/*a*?x=`1`&b=2, (https://a.example/_x_/). https://b.example/_y_/\n\"http://c.example/__z__/\": https://e.example/f_g",
		},
		{
			"a link whose address is not there", "[Help]({URL})", nil,
			[]text.Block{{Lines: []text.Line{says("Help")}}},
			"Help",
		},
		{
			"lists, quotes and code", "3. one\n4. two\n   - deep\n\n   again\n\n> said\n> twice\n\n```\nrun  --key {KEY}\n\n  <x>\n```", one,
			[]text.Block{
				{Lines: []text.Line{says("one")}, Form: text.Form{Depth: 1, Marker: "3."}},
				{Lines: []text.Line{says("two")}, Form: text.Form{Depth: 1, Marker: "4."}},
				{Lines: []text.Line{says("deep")}, Form: text.Form{Depth: 2, Marker: "•"}},
				{Lines: []text.Line{says("again")}, Form: text.Form{Depth: 1}},
				{Lines: []text.Line{says("said"), says("twice")}, Form: text.Form{Quote: true}},
				{Lines: []text.Line{{{Text: "run  --key "}, {Text: "AAAA-1", Key: true}}, says(""), says("  <x>")}, Form: text.Form{Code: true}},
			},
			"3. one\n4. two\n   - deep\n\n  again\n\n> said\n> twice\n\nrun  --key AAAA-1\n\n  <x>",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := text.Check(text.Markdown, "", c.body+" {KEY}"); err != nil && c.values != nil && !strings.HasSuffix(c.body, "```") {
				t.Errorf("it could not be set: %v", err)
			}
			got := text.Body(text.Markdown, c.body, c.values)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.plain, text.Plain(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlain_keysStandAlone(t *testing.T) {
	got := text.Plain(text.Body("", "Hello {FULLNAME},\nyour keys: {KEY}\n\nBye.", text.Values{
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
		if diff := cmp.Diff(want, text.PlainRightToLeft(text.Body("", body, values))); diff != "" {
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
	wrong, ok := errors.AsType[*text.CheckError](text.Check("", "", body.String()+"{KEY}"))
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
