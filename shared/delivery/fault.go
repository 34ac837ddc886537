package delivery

import (
	"context"
	"errors"
	"log/slog"
)

// Fault is whose fault it is that a mail was not sent, and so what becomes of it.
type Fault string

// The faults.
const (
	Refused Fault = "refused" // this mail alone: it fails, for good
	Trouble Fault = "trouble" // the account, the sender or a setting: it stays due, the operator must act
	Busy    Fault = "busy"    // too many at once: it is offered again, or stays due
	Passing Fault = "passing" // the moment: it stays due
	Unknown Fault = "unknown" // there was no answer: it may have gone out
)

// SendError says why a mail was not sent. It holds a code only: what SES writes
// beside it quotes addresses.
type SendError struct {
	Fault Fault
	Code  string
}

func (e *SendError) Error() string { return "not sent (" + string(e.Fault) + "): " + e.Code }

// faultOf sorts what kept a mail from being sent. What is not SES's answer (a
// table that could not be read, words that could not be written) kept it from
// leaving at all, so it is put off.
func faultOf(err error) *SendError {
	if sent, ok := errors.AsType[*SendError](err); ok {
		return sent
	}
	return &SendError{Fault: Passing, Code: "NotWritten"}
}

// stubborn is after how many tries what should have passed is for the operator
// to look at: half an hour.
const stubborn = 5

// tellFault logs, once, why a mail was not sent. What needs the operator is an
// error, which an alarm watches for: trouble, since no mail goes out until
// somebody acts, and what does not pass.
func tellFault(ctx context.Context, err error, tries int, about ...any) {
	fault := faultOf(err)
	about = append(about, "fault", string(fault.Fault), "code", fault.Code, "tries", tries)
	if _, answered := errors.AsType[*SendError](err); !answered {
		about = append(about, "error", err)
	}
	level := slog.LevelWarn
	if fault.Fault == Trouble || tries >= stubborn {
		level = slog.LevelError
	}
	slog.Log(ctx, level, "mail.refused", about...)
}
