// Package text holds the merchant's own words for a customer's mail, and the
// substitution tags in them.
//
// A text is plain: blank lines separate its paragraphs, web addresses become links,
// and {KEY} and the other tags stand for values of the order. A text is checked when
// it is set, so that none is refused when it is mailed. It is expanded once: the
// value of a tag is never read as text again, so a customer who calls himself {KEY}
// is greeted by that name.
package text

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

func (t Tag) String() string { return "{" + string(t) + "}" }

// Limits of a text. It is part of its product's record, and the expanded text must fit
// into a mail: each {KEY} brings all keys of the line.
const (
	MaxSubject = 400    // bytes
	MaxBody    = 20_000 // bytes
	MaxTags    = 200    // in subject and body each
	MaxKeys    = 10     // {KEY} and {PARENT_KEY}
)

// Problem is one error in a text.
type Problem struct {
	Field   string // "subject" or "body"
	Message string // a sentence for the merchant
}

// CheckError holds all errors in a text.
type CheckError struct{ Problems []Problem }

func (e *CheckError) Error() string {
	sentences := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		sentences[i] = p.Field + ": " + p.Message
	}
	return strings.Join(sentences, "\n")
}

// Check returns a *CheckError unless subject and body can be mailed. An empty
// subject is fine: the default one is used.
func Check(subject, body string) error {
	var e CheckError
	bad := func(field, format string, args ...any) {
		e.Problems = append(e.Problems, Problem{field, fmt.Sprintf(format, args...)})
	}
	for _, field := range []struct {
		name, text string
		limit      int
	}{{"subject", subject, MaxSubject}, {"body", body, MaxBody}} {
		if len(field.text) > field.limit {
			bad(field.name, "it is %d bytes long; the limit is %d.", len(field.text), field.limit)
		}
		if !utf8.ValidString(field.text) {
			bad(field.name, "it is not valid UTF-8.")
		}
		for _, written := range listed(doubled.FindAllString(field.text, -1)) {
			bad(field.name, "%s has doubled braces, which would stay in the mail; %s.", written, advice(written))
		}
		for _, written := range unknownTags(doubled.ReplaceAllString(field.text, "")) {
			bad(field.name, "there is no tag %s; %s.", written, advice(written))
		}
		tags, keys := countTags(field.text)
		if tags > MaxTags {
			bad(field.name, "it holds %d tags; the limit is %d.", tags, MaxTags)
		}
		if keys > MaxKeys {
			bad(field.name, "{KEY} and {PARENT_KEY} stand in it %d times; the limit is %d, since each brings all keys of a line.", keys, MaxKeys)
		}
	}
	if strings.ContainsFunc(subject, unicode.IsControl) {
		bad("subject", "it must be one line, without control characters.")
	}
	for _, tag := range []Tag{Key, ParentKey} {
		if strings.Contains(subject, tag.String()) {
			bad("subject", "%s must not stand here: subjects show on locked screens. Put it into the body.", tag)
		}
	}
	if !strings.Contains(body, Key.String()) {
		bad("body", "{KEY} is missing: it is where the customer finds the license.")
	}
	if len(e.Problems) > 0 {
		return &e
	}
	return nil
}

// braces finds tags and misspelt tags: words in braces. Other braces are plain text.
var braces = regexp.MustCompile(`\{\s*[A-Za-z][A-Za-z0-9_ -]*\}`)

// doubled finds tags with braces doubled, on both sides or on one, as templates of other
// programs have them: {{KEY}}, {{{ key }}}, {{#if x}}.
var doubled = regexp.MustCompile(`\{{2,}\s*[#/^&>!~]?\s*[A-Za-z][^{}\r\n]*\}+|\{\s*[A-Za-z][A-Za-z0-9_ -]*\}{2,}`)

// maxUnknown is the number of unknown tags of a text that an error names, and maxShown
// the number of bytes of each. The first ones are enough to find a wrong paste.
const (
	maxUnknown = 10
	maxShown   = 40
)

// unknownTags returns the words in braces that are no tags, each once.
func unknownTags(s string) []string {
	return listed(slices.DeleteFunc(braces.FindAllString(s, -1), func(written string) bool {
		return Tag(written[1 : len(written)-1]).Known()
	}))
}

// listed returns what is shown of tags that are wrong: each once, on one line, not too many
// and not too long.
func listed(all []string) []string {
	var shown []string
	for _, written := range all {
		written = strings.Join(strings.Fields(written), " ")
		if len(written) > maxShown {
			written = strings.ToValidUTF8(written[:maxShown], "") + "…"
		}
		if !slices.Contains(shown, written) {
			shown = append(shown, written)
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
