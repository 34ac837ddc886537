package lifecycle

import (
	"context"
	"strconv"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// Corrections stores corrections of addresses.
type Corrections interface {
	// Correct writes the change of a line whose address is corrected, with notices that tell
	// of it, as Store.Commit does, and counts the correction. Its error is
	// *order.CorrectionLimitError, and nothing is written, if too many were counted in the
	// hour.
	Correct(ctx context.Context, change order.Change, is order.Correction, tell ...notice.Notice) error
}

// ResendTo corrects the address of a line, and mails its keys there. Of a line that waits,
// the news goes there that its keys will follow, and later the keys, as far as its customer
// has been written to. An address that the line's mails go to already is Resend's.
//
// A mail that a mailer has leased goes out to the former address; every later one goes to
// the corrected one. The merchant is told of it, and so is the former address, unless the last
// mail came back from there: what is sent to an address that takes no mail only harms the
// sender. It learns neither the keys nor the new address, which is nobody's business there:
// it may be a stranger's, by a typing error.
//
// Its errors are *order.CorrectionLimitError and order.ErrCorrections, and order.ErrState of a line
// that cannot be mailed: one on hold, in dispute or returned.
func (l *Lifecycle) ResendTo(ctx context.Context, id order.LineID, email string, act Act) (order.Fulfillment, error) {
	var tell []notice.Notice
	line, err := l.changeBy(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		tell = nil
		switch {
		case !line.ErasedAt.IsZero():
			return nil, order.ErrErased
		case line.Version == 0 || !line.Waits() && !line.Complete():
			return nil, refused(line)
		}
		if line.HasAddress(email) {
			return l.resend(line, act)
		}
		change, err := l.correct(ctx, line, email, act)
		if err == nil {
			tell = l.tellOf(*change, act)
		}
		return change, err
	}, func(ctx context.Context, change order.Change) error {
		if len(tell) == 0 {
			return l.Store.Commit(ctx, change)
		}
		return l.Corrections.Correct(ctx, change, order.CorrectionOf(change.After, l.Now()), tell...)
	})
	return line, wrap(err, "send the keys of line %s to another address", id)
}

func (l *Lifecycle) correct(ctx context.Context, line order.Fulfillment, email string, act Act) (*order.Change, error) {
	merchant, _, err := l.Settings.Merchant(ctx, line.Merchant)
	if err != nil {
		return nil, err
	}
	change := order.ChangeOf(line)
	if err := change.After.CorrectAddress(email, order.HashAddress(merchant.Salt, email)); err != nil {
		return nil, err
	}
	change.History = []order.History{l.note(line.ID, order.AddressCorrected, act)}
	kind := outbox.Keys
	if line.Waits() {
		kind = outbox.Delay
	}
	switch {
	case line.Mail.State == outbox.Due && line.Mail.Kind == kind:
		change.After.Mail = line.Mail.AtOnce(l.Now())
	case kind == outbox.Keys, line.Mail.State != outbox.None && line.Mail.Kind == kind:
		change.After.Mail = line.Mail.Next(kind, l.Now())
	}
	return &change, nil
}

// tellOf returns the notices of a correction: one to the merchant, and one to the address
// that the line had, unless its last mail came back from there. Those of the lines of an
// order that one act corrects are the same.
func (l *Lifecycle) tellOf(change order.Change, act Act) []notice.Notice {
	line, before := change.After, change.Before
	number := len(line.Former)
	key := line.ID.OrderHalf() + "#" + strconv.Itoa(number)
	facts := notice.Facts{Orders: []string{line.Order}, OrderID: line.ID.OrderHalf(), Side: line.Side, Account: line.Account, Count: 1}
	facts.Changed = []notice.Changed{{Name: line.Order, By: act.By, At: l.Now()}}
	if before.Mail.ReachedNobody() {
		facts.Cause = notice.CauseBounced
	}
	tell := []notice.Notice{notice.New(line.Merchant, notice.AddressMended, key, facts, l.Now())}
	if facts.Cause == "" {
		facts = notice.Facts{Line: string(line.ID), Former: number - 1}
		tell = append(tell, notice.New(line.Merchant, notice.KeysElsewhere, key, facts, l.Now()))
	}
	return tell
}
