package ingest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"keypool/shared/lazy"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// inspectedSize is the number of bytes of a file that inspect looks at.
const inspectedSize = 64 << 10

// sample is a line at the beginning of a file that is not blank, trimmed.
type sample struct {
	offset int64
	number int
	text   string
}

// look inspects the first bytes of a file, of which whole says that they are all.
func look(file string, head []byte, enc upload.Encoding, whole bool) (upload.Seen, error) {
	lines, err := sampleLines(head, enc, whole)
	if err != nil {
		return upload.Seen{}, err
	}
	start := startOf(head, enc)
	if !upload.IsCSV(file) {
		return inspect(start, lines), nil
	}
	if seen := inspect(start, lines); seen.Has(upload.JSON) || seen.Has(upload.HTML) {
		return seen, nil // whatever its name is
	}
	table, rows, err := sniff(head, enc, whole)
	if err != nil || table.Column == 0 {
		return upload.Seen{Table: table}, err
	}
	seen := inspect("", keyCells(table, rows))
	seen.Table = table
	return seen, nil
}

// sampleLines returns the lines at the beginning of a file.
func sampleLines(head []byte, enc upload.Encoding, whole bool) ([]sample, error) {
	r, err := NewReader(bytes.NewReader(head), enc, 0, int64(len(head)), 0)
	if err != nil {
		return nil, err
	}
	var lines []sample
	r.interpret = func(offset int64, text string) (string, upload.Outcome) {
		if text != "" {
			lines = append(lines, sample{offset, r.lines, text})
		}
		return text, ""
	}
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !whole && len(lines) > 1 {
		lines = lines[:len(lines)-1] // it may be cut off
	}
	return lines, nil
}

// startOf returns the beginning of a file as text.
func startOf(head []byte, enc upload.Encoding) string {
	start := string(head)
	if encoding(enc).unit() == 2 {
		start = encoding(enc).decode(head[:len(head)&^1])
	}
	return strings.TrimLeftFunc(start, pool.Around)
}

// inspect says what about the first lines of a file is not as lines of keys are. Start is
// the beginning of the file, as one text.
//
// The lines are drawn so that a real key is rarely asked about, since that holds a whole
// file back, and nothing is sold that a person would see at once to be no key. A trait of
// "every line" is one of nine lines in ten, so that a stray line changes nothing.
//
//   - JSON: the file begins with brackets and then a text in quotes, followed by : , ] or }.
//     A key in braces is none, nor is a token such as a JWT.
//   - HTML: a tag at the very beginning, or in one line of ten. A password with <b> in it, or
//     <! or <?, is none.
//   - Comments: a mark (# // -- ; /*) and a blank before the words, #three or more words,
//     or a ruler such as ===== or -----BEGIN KEY-----. "#A1B2" and "//8AAA==" are keys.
//   - Heading, of the first line that is no comment: all words of the line, or of one of its
//     columns, are words of headings, and one of them says key, code, license or the like, in
//     a dozen languages ("License Code", "Lizenzschlüssel", `"key","used"`); or several words
//     with one of those above lines without blanks ("Keys for Elden, batch 2"); or
//     words with a colon at their end. "CODE-123" is a key.
//   - Numbers: they count up by one. With a mark and a blank (1. (1) 1: 1 -) two lines are
//     enough; with a mark or a blank alone (1.AAAA, 1 AAAA) there have to be three, from 0 or 1. Numbers
//     alone are keys, and so are 1-AAAA, 2-AAAA and 1:AAAA. Bullets (- * • >) count as numbers.
//   - Quotes: around every line, perhaps with a comma behind it; of apostrophes, around two
//     lines at least. Quotes inside are a key's own.
//
// The rest is warned of: a comma, semicolon or bar in every line, quotes around some lines
// of several, dashes and quotes of print, no-break spaces.
func inspect(start string, lines []sample) upload.Seen {
	var seen upload.Seen
	if jsonStart().MatchString(start) {
		seen.Asked = []upload.Finding{{Trait: upload.JSON, Lines: len(lines), First: 1}}
		return seen
	}
	if f, ok := find(upload.HTML, lines, func(s sample) bool { return strings.Contains(s.text, "<") && tag().MatchString(s.text) }); ok &&
		(10*f.Lines >= len(lines) || tagStart().MatchString(start)) {
		seen.Asked = []upload.Finding{f}
		return seen
	}
	if f, ok := find(upload.Comments, lines, func(s sample) bool { return comment(s.text) }); ok {
		seen.Asked = append(seen.Asked, f)
	}
	keys := slices.DeleteFunc(slices.Clone(lines), func(s sample) bool { return comment(s.text) })
	if len(keys) > 0 && heading(keys[0].text, keys[1:]) {
		seen.Asked = append(seen.Asked, upload.Finding{Trait: upload.Heading, Lines: 1, First: keys[0].number})
		seen.HeadingAt = keys[0].offset
		keys = keys[1:]
	}
	if form, ok := numbering(keys); ok {
		f, _ := find(upload.Numbers, keys, func(s sample) bool { return numbered(s.text).form == form })
		seen.Asked = append(seen.Asked, f)
		seen.Numbering = form
		for i := range keys {
			keys[i].text, _ = stripNumber(form, keys[i].text)
		}
	}
	if f, ok := find(upload.Quotes, keys, func(s sample) bool { return quoted(s.text) }); ok {
		if len(keys) == 1 && strings.ContainsAny(keys[0].text[:1], "'`") {
			// A password may well be so; a second one is not.
		} else if most(f.Lines, len(keys)) {
			seen.Asked = append(seen.Asked, f)
		} else {
			f.Trait = upload.SomeQuotes
			seen.Warned = append(seen.Warned, f)
		}
	}
	for _, separator := range []string{",", ";", "|"} {
		f, ok := find(upload.Separators, keys, func(s sample) bool { return strings.Contains(s.text, separator) })
		if ok && most(f.Lines, len(keys)) {
			seen.Warned = append(seen.Warned, f)
			break
		}
	}
	if f, ok := find(upload.Typography, keys, func(s sample) bool { return strings.ContainsAny(s.text, typographic) }); ok {
		seen.Warned = append(seen.Warned, f)
	}
	if f, ok := find(upload.NoBreakSpaces, keys, func(s sample) bool { return strings.ContainsAny(s.text, noBreakSpaces) }); ok {
		seen.Warned = append(seen.Warned, f)
	}
	return seen
}

