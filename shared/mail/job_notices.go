package mail

import (
	"fmt"

	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/phrase"
)

// jobEnded tells what a job has done that somebody asked for.
func (w noticeWriter) jobEnded() letter {
	j := w.n.Facts.Job
	title, said := w.jobDone(*j)
	l := letter{Badge: calm("Done"), Title: title, Words: words(said)}
	switch {
	case j.Cut:
		l.Badge = warn("Cancelled")
		l.Words = append(l.Words, words("The job was cancelled before its work was done.")...)
	case j.Left > 0:
		l.Badge = warn("Please look")
		l.Words = append(l.Words, words(fmt.Sprintf(
			"%s left as %s, since the customer is still owed keys or a mail: ask again once that is not so, or have these erased as well.",
			phrase.Capital(phrase.Count(j.Left, "line"))+phrase.Plural(j.Left, " was", " were"), phrase.Plural(j.Left, "it is", "they are"),
		))...)
	}
	l.Words = append(l.Words, words(notYours)...)
	l.Details = w.facts(
		"Job", j.ID, "Asked for by", j.By, "Asked for at", w.moment(w.n.Facts.Started),
		"Cancelled by", j.CancelledBy, "Ended", w.moment(w.n.RaisedAt),
	)
	return l
}

// notYours says what to do of something that no one of the merchant's people did.
const notYours = "If none of your people did this, somebody else has a token of yours: revoke it in the Merchant Portal, under Settings, API tokens."

// jobDone says in a title and a paragraph what a job has done.
func (w noticeWriter) jobDone(j notice.Job) (title, said string) {
	keys, were := phrase.Count(j.Keys, "key"), phrase.Plural(j.Keys, " was", " were")
	switch j.Kind {
	case job.Withdraw:
		return fmt.Sprintf("%s%s taken out of sale.", phrase.Capital(keys), were),
			fmt.Sprintf("An upload to %s was withdrawn. Its keys that were sold before stay with their orders.", w.pool())
	case job.Move:
		return fmt.Sprintf("%s%s moved from %s to %s.", phrase.Capital(keys), were, w.pool(), j.To),
			"Orders that wait there get them, the oldest first."
	case job.Export:
		if j.Cut {
			return fmt.Sprintf("The keys of %s were not exported.", w.pool()), "There is no file."
		}
		return fmt.Sprintf("The file with keys of %s is ready.", w.pool()),
			fmt.Sprintf("It holds %s. The page of the job has a link to it, as often as you need one. The file is deleted a day after it was made.", keys)
	case job.Wipe:
		return fmt.Sprintf("Your test data was wiped%s.", inPart(j)),
			fmt.Sprintf("%s and %s of test orders are gone. The files and orders that they came from are new again. Nothing of the live side was touched, and settings stay.", phrase.Capital(keys), phrase.Count(j.Lines, "line"))
	case job.Erase, job.Retain: // the second is not told
	}
	return fmt.Sprintf("A customer was erased%s.", inPart(j)),
		fmt.Sprintf("What was kept of the customer is gone from %s of orders. Keys, counts and times stay.", phrase.Count(j.Lines, "line"))
}

func inPart(j notice.Job) string {
	if j.Cut {
		return " in part"
	}
	return ""
}
