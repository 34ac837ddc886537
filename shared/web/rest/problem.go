package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/problem"
	"keypool/shared/retry"
	"keypool/shared/settings"
)

// The refusals of a caller.
var (
	// ErrUnauthorized means that the caller sent no valid token.
	ErrUnauthorized = errors.New("no valid token")
	// ErrForbidden means that the operation is the operator's.
	ErrForbidden = errors.New("not the operator")
	// ErrMediaType means that a body is in no form that is read.
	ErrMediaType = errors.New("not a media type that is read")
	// ErrKey means that an Idempotency-Key has not the form of one.
	ErrKey = errors.New("not an idempotency key")
	// ErrTooLarge means that no response holds what was asked for.
	ErrTooLarge = errors.New("too large for a response")
)

// answers is the one table from errors to responses. A setting of another merchant
// is answered as one that does not exist: a 403 would tell that it does.
var answers = []struct {
	err    error
	status int
	detail string
}{
	{ErrUnauthorized, http.StatusUnauthorized, "An API token is needed that is valid: Authorization: Bearer kp_… One that was revoked or has expired is answered as one that never was."},
	{ErrForbidden, http.StatusForbidden, "This is for the operator, by a request signed with AWS Signature Version 4."},
	{ErrMediaType, http.StatusUnsupportedMediaType, "Send JSON, with the Content-Type application/json, or YAML, with application/yaml."},
	{ErrTooLarge, http.StatusConflict, "This is more than one response can hold. Read it in parts, by the lists."},
	{settings.ErrNotFound, http.StatusNotFound, "There is no such thing here."},
	{job.ErrNotFound, http.StatusNotFound, "There is no such thing here."},
	{job.ErrOfSetting, http.StatusConflict, "This job is there because of a setting, and was not cancelled. It ends when put-retention says days: 0."},
	{job.ErrNoAddress, http.StatusUnprocessableEntity, "email is empty. Give the mail address of the customer who is erased."},
	{job.ErrNoKeys, http.StatusConflict, "Nothing of this file was loaded, so there is nothing to withdraw. get-upload says why."},
	{job.ErrPeriod, http.StatusUnprocessableEntity, "This period cannot be exported, and nothing was done. from and until are about sold keys, and from comes before until."},
	{job.ErrExports, http.StatusConflict, "Two exports are running, which is the most, and this one was not begun. Wait until one of them has ended, or cancel one; list-jobs shows them."},
	{job.ErrNoFile, http.StatusConflict, "This job has no file, or none yet. An export has one once it is done: call again in some seconds. One that was cancelled has none."},
	{job.ErrFileGone, http.StatusConflict, "The file of this export was deleted: it is kept for a day. Export the keys again."},
	{job.ErrSamePool, http.StatusUnprocessableEntity, "The keys are in that pool, and nothing was moved. Name another pool in to."},
	{job.ErrNoPool, http.StatusUnprocessableEntity, "There is no pool of the name in to, and nothing was moved. list-pools has their names; put-pool makes one."},
	{job.ErrWithdrawn, http.StatusConflict, "This upload was withdrawn, so its keys are not for sale and nothing was moved. get-upload names the job."},
	{pool.ErrUnknownKey, http.StatusNotFound, "No pool here has such a key, nor ever had it. Look whether the texts are complete, with the dashes and the case of letters that the key file had."},
	{order.ErrNoOrder, http.StatusNotFound, "There is no such order. Look at its number, and at account and test in the query if you name them. An order is known once its platform has reported it, or somebody has fulfilled it by hand."},
	{order.ErrNoPage, http.StatusNotFound, "The order has no page that can be shown: its products have none (see order_page of put-product and put-order-page), its link has ended, or it was revoked. replace-order-link makes another link."},
	{order.ErrNoLine, http.StatusNotFound, "The order lacks a line that you name, and nothing was changed. get-order lists its lines."},
	{order.ErrPlace, http.StatusUnprocessableEntity, "after is not a place in this list: give next as the page before gave it, with the same filters, or begin without it."},
	{order.ErrNotHeld, http.StatusNotFound, "The line holds no such key, and nothing was changed. get-order lists the key_ids that it holds."},
	{order.ErrRefundFailed, http.StatusConflict, "The platform says that this refund failed, so the customer did not get that money, and nothing was given back here. To take the keys all the same, send the call again with another refund, an id of your own."},
	{order.ErrCorrections, http.StatusConflict, "The mail address of this order was corrected ten times, which is the most, and nothing was changed. To mail keys to yet another address, give the order back and fulfil another one by hand: fulfil-order."},
	{order.ErrErased, http.StatusConflict, "The customer of this line was erased: there is nobody to mail a key to, and nothing was changed."},
	{order.ErrSharedCode, http.StatusConflict, "The line has the code of its product, which is everybody's, and nothing was changed. put-code sets another for orders that come; resend-order mails a line the code that it has."},
	{order.ErrNoKeys, http.StatusConflict, "The pool has no key left, and nothing was changed. Upload keys, then send the call again."},
	{ErrKey, http.StatusUnprocessableEntity, "The Idempotency-Key cannot be used, and nothing was changed. Use 1 to 128 letters, digits and signs, without spaces, such as a UUID."},
	{idempotency.ErrOther, http.StatusUnprocessableEntity, "Another call was made with this Idempotency-Key, and nothing was changed. Send this one with a key of its own."},
	{idempotency.ErrRunning, http.StatusConflict, "This very call is being made at this moment. Wait a few seconds, and send it again with the same Idempotency-Key to get its answer."},
	{idempotency.ErrSecret, http.StatusConflict, "This call was made before, and nothing was changed now. Its answer held a secret that is shown once and kept nowhere. If you lack it, revoke what was made, and make another with a new Idempotency-Key."},
	{settings.ErrLastOwner, http.StatusConflict, "This is the last owner, and nothing was changed: nobody could say who works here any more. Make somebody else an owner first."},
	{settings.ErrExists, http.StatusPreconditionFailed, "It exists already."},
	{catalog.ErrMissing, http.StatusPreconditionFailed, "It does not exist, or was deleted meanwhile."},
	{catalog.ErrConflict, http.StatusPreconditionFailed, "It has been changed since. Read it again and repeat your change on what you find."},
	{catalog.ErrTaken, http.StatusConflict, "This domain cannot be used here: it is in use already. If it is yours, and you have not set it up yourself, ask whoever runs Keypool for you."},
	{settings.ErrUnclaimed, http.StatusServiceUnavailable, "Amazon SES did not take the domain yet. The address is stored: send the same call again."},
	{settings.ErrUnconditional, http.StatusPreconditionRequired, "It exists already. Say by If-Match which version your change was made from: the ETag that reading it gives you, or * for any."},
	{settings.ErrUnanswered, http.StatusServiceUnavailable, "The address of webhooks did not answer. The order may have been taken: see the orders of the test side, or try again, which is another order."},
	{settings.ErrSampleSent, http.StatusTooManyRequests, "A sample was sent to the notice address in this minute, and this one was not. Wait a minute; preview-mail shows as many mails as you like."},
	{retry.ErrThrottled, http.StatusServiceUnavailable, busy},
	{retry.ErrChanged, http.StatusServiceUnavailable, busy},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, busy},
}

