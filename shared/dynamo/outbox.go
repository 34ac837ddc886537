package dynamo

import (
	"keypool/shared/outbox"
)

// outboxItem is how an outbox entry stands on the item it belongs to.
type outboxItem struct {
	Mail        string `dynamodbav:"mail,omitempty"`
	MailKind    string `dynamodbav:"mailKind,omitempty"`
	MailNumber  int    `dynamodbav:"mailNumber,omitempty"`
	Tries       int    `dynamodbav:"tries,omitempty"`
	TryAt       int64  `dynamodbav:"tryAt,omitempty"`
	LeaseEndsAt int64  `dynamodbav:"leaseEndsAt,omitempty"`
	Due         string `dynamodbav:"due,omitempty"`
	DueAt       int64  `dynamodbav:"dueAt,omitempty"`
	MessageID   string `dynamodbav:"messageId,omitempty"`
	Code        string `dynamodbav:"code,omitempty"`
	FailedAt    int64  `dynamodbav:"failedAt,omitempty"`
	KeysOut     bool   `dynamodbav:"keysOut,omitempty"`
}

// newOutboxItem encodes the entry of the item called name, which decides where in
// the due index it stands.
func newOutboxItem(e outbox.Entry, name string) outboxItem {
	item := outboxItem{
		Mail:        string(e.State),
		MailKind:    string(e.Kind),
		MailNumber:  e.Number,
		Tries:       e.Tries,
		TryAt:       millis(e.TryAt),
		LeaseEndsAt: millis(e.LeaseEndsAt),
		DueAt:       millis(e.DueAt),
		MessageID:   e.MessageID,
		Code:        e.Code,
		FailedAt:    millis(e.FailedAt),
		KeysOut:     e.KeysOut,
	}
	if !e.DueAt.IsZero() {
		item.Due = duePartition(name)
	}
	return item
}

// addTo adds the entry to the item it belongs to: see fulfillmentItem.attrs.
func (i outboxItem) addTo(item attrs) {
	setText(item, "mail", i.Mail)
	setText(item, "mailKind", i.MailKind)
	setNumber(item, "mailNumber", i.MailNumber)
	setNumber(item, "tries", i.Tries)
	setNumber(item, "tryAt", i.TryAt)
	setNumber(item, "leaseEndsAt", i.LeaseEndsAt)
	setText(item, "due", i.Due)
	setNumber(item, "dueAt", i.DueAt)
	setText(item, "messageId", i.MessageID)
	setText(item, "code", i.Code)
	setNumber(item, "failedAt", i.FailedAt)
	setTrue(item, "keysOut", i.KeysOut)
}

func (i outboxItem) entry() outbox.Entry {
	return outbox.Entry{
		State:       outbox.State(i.Mail),
		Kind:        outbox.Kind(i.MailKind),
		Number:      i.MailNumber,
		Tries:       i.Tries,
		TryAt:       at(i.TryAt),
		LeaseEndsAt: at(i.LeaseEndsAt),
		DueAt:       at(i.DueAt),
		MessageID:   i.MessageID,
		Code:        i.Code,
		FailedAt:    at(i.FailedAt),
		KeysOut:     i.KeysOut,
	}
}
