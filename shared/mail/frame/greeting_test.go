package frame_test

import (
	"testing"

	"keypool/shared/mail/frame"
)

func TestGreets(t *testing.T) {
	for body, want := range map[string]bool{
		"Hello {FNAME},\n\n{KEY}":                  true,
		"\n\n  HELLO!\n{KEY}":                      true,
		"Hi,\r\n{KEY}":                             true,
		"Dear customer\n\n{KEY}":                   true,
		"Guten Tag {FULLNAME},\n\n{KEY}":           true,
		"Sehr geehrte Frau {LNAME},\n{KEY}":        true,
		"Bonjour {FNAME} !\n{KEY}":                 true,
		"Hola, {FNAME}:\n{KEY}":                    true,
		"¡Hola {FNAME}!\n{KEY}":                    true,
		"Здравствуйте, {FNAME}!\n{KEY}":            true,
		"{FULLNAME} 様\n\n{KEY}":                    true,
		"مرحبًا {FNAME}،\n{KEY}":                   true,
		"Γεια σας {FNAME},\n{KEY}":                 false, // no frame is in it
		"Your key:\n{KEY}\n\nHello to the others.": false,
		"Hi-res textures are in the box.\n{KEY}":   false,
		"Hello Kitty Adventures is yours. Its key, which you need only once, is this: {KEY}": false,
		"Dearly beloved,\n{KEY}": false,
		"{KEY}":                  false,
		"":                       false,
	} {
		if got := frame.Greets(body); got != want {
			t.Errorf("%q: greets %v, want %v", body, got, want)
		}
	}
}
