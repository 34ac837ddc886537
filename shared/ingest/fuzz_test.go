package ingest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"keypool/shared/upload"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader holds the reader's promise: whatever a file holds, however it is cut
// into ranges, in whatever pieces it comes and wherever one worker takes over
// from another, its lines are those of a reference that sees the file whole.
func FuzzReader(f *testing.F) {
	f.Add([]byte("A-1\r\nB-2\rC-3\n"), uint16(0), uint16(0), []byte{2, 1}, byte(1), byte(0))
	f.Add([]byte("\uFEFFA\n\n\r\r\n\uFEFFB \uFEFF"), uint16(0), uint16(0), []byte{1, 1, 1, 1, 1, 1}, byte(3), byte(1))
	f.Add([]byte("\xff\xfeA\x00\r\x00\n\x00\x3d\xd8\x11\xdd\n\x00\x00\xd8B\x00C"), uint16(0), uint16(0), []byte{2, 1}, byte(5), byte(1))
	f.Add([]byte("ä\tb\u2028\x00\n\u3000x\u00a0\n\xe2\x82"), uint16(0), uint16(0), []byte{3}, byte(0), byte(2))
	f.Add([]byte("\r\nk"), uint16(0), uint16(MaxLine), []byte{45, 4, 1}, byte(7), byte(0))
	f.Add([]byte("a\n\r\nb"), uint16(2), uint16(MaxLine+1), []byte{45, 5}, byte(255), byte(1))
	f.Add([]byte("a\x00\r\x00\n\x00b\x00"), uint16(2), uint16(2*MaxLine), []byte{64, 1}, byte(0), byte(0))
	f.Add([]byte("\n\r\n"), uint16(1), uint16(window-2), []byte{255, 20, 1}, byte(200), byte(1))
	f.Add([]byte("A\tB\n\u200bC\u200e\nD\u200bE\nF\x1a\n\x1aG\n\x1a"), uint16(0), uint16(0), []byte{2, 1}, byte(0), byte(1))
	f.Fuzz(func(t *testing.T, file []byte, at, long uint16, steps []byte, piece, stop byte) {
		// A fuzzer that adds a byte at a time would hardly come to long lines.
		file = slices.Insert(file, min(int(at), len(file)), bytes.Repeat([]byte("x"), int(long))...)
		for _, enc := range []upload.Encoding{upload.UTF8, upload.UTF16LE, upload.UTF16BE} {
			way := way{steps: steps, piece: int(piece), stop: int(stop)}
			if diff := cmp.Diff(reference(file, enc), way.read(t, file, enc)); diff != "" {
				t.Fatalf("%s, read %+v (-reference +reader):\n%s", enc, way, diff)
			}
		}
	})
}

// way is how a file is read.
type way struct {
	steps []byte // the squares of these are the lengths of the ranges, so that both near and far are reached
	piece int    // bytes that the source gives at once; 0: as many as are asked for
	stop  int    // lines after which another worker goes on, a few times; 0: never
}

func (w way) read(t *testing.T, file []byte, enc upload.Encoding) []read {
	var all []read
	before, from, size := 0, int64(0), int64(len(file))
	for _, step := range append(slices.Clone(w.steps), 0) {
		end := min(from+int64(step)*int64(step)*int64(encoding(enc).unit()), size)
		if step == 0 {
			end = size
		}
		lines, at := 0, from
		for turn, more := 1, true; more; turn++ {
			src := &pieces{bytes.NewReader(file[max(0, at-int64(encoding(enc).unit())):min(end+Overlap, size)]), w.piece}
			r, err := NewReader(src, enc, at, end, lines)
			if err != nil {
				t.Fatal(err)
			}
			more = false
			for n := 0; ; n++ {
				if more = n > 0 && n == w.stop && turn < 5; more {
					break
				}
				line, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, read{line.Offset, before + line.Number, line.Text.Reveal(), line.Reason})
			}
			at, lines = r.At(), r.Lines()
		}
		before, from = before+lines, end
		if from == size {
			break
		}
	}
	return all
}

// pieces gives at most so many bytes at once.
type pieces struct {
	io.Reader
	most int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.most > 0 {
		b = b[:min(len(b), p.most)]
	}
	return p.Reader.Read(b)
}

// reference reads a file whole, as plainly as it can be said, for the reader to be
// held against. It shares no code with it.
func reference(file []byte, enc upload.Encoding) []read {
	var units []uint16 // bytes, in UTF-8
	width := 1
	switch enc {
	case upload.UTF8:
		for _, b := range file {
			units = append(units, uint16(b))
		}
	default:
		width = 2
		for i := 0; i+1 < len(file); i += 2 {
			low, high := uint16(file[i]), uint16(file[i+1])
			if enc == upload.UTF16BE {
				low, high = high, low
			}
			units = append(units, high<<8|low)
		}
	}
	half := len(file) % width // a byte too few at the end

	var all []read
	number := 0
	for start := 0; start < len(units) || half > 0; {
		length := slices.IndexFunc(units[start:], func(u uint16) bool { return u == '\n' || u == '\r' })
		if length < 0 {
			length = len(units) - start
		}
		line, next := units[start:start+length], start+length
		broken := false
		switch rest := units[next:]; {
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			next += 2
		case len(rest) > 0:
			next++
		default:
			broken, half = half > 0, 0
		}
		number++
		text, reason := classify(line, width, broken)
		if text != "" || reason != "" {
			all = append(all, read{int64(start * width), number, text, reason})
		}
		start = next
	}
	return all
}

// classify says what a line holds; broken, that half a unit follows.
func classify(line []uint16, width int, broken bool) (string, upload.Outcome) {
	var text string
	valid := !broken
	if width == 1 {
		b := make([]byte, len(line))
		for i, u := range line {
			b[i] = byte(u)
		}
		text = string(b)
		valid = utf8.Valid(b)
	} else {
		runes := utf16.Decode(line)
		text = string(runes)
		valid = valid && slices.Equal(utf16.Encode(runes), line)
	}
	long := len(line)
	if broken {
		long++
	}
	switch {
	case long > MaxLine:
		return "", upload.TooLong
	case !valid:
		return "", upload.InvalidText
	case len(text) > MaxLine:
		return "", upload.TooLong
	}
	const spaces = "\t\v\f\r\n \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	text = strings.Trim(text, spaces+"\x1a\ufeff\u200b\u200c\u200d\u200e\u200f\u2060")
	for _, r := range text {
		switch {
		case r == '\t':
			return "", upload.Tab
		case unicode.IsControl(r):
			return "", upload.ControlCharacter
		case unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return "", upload.InvisibleCharacter
		}
	}
	return text, ""
}