// find counts the lines that have a trait, false if none has.
func find(t upload.Trait, lines []sample, has func(sample) bool) (upload.Finding, bool) {
	f := upload.Finding{Trait: t}
	for _, line := range lines {
		if !has(line) {
			continue
		}
		if f.Lines++; f.Lines == 1 {
			f.First = line.number
		}
	}
	return f, f.Lines > 0
}

// most reports whether n of all is as good as every one.
func most(n, all int) bool { return n > 0 && 10*n >= 9*all }

var (
	jsonStart = lazy.Regexp(`^\s*[\[{][\s\[{]*(?:"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')\s*[:,\]}]`)

	tagStart = lazy.Regexp(`^\s*<[!?/]?[A-Za-z-]`)
	tag      = lazy.Regexp(`(?i)</?(?:html|head|body|table|thead|tbody|tr|td|th|div|span|br|hr|ul|ol|li|pre|code|em|strong|font|center|title|meta|script|style|h[1-6]|img)(?:\s[^<>]*)?/?>|^</?[abip](?:\s[^<>]*)?>|<[a-z][\w.:-]*(?:\s[^<>]*)?>[^<>]*</[a-z]|^<(?:!--|!doctype\s|!\[cdata\[|\?xml\s)`)

	words = lazy.Regexp(`^(?:\p{Lu}?\p{Ll}+|\p{L}+(?: \p{L}+)+)$`) // "Elden", "Elden Ring"

	commentMark  = lazy.Regexp(`^(?:#+|//+|--|;+|/\*+)\s`)
	commentWords = lazy.Regexp(`^(?:#|//|;)\pL\S*(?:\s+\S+){2}`)
	ruler        = lazy.Regexp(`^(?:-{3,}|={3,}|\*{3,}|#{3,}|_{3,}|~{3,})(?:.*(?:-{3,}|={3,}|\*{3,}|#{3,}|_{3,}|~{3,}))?$`)
)

const (
	typographic   = "‐‑‒–—―−‘’‚‛“”„‟‹›«»"
	noBreakSpaces = "\u00A0\u2007\u202F"
)

// comment reports whether a line is for whoever reads the file.
func comment(text string) bool {
	if !startsWith(text, "#/-;=*_~") {
		return false
	}
	return commentMark().MatchString(text) || commentWords().MatchString(text) || ruler().MatchString(text)
}

// startsWith reports whether a text begins with one of some characters. It spares most
// lines the expressions, which take longer than to load the line.
func startsWith(text, chars string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return strings.ContainsRune(chars, first)
}

