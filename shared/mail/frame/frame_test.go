package frame

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/shared/mail/text"
)

// Each file is whole: it can be read strictly, lacks no phrase, and each of its phrases has
// the tags that the English one has.
func TestLanguages_areWhole(t *testing.T) {
	entries, err := files.ReadDir("languages")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 9 {
		t.Errorf("%d languages", len(entries))
	}
	want := phrases(In("en"))
	for _, entry := range entries {
		f, err := read(entry.Name())
		if err != nil {
			t.Errorf("%s: %v", entry.Name(), err)
			continue
		}
		if tag := language.Make(f.Language); entry.Name() != f.Language+".json" || tag.String() != f.Language || tag == language.Und {
			t.Errorf("%s says that it is in %q", entry.Name(), f.Language)
		}
		got := phrases(f)
		for name, tags := range want {
			if diff := gocmp.Diff(tags, got[name]); diff != "" {
				t.Errorf("%s: the tags of %s (-English +%s):\n%s", entry.Name(), name, f.Language, diff)
			}
		}
		for name := range got {
			if _, known := want[name]; !known && !strings.HasPrefix(name, "keys.two.") && name != "redeem.two" {
				t.Errorf("%s: %s is no phrase of English", entry.Name(), name)
			}
		}
	}
}

// phrases returns the sorted tags of each phrase, by the phrase's path. The forms of a
// plural are one phrase: they all must have the same tags. A phrase that is missing is not
// there.
func phrases(f Frame) map[string][]string {
	all := map[string][]string{}
	add := func(path, phrase string) {
		if phrase == "" {
			return
		}
		found := slices.Compact(slices.Sorted(slices.Values(tags.FindAllString(phrase, -1))))
		if before, known := all[path]; known && !slices.Equal(before, found) {
			found = append(found, "and others in another form")
		}
		all[path] = append([]string{}, found...)
	}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			add(path, v.String())
		case reflect.Pointer:
			if !v.IsNil() {
				walk(path, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				if name != "direction" && name != "greets" && name != "greets_after_name" {
					walk(strings.TrimPrefix(path+"."+name, "."), v.Field(i))
				}
			}
		case reflect.Slice: // a paragraph, or a month
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Map:
			for _, form := range v.MapKeys() {
				walk(path, v.MapIndex(form))
			}
		default: // no phrase: a number, or whether somebody has read it
		}
	}
	walk("", reflect.ValueOf(f))
	return all
}

var tags = regexp.MustCompile(`\{[A-Za-z_ ]*\}|%[a-z]`)

// What a file could lack is found.
func TestLanguages_mistakesAreFound(t *testing.T) {
	whole := phrases(In("de"))
	for name, mend := range map[string]func(*Frame){
		"a phrase is missing":   func(f *Frame) { f.Contact.Phone = "" },
		"a tag is missing":      func(f *Frame) { f.GreetingName = "Guten Tag" },
		"a tag is misspelt":     func(f *Frame) { f.Preview = "Bestellung {ORDER}: {PROGRAM_NAME}" },
		"a month is missing":    func(f *Frame) { f.Dates.Months = f.Dates.Months[:11] },
		"a form has other tags": func(f *Frame) { f.Attached = map[string]string{"one": "Ein Schlüssel", "other": "{COUNT} Schlüssel"} },
	} {
		f := In("de")
		mend(&f)
		if gocmp.Equal(whole, phrases(f)) {
			t.Errorf("%s, and it is not seen", name)
		}
	}
}

