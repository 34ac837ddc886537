package ingest

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"keypool/shared/upload"
)

// headSize is how much of a file is looked at to know what it is.
const headSize = 4 << 10

// documents are the beginnings of files that are text, or begin like it, but are
// not one key a line.
var documents = [][]byte{
	[]byte("%PDF-"), []byte(`{\rtf`), []byte("<!doctype"), []byte("<html"), []byte("<?xml"),
}

// examine tells from the head of a file how it is written, false if it is no
// text: it holds a NUL, or more than a few characters and more than one in ten
// are none of its encoding or control characters, or it begins as a document
// does. Of a text file in an older encoding, single lines are refused instead.
func examine(head []byte) (upload.Encoding, bool) {
	enc := upload.UTF8
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		enc = upload.UTF16LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		enc = upload.UTF16BE
	}
	if enc != upload.UTF8 {
		units := make([]uint16, len(head)/2)
		for i := range units {
			units[i] = uint16(encoding(enc).char(head[2*i:]))
		}
		head = []byte(string(utf16.Decode(units)))
	}
	head = bytes.TrimPrefix(head, []byte("\uFEFF"))
	start := bytes.ToLower(bytes.TrimLeftFunc(head[:min(len(head), 64)], unicode.IsSpace))
	for _, document := range documents {
		if bytes.HasPrefix(start, bytes.ToLower(document)) {
			return enc, false
		}
	}
	bad, all := 0, 0
	for len(head) > 0 {
		c, size := utf8.DecodeRune(head)
		if !utf8.FullRune(head) {
			break // cut off by the end of the head
		}
		head = head[size:]
		all++
		switch {
		case c == 0:
			return enc, false
		case c == utf8.RuneError, unicode.IsControl(c) && !unicode.IsSpace(c):
			bad++
		}
	}
	return enc, bad <= 16 || bad*10 <= all
}
