package mail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keypool/shared/phrase"
	"keypool/shared/upload"
)

// shownProblems is the number of rejected lines of each file that a mail about several
// files lists.
const shownProblems = 3

// togetherAbout says why one mail is about several files.
const togetherAbout = "The first file after a quiet time is reported at once, others that come within five minutes together."

// uploadDigest tells the outcome of several key files, the worst first.
func (w noticeWriter) uploadDigest() letter {
	keys, look, unread, known, held := 0, 0, 0, 0, 0
	for _, u := range w.uploads {
		keys += u.Counts[upload.Accepted]
		known += u.Counts.Duplicates()
		if severity(u) > 0 {
			look++
		}
		if u.Cause != "" {
			unread++
		}
		if u.State == upload.NeedsConfirmation {
			held++
		}
	}
	files := phrase.Count(w.n.Facts.Count, "file")
	l := letter{
		Badge:   calm("Uploads"),
		Title:   fmt.Sprintf("%s: %s added.", files, phrase.Count(keys, "key")),
		Words:   words(phrase.Capital(files) + " came one after the other, so this is one mail about all of them. " + togetherAbout),
		Details: w.files(w.outcome),
	}
	if w.n.Facts.Count > len(w.uploads) {
		l.Title = fmt.Sprintf("%s: %s added by the first %s.", files, phrase.Count(keys, "key"), phrase.Number(len(w.uploads)))
	}
	switch {
	case unread > 0:
		l.Badge = stop("Action needed")
	case look > 0:
		l.Badge = warn("Uploads")
	}
	if keys > 0 {
		l.Words = append(l.Words, words("Keys that were added to a live pool are on sale now, and orders that waited are being served.")...)
	}
	if look > 0 {
		needs := phrase.Capital(phrase.Count(look, "file needs a look and stands", "files need a look and stand")) + " first below."
		l.Words = append(l.Words, words(needs+" The Merchant Portal has the report of each, with all its lines.")...)
	}
	if held > 0 {
		l.Words = append(l.Words, words("Nothing was added of a file that waits for your answer. Drop it mended; or say on its page how to read it; or, if every line of it is a key as it stands, drop it under a name that ends in .as-is.txt.")...)
	}
	if unread > 0 {
		l.Words = append(l.Words, words("A file that cannot be read is deleted 30 days after it was dropped.")...)
	}
	if known > 0 {
		l.Words = append(l.Words, words("A key that is known already is never sold a second time, so there is nothing to mend about those.")...)
	}
	return l
}

// reminderDigest reminds of several files that were not read.
func (w noticeWriter) reminderDigest() letter {
	return letter{
		Badge: stop("Action needed"),
		Title: phrase.Capital(phrase.Count(w.n.Facts.Count, "file still lies", "files still lie")) + " in the upload bucket.",
		Words: words(
			"They were dropped days ago, and not read, or not to their ends. The Merchant Portal has the report of each.",
			"Please mend those that you need and drop them again, and delete the others. You are reminded once of each. A file that cannot be read is deleted 30 days after it was dropped.",
		),
		Details: w.files(func(u upload.Upload) string { return "dropped on " + w.day(u.ReceivedAt) + "; " + w.outcome(u) }),
	}
}

// misplacedDigest tells the operator of several files that belong to no merchant.
func (w noticeWriter) misplacedDigest() letter {
	return letter{
		Badge: warn("Please look"),
		Title: phrase.Capital(phrase.Count(w.n.Facts.Count, "file")) + " in the upload bucket belong to nobody.",
		Words: words(
			"Key files lie under uploads/<merchant>/<pool>/. These name no merchant that is set up, so nobody else can be told, and nothing was read.",
			"Create the merchants and drop the files again, or move them to where they belong. "+togetherAbout,
		),
		Details: w.files(func(u upload.Upload) string { return "dropped " + w.moment(u.ReceivedAt) }),
	}
}

// files makes a table of the files with what is said of each, the worst first.
func (w noticeWriter) files(say func(upload.Upload) string) []details {
	table := details{Title: "The files"}
	worstFirst := slices.SortedStableFunc(slices.Values(w.uploads), func(a, b upload.Upload) int { return cmp.Compare(severity(b), severity(a)) })
	for _, u := range worstFirst {
		name := u.File
		if u.Merchant == "" || u.Pool == "" {
			name = u.Object.Name
		}
		table.add(name, say(u))
	}
	if more := w.n.Facts.Count - len(table.Rows); more > 0 {
		table.add("And "+phrase.Number(more)+" more", "in the Merchant Portal, under Pools")
	}
	return []details{table}
}

// severity sorts uploads: 2, not read; 1, with lines left out or a warning; 0, all good.
func severity(u upload.Upload) int {
	switch {
	case u.Cause != "":
		return 2
	case u.Counts.Duplicates()+u.Counts.Rejected()+len(u.Seen.Warned) > 0:
		return 1
	default:
		return 0
	}
}

// outcome says in a line what became of a file.
func (w noticeWriter) outcome(u upload.Upload) string {
	var parts []string
	added := u.Counts[upload.Accepted]
	where := ""
	if u.Pool != "" {
		where = " to " + u.Pool + testNote(u.Side)
	}
	switch {
	case u.Cause == "" && u.State != upload.Finished:
		return "is being read" + strings.Replace(where, " to ", ", for ", 1)
	case u.Cause != "":
		parts = append(parts, first(causes[u.Cause], "not read"))
	}
	if u.Cause == "" || added > 0 {
		parts = append(parts, phrase.Count(added, "key")+" added"+where)
	}
	if left := u.Counts.Duplicates() + u.Counts.Rejected(); left > 0 {
		var problems []string
		for _, line := range u.Kept {
			if len(problems) < shownProblems && !line.Reason.Skipped() {
				problems = append(problems, "line "+phrase.Number(line.Line)+" ("+w.reason(line)+")")
			}
		}
		out := phrase.Count(left, "line") + " left out"
		if len(problems) > 0 {
			out += ": " + strings.Join(problems, ", ")
			if more := left - len(problems); more > 0 {
				out += " and " + phrase.Number(more) + " more"
			}
		}
		parts = append(parts, out)
	}
	for _, f := range slices.Concat(u.Seen.Asked, u.Seen.Warned) {
		if u.State == upload.NeedsConfirmation || !u.Seen.Has(f.Trait) {
			parts = append(parts, f.Trait.Words())
		}
	}
	return strings.Join(parts, "; ")
}

// causes say in a few words why a file was not read.
var causes = map[upload.Cause]string{
	upload.Empty:           "empty",
	upload.Binary:          "not a text file",
	upload.NoColumn:        "no column that is known to hold the keys",
	upload.NoKeys:          "no usable key in it",
	upload.Misplaced:       "in the wrong place: its name says no pool",
	upload.UnknownMerchant: "in the wrong place: its name says no merchant that is set up",
	upload.UnknownPool:     "waits for its pool, which does not exist",
	upload.OverLimit:       "waits for the next day: the day's limit is reached",
	upload.Unclear:         "waits for your answer: it does not read like a list of keys",
	upload.UsedTicket:      "its upload address was used before",
	upload.Gone:            "removed before it was read",
	upload.Encrypted:       "encrypted with a key that we may not use",
	upload.Archived:        "in an archive's storage class, which cannot be read",
}
