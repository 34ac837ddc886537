package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

// encoding is the encoding of a key file, with the methods to read it.
type encoding upload.Encoding

const (
	utf16LE = encoding(upload.UTF16LE)
	utf16BE = encoding(upload.UTF16BE)
)

// unit is the number of bytes that a terminator takes.
func (e encoding) unit() int {
	if e == utf16LE || e == utf16BE {
		return 2
	}
	return 1
}

const (
	// MaxLine is the longest line that is read as a key: so many bytes of UTF-8,
	// before trimming.
	MaxLine = pool.MaxKey

	// Overlap is how far beyond its range a reader may have to look for the end
	// of the last line that begins in it, in UTF-16 too.
	Overlap = 2 * MaxLine

	// window is the reader's buffer: all the memory it takes, however large the
	// file and however long its lines.
	window = 64 << 10
)

// Line is one line of a key file that is not blank.
type Line struct {
	Offset int64          // of its first byte in the file
	Number int            // counted from 1 at the start of the range, blank lines too
	Text   pool.Secret    // trimmed; only if it is not rejected
	Reason upload.Outcome // why the line is rejected; empty if it is a key
	More   int            // lines after it that are rejected with it, in a table
}

// Reader reads the lines that begin in one range of a key file. However a file
// is cut into ranges, their readers together return each line exactly once, as
// one reader of the whole file would.
//
// A line ends with LF, CR or CRLF. It belongs to the range that holds its first
// byte; an LF after a CR belongs to the CR, on whichever side of a cut it stands.
type Reader struct {
	src   io.Reader
	enc   encoding
	end   int64 // lines that begin here or later are the next range's
	at    int64 // offset in the file of the next byte
	lines int   // begun so far

	// interpret returns what the trimmed text of a line means, if lines are not keys as
	// they stand: a key, or why there is none.
	interpret func(offset int64, text string) (string, upload.Outcome)

	buf    [window]byte
	lo, hi int // the bytes read but not consumed: buf[lo:hi]
	srcErr error
}

// NewReader returns a reader of the lines that begin at from or later and before
// end. Where from is not 0, src starts one unit before it (a byte, in UTF-16
// two), which shows whether a line begins at from. It must go on for Overlap
// bytes beyond end, or to the end of the file. Lines are numbered from before+1.
func NewReader(src io.Reader, enc upload.Encoding, from, end int64, before int) (*Reader, error) {
	r := &Reader{src: src, enc: encoding(enc), at: from, end: end, lines: before}
	if from == 0 {
		return r, nil
	}
	r.at -= int64(r.enc.unit())
	return r, r.skipLine()
}

// At returns the offset of the next line: a new reader from there goes on where this
// one stands.
func (r *Reader) At() int64 { return r.at }

// Lines returns the number of lines begun so far, blank ones too.
func (r *Reader) Lines() int { return r.lines }

// Next returns the next line that is not blank, and io.EOF after the last one of
// the range. Any other error is one of reading the source.
func (r *Reader) Next() (Line, error) {
	for {
		if err := r.fill(); err != nil {
			return Line{}, err
		}
		if r.at >= r.end || r.lo == r.hi {
			return Line{}, io.EOF
		}
		r.lines++
		line := Line{Offset: r.at, Number: r.lines}
		raw, whole := r.whole()
		if !whole {
			line.Reason = upload.TooLong
			return line, r.skipLine()
		}
		text, reason := r.clean(line.Offset, raw)
		r.consume(len(raw))
		r.consumeTerminator()
		if text == "" && reason == "" {
			continue
		}
		if line.Reason = reason; reason == "" {
			line.Text = pool.Conceal(text)
		}
		return line, nil
	}
}

// whole returns the line that begins here, without its terminator, false if it
// is longer than any key.
func (r *Reader) whole() ([]byte, bool) {
	// A UTF-16 unit becomes at least one byte of UTF-8.
	longest := MaxLine * r.enc.unit()
	rest := r.buf[r.lo:r.hi]
	if i := r.enc.terminator(rest[:min(len(rest), longest+r.enc.unit())]); i >= 0 {
		return rest[:i], true
	}
	return rest, len(rest) <= longest
}

// skipLine goes to where the next line begins. It does not go beyond the range:
// what begins there is not read here, so the end of a line of any length costs
// no more than the range it began in.
func (r *Reader) skipLine() error {
	for r.at < r.end {
		if err := r.fill(); err != nil {
			return err
		}
		rest := r.buf[r.lo:r.hi]
		if len(rest) == 0 {
			return nil
		}
		if i := r.enc.terminator(rest); i >= 0 {
			r.consume(i)
			if err := r.fill(); err != nil {
				return err
			}
			r.consumeTerminator()
			return nil
		}
		r.consume(len(rest))
	}
	return nil
}

