// Package frame holds what Keypool sets around a merchant's words in a customer's mail
// (greeting, details of the order, signature), and the words of a merchant who has none
// of his own. Each language is one file in languages/, named by its BCP 47 tag. Another
// language is one more file; the package's test says what a file lacks.
//
// Plurals follow CLDR, by golang.org/x/text/feature/plural. How a language writes dates
// and amounts stands in its file, and the test holds it against the tables of
// golang.org/x/text/number: with those tables in the program, exact amounts would pass
// through a float. A currency is its ISO 4217 code: "$" is more than one currency, and a
// shop sells to all the world. Digits are 0 to 9 in each language, as in the order's number.
package frame

import (
	"embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"keypool/shared/catalog"
	"keypool/shared/lazy"
	"keypool/shared/mail/text"
)

// Frame is the fixed part of a customer's mail in one language. Tags of package text
// stand in Preview, Delay, Keys and Links.
type Frame struct {
	Language  string `json:"language"`
	Native    bool   `json:"read_by_native_speaker"` // one has read the file, and found it right
	Direction string `json:"direction,omitzero"`     // "rtl", or empty

	Greets          []string `json:"greets"`                     // what texts begin with that greet, in lower case
	GreetsAfterName []string `json:"greets_after_name,omitzero"` // the same, where it follows the name

	Greeting     string `json:"greeting"`
	GreetingName string `json:"greeting_name"` // with {NAME}
	Closing      string `json:"closing"`
	Questions    string `json:"questions"`
	TestOrder    string `json:"test_order"`
	Preview      string `json:"preview"`
	Keep         string `json:"keep"`
	Colon        string `json:"colon"` // between the name of a detail and its value, in plain text

	// Attached says, with {COUNT}, that the keys are attached, by the plural form of their number.
	Attached map[string]string `json:"attached"`

	Order   Order   `json:"order"`
	Contact Contact `json:"contact"`
	Delay   Delay   `json:"delay"`

	Elsewhere Elsewhere `json:"elsewhere"`

	Keys    Keys    `json:"keys"`
	Redeem  Redeem  `json:"redeem"`
	Page    Page    `json:"page"`
	Links   Links   `json:"links"`
	Dates   Dates   `json:"dates"`
	Numbers Numbers `json:"numbers"`
}

// Order names the details of an order.
type Order struct {
	Title    string `json:"title"`
	Number   string `json:"number"`
	Date     string `json:"date"`
	Product  string `json:"product"`
	Quantity string `json:"quantity"`
	Price    string `json:"price"`
}

