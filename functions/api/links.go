package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/review"
	"keypool/shared/web"
)

// A link in a mail leads to a page that says what it would do, with buttons: programs that
// look at mails open the links in them, and press nothing. The page needs no script, loads
// nothing, and may be shown in no frame.

//go:embed links.css
var linkStyle string

// linkPolicy lets the page do nothing but look as it does and send its form here.
var linkPolicy = func() string {
	sum := sha256.Sum256([]byte(linkStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}()

// serveLink answers a link: a POST follows it, a GET shows it.
func (a *api) serveLink(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(access.With(r.Context(), access.Principal{From: web.CallerAddress(r)}))
	token := r.PathValue("token")
	page, err := a.links.Look(r.Context(), token)
	if r.Method == http.MethodPost && err == nil {
		form := readForm(r)
		ms, _ := strconv.ParseInt(form.Get("seen"), 10, 64) // none: nothing was seen
		version, _ := strconv.Atoi(form.Get("version"))     // the same
		if verdict := review.Verdict(form.Get("do")); page.Takes(verdict) {
			page, err = a.links.Follow(r.Context(), token, verdict, review.Seen{At: time.UnixMilli(ms), Version: version})
		}
	}
	status, shown := http.StatusOK, linkPage{}
	switch {
	case err == nil:
		shown = wordsOf(page)
	case errors.Is(err, link.ErrExpired):
		status, shown = http.StatusGone, badLink
	case errors.Is(err, link.ErrInvalid):
		status, shown = http.StatusNotFound, badLink
	default:
		status, shown = linkFailure(r.Context(), w, err), linkPage{
			Tab: "Please try again", Title: "Please try again in a moment.",
			Words: []string{"Something is not as it should be on our side. If you pressed a button, it may have been done: open the link again to see."},
		}
	}
	writeLink(w, status, shown)
}

// linkFailure returns the status of an error that is not the link's, and logs it, without
// the link.
func linkFailure(ctx context.Context, w http.ResponseWriter, err error) int {
	for _, busy := range []error{retry.ErrThrottled, retry.ErrChanged, context.DeadlineExceeded} {
		if errors.Is(err, busy) {
			w.Header().Set("Retry-After", "2")
			slog.WarnContext(ctx, "request.deferred", "operation", "link", "error", err)
			return http.StatusServiceUnavailable
		}
	}
	slog.ErrorContext(ctx, "request.failed", "operation", "link", "error", err)
	return http.StatusInternalServerError
}

// badLink is shown for each link that is of no use, whatever the reason.
var badLink = linkPage{
	Tab: "Link not valid", Title: "This link is not valid, or has expired.",
	Words: []string{
		"Nothing was changed. Links in mails of Keypool are good for 7 days, and only as a whole: some mail programs cut long addresses.",
		"What is on hold stays so until somebody decides. The API lists it, GET /v1/held, and shows the brake, GET /v1/review.",
	},
}

func writeLink(w http.ResponseWriter, status int, page linkPage) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", linkPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	io.WriteString(w, page.html())
}

// maxForm is more than the page's form has.
const maxForm = 1 << 10

// readForm returns the values of a form, none if it is not the page's.
func readForm(r *http.Request) url.Values {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if r.ParseForm() != nil {
		return nil
	}
	return r.PostForm
}

// wordsOf says what a link would do, or what it did.
func wordsOf(p review.Page) linkPage {
	out := linkPage{Merchant: p.Title, Seen: strconv.FormatInt(p.At.UnixMilli(), 10), Version: p.Version}
	switch p.Link.Purpose {
	case link.Held:
		out.line(p)
	case link.HeldAll:
		out.all(p)
	default:
		out.brake(p)
	}
	if len(out.Buttons) > 0 {
		out.Foot = "Nothing happens until you press a button. The link is good until " + p.Link.Until.UTC().Format("2 January 2006, 15:04") + " UTC."
	}
	return out
}

const (
	onRelease = "Release: it gets its keys, in its old place in line, and the customer is mailed."
	onReject  = "Reject: it is given back and gets no key. To pay the customer back is yours to do, at the platform. The customer is not told."
)

func testMark(side pool.Side) string {
	if side == pool.Test {
		return " (a test)"
	}
	return ""
}

func (out *linkPage) line(p review.Page) {
	l := p.Line
	out.Facts = []linkFact{
		{"Order", l.Order + testMark(p.Side)},
		{"Product", cmp.Or(l.Title, l.Product)},
		{"Quantity", strconv.Itoa(l.Quantity)},
	}
	why := linkFact{"On hold because", says(l.Reasons)}
	out.Tab, out.Title = "Order on hold", "This order line is on hold."
	switch p.Outcome {
	case "", review.Changed:
		out.Badge = &linkBadge{"warn", "Please decide"}
		out.Facts = append(out.Facts, why)
		out.Words = []string{"No key was sent, and the customer was not told.", onRelease, onReject}
		if p.Outcome == review.Changed {
			out.Badge.Text, out.Title = "It has changed", "This order line has changed since you opened this page."
			out.Words = append([]string{"Nothing was done. Below is how it is now: please decide again."}, out.Words...)
		}
		out.Buttons = []linkButton{{string(review.Release), "Release it", ""}, {string(review.Reject), "Reject it", "stop"}}
		return
	case review.Done:
		out.Badge = &linkBadge{"calm", "Done"}
		out.Tab, out.Title = "Order released", "The order line is released."
		out.Words = []string{"It gets its keys as soon as it is its turn, and the customer is mailed."}
		if p.State == order.OnHold {
			out.Words = []string{"No rule holds it any more, but it stays on hold for another reason, and gets no key yet. The API releases it: POST /v1/orders/{order}/release, from a dispute only with disputes: true. One without a mail address comes off hold when its shop tells an address."}
		}
		if p.Verdict == review.Reject {
			out.Tab, out.Title = "Order rejected", "The order line is rejected."
			out.Words = []string{"It gets no key. To pay the customer back is yours to do, at the platform."}
		}
	case review.Already:
		out.Badge = &linkBadge{"calm", "Done before"}
		out.Tab, out.Title = "Done already", "This was done already: the order line is released."
		if p.Verdict == review.Reject {
			out.Title = "This was done already: the order line is rejected or given back."
		}
		out.Words = []string{"Nothing was changed now."}
	default:
		out.Badge = &linkBadge{"calm", "Decided before"}
		out.Tab, out.Title = "Nothing to decide", "There is nothing to decide about this order line any more."
		out.Words = []string{"It was released, rejected or given back since the mail was written. Nothing was changed now."}
	}
	out.Facts = append(out.Facts, linkFact{"It is now", states[p.State]})
	if p.State == order.OnHold {
		out.Facts = append(out.Facts, why)
	}
}

// states are the states of a line in words.
var states = map[order.State]string{
	order.Fulfilled: "holding its keys", order.Waiting: "waiting for keys", order.Unconnected: "waiting for its product to be connected",
	order.OnHold: "on hold", order.Returned: "given back, without keys", order.Expected: "not paid",
}

func says(reasons []order.Hold) string {
	var all []string
	for _, reason := range reasons {
		all = append(all, reason.Says())
	}
	return strings.Join(all, "; ")
}

func (out *linkPage) all(p review.Page) {
	on := "live orders"
	if p.Side == pool.Test {
		on = "test orders"
	}
	out.Tab = "Orders on hold"
	if p.Outcome == "" {
		out.Badge = &linkBadge{"warn", "Please decide"}
		out.Title = "These order lines of " + on + " are on hold."
		out.Words = []string{
			"No key was sent for them, and the customers were not told. A button decides all of them at once, but none that is put on hold after this page was shown. One that is on hold for another reason too stays so when it is released.",
			onRelease, onReject,
		}
		for _, l := range p.Held {
			out.Lines = append(out.Lines, linkFact{
				fmt.Sprintf("Order %s: %d × %s", l.Order, l.Quantity, cmp.Or(l.Title, l.Product)), "On hold because " + says(l.Reasons) + ".",
			})
		}
		if p.More {
			out.After = "And more, which the API lists: GET /v1/held" + map[pool.Side]string{pool.Test: "?test=true"}[p.Side] + ". The buttons decide those, too."
		}
		out.Buttons = allButtons
		return
	}
	out.Tab, out.Badge = "Nothing on hold", &linkBadge{"calm", "Done"}
	out.Title, out.Words = "There is nothing to decide any more.", []string{"Whatever rules held of " + on + " was released, rejected or given back. Nothing was changed now."}
	if p.Verdict == "" || p.Counts == (review.All{}) {
		return
	}
	did := map[review.Verdict]string{review.Release: "released", review.Reject: "rejected"}[p.Verdict]
	out.Tab = "Orders " + did
	out.Title = fmt.Sprintf("%d order lines are %s.", p.Counts.Done, did)
	if p.Counts.Done == 1 {
		out.Title = "1 order line is " + did + "."
	}
	out.Words = []string{"They get their keys as soon as it is their turn, and the customers are mailed."}
	if p.Verdict == review.Reject {
		out.Words = []string{"They get no key. To pay the customers back is yours to do, at the platform."}
	}
	if p.Counts.Held > 0 {
		out.Words = append(out.Words, fmt.Sprintf("%d of them stay on hold for another reason, such as a dispute, or that they were paid before their account delivers. The API shows each, and releases it: POST /v1/orders/{order}/release, from a dispute only with disputes: true. One without a mail address comes off hold when its shop tells an address.", p.Counts.Held))
	}
	if p.Counts.Left {
		out.Badge = &linkBadge{"warn", "There are more"}
		out.Words = append(out.Words, "There are more, which did not fit in at once: press again to go on.")
		out.Buttons = allButtons
	}
}

var allButtons = []linkButton{{string(review.Release), "Release all", ""}, {string(review.Reject), "Reject all", "stop"}}

func (out *linkPage) brake(p review.Page) {
	day, _ := time.Parse(time.DateOnly, p.Link.About)
	out.Facts = []linkFact{{"Sold on " + day.Format("2 January"), fmt.Sprintf("%d keys, by UTC", p.Sold)}}
	since := func(what string, at time.Time, by string) {
		if !at.IsZero() {
			out.Facts = append(out.Facts, linkFact{what, at.UTC().Format("2 January 2006, 15:04") + " UTC, by " + by})
		}
	}
	since("Brake set", p.Brake.SetAt, p.Brake.By)
	since("Taken off", p.Brake.ReleasedAt, p.Brake.ReleasedBy)
	sets := p.Link.Purpose == link.SetBrake
	switch {
	case p.Outcome == "" && sets:
		out.Tab, out.Title, out.Badge = "Set the brake", "Set the brake?", &linkBadge{"warn", "Please decide"}
		out.Words = []string{"New live orders are then put on hold and get no key, until you release or reject them. Keys that were sent are sent. You take the brake off when you have looked."}
		out.Buttons = []linkButton{{string(review.SetBrake), "Set the brake", "stop"}}
	case p.Outcome == "":
		out.Tab, out.Title, out.Badge = "Take the brake off", "Take the brake off?", &linkBadge{"warn", "Please decide"}
		out.Words = []string{"New orders then get their keys at once again. What the brake holds stays on hold until you release or reject it, one by one or all."}
		out.Buttons = []linkButton{{string(review.ReleaseBrake), "Take the brake off", ""}}
	case p.Outcome == review.Outdated:
		out.Tab, out.Title, out.Badge = "Nothing was changed", "The brake was set again on another day.", &linkBadge{"calm", "Outdated"}
		out.Words = []string{"This link is about an earlier time, and does not take it off. The API does: DELETE /v1/brake."}
	case sets:
		out.Tab, out.Title, out.Badge = "The brake is set", "The brake is set.", &linkBadge{"calm", "Done"}
		out.Words = []string{"New live orders are put on hold and get no key, 30 seconds later at the latest. To take it off: DELETE /v1/brake of the API."}
	default:
		out.Tab, out.Title, out.Badge = "The brake is off", "The brake is off.", &linkBadge{"calm", "Done"}
		out.Words = []string{"New orders get their keys at once. What was held stays on hold until you release or reject it: GET /v1/held of the API lists it."}
	}
	if p.Outcome == review.Already {
		out.Badge.Text = "Done before"
		if p.Verdict != "" {
			out.Words = append([]string{"It was done already, and nothing was changed now."}, out.Words...)
		}
	}
}
