package text_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/mail/text"
)

// FuzzText holds what a checked text promises: it shows every key, it does not
// grow out of bounds, and nothing that a customer writes is read as text.
func FuzzText(f *testing.F) {
	f.Add("Your key for {PROGRAM_NAME}", "Hello {FULLNAME},\n\nhere it is:\n{KEY}\n\n{URL}", "Anna Berg", "AAAA-1")
	f.Add("", "{KEY}", "{KEY}", "{FULLNAME}")
	f.Add("{ORDER_ID}", "see (https://shop.example/?k={KEY}&n={FULLNAME}).", "A&B\r\nBcc: x", "https://files.example/?a=1")
	f.Add("For {FULLNAME}", "{KEY} {FULLNAME}", "{ORDER_ID}{KEY}", "{ORDER_ID}")
	f.Add("x{FULLNAME}", "{KEY}{KEY} {FULLNAME}{KEY}.\r{URL}{KEY}", "https://evil.example", "javascript:alert(1)")
	f.Add("x", "{ KEY } {key} {{KEY}} }{ {{FULLNAME}}{FULLNAME", "\u202e\u2028\x00\xff", "<b>")
	f.Add("", "{URL}{FULLNAME}/{KEY}\n\n{FULLNAME}{URL}", "}\n\n{", "a b")
	f.Add("", strings.Repeat("{KEY}", 500), "", strings.Repeat("K", 300))
	f.Add("", "# **{KEY}** _{FULLNAME}_\n\n- [{FULLNAME}](https://shop.example/?n={FULLNAME})\n\n> `{FULLNAME}`\n\n``` {KEY}\n{KEY}\n```", "*Ada* _[x](https://evil.example)_ `<b>`", "**K**")
	f.Fuzz(func(t *testing.T, subject, body, customer, key string) {
		values := text.Values{
			text.Key: {"FIRST0c1d", key, "THIRD5a4f"}, text.FullName: {customer},
			text.URL: {"https://shop.example/help"}, text.OrderID: {"55"},
		}
		line := text.Subject(subject, values)
		if want := text.OneLine(replaced(subject, values)); line != want {
			t.Errorf("subject %q, want %q", line, want)
		}
		if strings.ContainsAny(line, "\r\n\x00") || utf8.RuneCountInString(line) > 200 {
			t.Errorf("subject %q is not one line of up to 200 characters", line)
		}
		for _, format := range []string{text.PlainText, text.Markdown} {
			expandsOnce(t, format, body, customer, values)
			shown := text.Plain(text.Body(format, body, values))
			if text.Check(format, subject, body) != nil {
				continue
			}
			// In Markdown a tag may stand where nothing is shown.
			least := strings.Count(body, "{KEY}")
			if format == text.Markdown {
				least = 1
			}
			if strings.Count(shown, "FIRST0c1d") < least {
				t.Errorf("a key is missing in %q (%s)", shown, format)
			}
			// An address with {KEY} is shown once for each key; in an address, a byte of
			// a value takes up to three. The margin of a list or quote is six characters a
			// level at most, before each line of a value too.
			longest := max(len(customer), len(key), len(values[text.URL][0]))
			most := len(values[text.Key]) * (len(body) + text.MaxTags*3*longest)
			if format == text.Markdown {
				most += 60 * (strings.Count(shown, "\n") + 1)
			}
			if len(shown) > most {
				t.Errorf("%d bytes are shown, want at most %d (%s)", len(shown), most, format)
			}
		}
	})
}

// replaced puts the values in the place of their tags in the plainest way.
func replaced(s string, values text.Values) string {
	var pairs []string
	for _, known := range text.Tags {
		pairs = append(pairs, known.Tag.String(), strings.Join(values[known.Tag], ", "))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// expandsOnce holds that a customer's name, whatever it is, stands exactly where
// a plain word would, and is escaped where that is in an address.
func expandsOnce(t *testing.T, format, body, customer string, values text.Values) {
	t.Helper()
	const word = "PLAIN7f3aWORD"
	name := "Q" + text.OneLine(customer) + "Z"
	escaped := strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	if strings.Contains(body+name+values[text.Key][1], word) || tagInHost.MatchString(body) {
		return
	}
	expanded := func(name string) []text.Block {
		values[text.FullName] = []string{name}
		return text.Body(format, body, values)
	}
	// In an address a name is escaped, elsewhere not; which, is looked at after.
	plain := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, word, name), escaped, name)
	}
	want, got := expanded(word), expanded(name)
	for _, run := range runs(got) {
		if name != escaped && strings.Contains(run.Link, name) && !strings.Contains(body+values[text.Key][1], name) {
			t.Errorf("%q is not escaped in the address %q", name, run.Link)
		}
	}
	for _, blocks := range [][]text.Block{want, got} {
		for _, run := range runs(blocks) {
			run.Text, run.Link = plain(run.Text), plain(run.Link)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q does not stand where a plain word would (-word +name):\n%s", name, diff)
	}
}

// tagInHost finds an address that is one or is none by what stands for a tag in it.
var tagInHost = regexp.MustCompile(`(?i)https?://[^/?#\s]*\{`)

// runs returns the runs of all blocks, to be looked at or changed.
func runs(blocks []text.Block) []*text.Run {
	var all []*text.Run
	for _, block := range blocks {
		for _, line := range append(block.Lines, block.Keys) {
			for i := range line {
				all = append(all, &line[i])
			}
		}
	}
	return all
}
