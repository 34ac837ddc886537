package link_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/link"
)

var (
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key  = bytes.Repeat([]byte("k"), 32)
	held = link.Link{Purpose: link.Held, Merchant: "nova", About: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Until: noon.Add(link.GoodFor)}
)

func token(t *testing.T, l link.Link, key []byte) string {
	t.Helper()
	text, err := l.Token(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCheck_goodLink(t *testing.T) {
	t.Parallel()
	text := token(t, held, key)
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		t.Errorf("an address cannot hold %q as it is", text)
	}
	got, err := link.Check(text, key, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(held, got); diff != "" {
		t.Error(diff)
	}
	url, err := held.URL("https://api.keypool.example", key)
	if err != nil || url != "https://api.keypool.example/links/"+text {
		t.Errorf("%s, %v", url, err)
	}
}

func TestCheck_refuses(t *testing.T) {
	t.Parallel()
	good := token(t, held, key)
	body, signature, _ := strings.Cut(good, ".")
	with := func(change func(*link.Link)) string {
		l := held
		change(&l)
		other, _, _ := strings.Cut(token(t, l, key), ".")
		return other + "." + signature
	}
	other := bytes.Repeat([]byte("o"), 32)
	for name, c := range map[string]struct {
		token string
		key   []byte
		now   time.Time
		want  error
	}{
		"nothing":                           {"", key, noon, link.ErrInvalid},
		"no signature":                      {body, key, noon, link.ErrInvalid},
		"an empty signature":                {body + ".", key, noon, link.ErrInvalid},
		"another's signature":               {token(t, held, other), key, noon, link.ErrInvalid},
		"another merchant's key":            {good, other, noon, link.ErrInvalid},
		"no key":                            {good, nil, noon, link.ErrInvalid},
		"another purpose":                   {with(func(l *link.Link) { l.Purpose = link.HeldAll }), key, noon, link.ErrInvalid},
		"another merchant":                  {with(func(l *link.Link) { l.Merchant = "acme" }), key, noon, link.ErrInvalid},
		"another line":                      {with(func(l *link.Link) { l.About = "A" + l.About[1:] }), key, noon, link.ErrInvalid},
		"a later end":                       {with(func(l *link.Link) { l.Until = l.Until.AddDate(1, 0, 0) }), key, noon, link.ErrInvalid},
		"two signatures":                    {good + "." + signature, key, noon, link.ErrInvalid},
		"not base64url":                     {strings.ReplaceAll(body, "M", "+") + "." + signature, key, noon, link.ErrInvalid},
		"a second before the end":           {good, key, held.Until.Add(-time.Second), nil},
		"its end":                           {good, key, held.Until, link.ErrExpired},
		"expired, and of another's key":     {good, other, held.Until, link.ErrInvalid},
		"a line break, which decoders skip": {body[:10] + "\n" + body[10:] + "." + signature, key, noon, link.ErrInvalid},
	} {
		if _, err := link.Check(c.token, c.key, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// No token that differs from a good one in one character, or ends early, is good.
func TestCheck_oneCharacter(t *testing.T) {
	t.Parallel()
	good := token(t, held, key)
	for i := range good {
		if _, err := link.Check(good[:i], key, noon); !errors.Is(err, link.ErrInvalid) {
			t.Fatalf("cut after %d characters: %v", i, err)
		}
		for _, c := range "AzZ9-_." {
			if byte(c) == good[i] {
				continue
			}
			if _, err := link.Check(good[:i]+string(c)+good[i+1:], key, noon); !errors.Is(err, link.ErrInvalid) {
				t.Fatalf("%c in place of character %d: %v", c, i, err)
			}
		}
	}
}

func TestToken_needsAKey(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, {}, []byte("short")} {
		if text, err := held.Token(key); err == nil {
			t.Errorf("signed by a key of %d bytes: %s", len(key), text)
		}
	}
}

// FuzzCheck holds that no text passes for a link but the one that was signed.
func FuzzCheck(f *testing.F) {
	good, err := held.Token(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := link.Check(text, key, noon)
		if err == nil && text != good {
			t.Errorf("%q passes, and says %v", text, l)
		}
	})
}
