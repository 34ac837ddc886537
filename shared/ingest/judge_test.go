package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

// judged is what is said of a file before it is loaded, by ingest or by the portal's judge.
type judged struct {
	Encoding string                `json:"encoding"`
	Cause    string                `json:"cause"` // binary, empty or no-column
	Lines    int                   `json:"lines"`
	Blank    int                   `json:"blank"`
	Keys     int                   `json:"keys"`
	Repeats  int                   `json:"repeats"`
	Rejected []upload.RejectedLine `json:"rejected"` // the first 100
	Asked    []what                `json:"asked"`
	Warned   []what                `json:"warned"`
}

type what struct {
	What  string `json:"what"`
	Lines int    `json:"lines"`
	First int    `json:"first"`
}

// judge is what ingest says of a file.
func judge(t *testing.T, name string, content []byte) judged {
	t.Helper()
	said := judged{Rejected: []upload.RejectedLine{}, Asked: []what{}, Warned: []what{}}
	if len(content) == 0 {
		said.Cause = "empty"
		return said
	}
	enc, text := examine(content[:min(len(content), headSize)])
	if !text {
		said.Cause = "binary"
		return said
	}
	said.Encoding = string(enc)
	head := content[:min(len(content), inspectedSize)]
	seen, err := look(name, head, enc, len(head) == len(content))
	if err != nil {
		t.Fatal(err)
	}
	if upload.AsIs(name) {
		seen.Asked = nil
	}
	for _, f := range seen.Asked {
		said.Asked = append(said.Asked, what{string(f.Trait), f.Lines, f.First})
	}
	for _, f := range seen.Warned {
		said.Warned = append(said.Warned, what{string(f.Trait), f.Lines, f.First})
	}
	var r lines
	r, err = NewReader(bytes.NewReader(content), enc, 0, int64(len(content)), 0)
	if upload.IsCSV(name) && !seen.Has(upload.JSON) && !seen.Has(upload.HTML) {
		if seen.Table.Column == 0 {
			said.Cause = "no-column"
			return said
		}
		r, err = newTableReader(bytes.NewReader(content), enc, seen.Table)
	}
	if err != nil {
		t.Fatal(err)
	}
	known, shown := map[string]bool{}, 0
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		shown += 1 + line.More
		switch {
		case line.Reason != "":
			for n := range 1 + line.More {
				if len(said.Rejected) < 100 {
					said.Rejected = append(said.Rejected, upload.RejectedLine{Line: line.Number + n, Reason: line.Reason})
				}
			}
		case known[line.Text.Reveal()]:
			said.Repeats++
		default:
			known[line.Text.Reveal()] = true
			said.Keys++
		}
	}
	said.Lines = r.Lines()
	said.Blank = said.Lines - shown
	if shown == 0 {
		said.Cause = "empty"
	}
	return said
}

// judgeAll has the portal's judge look at the files of a folder, each in pieces of several sizes.
const judgeAll = `
import { readFileSync, readdirSync } from "node:fs";
import { judge, nouns, modifiers } from %q;
const all = {};
for (const name of readdirSync(%[2]q).sort()) {
  const bytes = new Uint8Array(readFileSync(%[2]q + "/" + name));
  const pieces = [];
  for (const size of [bytes.length || 1, 1009, 65536]) {
    const chunks = [];
    for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.slice(i, i + size));
    pieces.push(await judge(name, chunks));
  }
  all[name] = pieces;
}
console.log(JSON.stringify({ all, nouns: [...nouns], modifiers: [...modifiers] }));
`

