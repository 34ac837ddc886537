package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/lifecycle"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// changes changes lines that were paid; see lifecycle.Lifecycle.
type changes interface {
	lineActs
	orderActs
	linkActs
	ResendTo(ctx context.Context, id order.LineID, email string, act lifecycle.Act) (order.Fulfillment, error)
	Cancel(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
	ReturnLine(ctx context.Context, r lifecycle.LineReturn) (order.Fulfillment, error)
	Replace(ctx context.Context, id order.LineID, key pool.KeyID, act lifecycle.Act) (order.Fulfillment, error)
}

// lineActs are the acts that say no more than which lines.
type lineActs interface {
	Hold(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
	Release(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
	Resend(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
	Reject(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
}

// orderActs are the acts on a whole order.
type orderActs interface {
	ReturnSeen(ctx context.Context, of order.Whole, r order.Return, seen ...order.LineVersion) ([]order.Fulfillment, error)
	ReleaseDisputed(ctx context.Context, of order.Whole, act lifecycle.Act, seen ...order.LineVersion) ([]order.Fulfillment, error)
}

// linkActs are the acts on the link of an order's page.
type linkActs interface {
	ReplaceLink(ctx context.Context, of order.Fulfillment, act lifecycle.Act) (order.Whole, error)
	RevokeLink(ctx context.Context, of order.Fulfillment, act lifecycle.Act) (order.Whole, error)
}

// Acted says how the lines of an order stand after an act.
type Acted struct {
	Order   string      `json:"order"`
	Account string      `json:"account"`
	Test    bool        `json:"test"`
	Lines   []ActedLine `json:"lines" nullable:"false"`
}

// ActedLine is a line that an act was about.
type ActedLine struct {
	ID      string `json:"id" doc:"Keypool's name for the line."`
	Line    string `json:"line"`
	Product string `json:"product"`
	State   string `json:"state" enum:"fulfilled,waiting,unconnected,on_hold,returned,expected"`
	Version int    `json:"version" doc:"Of the line as it is now: see versions of an act."`
	Done    bool   `json:"done" doc:"false: its state does not allow it, and it is left as it is."`
	Detail  string `json:"detail,omitempty" doc:"Of a line in dispute, or without a mail address: how it comes off hold. Of one that was not erased: why."`
}

var sampleActed = Acted{Order: "A-1001", Account: "shop-eu", Lines: []ActedLine{
	{ID: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Line: "1", Product: "4711", State: string(order.Returned), Version: 4, Done: true},
}}

// Reason is what the caller says of an act.
type Reason struct {
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Why, for the history of the lines." example:"the customer asked for it"`
}

// Seen are the versions of lines that the caller saw.
type Seen struct {
	Versions map[string]int `json:"versions,omitempty" maxProperties:"99" doc:"The version of each line that you saw, by line, as get-order or another act gave it. If one of them has changed since, nothing is done, and the answer is 409 with how it is now. A line that is left out is acted on whatever it has become. Lines are changed one after the other: where one changes while others are being acted on, the answer is 409 as well, and says which were done; a return of a whole order is decided for all of them at once, and so is what drops its disputes." example:"{\"1\": 3}"`
}

// LinesAct says which lines an act is about.
type LinesAct struct {
	Reason
	Seen
	Lines []string `json:"lines,omitempty" maxItems:"100" nullable:"false" doc:"Lines of the order, as the platform names them; all of them where left out."`
}

// ResendAct says which lines are mailed again, and whether to another address.
type ResendAct struct {
	LinesAct
	Email string `json:"email,omitempty" maxLength:"320" doc:"The customer's right address: it takes the place of the one that the lines have, for good. Where left out, or the one that they have already, the mails go there." example:"ada@example.com"`
}

// Resolve refuses what is no mail address.
func (in *ResendAct) Resolve(huma.Context) []error {
	if in.Email == "" || mailaddress.Valid(in.Email) {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "body.email", Message: "is no address that mail can be sent to: give one alone, such as ada@example.com, without a name or blanks"}}
}

// ReleaseAct says which lines are released, and whether from disputes too.
type ReleaseAct struct {
	LinesAct
	Disputes bool `json:"disputes,omitempty" doc:"true: drop the disputes of the order that are open now, and release all of its lines, from whatever else holds them too; lines cannot be named then. The customer gets the keys although the money may go back. Where the platform says later that a dispute was lost, the order is given back then; one that it opens later holds the order again."`
}

// ReturnAct says what is given back.
type ReturnAct struct {
	Reason
	Seen
	Lines []ReturnedUnits `json:"lines,omitempty" maxItems:"100" nullable:"false" doc:"What is given back; everything that is left of the order where left out."`
	Keys  string          `json:"keys,omitempty" enum:"revoke,restock,keep" doc:"What becomes of the keys; what the product's settings say where left out."`
	// Refund makes a repeat harmless.
	Refund string `json:"refund,omitempty" maxLength:"128" doc:"An id of the return: the platform's refund, or one of your own, such as a ticket's number. The same id again gives nothing back, whatever versions says, so that a call whose answer was lost is safe to repeat. By the platform's id you decide what a refund is of that you were asked about; without lines, everything that is left of the order. One that failed is 409. Needed where units are named: two units and then two again are otherwise one call that was sent twice." example:"RMA-17"`
}

// ReturnedUnits are units of one line.
type ReturnedUnits struct {
	Line  string `json:"line" maxLength:"128"`
	Units int    `json:"units,omitempty" minimum:"1" maximum:"10000" doc:"All that are left where left out."`
}

// ReplaceAct names the key that is replaced.
type ReplaceAct struct {
	Reason
	Seen
	Line  string `json:"line" maxLength:"128" doc:"The line, as the platform names it."`
	KeyID string `json:"key_id" maxLength:"256" doc:"One of the line's key_ids. The same one again replaces nothing, so a repeat is harmless."`
}

var (
	sampleLines   = LinesAct{Reason: Reason{"the customer asked for it"}, Lines: []string{"1"}}
	sampleResend  = ResendAct{LinesAct: LinesAct{Reason: Reason{"she had mistyped it"}}, Email: "ada@example.com"}
	sampleRelease = ReleaseAct{LinesAct: LinesAct{Reason: Reason{"the bank closed it in March"}, Seen: Seen{map[string]int{"1": 3}}}, Disputes: true}
	sampleReturn  = ReturnAct{
		Reason: Reason{"does not run"}, Lines: []ReturnedUnits{{Line: "1", Units: 1}},
		Keys: string(order.Revoke), Refund: "RMA-17",
	}
	sampleReplace = ReplaceAct{Reason: Reason{"does not work"}, Line: "1", KeyID: "acme#live#9hXk3N1cQ0o8s2Yw5b7T4u6R"}
)

// act is a request about the lines of one order.
type act[B any] struct {
	number string
	which  WhichOrder
	body   B
}

type actByPath[B any] struct {
	OrderPath
	Body B
}

type actByQuery[B any] struct {
	OrderQuery
	Body B
}

// addAct adds an act, by an order in the path and by one in the query.
func addAct[B any](to *rest.API, id, verb, summary, description string, sample B, do func(context.Context, act[B]) (*rest.Body[Acted], error), errors ...int) {
	const several = " Several orders of the number (of two accounts, or a paid one and a test) are 409, and errors names them: say which is meant by account and test."
	rest.Register(to, huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: "/v1/orders/{order}/" + verb, Tags: []string{"Orders"},
		Summary: summary, Description: description + several,
		Errors: append([]int{404, 409}, errors...), RequestBody: rest.Request(sample), Responses: to.Responses(sampleActed, 200),
	}, func(ctx context.Context, in *actByPath[B]) (*rest.Body[Acted], error) {
		return do(ctx, act[B]{in.Order, in.WhichOrder, in.Body})
	})
	rest.Register(to, huma.Operation{
		OperationID: id + "-by-query", Method: http.MethodPost, Path: "/v1/orders/" + verb, Tags: []string{"Orders"},
		Summary: summary + " (order in the query)", Description: description + several,
		Errors: append([]int{404, 409}, errors...), RequestBody: rest.Request(sample), Responses: to.Responses(sampleActed, 200),
	}, func(ctx context.Context, in *actByQuery[B]) (*rest.Body[Acted], error) {
		return do(ctx, act[B]{in.Order, in.WhichOrder, in.Body})
	})
}

func (a *api) addActs(to *rest.API) {
	addAct(to, "return-order", "return", "Give an order back, or parts of it",
		"The keys of what is given back are revoked, for sale again, or left to the customer, as keys or the settings say; what waits is not delivered any more. A return of everything holds for lines that the platform reports as paid only later, too: they wait on hold. Nothing is paid back: that is the platform's. If you pay units back there after you returned them here under an id of your own, the platform's refund takes no keys for as many units of that line again: the history says refund-matched, and you are told by mail, with what to do if it was for further ones. The customer is not told.", sampleReturn, a.returnOrder)
	addAct(to, "hold-order", "hold", "Put lines of an order on hold",
		"They get no key and no mail until they are released. A mail that is under way goes out.", sampleLines, a.linesAct(changes.Hold))
	addAct(to, "release-order", "release", "Release lines of an order from hold",
		"Whatever held them, but for disputes, which end when the platform says so, and a missing mail address. Where a dispute never ends, disputes drops it. The lines get their keys, in their old place of the queue, and their mail.", sampleRelease, a.releaseOrder)
	addAct(to, "reject-order", "reject", "Reject lines of an order that rules hold",
		"Lines that a rule of review or the brake holds are given back, without a key. Others stay as they are: return-order gives those back. Nothing is paid back: that is the platform's. The customer is not told.", sampleLines, a.linesAct(changes.Reject))
	addAct(to, "resend-order", "resend", "Mail the keys of an order again",
		"To the address that the lines have. A mail that is due or under way is enough.\n\nWith email, that address is corrected first: of the lines you name, or of the order. The keys go to the new one, and so does every mail from then on; of a line that waits, its keys when they come. You are told by mail, and so is the former address, unless the last mail came back from there; it does not learn the new one. The history says who corrected it. The order's platform may go on naming the former address: it stays the same order. Lines on hold, in dispute or given back are left as they are. The role support corrects no address: its mails go to the one that paid.\n\nThe address of an order can be corrected 3 times an hour, and 30 times an hour all orders together: 429 then, and Retry-After says when the hour ends. Ten times is the most of an order: 409.", sampleResend, a.resendOrder, 429)
	addAct(to, "erase-order", "erase", "Erase what is kept of an order's customer", erases+leaves+"The answer says done: false of it, and why. A line that was erased before stays so.", EraseAct{Seen: Seen{map[string]int{"1": 3}}}, a.eraseOrder)
	addAct(to, "replace-key", "replace", "Replace a key of a line",
		"The line gets another key of its pool, the former one is revoked, and its keys are mailed again. 409 if the pool has no key left, or the line is not fulfilled.", sampleReplace, a.replaceKey)
}

func (a *api) returnOrder(ctx context.Context, in act[ReturnAct]) (*rest.Body[Acted], error) {
	if len(in.body.Lines) == 0 {
		return a.returnWhole(ctx, in)
	}
	units := map[string]int{}
	var named []string
	for i, line := range in.body.Lines {
		if line.Units > 0 && in.body.Refund == "" {
			return nil, mistake("refund", "is needed because you name units: give this return an id, such as a ticket's number. The same call sent twice then gives them back once")
		}
		if slices.Contains(named, line.Line) {
			return nil, twice(fmt.Sprintf("lines[%d].line", i))
		}
		units[line.Line] = line.Units
		named = append(named, line.Line)
	}
	return a.actOn(ctx, in.number, in.which, aboutLines{in.body.Reason, in.body.Seen, named}, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return a.changes.ReturnLine(ctx, lifecycle.LineReturn{
			Identity: line.Identity(),
			Account:  line.Account, Refund: in.body.Refund, Units: units[line.Line],
			Act: act, ByHand: true, KeysBack: order.Disposition(in.body.Keys),
		})
	})
}

// releaseOrder releases lines; all lines of an order from its disputes only where the caller
// says so.
func (a *api) releaseOrder(ctx context.Context, in act[ReleaseAct]) (*rest.Body[Acted], error) {
	if !in.body.Disputes {
		return a.linesAct(changes.Release)(ctx, act[LinesAct]{in.number, in.which, in.body.LinesAct})
	}
	if len(in.body.Lines) > 0 {
		return nil, mistake("lines", "leave lines out where disputes is true: a dispute holds the whole order, and all of its lines are released together")
	}
	return a.actOnWhole(ctx, in.number, in.which, in.body.Seen, func(lines []order.Fulfillment, of order.Whole, seen []order.LineVersion) ([]order.Fulfillment, error) {
		return a.changes.ReleaseDisputed(ctx, of, actOf(ctx, in.body.Reason.Reason), seen...)
	}, func(line order.Fulfillment) bool { return line.State() != order.OnHold })
}

// twice returns the mistake of a call that names a line twice.
func twice(path string) error {
	return mistake(path, "names a line that was named before: name each line once")
}

// returnWhole gives back all that is left of an order, also of lines that are reported as
// paid only later.
func (a *api) returnWhole(ctx context.Context, in act[ReturnAct]) (*rest.Body[Acted], error) {
	act := actOf(ctx, in.body.Reason.Reason)
	return a.actOnWhole(ctx, in.number, in.which, in.body.Seen, func(lines []order.Fulfillment, of order.Whole, seen []order.LineVersion) ([]order.Fulfillment, error) {
		return a.changes.ReturnSeen(ctx, of, order.Return{
			ID: cmp.Or(in.body.Refund, order.ReturnByHand(lines)), By: act.By, Why: act.Why, KeysBack: order.Disposition(in.body.Keys),
		}, seen...)
	}, func(line order.Fulfillment) bool { return line.ReturnedAll })
}

// actOnWhole does something to the whole of the one order that is meant.
func (a *api) actOnWhole(ctx context.Context, number string, which WhichOrder, as Seen, do func(lines []order.Fulfillment, of order.Whole, seen []order.LineVersion) ([]order.Fulfillment, error), done func(order.Fulfillment) bool) (*rest.Body[Acted], error) {
	lines, err := a.findOne(ctx, number, which)
	if err != nil {
		return nil, err
	}
	seen, err := as.of(lines)
	if err != nil {
		return nil, err
	}
	first := lines[0]
	of := order.Whole{ID: first.ID.OrderHalf(), Merchant: first.Merchant, Side: first.Side, Account: first.Account, Order: first.Order}
	if lines, err = do(lines, of, seen); err != nil {
		return nil, err
	}
	out := newActed(number, first)
	for _, line := range lines {
		out.Lines = append(out.Lines, newActedLine(line, done(line)))
	}
	return &rest.Body[Acted]{Body: out}, nil
}

// linesAct returns the operation of an act that says no more than which lines.
func (a *api) linesAct(do func(changes, context.Context, order.LineID, lifecycle.Act) (order.Fulfillment, error)) func(context.Context, act[LinesAct]) (*rest.Body[Acted], error) {
	return func(ctx context.Context, in act[LinesAct]) (*rest.Body[Acted], error) {
		return a.actOnLines(ctx, in, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
			return do(a.changes, ctx, line.ID, act)
		})
	}
}

// resendOrder mails lines again, to another address where the caller says so.
func (a *api) resendOrder(ctx context.Context, in act[ResendAct]) (*rest.Body[Acted], error) {
	if in.body.Email != "" {
		if err := access.From(ctx).MayCorrectAddress(); err != nil {
			return nil, err
		}
	}
	return a.actOnLines(ctx, act[LinesAct]{in.number, in.which, in.body.LinesAct}, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		if in.body.Email != "" {
			return a.changes.ResendTo(ctx, line.ID, in.body.Email, act)
		}
		return a.changes.Resend(ctx, line.ID, act)
	})
}

