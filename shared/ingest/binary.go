package ingest

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

// headSize is the number of bytes that examine looks at.
const headSize = 4 << 10

// documents are the beginnings of files that are text, or begin like it, but do not
// hold one key a line.
var documents = [][]byte{
	[]byte("%PDF-"), []byte(`{\rtf`), []byte("<!doctype"), []byte("<html"), []byte("<?xml"),
}

// unmarked returns the encoding of a file without a byte order mark. It is UTF-16 if
// its head is plainly that: at least half of it, and all its line ends, are characters
// of ASCII, none of it is a control character, and nothing is invalid.
func unmarked(head []byte) upload.Encoding {
	if bytes.IndexByte(head, 0) < 0 {
		return upload.UTF8
	}
	for _, enc := range []upload.Encoding{upload.UTF16LE, upload.UTF16BE} {
		text := encoding(enc).decode(head[:len(head)&^1])
		ascii, all := 0, 0
		for _, c := range text {
			all++
			switch {
			case c == utf8.RuneError, unicode.IsControl(c) && !pool.Around(c):
				ascii = -len(head)
			case c < utf8.RuneSelf:
				ascii++
			}
		}
		if 2*ascii >= all && ascii > 0 {
			return enc
		}
	}
	return upload.UTF8
}

// examine returns the encoding of a file by its head, false if the file is no text. It
// is no text if it holds a NUL, begins as a document does, or has over 16 characters,
// and over a tenth of all, that are invalid in its encoding or control characters. Of
// a text file in an older encoding, single lines are rejected instead.
func examine(head []byte) (upload.Encoding, bool) {
	enc := upload.UTF8
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		enc = upload.UTF16LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		enc = upload.UTF16BE
	default:
		enc = unmarked(head)
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
