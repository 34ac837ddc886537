package upload

// Outcome is the outcome of one line of a key file.
type Outcome string

// The outcomes of a line. Reports and tables carry these words.
const (
	Accepted Outcome = "accepted"

	// Duplicates: the text is known already, and the outcome says where it stands.
	SameFile    Outcome = "same-file"    // on another line of this file
	ThisPool    Outcome = "this-pool"    // in this pool, still to be sold
	AnotherPool Outcome = "another-pool" // in another pool of the merchant
	OtherSide   Outcome = "other-side"   // a test key that stands on the live side
	Sold        Outcome = "sold"         // an order line holds it, or did
	Withdrawn   Outcome = "withdrawn"    // taken out of sale
	SharedCode  Outcome = "shared-code"  // the code of a product for everybody, or was
	Blocked     Outcome = "blocked"      // named as leaked, or as sold elsewhere

	// Rejected: the line holds no key that could be mailed.
	TooLong            Outcome = "too-long"
	Tab                Outcome = "tab" // between characters, as between the columns of a table
	ControlCharacter   Outcome = "control-character"
	InvisibleCharacter Outcome = "invisible-character" // such as a zero-width space or a soft hyphen
	InvalidText        Outcome = "invalid-text"
	UnpairedQuotes     Outcome = "unpaired-quotes" // around a key, where they are stripped, or in a row of a table
	NoKey              Outcome = "no-key"          // its cell is blank, or nothing is left once its number or quotes are stripped
	OtherColumns       Outcome = "other-columns"   // more or fewer than the first row of the table has
	EndlessRow         Outcome = "endless-row"     // of a table, after a quote that is never closed; the rest is not read
	NotStorable        Outcome = "not-storable"    // the table takes no such key

	// Skipped: the line is none of a key, as the merchant said.
	SkippedHeading Outcome = "skipped-heading"
	SkippedComment Outcome = "skipped-comment"
)

// Outcomes lists every outcome, in the order that a report tells them.
var Outcomes = []Outcome{
	Accepted,
	SameFile, ThisPool, AnotherPool, OtherSide, Sold, Withdrawn, SharedCode, Blocked,
	TooLong, Tab, ControlCharacter, InvisibleCharacter, InvalidText, UnpairedQuotes, NoKey, OtherColumns, EndlessRow, NotStorable,
	SkippedHeading, SkippedComment,
}

// Duplicate reports whether the line's text was known already.
func (o Outcome) Duplicate() bool {
	switch o {
	case SameFile, ThisPool, AnotherPool, OtherSide, Sold, Withdrawn, SharedCode, Blocked:
		return true
	default:
		return false
	}
}

// Skipped reports whether the line was passed over because the merchant said so.
func (o Outcome) Skipped() bool { return o == SkippedHeading || o == SkippedComment }

// Counts counts lines by their outcome.
type Counts map[Outcome]int

// Add adds the lines of another count.
func (c Counts) Add(more Counts) {
	for outcome, n := range more {
		c[outcome] += n
	}
}

// Duplicates counts the lines whose text was known already.
func (c Counts) Duplicates() int { return c.count(Outcome.Duplicate) }

// Skipped counts the lines that were passed over because the merchant said so.
func (c Counts) Skipped() int { return c.count(Outcome.Skipped) }

// Rejected counts the lines that hold no key that could be mailed.
func (c Counts) Rejected() int {
	return c.count(func(o Outcome) bool { return o != Accepted && !o.Duplicate() && !o.Skipped() })
}

func (c Counts) count(of func(Outcome) bool) int {
	n := 0
	for outcome, lines := range c {
		if of(outcome) {
			n += lines
		}
	}
	return n
}