func (a *api) actOnLines(ctx context.Context, in act[LinesAct], do func(order.Fulfillment, lifecycle.Act) (order.Fulfillment, error)) (*rest.Body[Acted], error) {
	for i, line := range in.body.Lines {
		if slices.Contains(in.body.Lines[:i], line) {
			return nil, twice(fmt.Sprintf("lines[%d]", i))
		}
	}
	return a.actOn(ctx, in.number, in.which, aboutLines{in.body.Reason, in.body.Seen, in.body.Lines}, do)
}

func (a *api) replaceKey(ctx context.Context, in act[ReplaceAct]) (*rest.Body[Acted], error) {
	if in.body.Line == "" || in.body.KeyID == "" {
		return nil, mistake("key_id", "name the line and one of its key_ids")
	}
	var refused error
	out, err := a.actOn(ctx, in.number, in.which, aboutLines{in.body.Reason, in.body.Seen, []string{in.body.Line}}, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		got, err := a.changes.Replace(ctx, line.ID, pool.KeyID(in.body.KeyID), act)
		if errors.Is(err, order.ErrState) {
			refused = err
		}
		return got, err
	})
	if err == nil {
		err = refused
	}
	return out, err
}

// aboutLines is what an act says of lines: why, as which they were seen, and which they are.
type aboutLines struct {
	reason Reason
	seen   Seen
	named  []string // none: all of the order
}

