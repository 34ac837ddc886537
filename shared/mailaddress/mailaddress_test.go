package mailaddress_test

import (
	"net/mail"
	"strings"
	"testing"

	"keypool/shared/mailaddress"
)

func TestValid(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("d", 63)
	longest := strings.Repeat("a", 64) + "@" + label + "." + label + "." + label + "." + label // 255 bytes of domain
	for s, want := range map[string]bool{
		"keys@example.com":           true,
		"stock+low@acme.example":     true,
		"o'neill@acme.example":       true,
		"a@b":                        true,
		"anna@EXAMPLE.com":           true,
		"anna@bücher.example":        true,
		"anna@xn--bcher-kva.example": true,
		"anna@例え.テスト":                true,
		"anna@[127.0.0.1]":           true,

		"":                                     false,
		"@":                                    false,
		"keys":                                 false,
		"@example.com":                         false,
		"keys@":                                false,
		"x@y@example.com":                      false,
		"a.@docomo.example":                    false,
		"a..b@example.com":                     false,
		"buyer@example.com.":                   false,
		"Keys <keys@example.com>":              false,
		"<keys@example.com>":                   false,
		"keys@example.com (Keys)":              false,
		"a@example.com, b@example.com":         false,
		"a@example.com,b@example.com":          false,
		" keys@example.com":                    false,
		"keys@example.com ":                    false,
		`"keys"@example.com`:                   false,
		`"two words"@example.com`:              false,
		`"a@b"@example.com`:                    false,
		"größe@example.com":                    false,
		"ключ@example.com":                     false,
		"keys@exam\u00a0ple.com":               false,
		"keys@exam\u2028ple.com":               false,
		"keys@example.com\n":                   false,
		"keys@example.com\r\nBcc: a@b.example": false,
		"ke\x00ys@example.com":                 false,
		"keys\u0085@example.com":               false,
		"keys@exa\x80mple.com":                 false,
		"\xffkeys@example.com":                 false,
		"keys@exam\u202eple.com":               false,
		"keys@\u2066example.com":               false,
		"keys@exam\u200bple.com":               false,
		"keys@exam\u200cple.com":               false,
		"keys@exam\u00adple.com":               false,
		"keys@\ufeffexample.com":               false,
		"keys@نامه\u200cای.example":            true,

		strings.Repeat("a", 64) + "@example.com": true,
		strings.Repeat("a", 65) + "@example.com": false,
		longest:                                  true,
		longest + "d":                            false,
	} {
		if got := mailaddress.Valid(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	if len(longest) != 320 {
		t.Errorf("the longest address has %d bytes", len(longest))
	}
}

// FuzzValid holds that a valid address stands in a mail's header as one address and
// as it was given.
func FuzzValid(f *testing.F) {
	for _, s := range []string{"keys@example.com", "anna@bücher.example", `"a b"@example.com`, "a@b, c@d", "a@b\r\nBcc: c@d", "a@(b)c", "a@[::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !mailaddress.Valid(s) {
			return
		}
		list, err := mail.ParseAddressList("x@example.com, " + s)
		if err != nil || len(list) != 2 || list[1].Address != s || list[1].Name != "" {
			t.Errorf("%q in a header is %v, %v", s, list, err)
		}
		if strings.ContainsAny(s, "\r\n\x00 ,<>\"") {
			t.Errorf("%q is valid", s)
		}
	})
}

func TestMeant(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"ada@gmial.com":    "ada@gmail.com",
		"ada@gmal.com":     "ada@gmail.com",
		"ada@gmaill.com":   "ada@gmail.com",
		"ada@gmail.con":    "ada@gmail.com",
		"ada@Gnail.com":    "ada@gmail.com",
		"a@b@hotmial.com":  "a@b@hotmail.com",
		"ada@gmail.com":    "",
		"ada@mail.com":     "", // a domain of its own, one letter from another
		"ada@example.com":  "",
		"ada@":             "",
		"@gmial.com":       "",
		"":                 "",
		"ada@gmailcom.com": "",
	} {
		if got, _ := mailaddress.Meant(address); got != want {
			t.Errorf("Meant(%q) = %q, want %q", address, got, want)
		}
	}
}
