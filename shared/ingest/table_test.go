package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/upload"
)

// row is what a table's reader tells of a row.
type row struct {
	Offset int64
	Number int
	Text   string
	Reason upload.Outcome
	More   int
}

func readTable(t *testing.T, file string, from int64) (rows []row, seen upload.Seen, lines int) {
	t.Helper()
	head := []byte(file)
	enc, _ := examine(head[:min(len(head), headSize)])
	seen, err := look("keys.CSV", head[:min(len(head), inspectedSize)], enc, len(head) <= inspectedSize)
	if err != nil {
		t.Fatal(err)
	}
	if !seen.Table.Is() || seen.Table.Column == 0 {
		return nil, seen, 0
	}
	for _, src := range []io.Reader{bytes.NewReader(head), iotest.OneByteReader(bytes.NewReader(head))} {
		r, err := newTableReader(src, enc, seen.Table)
		if err != nil {
			t.Fatal(err)
		}
		r.interpret = interpreter(seen, upload.Reading{})
		if err := r.skipTo(from); err != nil {
			t.Fatal(err)
		}
		var got []row
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			if line.Reason == "" {
				text = line.Text.Reveal()
			}
			got = append(got, row{line.Offset, line.Number, text, line.Reason, line.More})
		}
		if diff := cmp.Diff(rows, got); rows != nil && diff != "" {
			t.Errorf("read byte by byte (-at once +so):\n%s", diff)
		}
		rows, lines = got, r.Lines()
	}
	return rows, seen, lines
}

func TestTable_columnOfKeys(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want string // the keys, or the names of columns where there is no column
	}{
		"key":                      {"key\nAAAA-1\nBBBB-2\n", "AAAA-1 BBBB-2"},
		"capitals":                 {"Name,LICENSE KEY\nAda,AAAA-1\n", "AAAA-1"},
		"quotes":                   {"\"License Key\",\"Used\"\r\n\"AAAA-1\",\"no\"\r\n\"BB\"\"BB\",\"no\"\r\n", "AAAA-1 BB\"BB"},
		"underscore":               {"id,license_key\n1,AAAA-1\n", "AAAA-1"},
		"semicolons":               {"Code;Status\nAAAA-1;new\n", "AAAA-1"},
		"tabs":                     {"Serial\tStatus\nAAAA-1\tnew\n", "AAAA-1"},
		"bars":                     {"status|license\nnew|AAAA-1\n", "AAAA-1"},
		"comma in a quoted cell":   {"note,code\n\"for you, and me\",AAAA-1\n", "AAAA-1"},
		"line end in another cell": {"note,code\n\"for you\nand me\",AAAA-1\nx,BBBB-2\n", "AAAA-1 BBBB-2"},
		"another name":             {"Title,Steam Key\nElden,AAAA-1\n", "AAAA-1"},
		"German":                   {"Titel;Lizenzschlüssel\nElden;AAAA-1\n", "AAAA-1"},
		"key beside another name":  {"Key,Activation Code\nAAAA-1,x1\n", "AAAA-1"},
		"byte order mark":          {"\uFEFF\"Key\",\"Used\"\nAAAA-1,no\n", "AAAA-1"},
		"Excel":                    {"sep=;\r\nKey;Used\r\nAAAA-1;no\r\n", "AAAA-1"},
		"only column":              {"AAAA-1\nBBBB-2\n", "AAAA-1 BBBB-2"},
		"only column, quoted":      {"\"AAAA-1\"\n\"BB\"\"B-2\"\n", "AAAA-1 BB\"B-2"},
		"only column that is full": {"AAAA-1,,\nBBBB-2,,\n", "AAAA-1 BBBB-2"},
		"commas in some keys":      {"key\nAAAA-1\n\"BB,BB-2\"\n", "AAAA-1 BB,BB-2"},
		"CRs":                      {"key,used\rAAAA-1,no\rBBBB-2,no\r", "AAAA-1 BBBB-2"},
		"blank lines":              {"\n\nkey,used\n\nAAAA-1,no\n\r\n,\nBBBB-2,no", "AAAA-1 BBBB-2"},
		"blanks around":            {"key , used\n AAAA-1 , \"no\"\n", "AAAA-1"},

		"no heading":                 {"AAAA-1,ada\nBBBB-2,bob\n", "-"},
		"no column of keys":          {"Name,E-Mail,Frobnicator\nAda,ada@example.com,1\nBob,bob@example.com,2\n", "- name|e mail"},
		"two columns of keys":        {"Key,Code\nAAAA-1,BBBB-2\n", "- key|code"},
		"twice the same":             {"Key,Key\nAAAA-1,BBBB-2\n", "- key|key"},
		"heading is data":            {"AAAA-1;BBBB-2;CCCC-3", "-"},
		"a key beside a known name":  {"AAAA-1,new\nAAAA-2,used\n", "-"},
		"names of columns beside it": {"status,AAAA-1\nused,BBBB-2\n", "- status"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{c.file, as16(c.file)} {
				rows, seen, lines := readTable(t, file, 0)
				var keys []string
				rejected := 0
				for _, r := range rows {
					if r.Reason == "" {
						keys = append(keys, r.Text)
					} else if r.Reason != upload.SkippedHeading {
						rejected++
					}
				}
				got := strings.Join(keys, " ")
				if seen.Table.Column == 0 {
					got = strings.TrimSpace("- " + strings.Join(seen.Table.Named, "|"))
				}
				if got != c.want || rejected > 0 || len(seen.Asked) > 0 {
					t.Errorf("%q, %d rejected, asks %v, %+v; want %q", got, rejected, seen.Asked, seen.Table, c.want)
				}
				if seen.Table.Column > 0 && lines < len(rows) {
					t.Errorf("%d rows of %d lines", len(rows), lines)
				}
			}
		})
	}
}