// actOn does something to lines of the one order that is meant, one after the other, to
// all of them where none is named. Lines whose state does not allow it are left.
func (a *api) actOn(ctx context.Context, number string, which WhichOrder, what aboutLines, do func(order.Fulfillment, lifecycle.Act) (order.Fulfillment, error)) (*rest.Body[Acted], error) {
	lines, err := a.findOne(ctx, number, which)
	if err != nil {
		return nil, err
	}
	first := lines[0]
	if len(what.named) > 0 {
		all := lines
		if lines, err = namedOf(all, what.named); err != nil {
			return nil, err
		}
	}
	seen, err := what.seen.of(lines)
	if err != nil {
		return nil, err
	}
	out := newActed(number, first)
	now, refused, err := lifecycle.OnEach(lines, seen, actOf(ctx, what.reason.Reason), do)
	for i, line := range now {
		out.Lines = append(out.Lines, newActedLine(line, !refused[i]))
	}
	return &rest.Body[Acted]{Body: out}, err
}

func newActed(number string, of order.Fulfillment) Acted {
	return Acted{Order: number, Account: of.Account, Test: of.Side == pool.Test, Lines: []ActedLine{}}
}

func newActedLine(line order.Fulfillment, done bool) ActedLine {
	acted := ActedLine{ID: string(line.ID), Line: line.Line, Product: line.Product, State: string(line.State()), Version: line.Version, Done: done}
	if !line.ErasedAt.IsZero() {
		acted.Detail = "Its customer was erased: there is nobody to mail it to."
	} else if line.LacksAddress() {
		acted.Detail = mend(line)
	}
	if line.InDispute() {
		acted.Detail = mend(line)
	}
	return acted
}