// Keys are attached from 21 on: a file has the forms of those numbers, and no others.
func TestLanguages_pluralsAreThoseOfCLDR(t *testing.T) {
	names := map[plural.Form]string{
		plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many",
	}
	for _, tag := range Languages() {
		f, forms := In(tag), map[string]bool{}
		for n := 21; n <= 1000; n++ {
			forms[names[plural.Cardinal.MatchPlural(language.Make(tag), n, 0, 0, 0, 0)]] = true
		}
		for form := range forms {
			if f.Attached[form] == "" {
				t.Errorf("%s: attached lacks the form %q", tag, form)
			}
		}
		for form := range f.Attached {
			if !forms[form] {
				t.Errorf("%s: no number of keys has the form %q of attached", tag, form)
			}
		}
	}
	for _, c := range []struct {
		language string
		n        int
		want     string
	}{
		{"ru", 21, "21 ключ,"},
		{"ru", 22, "22 ключа,"},
		{"ru", 25, "25 ключей,"},
		{"ru", 111, "111 ключей,"},
		{"pl", 22, "22 klucze "},
		{"pl", 21, "21 kluczy "},
		{"pl", 112, "112 kluczy "},
		{"ar", 103, "103 مفاتيح،"},
		{"ar", 25, "25 مفتاحًا،"},
		{"ar", 100, "100 مفتاح،"},
		{"en", 1000, "All 1,000 keys"},
	} {
		if got := In(c.language).KeysAttached(c.n); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.language, got, c.want)
		}
	}
}

