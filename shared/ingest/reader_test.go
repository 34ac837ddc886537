package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"keypool/shared/upload"

	"github.com/google/go-cmp/cmp"
)

// read is a line as the tests compare it.
type read struct {
	Offset int64
	Number int
	Text   string
	Reason upload.Outcome
}

// readAll reads a file cut at the given places, each range by its own reader
// from only the bytes that a range may see.
func readAll(t testing.TB, file []byte, enc upload.Encoding, cuts ...int64) []read {
	t.Helper()
	var all []read
	lines, from := 0, int64(0)
	for _, end := range append(cuts, int64(len(file))) {
		start := max(0, from-int64(encoding(enc).unit()))
		stop := min(end+Overlap, int64(len(file)))
		r, err := NewReader(bytes.NewReader(file[start:stop]), enc, from, end, 0)
		if err != nil {
			t.Fatal(err)
		}
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, read{line.Offset, lines + line.Number, line.Text.Reveal(), line.Reason})
		}
		lines, from = lines+r.Lines(), end
	}
	return all
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, test := range []struct {
		name string
		file string
		want []read
	}{
		{"nothing", "", nil},
		{"one line without an end", "A-1", []read{{0, 1, "A-1", ""}}},
		{"LF", "A-1\nB-2\n", []read{{0, 1, "A-1", ""}, {4, 2, "B-2", ""}}},
		{"CRLF", "A-1\r\nB-2\r\n", []read{{0, 1, "A-1", ""}, {5, 2, "B-2", ""}}},
		{"CR", "A-1\rB-2\r", []read{{0, 1, "A-1", ""}, {4, 2, "B-2", ""}}},
		{"all three, and blank lines that count", "A\n\n\r\n\r \t\nB", []read{{0, 1, "A", ""}, {9, 6, "B", ""}}},
		{"white space around a key", " \t A 1\u00a0\u3000\n", []read{{0, 1, "A 1", ""}}},
		{"a byte order mark at the file's start", "\uFEFFA\n", []read{{0, 1, "A", ""}}},
		{"and at a line's start, as in files put together", "A\n\uFEFFB\n", []read{{0, 1, "A", ""}, {2, 2, "B", ""}}},
		{"but not within a key", "A\uFEFFB\n", []read{{0, 1, "", upload.InvisibleCharacter}}},
		{"a byte order mark alone is a blank line", "\uFEFF\nA", []read{{4, 2, "A", ""}}},
		{"letters of any script, case and form as they are", "Ключ-é-é-ß\n", []read{{0, 1, "Ключ-é-é-ß", ""}}},
		{"a control character", "A\x00B\nC\x1b[0m\n", []read{{0, 1, "", upload.ControlCharacter}, {4, 2, "", upload.ControlCharacter}}},
		{"a tab within a key", "A\tB\n", []read{{0, 1, "", upload.Tab}}},
		{"a format character", "A\u200dB\nC\u00adD", []read{{0, 1, "", upload.InvisibleCharacter}, {6, 2, "", upload.InvisibleCharacter}}},
		{"a line separator that editors do not show", "A\u2028B\nC\u2029D", []read{{0, 1, "", upload.InvisibleCharacter}, {6, 2, "", upload.InvisibleCharacter}}},
		{"text that is not UTF-8", "caf\xe9\nA\n", []read{{0, 1, "", upload.InvalidText}, {5, 2, "A", ""}}},
		{"the longest line", long + "\n" + long, []read{{0, 1, long, ""}, {MaxLine + 1, 2, long, ""}}},
		{"the longest line before CRLF", long + "\r\nA", []read{{0, 1, long, ""}, {MaxLine + 2, 2, "A", ""}}},
		{"one byte longer", long + "x\nA", []read{{0, 1, "", upload.TooLong}, {MaxLine + 2, 2, "A", ""}}},
		{"the limit counts white space", long + " \r\nA", []read{{0, 1, "", upload.TooLong}, {MaxLine + 3, 2, "A", ""}}},
		{"much longer than the window", strings.Repeat("y", 3*window) + "\rA", []read{{0, 1, "", upload.TooLong}, {3*window + 1, 2, "A", ""}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := []byte(test.file)
			if diff := cmp.Diff(test.want, readAll(t, file, upload.UTF8)); diff != "" {
				t.Errorf("read whole (-want +got):\n%s", diff)
			}
			for cut := range int64(min(len(file), 64)) {
				if diff := cmp.Diff(test.want, readAll(t, file, upload.UTF8, cut)); diff != "" {
					t.Errorf("cut at %d (-want +got):\n%s", cut, diff)
				}
			}
		})
	}
}

func TestReader_utf16ReadsAsUTF8(t *testing.T) {
	text := "\uFEFFA-1\r\n\r\nключ\r\U0001F511 key\n\uFEFFB\n" + strings.Repeat("я", MaxLine/2) + "\n" + strings.Repeat("я", MaxLine/2+1) + "\nC"
	want := []read{
		{0, 1, "A-1", ""},
		{16, 3, "ключ", ""},
		{26, 4, "\U0001F511 key", ""},
		{40, 5, "B", ""},
		{46, 6, strings.Repeat("я", MaxLine/2), ""},
		{48 + MaxLine, 7, "", upload.TooLong},
		{52 + 2*MaxLine, 8, "C", ""},
	}
	for enc, order := range map[upload.Encoding]binary.AppendByteOrder{upload.UTF16LE: binary.LittleEndian, upload.UTF16BE: binary.BigEndian} {
		var file []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			file = order.AppendUint16(file, unit)
		}
		if diff := cmp.Diff(want, readAll(t, file, enc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", enc, diff)
		}
		// A worker that goes on in the middle of the file.
		if diff := cmp.Diff(want, readAll(t, file, enc, 16, 26, 40)); diff != "" {
			t.Errorf("%s, taken up again (-want +got):\n%s", enc, diff)
		}
	}
}

func TestReader_utf16BrokenOff(t *testing.T) {
	got := readAll(t, []byte("A\x00\n\x00\x00\xd8B\x00\n\x00\x00\xdc\n\x00C\x00\n"), upload.UTF16LE)
	want := []read{{0, 1, "A", ""}, {4, 2, "", upload.InvalidText}, {10, 3, "", upload.InvalidText}, {14, 4, "", upload.InvalidText}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReader_goesOnWhereItStood(t *testing.T) {
	file := []byte("A\r\nB\rC\n\nD\n")
	want := readAll(t, file, upload.UTF8)
	for stop := range want {
		r, _ := NewReader(bytes.NewReader(file), upload.UTF8, 0, int64(len(file)), 0)
		var got []read
		for range stop {
			line, _ := r.Next()
			got = append(got, read{line.Offset, line.Number, line.Text.Reveal(), line.Reason})
		}
		next, err := NewReader(bytes.NewReader(file[max(0, r.At()-1):]), upload.UTF8, r.At(), int64(len(file)), r.Lines())
		if err != nil {
			t.Fatal(err)
		}
		for line, err := next.Next(); err == nil; line, err = next.Next() {
			got = append(got, read{line.Offset, line.Number, line.Text.Reveal(), line.Reason})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stopped after %d lines (-want +got):\n%s", stop, diff)
		}
	}
}

func TestReader_sourceFails(t *testing.T) {
	broken := errors.New("connection reset")
	src := io.MultiReader(strings.NewReader("A\nB\n"), iotest.ErrReader(broken))
	r, err := NewReader(src, upload.UTF8, 0, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("Next after a broken read: %v, want %v", err, broken)
	}
}