// The portal judges a file in the browser before it is sent. What it says of each file that
// ingest is tested with is what ingest says, line by line.
func TestJudge_saysWhatIngestSays(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("the portal's judge is run by Node.js: install it (apt-get install nodejs, or from nodejs.org)")
	}
	folder := t.TempDir()
	files := 0
	put := func(name string, content []byte) {
		files++
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d-%s", files, name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"testdata/files/*", "../../functions/portal/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range found {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			put(filepath.Base(path), content)
			if filepath.Ext(path) != ".go" {
				put(filepath.Base(path)+".csv", content)
			}
		}
	}
	for _, content := range corpus(t) {
		put("fuzz.txt", content)
		put("fuzz.csv", content)
	}
	for _, content := range hard() {
		put("hard.txt", []byte(content))
		put("hard.csv", []byte(content))
	}
	for _, content := range tables() {
		put("table.csv", []byte(content))
	}
	put("hard.as-is.txt", []byte("key\nAAAA-1\n"))
	random := rand.New(rand.NewPCG(7, 7))
	for range 400 {
		put("random.txt", randomFile(random))
		put("random.csv", randomFile(random))
	}
	script := filepath.Join(t.TempDir(), "all.mjs")
	module, err := filepath.Abs("../../functions/portal/assets/judge.js")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(filepath.Dir(script), "judge.mjs")
	code, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(copied, code, 0o600), os.WriteFile(script, fmt.Appendf(nil, judgeAll, copied, folder), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", script).Output()
	if err != nil {
		if failed, is := errors.AsType[*exec.ExitError](err); is {
			t.Fatalf("%v\n%s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	var said struct {
		All              map[string][]judged
		Nouns, Modifiers []string
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	if len(said.All) != files || files < 400 {
		t.Fatalf("%d of %d files were judged", len(said.All), files)
	}
	for name, pieces := range said.All {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		want := judge(t, name, content)
		for _, got := range pieces {
			if got.Cause == "archive" {
				got.Cause = "binary"
			}
			if got.Cause == "binary" {
				got.Encoding = want.Encoding
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %.300q (-ingest +judge):\n%s", name, content, diff)
				break
			}
		}
	}
	same := func(kind string, ours map[string]bool, theirs []string) {
		set := map[string]bool{}
		for _, word := range theirs {
			set[word] = true
		}
		if diff := cmp.Diff(ours, set); diff != "" {
			t.Errorf("%s (-ingest +judge):\n%s", kind, diff)
		}
	}
	same("nouns", nouns, said.Nouns)
	same("modifiers", modifiers, said.Modifiers)
}

// corpus returns the files that a fuzzer has found.
func corpus(t *testing.T) (files [][]byte) {
	t.Helper()
	found, err := filepath.Glob("testdata/fuzz/FuzzReader/*")
	if err != nil || len(found) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, path := range found {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if quoted, ok := strings.CutPrefix(strings.TrimSpace(line), "[]byte("); ok {
				if text, err := strconv.Unquote(strings.TrimSuffix(quoted, ")")); err == nil {
					files = append(files, []byte(text))
				}
			}
		}
	}
	return files
}

// hard are files that only exact rules read alike.
func hard() []string {
	long := strings.Repeat("x", pool.MaxKey)
	many := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form+"\n", i+1)
		}
		return b.String()
	}
	return []string{
		"", "\n", " \t\r\n", "\uFEFF\n", "A\rB\r\nC\n\nD", "A\r", "\uFEFFkey\nAAAA\n", "A\tB\n", "A\x00B\n", "A\x01B\n", "a\u200Bb\n\u200Ba\n", "a\u2028b\n", "\x1a\n", "A\n\x1a",
		long + "\n" + long + "x\n" + " " + long + "\n", strings.Repeat("é", pool.MaxKey/2) + "\n" + strings.Repeat("é", pool.MaxKey/2) + "x\n", "\xff\xfeA\x00\n\x00B\x00", "\xfe\xff\x00A\x00\n\x00B", "\xff\xfeA\x00\n", "\xff\xfe\x00\xd8\n\x00A\x00\n\x00",
		"A\x00B\x00\n\x00C\x00", "\x00A\x00B\x00\n\x00C", "caf\xe9-1\ncaf\xe9-2\nAAAA\n", strings.Repeat("\xe9\xe8", 20), "%PDF-1.7\n", "  <!DOCTYPE html>\n", "{\\rtf1", "PK\x03\x04\x00\x00",
		"Keys for Elden, batch 2\nAAAA\nBBBB\n", "Elden Ring:\nAAAA\n", "License Code\nAAAA\n", "key,used\nAAAA,1\n", "CODE-123\nCODE-124\n", "1. AAAA\n2. BBBB\n", "1.AAAA\n2.BBBB\n3.CCCC\n", "- AAAA\n- BBBB\n", "(1) A\n(2) B\n", "1-A\n2-B\n3-C\n", "1 A\n2 B\n3 C\n", "3.\n4. A\n5. B\n",
		"\"AAAA\"\n\"BBBB\"\n", "'A'\n", "'A'\n'B'\n", "“A”,\n“B”,\n", "\"A\"\nB\nC\n", "A;B\nC;D\n", "A\u2013B\n", "A\u00A0B\n", "# keys\nAAAA\n", "#A1B2\n//8AAA==\n", "=====\nAAAA\n", "-----BEGIN KEY-----\nAAAA\n", "#one two three\nA\n",
		"{\"key\": \"A\"}\n", "[\"A\",\n\"B\"]", "{A}\n", "['a', 'b']", "<tr><td>A</td></tr>\n", "<b>A\n<i>B\n", "A<b>c\n", "<p>A</p>\nB\n", "ключ\nAAAA\n", "ライセンスキー\nAAAA\n",
		many(9000, "AAAA-%05d"), many(9000, "%d. AAAA"), many(4000, "Ключ-%05d"), "license key\n" + many(8000, "AAAA-%05d"), strings.Repeat("A\n", 50000), strings.Repeat("y", 70<<10), strings.Repeat("y", 70<<10) + "\nAAAA\n", strings.Repeat("é", 40<<10),
	}
}

// tables are tables that only exact rules read alike.
func tables() []string {
	var rows strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&rows, "%d,\"AAAA-%05d\",\"a note, of\ntwo lines\"\n", i, i)
	}
	return []string{
		"key,used\nAAAA,1\nBBBB,0\n", "name;license key\nAda;AAAA\nBob;BBBB;C\nEve\n", "a,b\nc,d\n", "A,B,C\n", "key\tsold\nAAAA\t 1\n", "sep=;\nkey;x\nAAAA;1\n", "sep=;\r\nAAAA;1\r\nBBBB;2\r\n", "SEP=,\n", "sep=;;\nkey;x\n",
		"key,key\nA,B\n", "key,code\nA,B\n", "Steam Key,Name\nA,B\n", "Steam Key,Game Code\nA,B\n", "key,name\n,\n  \n,x\nAAAA,y\n", "key,name,\nAAAA,y,\n", "\uFEFFkey,name\nAAAA,y\n", "\xff\xfek\x00e\x00y\x00,\x00x\x00\n\x00A\x00,\x001\x00\n\x00", "\xfe\xff\x00k\x00e\x00y\x00;\x00x\x00\n\x00\xe9\x00;\x001\xd8\x00\x00\n",
		"key,name\n\"AAAA\",\"a \"\"b\"\"\"\n\"BBBB\"x,1\nCC\"CC,2\nDDDD,3\n", "key,name\nAAAA,\"never\nclosed\nBBBB,1\n", "key,name\nAAAA,\"two\nlines\"\nBBBB,\"two\nlines\"x\nCCCC,1\n", "key\n\"AAAA\"\n\"BBBB", "key\n\"AAAA\"\r\"BBBB\"\r\n\r\n\"CCCC\"\r",
		"key,name\n \u00a0\"AAAA\",1\nB\tB,2\n\xffC,3\n" + strings.Repeat("x", 3000) + ",4\n", "key|x\nAAAA|1\n|2\n", "{\"key\":1},2\n", "<tr><td>A</td></tr>,1\n", "# comment,1\nkey,x\nAAAA,1\n", "key,x\n1. AAAA,1\n2. BBBB,2\n3. CCCC,3\n", "key,x\n'AAAA',1\n'BBBB',2\n",
		"key,name\n" + rows.String(), "key,name\nAAAA,\"" + strings.Repeat("open\n", 90_000), "n,key\n" + strings.Repeat("1,AAAA\n", 20_000), strings.Repeat("y,", 40<<10), "key\n" + strings.Repeat("\n", 70<<10) + "AAAA\n", "Licence_Key , x\nAAAA,1\n", "KEY.,x\nAAAA,1\n", ",key\n,AAAA\n,BBBB\n", "1,2\n1,2,3\n1\n",
	}
}

// randomFile returns lines of what is easy to read wrongly.
func randomFile(random *rand.Rand) []byte {
	parts := []string{
		"A", "AAAA-1", "key", "code", "license", "1. ", "2. ", "1) ", "- ", "# ", "//", "\"", "'", "“", "”", ",", ";", "|", "\t", " ", "\u00A0", "\u200B", "\uFEFF", "\x01", "\x00", "\xff", "\xc3", "é", "😀", "\u2028", "<b>", "</b>", "{", "[", ":", "---", "===", "\x1a", "\u0085", "İ", "ſ", "K",
	}
	ends := []string{"\n", "\r\n", "\r", "\n\n"}
	var b bytes.Buffer
	some := make([]string, 1+random.IntN(6))
	for i := range some {
		some[i] = parts[random.IntN(len(parts))]
	}
	for range 1 + random.IntN(12) {
		for range random.IntN(5) {
			b.WriteString(some[random.IntN(len(some))])
		}
		b.WriteString(ends[random.IntN(len(ends))])
	}
	return b.Bytes()
}