// Numbers are written as CLDR says, with the digits of the order's number.
func TestLanguages_numbersAreThoseOfCLDR(t *testing.T) {
	spaces := strings.NewReplacer("\u202f", " ", "\u00a0", " ") // an older CLDR has one for the other
	for _, tag := range Languages() {
		printer := message.NewPrinter(language.Make(tag + "-u-nu-latn"))
		for _, n := range []int{0, 7, 999, 10_000, 1_234_567} {
			want := printer.Sprint(number.Decimal(n))
			if got := In(tag).Number(n); spaces.Replace(got) != spaces.Replace(want) {
				t.Errorf("%s writes %d as %q, want %q", tag, n, got, want)
			}
		}
		want := printer.Sprint(number.Decimal(12345.5, number.Scale(2)))
		if got := In(tag).decimal("12345.50"); spaces.Replace(got) != spaces.Replace(want) {
			t.Errorf("%s writes 12345.50 as %q, want %q", tag, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct{ language, amount, currency, want string }{
		{"en", "1200.50", "EUR", "1,200.50 EUR"},
		{"de", "1200.50", "EUR", "1.200,50 EUR"},
		{"fr", "1200.50", "EUR", "1\u202f200,50 EUR"},
		{"es", "1200.50", "EUR", "1200,50 EUR"},
		{"es", "12000", "EUR", "12.000 EUR"},
		{"pl", "1200.50", "PLN", "1200,50 PLN"},
		{"pt", "1999.90", "BRL", "BRL 1.999,90"},
		{"ru", "1500", "RUB", "1\u00a0500 RUB"},
		{"ja", "2980", "JPY", "2,980 JPY"},
		{"ar", "1200.50", "SAR", "1,200.50 SAR"},
		{"de", "123456789012345678901234567890.123456789", "XAU", "123.456.789.012.345.678.901.234.567.890,123456789 XAU"},
		{"de", "free", "EUR", "free EUR"},
		{"de", "{CURRENCY}", "EUR", "{CURRENCY} EUR"},
		{"de", "19.90", "", "19,90"},
		{"de", " ", "EUR", ""},
	} {
		if got := In(c.language).Money(c.amount, c.currency); got != c.want {
			t.Errorf("%s writes %s %s as %q, want %q", c.language, c.amount, c.currency, got, c.want)
		}
	}
}

func TestDate(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "3 May 2026", "de": "3. Mai 2026", "fr": "3 mai 2026", "es": "3 de mayo de 2026", "pt": "3 de maio de 2026",
		"pl": "3 maja 2026", "ru": "3 мая 2026 г.", "ja": "2026年5月3日", "ar": "3 مايو 2026",
	} {
		if got := In(tag).Date(time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}

// A sentence of its own asks to redeem the keys, with one full stop at its end.
func TestRedeemBy(t *testing.T) {
	day := time.Date(2026, 12, 23, 0, 0, 0, 0, time.UTC)
	for tag, want := range map[string][3]string{
		"en": {"Please redeem the key by 23 December 2026.", "Please redeem the keys by 23 December 2026.", "Please redeem the keys by 23 December 2026."},
		"de": {"Bitte lösen Sie den Schlüssel bis zum 23. Dezember 2026 ein.", "Bitte lösen Sie die Schlüssel bis zum 23. Dezember 2026 ein.", "Bitte lösen Sie die Schlüssel bis zum 23. Dezember 2026 ein."},
		"fr": {"Veuillez activer la clé au plus tard le 23 décembre 2026.", "Veuillez activer les clés au plus tard le 23 décembre 2026.", "Veuillez activer les clés au plus tard le 23 décembre 2026."},
		"es": {"Canjee la clave a más tardar el 23 de diciembre de 2026.", "Canjee las claves a más tardar el 23 de diciembre de 2026.", "Canjee las claves a más tardar el 23 de diciembre de 2026."},
		"pt": {"Resgate a chave até 23 de dezembro de 2026.", "Resgate as chaves até 23 de dezembro de 2026.", "Resgate as chaves até 23 de dezembro de 2026."},
		"pl": {"Aktywuj klucz najpóźniej 23 grudnia 2026.", "Aktywuj klucze najpóźniej 23 grudnia 2026.", "Aktywuj klucze najpóźniej 23 grudnia 2026."},
		"ru": {"Активируйте ключ до 23 декабря 2026 г. включительно.", "Активируйте ключи до 23 декабря 2026 г. включительно.", "Активируйте ключи до 23 декабря 2026 г. включительно."},
		"ja": {"ライセンスキーは2026年12月23日までに有効化してください。", "ライセンスキーは2026年12月23日までに有効化してください。", "ライセンスキーは2026年12月23日までに有効化してください。"},
		"ar": {"يُرجى تفعيل المفتاح في موعد أقصاه 23 ديسمبر 2026.", "يُرجى تفعيل المفتاحين في موعد أقصاه 23 ديسمبر 2026.", "يُرجى تفعيل المفاتيح في موعد أقصاه 23 ديسمبر 2026."},
	} {
		for i, n := range []int{1, 2, 21} {
			if got := In(tag).RedeemBy(n, day); got != want[i] {
				t.Errorf("%s, %d: %q, want %q", tag, n, got, want[i])
			}
		}
	}
}

// The text that Keypool has for a merchant is one that a merchant could set, and it does
// not greet: the frame does, with a greeting that a text is warned of.
func TestLanguages_textsCouldBeSet(t *testing.T) {
	for _, tag := range Languages() {
		f := In(tag)
		for _, n := range []int{1, 2, 3} {
			offered := f.KeysText(n, true, true)
			if err := text.Check("", offered.Subject, offered.Body); err != nil {
				t.Errorf("%s: %v", tag, err)
			}
			if Greets(offered.Body) {
				t.Errorf("%s: the text greets: %s", tag, offered.Body)
			}
		}
		for _, name := range []string{"", "{FNAME}"} {
			if greeting := f.Greet(name); !Greets(greeting + "\n\n{KEY}") {
				t.Errorf("%s: %q is not known as a greeting", tag, greeting)
			}
		}
		for _, greeting := range slices.Concat(f.Greets, f.GreetsAfterName) {
			if greeting != strings.ToLower(greeting) {
				t.Errorf("%s: the greeting %q is not in lower case", tag, greeting)
			}
		}
	}
}

// Only languages that are written from right to left say so.
func TestLanguages_direction(t *testing.T) {
	for _, tag := range Languages() {
		script, _ := language.Make(tag).Script()
		rightToLeft := slices.Contains([]string{"Arab", "Hebr", "Thaa", "Syrc"}, script.String())
		if f := In(tag); f.RightToLeft() != rightToLeft || cmp.Or(f.Direction, "rtl") != "rtl" {
			t.Errorf("%s, in the script %s, has the direction %q", tag, script, f.Direction)
		}
	}
}

func TestIn_isEnglishElsewhere(t *testing.T) {
	if got := In("tlh").Language; got != "en" {
		t.Errorf("got %q", got)
	}
}
