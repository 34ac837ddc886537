package mail

import (
	"fmt"
	"strings"

	"keypool/shared/mail/text"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// shownLines is the number of rejected lines that a mail lists. The report lists all.
const shownLines = 25

// uploadReport tells the outcome of a key file by its record, or that of several.
func (w noticeWriter) uploadReport() letter {
	if w.n.Facts.Count > 1 {
		return w.uploadDigest()
	}
	if w.upload == nil {
		return letter{
			Badge: calm("Upload"),
			Title: fmt.Sprintf("%s was read.", w.file()),
			Words: words("Its record is no longer kept, so there is nothing more to tell."),
		}
	}
	if w.cause() != "" {
		return w.unread()
	}
	u := w.upload
	accepted, duplicates, refused := u.Counts[upload.Accepted], u.Counts.Duplicates(), u.Counts.Rejected()
	l := letter{Badge: calm("Upload"), Details: w.uploadFacts()}
	if accepted > 0 {
		l.Title = fmt.Sprintf("%s added to %s.", phrase.Capital(phrase.Count(accepted, "key")), w.pool())
	} else {
		l.Title = fmt.Sprintf("No new keys for %s.", w.pool())
	}
	ready := phrase.Plural(accepted, "It is", "They are") + " on sale now, and orders that waited are being served."
	if u.Side == pool.Test {
		ready = phrase.Plural(accepted, "It is", "They are") + " ready for test orders. Live orders never get a test key."
	}
	warned := w.warnings()
	if len(warned) > 0 {
		l.Badge = warn("Please look")
	}
	warned = append(warned, w.remembered()...)
	switch left := duplicates + refused; {
	case left == 0 && accepted > 0:
		l.Words = words(w.passedOver() + " " + ready)
		if u.Counts.Skipped() > 0 {
			l.Words = words(ready + " " + w.passedOver())
		}
		l.Words = append(l.Words, warned...)
		return l
	case accepted > 0:
		l.Words = words(fmt.Sprintf("%s %s of %s brought nothing new:", ready, phrase.Capital(phrase.Count(left, "line")), w.file()))
	default:
		l.Words = words(fmt.Sprintf("All lines of %s were left out:", w.file()))
	}
	l.Badge = warn("Upload")
	lines := w.rejectedLines()
	if len(lines) > 0 {
		l.Words = append(l.Words, words(strings.Join(lines, "\n"))...)
	}
	if more := duplicates + refused - len(lines); more > 0 && len(lines) > 0 {
		l.Words = append(l.Words, words(fmt.Sprintf("%s more; the upload's full report names each line.", phrase.Capital(phrase.Number(more))))...)
	}
	if duplicates > 0 {
		l.Words = append(l.Words, words("A key that is known already is never sold a second time, so there is nothing to mend about those.")...)
	}
	if u.Counts.Skipped() > 0 {
		l.Words = append(l.Words, words(w.passedOver())...)
	}
	l.Words = append(l.Words, warned...)
	return l
}

// rejectedLines names the first lines that brought nothing, without those that the
// merchant wanted to be passed over.
func (w noticeWriter) rejectedLines() (lines []string) {
	for _, line := range w.upload.Kept {
		if len(lines) == shownLines {
			break
		}
		if !line.Reason.Skipped() {
			lines = append(lines, fmt.Sprintf("Line %s: %s.", phrase.Number(line.Line), w.reason(line)))
		}
	}
	return lines
}

// passedOver says what of a file was left out as its merchant said.
func (w noticeWriter) passedOver() string {
	var parts []string
	if w.upload.Counts[upload.SkippedHeading] > 0 {
		parts = append(parts, "the heading")
	}
	if n := w.upload.Counts[upload.SkippedComment]; n > 0 {
		parts = append(parts, phrase.Count(n, "comment"))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("Nothing in %s was left out.", w.file())
	}
	return fmt.Sprintf("%s of %s passed over, as you said.", phrase.Capital(strings.Join(parts, " and ")),
		w.file()+phrase.Plural(w.upload.Counts.Skipped(), " was", " were"))
}

// remembered tells of a file that was read by an earlier answer.
func (w noticeWriter) remembered() []text.Block {
	if w.upload == nil || !w.upload.Remembered {
		return nil
	}
	how := "each line as a key, as it stands"
	if options := w.upload.Reading.Options(); len(options) > 0 {
		how = "with " + phrase.List(options)
	}
	return words(fmt.Sprintf("It looks like an earlier file of this pool that you told us how to read, and was read the same way: %s. If that is wrong, withdraw it in the Merchant Portal, on the page of the file.", how))
}

// warnings tells what of the loaded lines keys rarely have.
func (w noticeWriter) warnings() []text.Block {
	if w.upload == nil || len(w.upload.Seen.Warned) == 0 {
		return nil
	}
	return words(
		"The keys were taken as they stand in the file. Please look at it once more, for keys rarely look like this:",
		strings.Join(w.findings(w.upload.Seen.Warned), "\n"),
	)
}

// findings are the words for what was seen in a file, without any text of it.
func (w noticeWriter) findings(all []upload.Finding) (lines []string) {
	for _, f := range all {
		where := fmt.Sprintf("line %s", phrase.Number(f.First))
		if f.Lines > 1 {
			where = fmt.Sprintf("%s, the first is line %s", phrase.Count(f.Lines, "line"), phrase.Number(f.First))
		}
		lines = append(lines, fmt.Sprintf("%s (%s).", phrase.Capital(f.Trait.Words()), where))
	}
	return lines
}

// held tells what a file looks like that waits for its merchant's answer, and the ways on.
func (w noticeWriter) held(l letter) letter {
	l.Badge = warn("Waiting for you")
	l.Title = fmt.Sprintf("%s waits: it does not read like a list of keys.", w.file())
	if w.upload == nil {
		return l
	}
	u := w.upload
	l.Words = words(
		"Nothing of it was added, so that nothing is sold that is no key. This is what we saw:",
		strings.Join(w.findings(u.Seen.Asked), "\n"),
		"There are three ways on:",
		"1. Mend the file, so that it holds one key a line and nothing else, or save it as .csv with a column called key, and drop it again. Then delete this one.\n"+
			"2. Say on its page in the Merchant Portal how to read it. The next file of this pool that looks the same is then read the same way, and you are not asked again.\n"+
			"3. If every line of it is a key exactly as it stands, drop it again as "+asIs(w.file())+".",
	)
	return l
}

// noColumn tells of a table whose column of keys cannot be told.
func (w noticeWriter) noColumn(l letter) letter {
	l.Title = fmt.Sprintf("We cannot tell which column of %s holds the keys.", w.file())
	saw := "Nothing of it was added."
	if w.upload != nil {
		table := w.upload.Seen.Table
		saw = fmt.Sprintf("It has %s, and ", phrase.Count(table.Columns, "column"))
		switch len(table.Named) {
		case 0:
			saw += "its first line names none that we know."
		case 1:
			saw += fmt.Sprintf("of their names we know one: %s.", table.Named[0])
		default:
			saw += fmt.Sprintf("of their names we know these: %s.", phrase.List(table.Named))
		}
		saw += " Nothing of it was added."
	}
	l.Words = words(saw,
		"Please call one column, and only one, by one of these names in the first line: key, license, license key, code, serial. Or leave nothing but the keys in the file. Then drop it again.",
		"If every line of it is a key exactly as it stands, drop it again as "+asIs(w.file())+".",
	)
	return l
}

// asIs is the name by which a file is loaded unasked.
func asIs(file string) string {
	if i := strings.LastIndexByte(file, '.'); i > 0 {
		file = file[:i]
	}
	return file + ".as-is.txt"
}

// unread tells why a file brought no keys.
func (w noticeWriter) unread() letter {
	l := letter{Badge: stop("Action needed"), Details: w.uploadFacts()}
	file, name := w.file(), w.n.Facts.Pool
	if w.upload != nil {
		name = first(w.upload.Pool, name)
	}
	switch w.cause() {
	case upload.UnknownPool:
		l.Badge = warn("Waiting")
		l.Title = fmt.Sprintf("%s waits for its pool.", file)
		l.Words = words(
			fmt.Sprintf("The file names the pool %s, which does not exist.", name),
			"The file is kept. Create the pool, and it is read by itself. If the name is a slip, drop the file again under the right one and delete this one.",
		)
	case upload.OverLimit:
		l.Badge = warn("Waiting")
		l.Title = fmt.Sprintf("%s waits for the next day.", file)
		l.Words = words("Your files brought as much as they may in a day. This one is read by itself when the next day begins, at midnight UTC.")
	case upload.Unclear:
		return w.held(l)
	case upload.Empty:
		l.Title = fmt.Sprintf("%s is empty.", file)
		l.Words = words("There is no key in it, so nothing was added. Please look whether the export that made it went through, and drop the file again.")
	case upload.Binary:
		l.Title = fmt.Sprintf("%s is not a text file.", file)
		l.Words = words(
			"We read plain text with one key a line, or .csv with a column called key, in UTF-8 or UTF-16. This file is something else, a spreadsheet or an archive perhaps; nothing was added.",
			"Please save the keys as a text file and drop it again.",
		)
	case upload.NoColumn:
		return w.noColumn(l)
	case upload.NoKeys:
		l.Title = fmt.Sprintf("%s holds no usable key.", file)
		if w.upload.Counts.Rejected() == 0 {
			l.Words = words("There is nothing in it but a heading or comments, so nothing was added. Please look whether the export that made it went through, and drop the file again.")
			return l
		}
		l.Words = words("Every line was refused, so nothing was added:")
		if lines := w.rejectedLines(); len(lines) > 0 {
			l.Words = append(l.Words, words(strings.Join(lines, "\n"))...)
		}
		l.Words = append(l.Words, words("Please mend the file and drop it again.")...)
	case upload.UsedTicket:
		l.Title = fmt.Sprintf("%s was not read: its upload address was used before.", file)
		l.Words = words(
			"An upload address takes one file, and this one had brought another already. Nothing of this one was added.",
			"If the file is yours, add it again in the Merchant Portal, or have your program ask for an address for it. If it is not, somebody else has an address of yours, or a token: revoke that under Settings, API tokens.",
		)
	case upload.Gone:
		l.Title = fmt.Sprintf("%s was removed before it was read.", file)
		l.Words = words("Nothing more of it can be added. If that was not meant, drop the file again: keys that were added already are recognised and not added twice.")
	case upload.Encrypted:
		l.Title = fmt.Sprintf("%s cannot be read: it is encrypted.", file)
		l.Words = words(
			w.some()+"The file is encrypted with a KMS key that we may not use, or that was disabled.",
			"Please drop it again without naming a key: the upload bucket encrypts every file with its own.",
		)
	case upload.Archived:
		l.Title = fmt.Sprintf("%s cannot be read: it is archived.", file)
		l.Words = words(
			w.some()+"The file is in an archive's storage class, such as S3 Glacier, and cannot be read from there.",
			"Please drop it again in the storage class STANDARD.",
		)
	default: // it names no pool
		l.Title = fmt.Sprintf("%s lies in the wrong place.", file)
		l.Words = words(
			fmt.Sprintf("A key file belongs into uploads/%s/<pool>/, or into uploads/%s/<pool>/test/ for test keys. We cannot tell which pool this one is for, so nothing was added.", w.n.Merchant, w.n.Merchant),
			"Please drop it again in the right place and delete this one.",
		)
	}
	return l
}

// uploadLimit tells that a merchant's day is full.
func (w noticeWriter) uploadLimit() letter {
	f := w.n.Facts
	limit := phrase.Number(int(f.Limit)) + " " + f.Cause
	return letter{
		Badge: warn("Waiting"),
		Title: fmt.Sprintf("%s waits: today's limit is reached.", w.file()),
		Words: words(
			fmt.Sprintf("Your key files may bring %s in a day, and %s would pass that. It is kept, and so are those that come after it.", limit, w.file()),
			"They are read by themselves when the next day begins, at midnight UTC, as far as that day's limit goes. A file that is larger than the limit waits until whoever runs Keypool for you raises it: reply to this mail.",
			"You are told this once a day. "+notYours,
		),
		Details: w.uploadFacts(),
	}
}

// callLimit tells that a day has no calls of the API left.
func (w noticeWriter) callLimit() letter {
	limit := phrase.Number(int(w.n.Facts.Limit))
	return letter{
		Badge: warn("Limit reached"),
		Title: fmt.Sprintf("Today's %s calls of the API are made.", limit),
		Words: words(
			fmt.Sprintf("Your tokens may make %s calls of Keypool's API in a day, and have made them. Further calls are refused until the next day begins, at midnight UTC.", limit),
			"Your shop sells on: payment platforms' webhooks do not count, and orders that you fulfil by hand are taken. A script that calls again and again may be the cause. The Merchant Portal shows which of your tokens were used last.",
			"If these calls are not yours, somebody else has a token of yours: revoke it, also now. If you need more calls, whoever runs Keypool for you can raise the limit: reply to this mail. You are told this once a day.",
		),
		Details: w.facts("Limit", limit+" calls a day", "Reached", w.moment(w.n.RaisedAt)),
	}
}

// some says how much of a file was added that could not be read to its end.
func (w noticeWriter) some() string {
	if w.upload == nil || w.upload.Counts[upload.Accepted] == 0 {
		return "Nothing of it was added. "
	}
	added := w.upload.Counts[upload.Accepted]
	return fmt.Sprintf("%s added before that, and none is added twice if the file comes again. ",
		phrase.Capital(phrase.Count(added, "key"))+phrase.Plural(added, " was", " were"))
}

// uploadReminder reminds of a file that brought no keys and is still in the bucket.
func (w noticeWriter) uploadReminder() letter {
	if w.n.Facts.Count > 1 {
		return w.reminderDigest()
	}
	l := w.unread()
	l.Subject = fmt.Sprintf("%s still lies in the upload bucket", w.file())
	l.Title = fmt.Sprintf("%s still lies in the upload bucket.", w.file())
	since := "days ago"
	if w.upload != nil && !w.upload.ReceivedAt.IsZero() {
		since = "on " + w.day(w.upload.ReceivedAt)
	}
	dropped := fmt.Sprintf("It was dropped %s, and nothing was added from it.", since)
	if w.upload != nil && w.upload.Counts[upload.Accepted] > 0 {
		dropped = fmt.Sprintf("It was dropped %s, and was not read to its end.", since)
	}
	l.Words = append(words(dropped), l.Words...)
	l.Words = append(l.Words, words("If it is no longer needed, delete it, and you will not hear of it again.")...)
	return l
}

// misplaced tells the operator of a file that belongs to no merchant.
func (w noticeWriter) misplaced() letter {
	if w.n.Facts.Count > 1 {
		return w.misplacedDigest()
	}
	if w.n.Merchant != "" {
		return w.unread() // the merchant is known, the pool is not
	}
	return letter{
		Badge: warn("Please look"),
		Title: "A file in the upload bucket belongs to nobody.",
		Words: words(
			"Key files lie under uploads/<merchant>/<pool>/. This one names no merchant that is set up, so nobody else can be told, and nothing was read.",
			"Create the merchant and drop the file again, or move it to where it belongs.",
		),
		Details: w.uploadFacts(),
	}
}

func (w noticeWriter) uploadFacts() []details {
	u := w.upload
	if u == nil {
		return w.facts("File", w.n.Facts.File, "Upload", strings.Join(w.n.Facts.Uploads, ", "))
	}
	pairs := []string{"File", first(u.File, u.Object.Name)}
	if u.Merchant == "" || u.Pool == "" {
		pairs[1] = u.Object.Name
	} else {
		pairs = append(pairs, "Pool", w.pool())
	}
	pairs = append(pairs, "Dropped", w.moment(u.ReceivedAt))
	if u.Rejected() && u.Cause != upload.Gone {
		pairs = append(pairs, "Deleted by itself", "on "+w.day(u.ReceivedAt.Add(upload.RefusedKept)))
	}
	if w.cause() == "" {
		pairs = append(pairs, "Lines read", phrase.Number(u.Lines), "Keys added", phrase.Number(u.Counts[upload.Accepted]))
		for _, outcome := range upload.Outcomes {
			if n := u.Counts[outcome]; n > 0 && outcome != upload.Accepted {
				pairs = append(pairs, phrase.Capital(outcome.Words()), phrase.Number(n))
			}
		}
	}
	return w.facts(append(pairs, "Upload", u.ID)...)
}

func (w noticeWriter) reason(line upload.RejectedLine) string {
	reason := line.Reason.Words()
	if line.Reason == upload.Sold && !line.SoldAt.IsZero() {
		reason += " on " + w.day(line.SoldAt)
	}
	return reason
}

// cause returns the reason why the file brought no keys: the notice's, else the
// record's.
func (w noticeWriter) cause() upload.Cause {
	if w.n.Facts.Cause != "" || w.upload == nil {
		return upload.Cause(w.n.Facts.Cause)
	}
	return w.upload.Cause
}

func (w noticeWriter) file() string {
	name := w.n.Facts.File
	if w.upload != nil {
		name = first(w.upload.File, w.upload.Object.Name, name)
	}
	return first(name, "A file")
}
