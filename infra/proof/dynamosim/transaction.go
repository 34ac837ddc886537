package dynamosim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxTransaction is the most items of a transaction, maxTransactionSize its most
// bytes.
const (
	maxTransaction     = 100
	maxTransactionSize = 4 << 20
)

type transactWriteItem struct {
	Put            *put
	Update         *update
	Delete         *keyed
	ConditionCheck *keyed
}

func (in transactWriteItem) write(db *DB) (*write, error) {
	var (
		w   *write
		err = invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	)
	switch (transactWriteItem{}) {
	case transactWriteItem{Update: in.Update, Delete: in.Delete, ConditionCheck: in.ConditionCheck}:
		if in.Put != nil {
			w, err = in.Put.write(db)
		}
	case transactWriteItem{Put: in.Put, Delete: in.Delete, ConditionCheck: in.ConditionCheck}:
		w, err = in.Update.write(db)
	case transactWriteItem{Put: in.Put, Update: in.Update, ConditionCheck: in.ConditionCheck}:
		w, err = in.Delete.write(db, nil)
	case transactWriteItem{Put: in.Put, Update: in.Update, Delete: in.Delete}:
		if in.ConditionCheck.ConditionExpression == nil {
			return nil, invalid("The expression can not be empty; ConditionCheck")
		}
		if w, err = in.ConditionCheck.write(db, nil); w != nil {
			w.check = true
		}
	}
	return w, err
}

type transactWriteItems struct {
	TransactItems          []transactWriteItem
	ClientRequestToken     string
	ReturnConsumedCapacity string
}

func (in *transactWriteItems) table() string {
	if len(in.TransactItems) == 0 {
		return ""
	}
	switch first := in.TransactItems[0]; {
	case first.Put != nil:
		return first.Put.TableName
	case first.Update != nil:
		return first.Update.TableName
	case first.Delete != nil:
		return first.Delete.TableName
	case first.ConditionCheck != nil:
		return first.ConditionCheck.TableName
	default:
		return ""
	}
}

// token is a transaction with a client token.
type token struct {
	name    string
	content uint64
	at      time.Time
	done    bool
}

// tokenTime is the time for which tokens are remembered.
const tokenTime = 10 * time.Minute

// forget removes tokens that are too old.
func (db *DB) forget(now time.Time) {
	for len(db.recent) > 0 && now.Sub(db.recent[0].at) > tokenTime {
		if db.tokens[db.recent[0].name] == db.recent[0] {
			delete(db.tokens, db.recent[0].name)
		}
		db.recent = db.recent[1:]
	}
}

type transacted struct {
	ConsumedCapacity []*consumedCapacity `json:",omitempty"`
}

// transactWriteItems writes all items or none. Between check and write it holds its
// items and releases the lock.
func (db *DB) transactWriteItems(c *call, in *transactWriteItems) (any, error) {
	if n := len(in.TransactItems); n == 0 || n > maxTransaction {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: a transaction has 1 to %d items", maxTransaction)
	}
	if t := db.tokens[in.ClientRequestToken]; t != nil {
		switch {
		case t.content != c.content:
			return nil, &failure{status: http.StatusBadRequest, Code: "IdempotentParameterMismatchException", Message: "The request uses the same client token as a previous, but non-identical request"}
		case !t.done:
			return nil, errInProgress
		}
		return transacted{}, nil
	}
	writes := make([]*write, len(in.TransactItems))
	seen := map[string]bool{}
	for i, item := range in.TransactItems {
		w, err := item.write(db)
		if err != nil {
			return nil, err
		}
		if seen[w.name()] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[w.name()] = true
		writes[i] = w
	}

	outcomes, err := db.decide(c, writes)
	if err != nil {
		return nil, err
	}
	t := &token{name: in.ClientRequestToken, content: c.content, at: c.now}
	if t.name != "" {
		db.tokens[t.name] = t
		db.recent = append(db.recent, t)
	}
	if hold := db.options.TransactionTime(derive(c.chance, chanceOfHold)); hold > 0 {
		for _, w := range writes {
			db.held[w.name()] = true
		}
		db.pause(c, hold)
		for _, w := range writes {
			delete(db.held, w.name())
		}
	}
	t.done = true
	var out transacted
	used := map[*table]capacity{}
	var tables []*table
	for i, o := range outcomes {
		db.apply(c, i, o)
		if used[o.t] == nil {
			tables = append(tables, o.t)
		}
		used[o.t] = append(used[o.t], o.used...)
	}
	for _, t := range tables {
		if consumed := used[t].of(t, in.ReturnConsumedCapacity); consumed != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, consumed)
		}
	}
	return out, nil
}

// decide plans the writes of a transaction, or returns the cancellation reasons by
// position.
func (db *DB) decide(c *call, writes []*write) ([]*outcome, error) {
	outcomes := make([]*outcome, len(writes))
	reasons := make([]reason, len(writes))
	met := int(derive(c.chance, chanceOfPart) % uint64(len(writes)))
	cancelled, size := false, 0
	for i, w := range writes {
		var err error
		switch {
		case db.held[w.name()] || c.fate == Conflict && i == met:
			err = errConflict
		case c.fate == Throttled && i == met:
			err = errThrottled
		default:
			outcomes[i], err = db.plan(c.now, w, true)
		}
		reasons[i] = because(err)
		cancelled = cancelled || err != nil
		if outcomes[i] != nil && outcomes[i].after != nil {
			size += outcomes[i].after.size
		}
	}
	if size > maxTransactionSize {
		return nil, invalid("Transaction size cannot exceed %d bytes", maxTransactionSize)
	}
	if !cancelled {
		return outcomes, nil
	}
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
		if r.Code == "None" {
			db.consume(outcomes[i].used[:1]) // that of the table: the write was prepared
		} else {
			db.stats.Cancellations[r.Code]++
		}
	}
	return nil, &failure{
		status: http.StatusBadRequest, Code: "TransactionCanceledException", Reasons: reasons,
		Message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
	}
}

// because returns the cancellation reason of a write.
func because(err error) reason {
	var f *failure
	if !errors.As(err, &f) {
		return reason{Code: "None"}
	}
	r := reason{Code: f.Code, Message: f.Message, Item: f.Item}
	switch f.Code {
	case "ConditionalCheckFailedException":
		r.Code = "ConditionalCheckFailed"
	case errConflict.Code:
		r.Code = "TransactionConflict"
	case errThrottled.Code:
		r.Code = "ThrottlingError"
	case "ValidationException":
		r.Code = "ValidationError"
	}
	return r
}
