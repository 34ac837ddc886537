package main

import (
	"context"
	"errors"
	"net/http"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/settings"
	"keypool/shared/web"
)

// errNotFound means that an address names nothing of the visitor's merchant.
var errNotFound = errors.New("nothing of that name")

// errReason means that a form says why something is done in more than one line of
// settings.MaxReason characters.
var errReason = errors.New("a reason that is too long")

// failed is what the page of an error says.
type failed struct {
	Says string
	Next string // what to do
}

// failures is the one table from errors to pages. A thing of another merchant is answered as
// one that does not exist.
var failures = []struct {
	err    error
	status int
	title  string
	says   string
	next   string
}{
	{errNotFound, http.StatusNotFound, "Not found", "There is nothing at this address.", "It may have been deleted, or the address was cut. Look for it from Home." + ofOtherShop},
	{settings.ErrNotFound, http.StatusNotFound, "Not found", "There is nothing of that name here.", "It may have been deleted meanwhile." + ofOtherShop},
	{job.ErrNotFound, http.StatusNotFound, "Not found", "There is no such job here.", ""},
	{job.ErrExports, http.StatusConflict, "Two are running", "Two exports are running, which is the most at once, and this one was not begun.", "Wait until one of them has ended, or end one, under Pools, Jobs."},
	{job.ErrNoFile, http.StatusConflict, "No file", "This job has no file, or none yet.", "An export has one once it is done. One that was ended early has none."},
	{job.ErrFileGone, http.StatusConflict, "The file is gone", "A file of keys is kept for a day, and this one was deleted.", "Export the keys again."},
	{job.ErrOfSetting, http.StatusConflict, "It belongs to a rule", "This job is there because of a rule, and was not ended.", "Change the rule under Settings, Rules."},
	{order.ErrNoOrder, http.StatusNotFound, "Not found", "There is no such order here.", "An order is known once its platform has reported it." + ofOtherShop},
	{order.ErrPlace, http.StatusNotFound, "Not found", "There is no such page of this list.", "Open the list anew."},
	{order.ErrNoLine, http.StatusNotFound, "Not found", "The order has no such line.", ""},
	{pool.ErrUnknownKey, http.StatusNotFound, "Not found", "No pool here has such a key.", ""},
	{settings.ErrLastOwner, http.StatusConflict, "The last owner", "This is the last owner, and nothing was changed: nobody could say who works here any more.", "Make somebody else an owner first, under Settings, People."},
	{access.ErrSignInOver, http.StatusForbidden, "This address is over", "It opens a shop's portal for the operator, once, within ten minutes.", "Have another one made: make sign-in MERCHANT=…"},
	{web.ErrForm, http.StatusBadRequest, "Not understood", "The form could not be read, and nothing was changed.", "Go back, open the page again, and send it once more."},
	{web.ErrFormLarge, http.StatusRequestEntityTooLarge, "Too much at once", "The form holds more than 1 MB, and nothing was changed.", "Go back and send less. More keys than that go in as a file."},
	{errReason, http.StatusUnprocessableEntity, "The reason is too long", "A reason has up to 200 characters, in one line. Nothing was done.", "Go back, and say it in fewer words."},
	{errDocumentLarge, http.StatusRequestEntityTooLarge, "Too much at once", "The document is larger than a form can carry, and nothing was changed.", "Leave out parts that stay as they are, or send it by the API: put-catalog takes up to 4 MiB."},
	{errExportLarge, http.StatusConflict, "Too much at once", "All settings together are larger than one file can be here.", "Read them in parts by the API: list-pools, list-products and get-account."},
	{idempotency.ErrRunning, http.StatusConflict, "One moment", "This is being done at this moment: the button was pressed twice.", "Open the page again in a few seconds to see what became of it."},
	{idempotency.ErrOther, http.StatusConflict, "Sent before", "This form was sent before, with other content, and nothing was changed now.", "Open the page again, and fill it in once more."},
	{idempotency.ErrSecret, http.StatusConflict, "Shown once", "This was made before, and what it showed is shown once and kept nowhere.", "If you lack it, make another."},
	{catalog.ErrConflict, http.StatusConflict, "Changed meanwhile", "Somebody else has changed this since you opened the page, and nothing of yours was lost or stored.", "Go back to see what you wrote, open the page again beside it, and repeat your change."},
	{settings.ErrExists, http.StatusConflict, "There already", "This is there already, and nothing was changed: somebody else has made it meanwhile, or your page is an old one.", "Open the page again, and repeat your change on what you find."},
	{catalog.ErrMissing, http.StatusConflict, "Gone meanwhile", "This was deleted since you opened the page.", ""},
	{retry.ErrThrottled, http.StatusServiceUnavailable, "One moment", busySays, busyNext},
	{retry.ErrChanged, http.StatusServiceUnavailable, "One moment", busySays, busyNext},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "One moment", busySays, busyNext},
}

// ofOtherShop is for who opens the link of a mail about another shop than the one that is open.
const ofOtherShop = " If it belongs to another shop of yours, go there first: the shops are under your name, at the top."

const (
	busySays = "There is too much to do at this moment."
	busyNext = "Nothing is lost. Open the page again in a few seconds to see how things stand."
)

// failure returns the page of an error, false if it is a mistake of ours, of which the page
// says nothing.
func failure(err error) (answer, bool) {
	var denied *access.DeniedError
	if errors.As(err, &denied) {
		return failurePage(http.StatusForbidden, "Not for your role", failed{
			"Your role does not include this.",
			"You are signed in as " + string(denied.Role) + ", which means: " + denied.Role.Meaning() + ". Ask an owner of the shop to do it, or to give you another role, under Settings, People.",
		}), true
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return failurePage(f.status, f.title, failed{f.says, f.next}), true
		}
	}
	return failurePage(http.StatusInternalServerError, "Something went wrong", failed{"Something went wrong on our side.", "Nothing is lost. Please try again; if it stays so, tell whoever runs Keypool for you."}), false
}

func failurePage(status int, title string, says failed) answer {
	return answer{page: "failed", title: title, status: status, data: says}
}