// heading reports whether the first line of a file names what the others hold.
func heading(first string, others []sample) bool {
	for _, cell := range strings.FieldsFunc(first, func(c rune) bool { return strings.ContainsRune(",;|\t", c) }) {
		if names(cell) {
			return true
		}
	}
	if len(others) == 0 {
		return false
	}
	if fields := strings.Fields(first); len(fields) > 1 && slices.ContainsFunc(fields, func(word string) bool { return nouns[bare(word)] }) {
		f, _ := find("", others, func(s sample) bool { return !strings.ContainsFunc(s.text, unicode.IsSpace) })
		return most(f.Lines, len(others))
	}
	title, colon := strings.CutSuffix(first, ":")
	if !colon || !words().MatchString(title) {
		return false
	}
	_, more := find("", others, func(s sample) bool { return strings.HasSuffix(s.text, ":") })
	return !more
}

// names reports whether a text is the name of a column of keys, such as "License Key",
// product_key or "Код".
func names(text string) bool {
	words := strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune(`_-./:()#'"’`, c) })
	noun := false
	for _, word := range words {
		word = bare(word)
		noun = noun || nouns[word]
		if !nouns[word] && !modifiers[word] {
			return false
		}
	}
	return noun
}

// bare returns a word without letter case and the marks around it.
func bare(word string) string {
	return strings.ToLower(strings.TrimFunc(word, func(c rune) bool { return !unicode.IsLetter(c) }))
}

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// nouns are what a list of keys is called, modifiers what may stand with that.
var (
	nouns = setOf(`key keys code codes license licenses licence licences serial serials voucher vouchers coupon coupons token tokens
		pin pins cdkey cdkeys licensekey licensekeys licencekey productkey productkeys activationkey activationcode serialnumber
		serialkey steamkey steamkeys gamekey gamekeys keycode keycodes giftcode vouchercode couponcode promocode
		schlüssel lizenz lizenzen lizenzschlüssel produktschlüssel aktivierungsschlüssel lizenzcode aktivierungscode freischaltcode
		gutscheincode seriennummer seriennummern clé clés cle cles clave claves licencia licencias código códigos codigo codigos
		chave chaves licença licenças chiave chiavi licenza licenze codice codici seriale sleutel sleutels licentie licentiesleutel
		licentiecode nyckel nycklar licensnyckel nøgle nøgler licensnøgle nøkkel klucz klucze kod kody licencja klíč klíče kulcs
		kulcsok anahtar anahtarı lisans avain avaimet ключ ключи код коды лицензия
		キー ライセンスキー プロダクトキー シリアル シリアルキー シリアルコード シリアル番号 コード ライセンス
		密钥 激活码 卡密 序列号 兑换码 注册码 授权码 許可證 金鑰 序號 兌換碼 키 라이선스 시리얼 코드`)
	modifiers = setOf(`product activation cd dvd steam game games gift card cards number numbers no nr num unlock download redeem
		redemption redeemable access registration list of all new the your my our digital promo discount software windows office
		origin uplay epic gog xbox psn playstation nintendo pc mac app id text value values column unused available for and
		produkt aktivierung produit activation d de del la le di do da des del producto activación activacion produto ativação
		prodotto attivazione produktu aktywacyjny seryjny активации лицензионный лицензионные серийный продукта 제품`)
)

// number is what stands in front of a line that is counted.
type number struct {
	n    int
	form string // with 1 for the number and one blank for any: "1. ", "(1)", "1 - "; "- " of a bullet
	rest string // the line behind it
}

var (
	numberMark = lazy.Regexp(`^([(\[#]?)(\d{1,9})(\s*)([.):\]=、．,;|-]{0,2})(\s*)(.*)$`)
	bullet     = lazy.Regexp(`^([-*•·–>])\s+(.*)$`)
)

// numbered reads the number in front of a line. Its form is empty if there is none.
func numbered(text string) number {
	if !startsWith(text, "0123456789([#-*•·–>") {
		return number{}
	}
	if m := bullet().FindStringSubmatch(text); m != nil {
		return number{form: m[1] + " ", rest: m[2]}
	}
	m := numberMark().FindStringSubmatch(text)
	if m == nil || m[3]+m[4]+m[5] == "" {
		return number{}
	}
	n, _ := strconv.Atoi(m[2]) // nine digits at most
	blank := func(s string) string {
		if s == "" {
			return ""
		}
		return " "
	}
	return number{n, m[1] + "1" + blank(m[3]) + m[4] + blank(m[5]), m[6]}
}