// Contact names the details of a customer.
type Contact struct {
	Title      string `json:"title"`
	Name       string `json:"name"`
	Company    string `json:"company"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	Address    string `json:"address"`
	LicenseFor string `json:"license_for"`
}

// Delay is the mail that tells a customer that the keys follow. A paragraph is one string.
type Delay struct {
	Subject string   `json:"subject"`
	Preview string   `json:"preview"`
	Body    []string `json:"body"`
}

// Elsewhere is the mail that tells a former address of an order that its keys go to another
// one. It names neither.
type Elsewhere struct {
	Subject string   `json:"subject"`
	Preview string   `json:"preview"`
	Body    []string `json:"body"`
	Reply   string   `json:"reply"` // the last paragraph, where replies are read
	Ask     string   `json:"ask"`   // the same, with {SHOP}, where they are not
}

// Keys are the words of a merchant who has none, by the number of keys. They do not say the
// number, so that its plural form does not matter: 21 keys are several in Russian too.
type Keys struct {
	One  Words  `json:"one"`
	Two  *Words `json:"two,omitzero"` // where a language has a dual
	More Words  `json:"more"`
}

// Words are a subject and the sentence above the keys.
type Words struct {
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// Redeem says until which day keys are to be redeemed, that day included, by the number of keys:
// see Keys. {DATE} is the day.
type Redeem struct {
	One  string `json:"one"`
	Two  string `json:"two,omitzero"` // where a language has a dual
	More string `json:"more"`
}

// Page is the page of an order: see package orderpage.
type Page struct {
	SeeKeys  string `json:"see_keys"`  // the button of a mail with keys, that leads there
	SeeOrder string `json:"see_order"` // that of a mail without

	Title   string `json:"title"`
	Private string `json:"private"`

	Ready     string `json:"ready"`
	Show      string `json:"show"` // the button
	Shown     string `json:"shown"`
	Copy      string `json:"copy"`
	CopyAll   string `json:"copy_all"`
	Copied    string `json:"copied"`
	Text      string `json:"text"` // the button that downloads the keys as one
	Download  string `json:"download"`
	Instructs string `json:"instructions"`

	Waiting  string `json:"waiting"`
	Place    string `json:"place"`  // with {COUNT}
	Partly   string `json:"partly"` // with {THERE} and {DUE}
	Held     string `json:"held"`
	Returned string `json:"returned"`
	Renewed  string `json:"renewed"`
	Erased   string `json:"erased"`

	MailsTo string `json:"mails_to"` // with {ADDRESS}
	Send    string `json:"send"`     // the button
	Sent    string `json:"sent"`     // with {ADDRESS}

	WrongTitle string `json:"wrong_title"`
	Wrong      string `json:"wrong"`
	OftenTitle string `json:"often_title"`
	Often      string `json:"often"`
	FaultTitle string `json:"fault_title"`
	Fault      string `json:"fault"`

	Lost Lost `json:"lost"`
}

// Lost is the page for a customer who has lost the mail.
type Lost struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Send  string `json:"send"` // the button
	Done  string `json:"done"`
}

// Links are the lines of a product's links.
type Links struct {
	Download     string `json:"download"`
	Instructions string `json:"instructions"`
}

// Dates says how a day is written: with {DAY}, {MONTH} and {YEAR}.
type Dates struct {
	Form   string   `json:"form"`
	Months []string `json:"months"`
}

// Numbers says how numbers and amounts of money are written.
type Numbers struct {
	Decimal   string `json:"decimal"`
	Group     string `json:"group"`      // between thousands
	GroupFrom int    `json:"group_from"` // the fewest digits before the decimal mark that are grouped
	Money     string `json:"money"`      // with {AMOUNT} and {CURRENCY}
}

//go:embed languages/*.json
var files embed.FS

// languages reads each file when a mail first needs it: a cold start does not wait for it.
var languages = sync.OnceValue(func() map[string]func() Frame {
	entries, err := files.ReadDir("languages")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	all := make(map[string]func() Frame, len(entries))
	for _, entry := range entries {
		all[strings.TrimSuffix(entry.Name(), ".json")] = sync.OnceValue(func() Frame {
			f, err := read(entry.Name())
			if err != nil {
				panic(err) // the test reads every file
			}
			return f
		})
	}
	return all
})

// read reads a language's file strictly: no member twice, none that Frame lacks.
func read(name string) (f Frame, err error) {
	raw, err := files.ReadFile("languages/" + name)
	if err != nil {
		return Frame{}, err
	}
	return f, json.Unmarshal(raw, &f, json.RejectUnknownMembers(true))
}

// Languages lists the languages that there is a frame in, by BCP 47 tag.
func Languages() []string {
	var all []string
	for tag := range languages() {
		all = append(all, tag)
	}
	slices.Sort(all)
	return all
}

// In returns the frame in one of Languages; in another, it is English.
func In(tag string) Frame {
	if read, ok := languages()[tag]; ok {
		return read()
	}
	return languages()["en"]()
}

// RightToLeft reports whether the language is written from right to left.
func (f Frame) RightToLeft() bool { return f.Direction == "rtl" }

// Greet greets the customer. No name is "".
func (f Frame) Greet(name string) string {
	if name == "" {
		return f.Greeting
	}
	return strings.ReplaceAll(f.GreetingName, "{NAME}", name)
}

// KeysAttached says that so many keys are attached as a file.
func (f Frame) KeysAttached(n int) string {
	sentence, ok := f.Attached[form(f.Language, n)]
	if !ok {
		sentence = f.Attached["other"]
	}
	return strings.ReplaceAll(sentence, "{COUNT}", f.Number(n))
}

// form returns the plural form of a whole number: "few".
func form(tag string, n int) string {
	names := map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}
	if name, ok := names[plural.Cardinal.MatchPlural(language.Make(tag), n, 0, 0, 0, 0)]; ok {
		return name
	}
	return "other"
}

// KeysText returns the words of a merchant who has set none, with tags.
func (f Frame) KeysText(n int, instructions, download bool) catalog.Text {
	words := f.Keys.More
	switch {
	case n == 1:
		words = f.Keys.One
	case n == 2 && f.Keys.Two != nil:
		words = *f.Keys.Two
	}
	body := words.Body + "\n\n" + text.Key.String() + "\n\n"
	if download {
		body += f.Links.Download + "\n"
	}
	if instructions {
		body += f.Links.Instructions + "\n"
	}
	return catalog.Text{Subject: words.Subject, Body: body + "\n" + f.Keep}
}

// RedeemBy asks to redeem so many keys by a day.
func (f Frame) RedeemBy(n int, day time.Time) string {
	sentence := f.Redeem.More
	switch {
	case n == 1:
		sentence = f.Redeem.One
	case n == 2 && f.Redeem.Two != "":
		sentence = f.Redeem.Two
	}
	return strings.ReplaceAll(sentence, "{DATE}", f.Date(day))
}

// DelayText returns the words of the mail that tells that the keys follow, with tags.
func (f Frame) DelayText() catalog.Text {
	return catalog.Text{Subject: f.Delay.Subject, Body: strings.Join(f.Delay.Body, "\n\n")}
}

// ElsewhereText returns the words of the mail to a former address of an order, with tags.
func (f Frame) ElsewhereText(shop string, replies bool) catalog.Text {
	last := f.Elsewhere.Reply
	if !replies {
		last = strings.ReplaceAll(f.Elsewhere.Ask, "{SHOP}", shop)
	}
	return catalog.Text{Subject: f.Elsewhere.Subject, Body: strings.Join(f.Elsewhere.Body, "\n\n") + "\n\n" + last}
}

// Date writes a day: "3 May 2026".
func (f Frame) Date(t time.Time) string {
	return strings.NewReplacer(
		"{DAY}", strconv.Itoa(t.Day()), "{MONTH}", f.Dates.Months[t.Month()-1], "{YEAR}", strconv.Itoa(t.Year()),
	).Replace(f.Dates.Form)
}

// Number writes a whole number: "12,000".
func (f Frame) Number(n int) string { return f.decimal(strconv.Itoa(n)) }

// Money writes a decimal amount and its currency: "1,200.00 EUR". An amount that is no
// decimal number stays as it is; no amount is "".
func (f Frame) Money(amount, currency string) string {
	if strings.TrimSpace(amount) == "" {
		return ""
	}
	if strings.TrimSpace(currency) == "" {
		return f.decimal(amount)
	}
	return strings.NewReplacer("{AMOUNT}", f.decimal(amount), "{CURRENCY}", currency).Replace(f.Numbers.Money)
}

// decimal writes a number that has a point for its decimal mark, and keeps all its digits.
func (f Frame) decimal(number string) string {
	match := written().FindStringSubmatch(number)
	if match == nil {
		return number
	}
	sign, whole, fraction := match[1], match[2], match[3]
	if len(whole) >= f.Numbers.GroupFrom {
		for at := len(whole) - 3; at > 0; at -= 3 {
			whole = whole[:at] + f.Numbers.Group + whole[at:]
		}
	}
	if fraction != "" {
		whole += f.Numbers.Decimal + fraction
	}
	return sign + whole
}

// written is a number as data has it, in its parts.
var written = lazy.Regexp(`^(-?)([0-9]+)(?:\.([0-9]+))?$`)