// namedOf returns the lines of those names, in the order of the lines. Its error is
// order.ErrNoLine if there is none of a name.
func namedOf(lines []order.Fulfillment, names []string) ([]order.Fulfillment, error) {
	var found []order.Fulfillment
	for _, line := range lines {
		if slices.Contains(names, line.Line) {
			found = append(found, line)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(l order.Fulfillment) bool { return l.Line == name }) {
			return nil, order.ErrNoLine
		}
	}
	return found, nil
}

// of returns the versions of lines that an act is about, as the caller saw them.
func (s Seen) of(lines []order.Fulfillment) ([]order.LineVersion, error) {
	var seen []order.LineVersion
	wrong := &settings.InvalidError{}
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		i := slices.IndexFunc(lines, func(l order.Fulfillment) bool { return l.Line == name })
		switch path := "versions." + name; {
		case i < 0:
			wrong.Problems = append(wrong.Problems, settings.Problem{Path: path, Message: "the order has no such line, or the call is not about it"})
		case s.Versions[name] < 1:
			wrong.Problems = append(wrong.Problems, settings.Problem{Path: path, Message: "is not a version: the first is 1"})
		default:
			seen = append(seen, order.LineVersion{Line: lines[i].ID, Version: s.Versions[name]})
		}
	}
	if len(wrong.Problems) > 0 {
		return nil, wrong
	}
	return seen, nil
}

// actOf says who acts, and why.
func actOf(ctx context.Context, why string) lifecycle.Act {
	by := access.From(ctx).Name
	if by == "" {
		by = "api"
	}
	return lifecycle.Act{By: by, Why: why}
}