const (
	busy    = "There is too much to do at this moment. Please try again."
	invalid = "The request cannot be used as it is, and nothing was changed; see errors."

	notJSON   = "Send JSON, with the Content-Type application/json."
	illegible = "The request cannot be understood; see errors."
	tooLarge  = "The body is larger than what is read here, and nothing was changed. Send less at once."
)

// problemOf returns the response to an error, and its headers. The response to an
// error that is not in the table holds nothing of it; the log does.
func problemOf(ctx context.Context, operation string, err error) (*problem.Problem, http.Header) {
	var cut *settings.CutOffError
	if errors.As(err, &cut) {
		return cutOff(ctx, operation, cut)
	}
	var wrong *settings.InvalidError
	if errors.As(err, &wrong) {
		var places []problem.Place
		for i, p := range wrong.Problems {
			if i == problem.Most {
				places = append(places, problem.More(len(wrong.Problems)-i))
				break
			}
			places = append(places, problem.Place{Message: p.Message, Location: strings.TrimSuffix("body."+p.Path, ".")})
		}
		return problem.New(http.StatusUnprocessableEntity, invalid, places...), nil
	}
	var denied *access.DeniedError
	if errors.As(err, &denied) {
		if denied.Role != "" {
			return problem.New(http.StatusForbidden, fmt.Sprintf("This is not for the role %s. An owner can do it, or give another role.", denied.Role)), nil
		}
		headers := http.Header{}
		headers.Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope="%s"`, denied.Needs)) // RFC 6750
		return problem.New(http.StatusForbidden, fmt.Sprintf("The token is valid, and this needs one with the scope %s. The operator makes it.", denied.Needs)), headers
	}
	var over *access.OverRateError
	if errors.As(err, &over) {
		headers := http.Header{}
		headers.Set("Retry-After", strconv.Itoa(seconds(over.Quota.Wait)))
		return problem.New(http.StatusTooManyRequests, fmt.Sprintf("This token has made its %d calls a minute, and nothing was done. Wait as many seconds as Retry-After says. Spread calls by what the header RateLimit says is left; bring many keys as a file, and read many orders by the lists. The operator can make a token that may call more.", over.Quota.Rate)), headers
	}
	var overDay *access.OverDayError
	if errors.As(err, &overDay) {
		headers := http.Header{}
		headers.Set("Retry-After", strconv.Itoa(seconds(overDay.Quota.Ends)))
		return problem.New(http.StatusTooManyRequests, fmt.Sprintf("Your tokens have made their %d calls of this day, and nothing was done. The next day begins at midnight UTC, after Retry-After seconds. Orders that platforms report are taken all the while; fulfil-order, list-tokens, revoke-token and set-brake are answered too. The operator can raise the limit.", overDay.Quota.Limit)), headers
	}
	var inUse *settings.InUseError
	if errors.As(err, &inUse) {
		detail := "The " + inUse.Thing + " is in use: " + strings.Join(inUse.All(), "; ") + "."
		if len(inUse.Reasons) == 0 {
			detail += " To delete it all the same, say force=true in the query: what was sold stays, and what waits or is for sale is there again once there is a " + inUse.Thing + " of that name."
		}
		return problem.New(http.StatusConflict, detail), nil
	}
	var alias *settings.AliasError
	if errors.As(err, &alias) {
		return problem.New(http.StatusConflict, fmt.Sprintf("This id is an alias of the product %q, and nothing was changed. Change or delete that one.", alias.Product)), nil
	}
	var taken *settings.CodeTakenError
	if errors.As(err, &taken) {
		return codeTaken(taken), nil
	}
	var notHeld *settings.NotHeldError
	if errors.As(err, &notHeld) {
		detail := "No question is open about this file: it is " + string(notHeld.State) + ", and nothing was changed."
		if notHeld.Asked {
			detail = "This file was confirmed before, with other options, and nothing was changed."
		}
		return problem.New(http.StatusConflict, detail), nil
	}
	var several *order.AmbiguousError
	if errors.As(err, &several) {
		var matches []string
		for _, m := range several.Matches {
			matches = append(matches, fmt.Sprintf("account=%s&test=%t", m.Account, m.Side == pool.Test))
		}
		return problem.New(http.StatusConflict, "Several orders have this number, and nothing was changed. Say in the query which one is meant; see errors.",
			problem.Place{Message: "add one of these: " + strings.Join(matches, ", "), Location: "query"}), nil
	}
	var used *order.NumberUsedError
	if errors.As(err, &used) {
		detail := "The account " + used.Account + " has an order of this number already, and nothing was stored. If that order is meant, release, resend or replace its keys. If another is, give it a number of its own."
		if used.Account == catalog.ByHandName {
			detail = "An order of this number was fulfilled by hand before, with other lines or for another customer, and nothing was stored. Give this one a number of its own."
		}
		return problem.New(http.StatusConflict, detail), nil
	}
	var limit *order.CorrectionLimitError
	if errors.As(err, &limit) {
		return correctionLimit(limit)
	}
	var stale *order.StaleError
	if errors.As(err, &stale) {
		return staleProblem(stale), nil
	}
	var state *order.StateError
	if errors.As(err, &state) {
		detail := "Keys are replaced only of a line that is fulfilled. This one is " + string(state.State) + ", and nothing was changed."
		if state.State == order.OnHold {
			detail += " It has to come off hold first: get-order shows what holds it."
		}
		return problem.New(http.StatusConflict, detail), nil
	}
	for _, a := range answers {
		if !errors.Is(err, a.err) {
			continue
		}
		headers := http.Header{}
		switch a.status {
		case http.StatusUnauthorized:
			headers.Set("WWW-Authenticate", "Bearer")
		case http.StatusTooManyRequests:
			headers.Set("Retry-After", "60")
		case http.StatusServiceUnavailable:
			headers.Set("Retry-After", "2")
			slog.WarnContext(ctx, "request.deferred", "operation", operation, "error", err)
		}
		return problem.New(a.status, a.detail), headers
	}
	slog.ErrorContext(ctx, "request.failed", "operation", operation, "error", err)
	return problem.Internal, nil
}

// cutOff says how far a change of all settings came. What stopped it is told as it would be of
// a single change only if it is a mistake of ours.
func cutOff(ctx context.Context, operation string, e *settings.CutOffError) (*problem.Problem, http.Header) {
	p, headers := problemOf(ctx, operation, e.Err)
	made := fmt.Sprintf("%d of %d changes were made, and stay. ", e.Done, e.Of)
	switch p.Status {
	case http.StatusInternalServerError:
		return p, headers
	case http.StatusServiceUnavailable:
		return problem.New(p.Status, made+"For the others there was no time, or too much to do at this moment. Send the document again, with the ETag as it is now: it does the rest."), headers
	}
	return problem.New(http.StatusConflict, made+"Then another could not be made, since settings changed meanwhile. Read them again; dry_run says what your document would still change, and what of it is not allowed now."), nil
}

// codeTaken says where the key stands whose text was to be a code, and what to do.
func codeTaken(e *settings.CodeTakenError) *problem.Problem {
	field := "body.code"
	if e.Code == pool.Test {
		field = "body.test_code"
	}
	k := e.Key
	where := "a key of this text was " + string(k.State) + "; find-keys says more"
	switch {
	case k.Side != e.Code:
		where = "there is a key of this text on the " + string(k.Side) + " side, and a test order must not get what is paid for"
	case !k.BlockedAt.IsZero():
		where = "this text is blocked: it leaked, or was sold elsewhere"
	case k.State == pool.KeyShared:
		where = fmt.Sprintf("this is the code of the product %q; delete-code takes it from that", k.CodeOf)
	case k.State == pool.KeyAvailable:
		where = fmt.Sprintf("this is a key that is for sale, of the pool %q", k.Pool)
	case k.State == pool.KeyClaimed:
		where = fmt.Sprintf("this is a key that was sold, of the pool %q; find-keys names its order", k.Pool)
	}
	return problem.New(http.StatusConflict, "A text cannot be the code of a product, and nothing was changed; see errors. Use another text.",
		problem.Place{Message: where, Location: field})
}

// correctionLimit says until when no further address is corrected.
func correctionLimit(e *order.CorrectionLimitError) (*problem.Problem, http.Header) {
	detail := fmt.Sprintf("The addresses of %d orders were corrected in this hour, which is the most, and nothing was changed.", order.CorrectionsOfMerchant)
	if e.OfOrder {
		detail = fmt.Sprintf("The address of this order was corrected %d times in this hour, which is the most, and nothing was changed.", order.CorrectionsOfOrder)
	}
	headers := http.Header{}
	headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.In.Seconds()))))
	return problem.New(http.StatusTooManyRequests, detail+" Send the call again when the hour has ended, after Retry-After seconds."), headers
}

// staleProblem says how lines are that have changed since somebody saw them.
func staleProblem(e *order.StaleError) *problem.Problem {
	detail := "Lines have changed since the versions that you named, and nothing was done. errors says how they are now: decide again, and name those versions."
	if len(e.Done) > 0 {
		detail = fmt.Sprintf("It was done to these lines: %s. Others changed meanwhile, and nothing was done to them, or to any that is not named here. errors says how they are now: decide again about what is left.", strings.Join(e.Done, ", "))
		if e.Disputes {
			detail = fmt.Sprintf("This call dropped no dispute, because lines changed meanwhile: errors says how they are now. It released these lines from whatever else held them: %s. To drop the disputes, send the call again with the versions as they are now.", strings.Join(e.Done, ", "))
		}
	}
	var places []problem.Place
	for _, line := range e.Lines {
		now := fmt.Sprintf("is now at version %d: %s", line.Version, line.State())
		if len(line.Holds) > 0 {
			now += fmt.Sprintf(" %q", line.Holds)
		}
		now += fmt.Sprintf("; it holds %d of %d keys, and %d of %d units were given back", line.Allocated, line.Wanted, line.ReturnedUnits, line.Quantity)
		if line.Mail.State != "" {
			now += "; its mail is " + string(line.Mail.State)
		}
		places = append(places, problem.Place{Message: now, Location: "body.versions." + line.Line})
	}
	return problem.New(http.StatusConflict, detail, places...)
}

// model returns a problem in huma's type.
func model(p *problem.Problem) *huma.ErrorModel {
	m := &huma.ErrorModel{Status: p.Status, Title: p.Title, Detail: p.Detail}
	for _, place := range p.Errors {
		m.Errors = append(m.Errors, &huma.ErrorDetail{Message: place.Message, Location: place.Location})
	}
	return m
}

// ours marks a mistake of meaning, among huma's of form.
type ours struct{}

// InPath has, by the setting that names a thing, the parameter of the path that it stands in.
type InPath map[string]string

// Mistakes gives each problem its place in a request: what names the thing stands in the
// path, and its other settings in the body. An input type returns them by Resolve, so that
// huma reports them with the mistakes of form.
func Mistakes(problems []settings.Problem, named InPath) []error {
	var errs []error
	for _, p := range problems {
		location := "body." + p.Path
		if parameter, ok := named[p.Path]; ok {
			location = "path." + parameter
		}
		errs = append(errs, &huma.ErrorDetail{Message: p.Message, Location: location, Value: ours{}})
	}
	return errs
}

// atItsPlace returns a mistake that huma found: a missing property at the place where it
// belongs.
func atItsPlace(d *huma.ErrorDetail) *huma.ErrorDetail {
	name, missing := strings.CutPrefix(d.Message, "expected required property ")
	if !missing {
		return d
	}
	return &huma.ErrorDetail{Message: "it is needed", Location: d.Location + "." + strings.TrimSuffix(name, " to be present")}
}

// tidy makes huma's own problems like the others: no value of the request, one
// message a place, a missing property at the place where it belongs. Mistakes of meaning are
// told where the form is right, all of them: a text may have several.
func tidy(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	switch {
	case ok && p.Status == http.StatusRequestEntityTooLarge:
		p.Detail = tooLarge
	case ok && p.Status == http.StatusUnsupportedMediaType && strings.HasPrefix(p.Detail, "unknown content type"): // and names it
		p.Detail = notJSON
	}
	if !ok || len(p.Errors) == 0 {
		return v, nil
	}
	if p.Detail == "validation failed" {
		p.Detail = illegible
		if p.Status == http.StatusUnprocessableEntity {
			p.Detail = invalid
		}
	}
	seen := map[string]bool{} // places where huma, not we, found something
	var details []*huma.ErrorDetail
	for _, d := range p.Errors {
		d = atItsPlace(d)
		// A body that is not JSON has no settings yet.
		if seen[d.Location] || p.Status == http.StatusBadRequest && d.Location != "body" {
			continue
		}
		seen[d.Location] = d.Value != ours{}
		details = append(details, &huma.ErrorDetail{Message: d.Message, Location: d.Location})
	}
	if n := len(details) - problem.Most; n > 1 { // one more: a problem of ours, which says so itself
		more := problem.More(n)
		details = append(details[:problem.Most], &huma.ErrorDetail{Message: more.Message, Location: more.Location})
	}
	p.Errors = details
	return p, nil
}