// numbering returns the form of the numbers in front of all lines, false if they are not
// counted.
func numbering(lines []sample) (form string, ok bool) {
	if len(lines) == 0 {
		return "", false
	}
	// The first line may be the stray one.
	for _, line := range lines[:min(len(lines), 2)] {
		form := numbered(line.text).form
		if form != "" && counts(form, lines) {
			return form, true
		}
	}
	return "", false
}

// counts reports whether lines are counted in that form.
func counts(form string, lines []sample) bool {
	bullets := !strings.Contains(form, "1")
	var ns []int
	up := 0
	for _, line := range lines {
		n := numbered(line.text)
		if n.form != form || n.rest == "" {
			continue
		}
		if len(ns) == 0 || n.n == ns[len(ns)-1]+1 {
			up++
		}
		ns = append(ns, n.n)
	}
	if !most(len(ns), len(lines)) {
		return false
	}
	if bullets {
		return len(ns) > 1
	}
	if !most(up, len(ns)) {
		return false
	}
	mark := strings.TrimSpace(strings.TrimLeft(form, "([#1 "))
	fromStart := ns[0] == 0 || ns[0] == 1
	switch {
	case mark != "" && strings.HasSuffix(form, " "):
		return len(ns) > 1 || fromStart
	case mark == ":" || mark == "-" || mark == "=":
		return false
	default:
		return len(ns) > 2 && fromStart
	}
}

// stripNumber returns a line without the number of that form in front of it. A line
// without one is returned as it is. It is false if there is nothing but the number.
func stripNumber(form, text string) (string, bool) {
	n := numbered(text)
	if n.form != form {
		// "3." has no blank at its end, which was trimmed.
		return text, n.form == "" || n.form+" " != form || n.rest != ""
	}
	return n.rest, n.rest != ""
}

// closing are the marks that close a quotation, by the mark that opens it.
var closing = map[rune]string{
	'"': `"`, '\'': `'`, '`': "`'", '“': "”", '„': "“”", '‘': "’", '‚': "‘’", '«': "»", '»': "«", '‹': "›", '›': "‹", '”': "”",
}

// closers are all of them.
const closers = "\"'`“”‘’«»‹›"

// quoted reports whether a line stands in quotes, perhaps with a comma behind it.
func quoted(text string) bool {
	first, size := utf8.DecodeRuneInString(text)
	rest := strings.TrimRight(text[size:], ",; ")
	last, _ := utf8.DecodeLastRuneInString(rest)
	return rest != "" && strings.ContainsRune(closing[first], last)
}

// stripQuotes returns a line without the quotes around it; a quote that is doubled inside
// them is one. A line without quotes at its ends is returned as it is. It is false if
// they do not pair.
func stripQuotes(text string) (string, bool) {
	first, size := utf8.DecodeRuneInString(text)
	last, lastSize := utf8.DecodeLastRuneInString(text)
	if _, opens := closing[first]; !opens {
		return text, !strings.ContainsRune(closers, last)
	}
	if len(text) < size+lastSize || !strings.ContainsRune(closing[first], last) {
		return "", false
	}
	inside := strings.Split(text[size:len(text)-lastSize], string([]rune{first, first}))
	for _, part := range inside {
		if strings.ContainsRune(part, first) || strings.ContainsRune(part, last) {
			return "", false
		}
	}
	return strings.TrimSpace(strings.Join(inside, string(first))), true
}

// interpreter returns what the merchant's answer makes of a line that begins at an offset:
// a key, or why there is none. It is nil if each line is a key as it stands.
func interpreter(seen upload.Seen, how upload.Reading) func(offset int64, text string) (string, upload.Outcome) {
	if how == (upload.Reading{}) {
		return nil
	}
	return func(offset int64, text string) (string, upload.Outcome) {
		switch {
		case text == "":
			return "", ""
		case how.SkipComments && comment(text):
			return "", upload.SkippedComment
		case how.SkipHeading && offset == seen.HeadingAt:
			return "", upload.SkippedHeading
		}
		ok := true
		if how.StripNumbers && seen.Numbering != "" {
			if text, ok = stripNumber(seen.Numbering, text); !ok {
				return "", upload.NoKey
			}
		}
		if how.StripQuotes {
			if text, ok = stripQuotes(text); !ok {
				return "", upload.UnpairedQuotes
			}
		}
		if text = pool.TrimKey(text); text == "" {
			return "", upload.NoKey
		}
		return text, ""
	}
}
