package mailaddress

import (
	"slices"
	"strings"
)

// known are domains at which many people have their mail. Some stand here only so that they
// are not taken for another that is written nearly as they are.
var known = strings.Fields(`
	gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.de hotmail.fr hotmail.co.uk live.com msn.com
	yahoo.com yahoo.de yahoo.fr yahoo.co.uk ymail.com icloud.com aol.com mail.com email.com protonmail.com proton.me
	gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de posteo.de mailbox.org
	orange.fr laposte.net libero.it seznam.cz yandex.ru mail.ru bk.ru 163.com 126.com comcast.net bluewin.ch telenet.be ziggo.nl
`)

// Meant returns the address that was most likely meant: the same at a well-known domain that
// is one slip of a finger away, a letter too much, missing, wrong or swapped with the next.
// False if there is none, or several.
func Meant(address string) (string, bool) {
	at := strings.LastIndexByte(address, '@')
	domain := strings.ToLower(address[at+1:])
	if at < 1 || slices.Contains(known, domain) {
		return "", false
	}
	var meant []string
	for _, of := range known {
		if oneSlip(domain, of) {
			meant = append(meant, of)
		}
	}
	if len(meant) != 1 {
		return "", false
	}
	return address[:at+1] + meant[0], true
}

// oneSlip reports whether two domains differ by one letter, or by two that are swapped.
func oneSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return i < len(a) && (swapped || a[i+1:] == b[i+1:])
}

// Domain returns the part of an address after the @, "" if there is none.
func Domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// Masked returns an address of which its owner knows it again, and nobody else can guess it:
// m•••@example.com.
func Masked(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return ""
	}
	first := []rune(address)[:1]
	return string(first) + "•••" + address[at:]
}
