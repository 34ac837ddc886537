package link_test

import (
	"bytes"
	"errors"
	"testing"

	"keypool/shared/link"
)

var key = bytes.Repeat([]byte("k"), 32)

var page = link.Page{Merchant: "nova", Order: "Zx0LJ3r8kqf1N2b7c4dP5Q", Number: 3}

func pageToken(t *testing.T, p link.Page, key []byte) string {
	t.Helper()
	text, err := p.Token(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPage_goodLink(t *testing.T) {
	t.Parallel()
	text := pageToken(t, page, key)
	if of, err := link.PageOrder(text); of != page.Order || err != nil || len(text) != 44 {
		t.Errorf("%q names %q, %v", text, of, err)
	}
	if err := page.Check(text, key); err != nil {
		t.Error(err)
	}
	if url, err := page.URL("https://keypool.example", key); err != nil || url != "https://keypool.example/o/"+text {
		t.Errorf("%s, %v", url, err)
	}
}

func TestPage_refuses(t *testing.T) {
	t.Parallel()
	other := bytes.Repeat([]byte("o"), 32)
	good := pageToken(t, page, key)
	with := func(change func(*link.Page)) string {
		p := page
		change(&p)
		return pageToken(t, p, key)
	}
	for name, c := range map[string]struct {
		token string
		key   []byte
	}{
		"nothing":                  {"", key},
		"no signature":             {page.Order, key},
		"another merchant's key":   {good, other},
		"no key":                   {good, nil},
		"another's signature":      {pageToken(t, page, other), key},
		"another merchant":         {with(func(p *link.Page) { p.Merchant = "acme" }), key},
		"another order":            {with(func(p *link.Page) { p.Order = "A" + p.Order[1:] }), key},
		"a link that was replaced": {with(func(p *link.Page) { p.Number = 2 }), key},
		"one that is not made yet": {with(func(p *link.Page) { p.Number = 4 }), key},
		"more":                     {good + "A", key},
	} {
		if err := page.Check(c.token, c.key); !errors.Is(err, link.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		if _, err := link.PageOrder(good[:i]); !errors.Is(err, link.ErrInvalid) {
			t.Fatalf("cut after %d characters: %v", i, err)
		}
		for _, c := range "AzZ9-_.\n" {
			altered := good[:i] + string(c) + good[i+1:]
			if byte(c) == good[i] {
				continue
			}
			if err := page.Check(altered, key); !errors.Is(err, link.ErrInvalid) {
				t.Fatalf("%q in place of character %d: %v", c, i, err)
			}
		}
	}
}

func TestPage_needsAKey(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, {}, []byte("short")} {
		if text, err := page.Token(key); err == nil || text != "" {
			t.Errorf("signed by a key of %d bytes: %q, %v", len(key), text, err)
		}
	}
}

// FuzzPage holds that no text passes for a link but the one that was signed.
func FuzzPage(f *testing.F) {
	good, err := page.Token(key)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{good, good + "\n", page.Order, ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if page.Check(text, key) == nil && text != good {
			t.Errorf("%q passes", text)
		}
	})
}
