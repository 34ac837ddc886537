package mail

import (
	"cmp"
	"strings"

	"keypool/shared/mail/text"
)

// letter is the form of every mail: a head, the words, tables of details and a
// closing. It is rendered as text and as HTML.
type letter struct {
	Language    string // BCP 47
	RightToLeft bool   // the language is written so
	Colon       string // as the language sets it; empty: as English does
	Subject     string
	Preview     string // shown after the subject in a list of mails: never a key
	Color       string // of the writer's brand: "#0b57c2"; empty: none
	From        string // the writer's name, in the head
	Logo        string // https address; empty: the name is shown
	Badge       *badge
	Title       string
	Greeting    string
	Words       []text.Block
	Button      button       // below the words
	More        []text.Block // words below the button
	Attached    string       // a sentence about the attached file
	Details     []details
	Closing     []string
	Footer      string
}

// badge is a word in the head that shows the kind of the mail at a glance.
type badge struct {
	Text       string
	Class      string // names its colors in dark mode
	Background string
	Color      string
}

func calm(text string) *badge { return &badge{text, "calm", "#e3eefc", "#174a91"} }
func warn(text string) *badge { return &badge{text, "warn", "#fdf0cf", "#7a5200"} }
func stop(text string) *badge { return &badge{text, "stop", "#fde4e3", "#9b1c1c"} }

// button leads to where one acts. A mail has one at most; without an address it has none.
type button struct{ Says, Link string }

// details is a titled table. Rows without a value are left out.
type details struct {
	Title string
	Rows  []row
}

type row struct{ Name, Value string }

func (d *details) add(name, value string) {
	if value = text.OneLine(value); value != "" {
		d.Rows = append(d.Rows, row{name, value})
	}
}

// manyKeys is the most keys that a mail shows in a box each. More are set closer, and
// attached as a file too.
const manyKeys = 20

// plain renders the letter as text.
func (l letter) plain() string {
	said, keys := func(s string) string { return s }, text.Plain
	if l.RightToLeft {
		said, keys = text.LinesRightToLeft, text.PlainRightToLeft
	}
	var parts []string
	add := func(part string) {
		if part != "" {
			parts = append(parts, said(part))
		}
	}
	if l.Badge != nil {
		add("[" + l.Badge.Text + "]")
	}
	add(l.Title)
	add(l.Greeting)
	addWords := func(words []text.Block) {
		if words := keys(words); words != "" {
			parts = append(parts, words)
		}
	}
	addWords(l.Words)
	if l.Button.Link != "" { // on a line of its own, so that nothing clings to it
		parts = append(parts, said(l.Button.Says+strings.TrimRight(cmp.Or(l.Colon, ":"), " "))+"\n"+l.Button.Link)
	}
	addWords(l.More)
	add(l.Attached)
	for _, table := range l.Details {
		lines := []string{table.Title}
		for _, row := range table.Rows {
			lines = append(lines, row.Name+cmp.Or(l.Colon, ": ")+row.Value)
		}
		add(strings.Join(lines, "\n"))
	}
	add(strings.Join(l.Closing, "\n"))
	add(l.Footer)
	return strings.Join(parts, "\n\n") + "\n"
}

// mail renders the letter.
func (l letter) mail() Message {
	return Message{Subject: text.OneLine(l.Subject), Text: l.plain(), HTML: l.html()}
}
