// Package text holds the merchant's own words for a customer's mail, and the
// substitution tags in them.
//
// A text is plain or Markdown. In a plain one, blank lines separate its paragraphs, and web
// addresses become links. In both, {KEY} and the other tags stand for values of the order. A
// text is checked when it is set, so that none is refused when it is mailed. It is expanded
// once: the value of a tag is never read as text or markup again, so a customer who calls
// himself {KEY} is greeted by that name.
package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keypool/shared/lazy"
)

// Tag is the name of a substitution tag, without its braces.
type Tag string

// The tags.
const (
	Key                Tag = "KEY"
	ParentKey          Tag = "PARENT_KEY"
	OrderID            Tag = "ORDER_ID"
	PricegroupID       Tag = "PRICEGROUP_ID"
	Quantity           Tag = "QUANTITY"
	ProgramName        Tag = "PROGRAM_NAME"
	ProgramShort       Tag = "PROGRAM_SHORT"
	PriceOneDuplicate  Tag = "PRICE_ONE_DUPLICATE"
	PriceAllDuplicates Tag = "PRICE_ALL_DUPLICATES"
	FullName           Tag = "FULLNAME"
	FirstName          Tag = "FNAME"
	LastName           Tag = "LNAME"
	Email              Tag = "EMAIL"
	Phone              Tag = "PHONE"
	Company            Tag = "COMPANY"
	Country            Tag = "COUNTRY"
	City               Tag = "CITY"
	Zip                Tag = "ZIP"
	Address            Tag = "ADDRESS"
	LicenseFor         Tag = "LICENSE_FOR"
	AddInfo            Tag = "ADDINFO_TEXT"
	URL                Tag = "URL"
	URLFull            Tag = "URL_FULL"
	Date               Tag = "DATE"
)

// Tags lists every tag with what it stands for, as a merchant is told.
var Tags = []struct {
	Tag     Tag
	Meaning string
}{
	{Key, "the license keys of this line of the order, all of them"},
	{ParentKey, "the license key of the order that this one renews"},
	{OrderID, "the order's number"},
	{PricegroupID, "the product's number"},
	{Quantity, "how many units were bought"},
	{ProgramName, "the product's full name"},
	{ProgramShort, "the product's name without its subtitle"},
	{PriceOneDuplicate, "the price of one unit"},
	{PriceAllDuplicates, "the price of all units"},
	{FullName, "the customer's name"},
	{FirstName, "the customer's first name"},
	{LastName, "the customer's last name"},
	{Email, "the customer's email address"},
	{Phone, "the customer's phone number"},
	{Company, "the customer's company"},
	{Country, "the customer's country"},
	{City, "the city of the customer's address"},
	{Zip, "the postal code of the customer's address"},
	{Address, "street and house of the customer's address"},
	{LicenseFor, "who will own the product, where it is not the customer"},
	{AddInfo, "what the customer added to the order"},
	{URL, "the address of the product's instructions"},
	{URLFull, "the address of the product's download"},
	{Date, "the day the mail is sent, in the merchant's time zone"},
}

// Known reports whether there is a tag of that name.
func (t Tag) Known() bool {
	for _, known := range Tags {
		if known.Tag == t {
			return true
		}
	}
	return false
}

// Names returns the tags in a text, each as often as it stands there.
func Names(s string) (names []Tag) {
	for _, p := range parse(s) {
		if p.tag != "" {
			names = append(names, p.tag)
		}
	}
	return names
}

func (t Tag) String() string { return "{" + string(t) + "}" }

// Limits of a text. It is part of its product's record, and the expanded text must fit
// into a mail: each {KEY} brings all keys of the line.
const (
	MaxSubject = 400    // bytes
	MaxBody    = 20_000 // bytes
	MaxTags    = 200    // in subject and body each
	MaxKeys    = 10     // {KEY} and {PARENT_KEY}
)

// The formats that a body may be written in. None is plain.
const (
	PlainText = "plain"
	Markdown  = "markdown"
)

// Problem is one error in a text.
type Problem struct {
	Field   string // "format", "subject" or "body"
	Message string // a sentence for the merchant

	// Line and Column are its place, counted from 1, the column in characters; 0: it has none.
	Line, Column int
}

// String returns the place and the sentence.
func (p Problem) String() string {
	switch {
	case p.Line == 0:
		return p.Message
	case p.Field == "subject":
		return fmt.Sprintf("column %d: %s", p.Column, p.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message)
}

// CheckError holds all errors in a text.
type CheckError struct{ Problems []Problem }

func (e *CheckError) Error() string {
	sentences := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		sentences[i] = p.Field + ": " + p.String()
	}
	return strings.Join(sentences, "\n")
}

// Check returns a *CheckError unless subject and body can be mailed. An empty
// subject is fine: the default one is used.
func Check(format, subject, body string) error {
	var c checker
	if format != "" && format != PlainText && format != Markdown {
		c.add("format", "use %s or %s.", PlainText, Markdown)
	}
	c.field("subject", subject, MaxSubject)
	if at := strings.IndexFunc(subject, unicode.IsControl); at >= 0 {
		c.at("subject", subject, at, "it must be one line, without control characters.")
	}
	for _, tag := range []Tag{Key, ParentKey} {
		if at := strings.Index(subject, tag.String()); at >= 0 {
			c.at("subject", subject, at, "%s must not stand here: subjects show on locked screens. Put it into the body.", tag)
		}
	}
	c.field("body", body, MaxBody)
	if at := strings.IndexFunc(body, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }); at >= 0 {
		c.at("body", body, at, "there is a control character here, which mail programs do not show; leave it out.")
	}
	if !strings.Contains(body, Key.String()) {
		c.add("body", "{KEY} is missing: it is where the customer finds the license.")
	}
	if format == Markdown && len(body) <= MaxBody {
		c.markdown(body)
	}
	if len(c.problems) > 0 {
		return &CheckError{c.problems}
	}
	return nil
}