// consumeTerminator steps over LF, CR or CRLF, if one stands here.
func (r *Reader) consumeTerminator() {
	unit := r.enc.unit()
	if r.hi-r.lo < unit {
		r.consume(r.hi - r.lo)
		return
	}
	first := r.enc.char(r.buf[r.lo:])
	r.consume(unit)
	if first == '\r' && r.hi-r.lo >= unit && r.enc.char(r.buf[r.lo:]) == '\n' {
		r.consume(unit)
	}
}

func (r *Reader) consume(n int) {
	r.lo += n
	r.at += int64(n)
}

// fill makes sure that the longest line and its terminator are in the buffer,
// unless the source ends before.
func (r *Reader) fill() error {
	const enough = 2*MaxLine + 4
	if r.hi-r.lo >= enough || r.srcErr != nil {
		return r.failure()
	}
	r.hi = copy(r.buf[:], r.buf[r.lo:r.hi])
	r.lo = 0
	for r.hi < len(r.buf) && r.srcErr == nil {
		var n int
		n, r.srcErr = r.src.Read(r.buf[r.hi:])
		r.hi += n
	}
	return r.failure()
}

func (r *Reader) failure() error {
	if r.srcErr == nil || errors.Is(r.srcErr, io.EOF) {
		return nil
	}
	return r.srcErr
}

// terminator returns where the first LF or CR stands in b, or -1.
func (e encoding) terminator(b []byte) int {
	if e.unit() == 2 {
		for i := 0; i+1 < len(b); i += 2 {
			if c := e.char(b[i:]); c == '\n' || c == '\r' {
				return i
			}
		}
		return -1
	}
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// char returns the unit that b begins with.
func (e encoding) char(b []byte) rune {
	switch e {
	case utf16LE:
		return rune(binary.LittleEndian.Uint16(b))
	case utf16BE:
		return rune(binary.BigEndian.Uint16(b))
	default:
		return rune(b[0])
	}
}

// clean returns the key of a line, or the reason why the line is rejected; neither if
// the line is blank. Only what is around a key is removed; see pool.Around.
func (r *Reader) clean(offset int64, raw []byte) (key string, reason upload.Outcome) {
	if key, reason = r.enc.text(raw); reason != "" {
		return "", reason
	}
	if r.interpret != nil {
		if key, reason = r.interpret(offset, key); reason != "" {
			return "", reason
		}
	}
	return key, unfit(key)
}

// text returns a line as text, without what is around its key.
func (e encoding) text(raw []byte) (string, upload.Outcome) {
	text := string(raw)
	if e.unit() == 2 {
		if text = e.decode(raw); len(text) > MaxLine {
			return "", upload.TooLong
		}
	}
	if plain(text) {
		return strings.Trim(text, " \t"), "" // nothing else of pool.Around is in it
	}
	if !utf8.ValidString(text) {
		return "", upload.InvalidText
	}
	return pool.TrimKey(text), ""
}

// unfit returns the reason why a text cannot be mailed as a key; empty if it can.
func unfit(text string) upload.Outcome {
	if plain(text) {
		return ""
	}
	for _, c := range text {
		switch {
		case c == '\t':
			return upload.Tab
		case unicode.Is(unicode.Cc, c):
			return upload.ControlCharacter
		case unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp):
			return upload.InvisibleCharacter
		}
	}
	return ""
}

// plain reports whether text is printable ASCII, perhaps with tabs around it, as
// nearly every key is.
func plain(text string) bool {
	text = strings.Trim(text, "\t")
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// decode returns UTF-16 as UTF-8. What is not valid comes out as bytes that are
// not valid UTF-8 either.
func (e encoding) decode(raw []byte) string {
	text := make([]byte, 0, len(raw))
	for len(raw) >= 2 {
		c := e.char(raw)
		raw = raw[2:]
		if utf16.IsSurrogate(c) {
			if len(raw) < 2 {
				return "\xff"
			}
			if c = utf16.DecodeRune(c, e.char(raw)); c == unicode.ReplacementChar {
				return "\xff"
			}
			raw = raw[2:]
		}
		text = utf8.AppendRune(text, c)
	}
	if len(raw) > 0 {
		return "\xff"
	}
	return string(text)
}
