package delivery

import (
	"context"
	"errors"
	"log/slog"

	"keypool/shared/mail"
)

// faultOf sorts what kept a mail from being sent. What is not SES's answer (a
// table that could not be read, words that could not be written) kept it from
// leaving at all, so it is put off.
func faultOf(err error) *mail.SendError {
	if sent, ok := errors.AsType[*mail.SendError](err); ok {
		return sent
	}
	return &mail.SendError{Fault: mail.Temporary, Code: "NotWritten"}
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
	if _, answered := errors.AsType[*mail.SendError](err); !answered {
		about = append(about, "error", err)
	}
	level := slog.LevelWarn
	if fault.Fault == mail.AccountFault || tries >= stubborn {
		level = slog.LevelError
	}
	slog.Log(ctx, level, "mail.refused", about...)
}
