package ingest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

func lookAt(t *testing.T, file string) upload.Seen {
	t.Helper()
	head := []byte(file)
	enc, text := examine(head[:min(len(head), headSize)])
	if !text {
		t.Fatalf("no text: %q", file)
	}
	seen, err := look("a.txt", head, enc, true)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// many returns n lines, no two the same, as a file of many keys has
// them.
func many(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i) + "\n")
	}
	return b.String()
}

// hash returns a number that looks like chance.
func hash(i int) uint32 { return uint32(i+1) * 2654435761 }

// Files of keys, in the shapes that are sold. None of them may be asked about.
func TestInspect_keysLoadUnasked(t *testing.T) {
	for name, file := range map[string]string{
		"groups":                   many(40, func(i int) string { return fmt.Sprintf("%04X-%04X-AAAA", hash(i)>>16, hash(i)&0xffff) }),
		"five groups":              "5LKI7-PKRQE-CVJGM-IKOD4-AAAAA\n5LKI7-XVAAI-M5WDA-CY4X6-BBBBB\n",
		"one line":                 "AAAA-BBBB-CCCC",
		"one line with a blank":    "AAAA BBBB CCCC",
		"one number":               "1234567890",
		"one digit":                "1",
		"no groups":                "A1B2C3D4E5F6\nF6E5D4C3B2A1\n",
		"lower case":               "abcd-efgh\nijkl-mnop\n",
		"letters only":             "ABCDEFGH\nIJKLMNOP\nQRSTUVWX\n",
		"digits":                   "4929123412341234\n4929123412341235\n4929123412341299\n",
		"numbers that ascend":      many(30, func(i int) string { return fmt.Sprint(1000 + i) }),
		"numbers from 1":           many(30, func(i int) string { return fmt.Sprint(1 + i) }),
		"numbers with zeros":       many(30, func(i int) string { return fmt.Sprintf("%08d", i+1) }),
		"serials that ascend":      many(30, func(i int) string { return fmt.Sprintf("SN-%06d", i+1) }),
		"number and hyphen":        many(30, func(i int) string { return fmt.Sprintf("%d-%08X", i+1, hash(i)) }),
		"number and colon":         many(30, func(i int) string { return fmt.Sprintf("%d:%08X", i+1, hash(i)) }),
		"groups of digits":         many(30, func(i int) string { return fmt.Sprintf("%d %d", hash(i)%9000+1000, hash(i+9)%9000+1000) }),
		"beginning with 1.":        "1.AAAA-BBBB\n1.CCCC-DDDD\n1.EEEE-FFFF\n",
		"versions":                 "1.0-AAAA\n1.0-BBBB\n2.0-CCCC\n",
		"words with CODE":          "CODE-123\nCODE-124\nCODE-999\n",
		"words with KEY":           "KEY-0001\nKEY-0002\nKEY-0003\n",
		"lower case key":           "key-1\nkey-2\nkey-3\n",
		"key and number":           "KEY 1\nKEY 2\nKEY 3\n",
		"words":                    "correct horse battery staple\nmy voice is my passport\nopen sesame now please\n",
		"words with key in them":   "correct horse battery key\nmy voice is my passport\nopen sesame now please\n",
		"vouchers":                 "SUMMER2026\nWINTER2026\nSPRING2027\n",
		"base64":                   "QUJDRA==\nL3wvAAA=\n//8AAA==\n+/8xMjM=\n",
		"base64url":                "QUJD_RA-\n_-8AAA\n",
		"hex":                      "0xDEADBEEF\n0xCAFEBABE\n",
		"uuids":                    "3f2504e0-4f89-11d3-9a0c-0305e82c3301\n6ba7b810-9dad-11d1-80b4-00c04fd430c8\n",
		"uuids in braces":          "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}\n{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}\n",
		"numbers in brackets":      "[12345]\n[67890]\n[24680]\n",
		"keys in angle brackets":   "<ABCD-1234>\n<EFGH-5678>\n",
		"jwt":                      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln\neyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2ln\n",
		"links":                    "https://files.example/get?id=1&sig=a,b;c\nhttps://files.example/get?id=2&sig=d\n",
		"links that count":         many(30, func(i int) string { return fmt.Sprintf("https://files.example/%d/key", i+1) }),
		"mail and password":        "ada@example.com----pa55,word\nbob@example.com----x;y\n",
		"user and password":        "ada:secret\nbob:hunter2\n",
		"password with quotes":     "a\"b\"c\n'tis-1\nrock'n'roll\n\"half\nwhole'\n",
		"password with marks":      "#pa55!\n;x9-z\n--a8\n/*q7\n//r5\n",
		"password with a tag":      many(100, func(i int) string { return fmt.Sprintf("pw%08x", hash(i)) }) + "a<b>c\nx</p>y\n",
		"serials with a hash":      "#A1B2\n#C3D4\n#E5F6\n",
		"serials with star":        "*1234*\n*5678*\n",
		"two words with a hash":    "#A1 B2\n#C3 D4\n",
		"two columns by blanks":    "AAAA 1111\nBBBB 2222\nCCCC 3333\n",
		"keys with equals":         "serial=AAAA\nserial=BBBB\n",
		"keys with a label":        "Key: AAAA-1\nKey: BBBB-2\n",
		"steam key and name":       "AAAAA-BBBBB-CCCCC Elden\nDDDDD-EEEEE-FFFFF Elden\n",
		"cyrillic":                 "КЛЮЧ-1234\nКЛЮЧ-5678\n",
		"chinese words":            "春天的钥匙\n秋天的钥匙\n",
		"crlf and blank lines":     "AAAA-1\r\n\r\nBBBB-2\r\n",
		"byte order mark":          "\uFEFFAAAA-1\nBBBB-2\n",
		"a number in the middle":   "AAAA-1\n2. BBBB\nCCCC-3\nDDDD-4\n",
		"one quoted, three not":    "\"AAAA-1\"\nBBBB-2\nCCCC-3\nDDDD-4\n",
		"one with a comma":         "AAAA,1\nBBBB-2\nCCCC-3\n",
		"dollars and percents":     "$AAAA%1\n%BBBB$2\n",
		"mustaches":                "{{AAAA}}\n{{BBBB}}\n",
		"xml-like entity":          "A&amp;B-1\nC&lt;D-2\n",
		"windows keys from a list": "VK7JG-NPHTM-C97JM-9MPGT-3V66T\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{file, as16(file)} {
				if got := lookAt(t, file); len(got.Asked) > 0 {
					t.Errorf("asks about %+v, numbering %q", got.Asked, got.Numbering)
				}
			}
		})
	}
}

