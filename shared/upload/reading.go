package upload

import (
	"slices"
	"strings"
)

// Trait is something about the lines of a file that lines of keys do not have.
type Trait string

// The traits that a file is held for. What of them can be read over by an option of
// Reading is said there; JSON and HTML cannot.
const (
	Heading  Trait = "heading"  // its first line names what follows
	Quotes   Trait = "quotes"   // around every line
	Numbers  Trait = "numbers"  // or bullets, in front of every line
	Comments Trait = "comments" // for whoever reads the file
	JSON     Trait = "json"
	HTML     Trait = "html" // or XML
)

// The traits that a file is loaded with, and that its report warns of.
const (
	Separators    Trait = "separators"     // a comma, semicolon or bar in every line
	SomeQuotes    Trait = "some-quotes"    // around some lines
	Typography    Trait = "typography"     // dashes or quotes of print, as word processors make them
	NoBreakSpaces Trait = "no-break-space" // inside keys
)

// Traits lists every trait, in the order that a report tells them.
var Traits = []Trait{
	JSON, HTML, Heading, Comments, Numbers, Quotes,
	Separators, SomeQuotes, Typography, NoBreakSpaces,
}

// Finding is a trait that a file has.
type Finding struct {
	Trait Trait `json:"trait"`
	Lines int   `json:"lines"` // that show it, of those that were looked at
	First int   `json:"first"` // number of the first of them, from 1
}

// Seen is what a look at the first bytes of a file found. It holds no text of the file
// but for names of columns.
type Seen struct {
	Asked  []Finding // the merchant is asked about them before anything is loaded
	Warned []Finding // the report tells of them

	HeadingAt int64  // offset of the heading's line
	Table     Table  // how its columns are read
	Numbering string // what stands in front of each line, with 1 for its number: "1. "
}

// Has reports whether the merchant is asked about a trait.
func (s Seen) Has(t Trait) bool {
	return slices.ContainsFunc(s.Asked, func(f Finding) bool { return f.Trait == t })
}

// Question names the question to the merchant: files with the same traits get the same
// answer. It is empty if there is nothing to ask.
func (s Seen) Question() string {
	var traits []string
	for _, f := range s.Asked {
		traits = append(traits, string(f.Trait))
	}
	slices.Sort(traits)
	return strings.Join(traits, "+")
}

// Reading is the merchant's answer: how the lines of the file are read. The zero Reading
// takes each line as a key, as it stands.
type Reading struct {
	SkipHeading  bool
	SkipComments bool
	StripNumbers bool
	StripQuotes  bool
}

// Option is an option of a Reading, by its name in the API and in reports.
type Option struct {
	Name string
	For  Trait // it makes sense only for a file that has this
	In   func(Reading) bool
}

// Options lists the options of a Reading.
var Options = []Option{
	{"skip_heading", Heading, func(r Reading) bool { return r.SkipHeading }},
	{"skip_comments", Comments, func(r Reading) bool { return r.SkipComments }},
	{"strip_numbers", Numbers, func(r Reading) bool { return r.StripNumbers }},
	{"strip_quotes", Quotes, func(r Reading) bool { return r.StripQuotes }},
}

// Options returns the names of the chosen options.
func (r Reading) Options() (names []string) {
	for _, option := range Options {
		if option.In(r) {
			names = append(names, option.Name)
		}
	}
	return names
}

// Offered returns the names of the options that make sense for what was found.
func (s Seen) Offered() (names []string) {
	for _, option := range Options {
		if s.Has(option.For) {
			names = append(names, option.Name)
		}
	}
	return names
}

// Remembered is an answer that holds for every file of a pool that raises the question.
type Remembered struct {
	Question string
	Reading  Reading
	Upload   string // that it was given for
}

// AsIs reports whether the merchant wants no question about a file, by its name: every
// line of it is a key.
func AsIs(file string) bool { return strings.HasSuffix(strings.ToLower(file), ".as-is.txt") }