// checker collects the errors in a text.
type checker struct{ problems []Problem }

// add adds an error that has no place.
func (c *checker) add(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// at adds an error at a byte of the field's text.
func (c *checker) at(field, text string, offset int, format string, args ...any) {
	p := Problem{Field: field, Message: fmt.Sprintf(format, args...)}
	p.Line, p.Column = place(text, offset)
	c.problems = append(c.problems, p)
}

// place returns the line and the column of a byte, counted from 1.
func place(text string, offset int) (line, column int) {
	before := newlines(text[:offset])
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// field checks what must hold for each field.
func (c *checker) field(name, text string, limit int) {
	if len(text) > limit {
		c.add(name, "it is %d bytes long; the limit is %d.", len(text), limit)
	}
	if !utf8.ValidString(text) {
		c.add(name, "it is not valid UTF-8.")
	}
	for _, written := range listed(text, doubled().FindAllStringIndex(text, -1)) {
		c.at(name, text, written.at, "%s has doubled braces, which would stay in the mail; %s.", written.shown, advice(written.shown))
	}
	single := blankOut(text, doubled().FindAllStringIndex(text, -1))
	unknown := unknownTags(single)
	for _, written := range listed(text, unknown) {
		c.at(name, text, written.at, "there is no tag %s; %s.", written.shown, advice(written.shown))
	}
	for _, written := range halfTags(blankOut(single, unknown)) {
		c.at(name, text, written.at, "%s lacks a brace; write {%s}.", written.shown, strings.Trim(written.shown, "{}"))
	}
	tags, keys := countTags(text)
	if tags > MaxTags {
		c.add(name, "it holds %d tags; the limit is %d.", tags, MaxTags)
	}
	if keys > MaxKeys {
		c.add(name, "{KEY} and {PARENT_KEY} stand in it %d times; the limit is %d, since each brings all keys of a line.", keys, MaxKeys)
	}
}

// braces finds tags and misspelt tags: words in braces. Other braces are plain text.
var braces = lazy.Regexp(`\{\s*[A-Za-z][A-Za-z0-9_ -]*\}`)

// doubled finds tags with braces doubled, on both sides or on one, as templates of other
// programs have them: {{KEY}}, {{{ key }}}, {{#if x}}.
var doubled = lazy.Regexp(`\{{2,}\s*[#/^&>!~]?\s*[A-Za-z][^{}\r\n]*\}+|\{\s*[A-Za-z][A-Za-z0-9_ -]*\}{2,}`)

// maxUnknown is the number of unknown tags of a text that an error names, and maxShown
// the number of bytes of each. The first ones are enough to find a wrong paste.
const (
	maxUnknown = 10
	maxShown   = 40
)

// found is something in a text that is wrong, and where it stands.
type found struct {
	shown string
	at    int // byte
}

// unknownTags returns the places of words in braces that are no tags.
func unknownTags(s string) [][]int {
	return slices.DeleteFunc(braces().FindAllStringIndex(s, -1), func(at []int) bool {
		return Tag(s[at[0]+1 : at[1]-1]).Known()
	})
}

// tagNames finds the names that tags could have.
var tagNames = lazy.Regexp(`[A-Z][A-Z_]*`)

// halfTags returns the names of tags that have a brace on one side only.
func halfTags(s string) (half []found) {
	for _, at := range tagNames().FindAllStringIndex(s, -1) {
		opened, closed := at[0] > 0 && s[at[0]-1] == '{', at[1] < len(s) && s[at[1]] == '}'
		if opened == closed || !Tag(s[at[0]:at[1]]).Known() || len(half) == maxUnknown {
			continue
		}
		if opened {
			half = append(half, found{s[at[0]-1 : at[1]], at[0] - 1})
		} else {
			half = append(half, found{s[at[0] : at[1]+1], at[0]})
		}
	}
	return half
}

// blankOut returns a text with spaces in these places.
func blankOut(s string, places [][]int) string {
	b := []byte(s)
	for _, at := range places {
		for i := at[0]; i < at[1]; i++ {
			b[i] = ' '
		}
	}
	return string(b)
}

// listed returns what is shown of tags that are wrong: each once, on one line, not too many
// and not too long.
func listed(s string, places [][]int) (shown []found) {
	for _, at := range places {
		written := strings.Join(strings.Fields(s[at[0]:at[1]]), " ")
		if len(written) > maxShown {
			written = strings.ToValidUTF8(written[:maxShown], "") + "…"
		}
		if !slices.ContainsFunc(shown, func(f found) bool { return f.shown == written }) {
			shown = append(shown, found{written, at[0]})
		}
		if len(shown) == maxUnknown {
			break
		}
	}
	return shown
}

// countTags counts the tags of a text, and those of them that bring keys.
func countTags(s string) (tags, keys int) {
	for _, p := range parse(s) {
		switch p.tag {
		case "":
			continue
		case Key, ParentKey:
			keys++
		default: // brings no key
		}
		tags++
	}
	return tags, keys
}

// advice names the tag that differs only in case and separators, else all tags.
func advice(written string) string {
	bare := func(s string) string {
		return strings.ToUpper(strings.NewReplacer("{", "", "}", "", "_", "", "-", "", " ", "", "\t", "", "\n", "", "\r", "").Replace(s))
	}
	all := make([]string, len(Tags))
	for i, known := range Tags {
		if bare(string(known.Tag)) == bare(written) {
			return "write " + known.Tag.String()
		}
		all[i] = known.Tag.String()
	}
	return "the tags are " + strings.Join(all, " ")
}