// Each row is told with its line and its offset, and what is no key with a reason.
func TestTable_rows(t *testing.T) {
	want := []row{}
	file := "\uFEFF"
	number := 1
	add := func(text string, w row) {
		w.Offset, w.Number = int64(len(file)), number
		want = append(want, w)
		file += text
		number += strings.Count(text, "\n")
	}
	add("key,used\r\n", row{Reason: upload.SkippedHeading})
	add("AAAA-1,no\r\n", row{Text: "AAAA-1"})
	add("\n\n,no\n", row{Reason: upload.NoKey}) // its offset is where the row before ends
	want[2].Number = number - 1
	add("BBBB-2,no,more\n", row{Reason: upload.OtherColumns})
	add("CCCC-3\n", row{Reason: upload.OtherColumns})
	add("\"DDDD\n-4\",no\n", row{Reason: upload.ControlCharacter})
	add("EE\"EE,no\n", row{Reason: upload.UnpairedQuotes})
	add("\"FFFF\nGGGG\n\"HHHH,no\n", row{Reason: upload.UnpairedQuotes, More: 2})
	add("II\xe9,no\n", row{Reason: upload.InvalidText})
	add(strings.Repeat("J", MaxLine+1)+",no\n", row{Reason: upload.TooLong})
	add("KKKK-5,no\n", row{Text: "KKKK-5"})
	add("\"LLLL,no\nMMMM,no", row{Reason: upload.UnpairedQuotes, More: 1})
	rows, _, lines := readTable(t, file, 0)
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if lines != len(want)+3 {
		t.Errorf("%d lines, want %d", lines, len(want)+3)
	}
	// From wherever a worker resumes, the others are the same.
	for i, r := range want {
		rest, _, all := readTable(t, file, r.Offset)
		if diff := cmp.Diff(want[i:], rest); diff != "" || all != lines {
			t.Errorf("resumed at %d, %d lines (-want +got):\n%s", r.Offset, all, diff)
		}
	}
}

// A quote that is never closed takes no more memory than a row may have.
func TestTable_rowWithoutAnEnd(t *testing.T) {
	file := "key,used\nAAAA-1,no\n\"BBBB-2,no\n" + strings.Repeat("CCCC-3,no\n", maxRow/5)
	rows, _, _ := readTable(t, file, 0)
	if len(rows) != 3 || rows[1].Text != "AAAA-1" || rows[2].Reason != upload.EndlessRow || rows[2].Number != 3 {
		t.Errorf("%+v", rows)
	}
}

// The keys of a table are looked at as lines are.
func TestTable_whatIsAskedAbout(t *testing.T) {
	for file, want := range map[string]string{
		"key,used\n1. AAAA,no\n2. BBBB,no\n":    "numbers",
		"key\n\"'AAAA'\"\n'BBBB'\n":             "quotes",
		"[\"AAAA\",\"BBBB\"]":                   "json",
		"<table><tr><td>AAAA</td></tr></table>": "html",
		"key,used\n# ours,no\nAAAA-1,no\n":      "comments",
		"id,key\n" + many(9, func(i int) string { return fmt.Sprintf("%d,K%08X", i+1, hash(i)) }): "",
	} {
		if _, seen, _ := readTable(t, file, 0); seen.Question() != want {
			t.Errorf("%q: asks %q, want %q", file, seen.Question(), want)
		}
	}
}

// FuzzTable holds that a table is read alike in one go, byte by byte, and by workers who
// resume it after any row, and that each row is counted once.
func FuzzTable(f *testing.F) {
	f.Add([]byte("key,used\nA,1\n\"B\nC\",2\n\n,\nD\n\"E"), byte(1))
	f.Add([]byte("\uFEFFsep=;\r\nx;code\r1;A\r\r2;\"B\"\"\""), byte(2))
	f.Add([]byte("\xff\xfek\x00e\x00y\x00\n\x00A\x00\x3d\xd8\n\x00\x3d\xd8\x11\xddB"), byte(0))
	f.Add([]byte("A\tB\nC\tD\n"), byte(0))
	f.Fuzz(func(t *testing.T, file []byte, stop byte) {
		rows, _, lines := readTable(t, string(file), 0)
		told := 0
		for _, r := range rows {
			told += 1 + r.More
		}
		if told > lines {
			t.Errorf("%d of %d rows are told of", told, lines)
		}
		if int(stop) >= len(rows) {
			return
		}
		rest, _, all := readTable(t, string(file), rows[stop].Offset)
		if diff := cmp.Diff(rows[stop:], rest); diff != "" || all != lines {
			t.Errorf("resumed after %d rows, %d of %d (-want +got):\n%s", stop, all, lines, diff)
		}
	})
}
