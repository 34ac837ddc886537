package markup_test

import (
	"html/template"
	"strings"
	"testing"

	"keypool/shared/markup"
)

func TestText(t *testing.T) {
	t.Parallel()
	var w markup.Writer
	w.Raw(`<p title="`, `">`).Text(`<b>"it's" & more</b>`).Raw(" ").Number(42)
	if got, want := w.String(), `<p title="">&lt;b&gt;&#34;it&#39;s&#34; &amp; more&lt;/b&gt; 42`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://a.example/b?c=d&e=%41#f": "https://a.example/b?c=d&amp;e=%41#f",
		`https://a.example/"onclick="x`:   "https://a.example/%22onclick=%22x",
		"https://a.example/é (1)'":        "https://a.example/%c3%a9%20%281%29%27",
		"https://a.example/100%":          "https://a.example/100%25",
		"HTTPS://A.EXAMPLE":               "HTTPS://A.EXAMPLE",
		"mailto:a@example.com":            "mailto:a@example.com",
		"javascript:alert(1)":             "#",
		"java\nscript:alert(1)":           "#",
		" javascript:alert(1)":            "#",
		"data:text/html,<script>":         "#",
		"//a.example":                     "#",
		"":                                "#",
	} {
		var w markup.Writer
		if got := w.Address(address).String(); got != want {
			t.Errorf("%q is written as %s, want %s", address, got, want)
		}
	}
}

// An address is written as package html/template writes it, which knows what browsers take.
func FuzzAddress(f *testing.F) {
	known := template.Must(template.New("").Parse(`<a href="{{.}}">`))
	for _, seed := range []string{"https://a.example/?q=1&r=%zz%20", "mailto:é@example.com", "http://a\x00b\xff", "javascript:1", "https:x+y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		var theirs strings.Builder
		if err := known.Execute(&theirs, address); err != nil {
			t.Fatal(err)
		}
		var ours markup.Writer
		ours.Raw(`<a href="`).Address(address).Raw(`">`)
		want := strings.ReplaceAll(theirs.String(), "&#43;", "+")
		if strings.Contains(want, "ZgotmplZ") || ours.String() == `<a href="#">` {
			return // we take fewer kinds of addresses
		}
		if got := ours.String(); got != want {
			t.Errorf("%q is written as %s, by html/template as %s", address, got, want)
		}
	})
}