// as16 returns a file as UTF-16 with its mark.
func as16(file string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(strings.TrimPrefix(file, "\uFEFF"))) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestInspect_whatIsAskedAbout(t *testing.T) {
	read := func(name string) string {
		file, err := os.ReadFile(filepath.Join("testdata", "files", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(file)
	}
	for name, c := range map[string]struct {
		file string
		want string // the question
	}{
		"heading and quotes": {read("csv-header-quotes.txt"), "heading+quotes"},
		"one quoted column":  {read("one-column-quoted.txt"), "heading+quotes"},
		"numbered list":      {read("numbered-list.txt"), "heading+numbers"},
		"comments":           {read("comment.txt"), "comments"},
		"json":               {read("json.txt"), "json"},
		"table of html":      {read("html-table.txt"), "html"},

		"heading":                 {"License Key\nAAAA-1\nBBBB-2\n", "heading"},
		"heading alone":           {"key\n", "heading"},
		"heading with a colon":    {"Your keys:\nAAAA-1\n", "heading"},
		"heading in capitals":     {"SERIAL_NUMBER\nAAAA-1\n", "heading"},
		"heading in German":       {"Lizenzschlüssel\nAAAA-1\n", "heading"},
		"heading in French":       {"Clé d'activation\nAAAA-1\n", "heading"},
		"heading in Russian":      {"Ключи активации\nAAAA-1\n", "heading"},
		"heading in Chinese":      {"激活码\nAAAA-1\n", "heading"},
		"heading of columns":      {"Name;Key;Status\nAda;AAAA-1;new\n", "heading"},
		"heading of tabs":         {"Code\tUsed\nAAAA-1\tno\n", "heading"},
		"heading is a sentence":   {"Keys for Elden, batch 2\nAAAA-1\nBBBB-2\n", "heading"},
		"heading is a title":      {"Elden Ring:\nAAAA-1\nBBBB-2\n", "heading"},
		"heading after a comment": {"# made by us\nkey\nAAAA-1\n", "comments+heading"},

		"quotes":                 {"\"AAAA-1\"\n\"BBBB-2\"\n", "quotes"},
		"quotes around one line": {"\"AAAA-1\"", "quotes"},
		"apostrophes":            {"'AAAA-1'\n'BBBB-2'\n", "quotes"},
		"quotes of print":        {"“AAAA-1”\n“BBBB-2”\n", "quotes"},
		"quotes and commas":      {"\"AAAA-1\",\n\"BBBB-2\",\n", "quotes"},
		"quotes of German":       {"„AAAA-1“\n„BBBB-2“\n", "quotes"},
		"quotes around most":     {many(19, func(i int) string { return fmt.Sprintf("%q", fmt.Sprint("A-", hash(i))) }) + "BBBB-2\n", "quotes"},

		"numbers":               {"1. AAAA\n2. BBBB\n3. CCCC\n", "numbers"},
		"numbers from 0":        {"0) AAAA\n1) BBBB\n2) CCCC\n", "numbers"},
		"numbers from later":    {"101. AAAA\n102. BBBB\n103. CCCC\n", "numbers"},
		"numbers in brackets":   {"(1) AAAA\n(2) BBBB\n", "numbers"},
		"numbers without blank": {"1.AAAA\n2.BBBB\n3.CCCC\n", "numbers"},
		"numbers and blanks":    {" 1  AAAA\n 2  BBBB\n 3  CCCC\n", "numbers"},
		"numbers and tabs":      {"1\tAAAA\n2\tBBBB\n3\tCCCC\n", "numbers"},
		"numbers by Word":       {"1.\tAAAA\n2.\tBBBB\n", "numbers"},
		"numbers and a dash":    {"1 - AAAA\n2 - BBBB\n", "numbers"},
		"numbers and colon":     {"1: AAAA\n2: BBBB\n", "numbers"},
		"numbers and commas":    {"1,AAAA\n2,BBBB\n3,CCCC\n", "numbers"},
		"number of one line":    {"1. AAAA", "numbers"},
		"numbers beyond 9":      {many(30, func(i int) string { return fmt.Sprintf("%d. %08X", i+1, hash(i)) }), "numbers"},
		"numbers with a hole":   {many(30, func(i int) string { return fmt.Sprintf("%d. %08X", i+1+i/20, hash(i)) }), "numbers"},
		"bullets":               {"- AAAA\n- BBBB\n", "numbers"},
		"bullets of print":      {"• AAAA\n• BBBB\n", "numbers"},
		"quoted mail":           {"> AAAA\n> BBBB\n", "numbers"},
		"numbers and quotes":    {"1. \"AAAA\"\n2. \"BBBB\"\n", "numbers+quotes"},

		"comment of //":     {"// ours\nAAAA-1\n", "comments"},
		"comment of words":  {"#batch of 12 May\nAAAA-1\nBBBB-2\n", "comments"},
		"comment at end":    {"AAAA-1\nBBBB-2\n-- end --\n", "comments"},
		"ruler":             {"AAAA-1\n==========\nBBBB-2\n", "comments"},
		"block of a key":    {"-----BEGIN LICENSE-----\nQUJDRA==\n-----END LICENSE-----\n", "comments"},
		"comment in INI":    {"; exported\nAAAA-1\n", "comments"},
		"json of objects":   {"{\"key\":\"AAAA-1\"}\n{\"key\":\"BBBB-2\"}\n", "json"},
		"json of many":      {"[\n  {\n    \"key\": \"AAAA-1\"\n  }\n]\n", "json"},
		"json of a program": {"['AAAA-1', 'BBBB-2']", "json"},
		"json after a mark": {"\uFEFF[\"AAAA-1\"]", "json"},
		"json of one line":  {"{\"keys\":[\"" + strings.Repeat("AAAA-1\",\"", 600) + "BBBB\"]}", "json"},
		"html of breaks":    {"AAAA-1<br>\nBBBB-2<br>\n", "html"},
		"html of a list":    {"<ul>\n<li>AAAA-1</li>\n<li>BBBB-2</li>\n</ul>\n", "html"},
		"xml":               {"<keys>\n<key>AAAA-1</key>\n<key>BBBB-2</key>\n</keys>\n", "html"},
		"html with a class": {"<div class=\"x\">AAAA-1</div>\n", "html"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{c.file, as16(c.file)} {
				if got := lookAt(t, file); got.Question() != c.want {
					t.Errorf("asks %q about %+v, want %q", got.Question(), got.Asked, c.want)
				}
			}
		})
	}
}

func TestInspect_whatIsWarnedOf(t *testing.T) {
	for name, want := range map[string][]upload.Finding{
		"tab-columns.txt":     nil, // refused line by line
		"nbsp.txt":            {{Trait: upload.NoBreakSpaces, Lines: 1, First: 2}},
		"word-dashes.txt":     {{Trait: upload.SomeQuotes, Lines: 1, First: 3}, {Trait: upload.Typography, Lines: 3, First: 1}},
		"trailing-commas.txt": {{Trait: upload.Separators, Lines: 2, First: 1}},
		"semicolon-list.txt":  {{Trait: upload.Separators, Lines: 1, First: 1}},
	} {
		file, err := os.ReadFile(filepath.Join("testdata", "files", name))
		if err != nil {
			t.Fatal(err)
		}
		got := lookAt(t, string(file))
		if diff := cmp.Diff(want, got.Warned); diff != "" || len(got.Asked) > 0 {
			t.Errorf("%s: asks %+v, warns (-want +got):\n%s", name, got.Asked, diff)
		}
	}
	if got := lookAt(t, "ada@example.com----pw\nbob@example.com----pw2\nhttps://x.example/?a=1\n"); len(got.Warned) > 0 {
		t.Errorf("warns of %+v", got.Warned)
	}
}

// A file is judged by its first bytes, and the line that they cut off does not count.
func TestInspect_lineThatIsCutOff(t *testing.T) {
	head := []byte("\"AAAA-1\"\n\"BBBB-2\"\n\"CCC")
	seen, err := look("a.txt", head, upload.UTF8, false)
	if err != nil || len(seen.Asked) != 1 || seen.Asked[0].Lines != 2 {
		t.Errorf("%+v, %v; want two lines in quotes", seen.Asked, err)
	}
}

func TestInterpret(t *testing.T) {
	all := upload.Reading{SkipHeading: true, SkipComments: true, StripNumbers: true, StripQuotes: true}
	seen := upload.Seen{HeadingAt: 20, Numbering: "1. "}
	type result struct {
		key    string
		reason upload.Outcome
	}
	for _, c := range []struct {
		text string
		how  upload.Reading
		want result
	}{
		{"# batch of 12 May", all, result{"", upload.SkippedComment}},
		{"#A1B2", all, result{"#A1B2", ""}},
		{"12. AAAA", all, result{"AAAA", ""}},
		{"12.AAAA", all, result{"12.AAAA", ""}}, // another form: the key's own
		{"AAAA", all, result{"AAAA", ""}},
		{"12.", all, result{"", upload.NoKey}},
		{"1. \"AAAA\"", all, result{"AAAA", ""}},
		{"1.\tAAAA", all, result{"AAAA", ""}},
		{"\"QF02-BB\"\"BB-2222\"", all, result{"QF02-BB\"BB-2222", ""}},
		{"\"AAAA\",\"no\"", all, result{"", upload.UnpairedQuotes}},
		{"\"AAAA", all, result{"", upload.UnpairedQuotes}},
		{"AAAA\"", all, result{"", upload.UnpairedQuotes}},
		{"\"", all, result{"", upload.UnpairedQuotes}},
		{"\"\"", all, result{"", upload.NoKey}},
		{"\" \"", all, result{"", upload.NoKey}},
		{"\"AAAA\",", all, result{"", upload.UnpairedQuotes}},
		{"'AA''BB'", all, result{"AA'BB", ""}},
		{"“AAAA”", all, result{"AAAA", ""}},
		{"„AAAA“", all, result{"AAAA", ""}},
		{"“AAAA", all, result{"", upload.UnpairedQuotes}},
		{"A\"B", all, result{"A\"B", ""}},
		{"\"AAAA\"", upload.Reading{SkipHeading: true}, result{"\"AAAA\"", ""}},
		{"1. AAAA", upload.Reading{StripQuotes: true}, result{"1. AAAA", ""}},
	} {
		key, reason := interpreter(seen, c.how)(7, c.text)
		if got := (result{key, reason}); got != c.want {
			t.Errorf("%q is read as %+v, want %+v", c.text, got, c.want)
		}
	}
	if _, reason := interpreter(seen, all)(20, "anything"); reason != upload.SkippedHeading {
		t.Errorf("the heading is %q", reason)
	}
}

// Files of keys by chance, of every alphabet, long and short: none is asked about.
func TestInspect_keysByChanceLoadUnasked(t *testing.T) {
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	printable := ""
	for c := '!'; c <= '~'; c++ {
		printable += string(c)
	}
	for name, alphabet := range map[string]string{
		"printable ASCII": printable, "base64": upper + lower + digits + "+/", "letters": upper, "digits": digits, "hex": digits + "abcdef",
		"base64url": upper + lower + digits + "-_", "with blanks": upper + digits + " ", "Cyrillic": "абвгдежзиклмнопрстуфхцчшщыэюя",
	} {
		chance := rand.New(rand.NewPCG(1, uint64(len(name))))
		for _, n := range []int{1, 2, 3, 10, 1000} {
			for range 500/n + 1 {
				letters := []rune(alphabet)
				length := 8 + chance.IntN(16)
				file := many(n, func(int) string {
					var b strings.Builder
					for range length {
						b.WriteRune(letters[chance.IntN(len(letters))])
					}
					return b.String()
				})
				seen, err := look("a.txt", []byte(file), upload.UTF8, true)
				if err != nil || len(seen.Asked) > 0 {
					t.Errorf("%s, %d lines: asks about %+v, %v:\n%.300s", name, n, seen.Asked, err, file)
				}
			}
		}
	}
}

// FuzzInspect holds that whatever a file looks like, each of its lines is read as a key or
// has a reason, by whatever answer fits the file.
func FuzzInspect(f *testing.F) {
	f.Add([]byte("key\n1. \"A\"\n2. \"B\"\n3.\n"), true)
	f.Add([]byte("# x\n- “A”\n- 'B\n- \u200b\"\"\n"), false)
	f.Add([]byte("\xff\xfe\"\x00A\x00\"\x00"), true)
	f.Fuzz(func(t *testing.T, file []byte, whole bool) {
		enc, _ := examine(file[:min(len(file), headSize)])
		seen, err := look("a.txt", file, enc, whole)
		if err != nil {
			t.Fatal(err)
		}
		how := upload.Reading{
			SkipHeading: seen.Has(upload.Heading), SkipComments: seen.Has(upload.Comments),
			StripNumbers: seen.Has(upload.Numbers), StripQuotes: seen.Has(upload.Quotes),
		}
		lines, err := sampleLines(file, enc, true)
		if err != nil {
			t.Fatal(err)
		}
		read := interpreter(seen, how)
		if (read == nil) != (len(seen.Offered()) == 0) {
			t.Fatalf("offers %q", seen.Offered())
		}
		headings := 0
		for _, line := range lines {
			if read == nil {
				break
			}
			key, reason := read(line.offset, line.text)
			if (key == "") != (reason != "") || pool.TrimKey(key) != key || !how.StripQuotes && !strings.Contains(line.text, key) {
				t.Errorf("%q is read as %q, %q", line.text, key, reason)
			}
			if reason == upload.SkippedHeading {
				headings++
			}
		}
		if how.SkipHeading && headings != 1 {
			t.Errorf("%d headings", headings)
		}
	})
}

func BenchmarkLook(b *testing.B) {
	file := []byte(many(3200, func(i int) string { return fmt.Sprintf("%08X-%08X", hash(i), hash(i+7)) }))
	for b.Loop() {
		if seen, err := look("a.txt", file, upload.UTF8, false); err != nil || len(seen.Asked) > 0 {
			b.Fatal(seen, err)
		}
	}
}
