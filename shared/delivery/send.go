package delivery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"keypool/shared/mail"
)

const (
	// sendFor is the time that SES may take for one mail.
	sendFor = 20 * time.Second

	// markTries bounds how often the store is asked to mark a mail. The waits between
	// the tries fit in reserve.
	markTries = 5

	// offers bounds how often one mailer offers a mail to an SES that throttles.
	offers = 12

	// alarmTries is the number of tries, half an hour of them, after which a failure
	// rings the operator's alarm.
	alarmTries = 5
)

// send hands a mail to a customer over. A mail that SES throttles is offered again,
// slower, while there is time: to mark it for a later try would cost writes, and a minute.
func (m *Mailer) send(ctx context.Context, made mail.Message) (string, error) {
	return m.offerAgain(ctx, made, m.limiter.wait, offers)
}

// sendNotice hands a notice over when no mail to a customer waits to be offered. While
// SES throttles, notices are tried later: all processes share SES's quota, and another
// may have customers' mails to offer.
func (m *Mailer) sendNotice(ctx context.Context, made mail.Message) (string, error) {
	return m.offerAgain(ctx, made, m.limiter.waitBehind, 1)
}

func (m *Mailer) offerAgain(ctx context.Context, made mail.Message, wait func(context.Context) (time.Time, bool), offers int) (string, error) {
	throttled := &mail.SendError{Fault: mail.Throttled, Code: "RateLimited"}
	for range offers {
		offered, ok := wait(ctx)
		if !ok {
			break
		}
		messageID, err := m.offer(ctx, made)
		if err == nil {
			m.limiter.succeeded()
			return messageID, nil
		}
		refused, answered := errors.AsType[*mail.SendError](err)
		if !answered || refused.Fault != mail.Throttled {
			return "", err
		}
		throttled = refused
		m.limiter.throttled(ctx, offered)
	}
	return "", throttled
}

func (m *Mailer) offer(ctx context.Context, made mail.Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	return m.MailSender.Send(ctx, made)
}

// faultOf returns the fault that kept a mail from being sent. An error that is not
// SES's answer kept the mail from leaving at all: settings that could not be read,
// for example. Such a mail is tried later.
func faultOf(err error) *mail.SendError {
	if sent, ok := errors.AsType[*mail.SendError](err); ok {
		return sent
	}
	return &mail.SendError{Fault: mail.Temporary, Code: "NotWritten"}
}

// logFault logs, once, why a mail was not sent. It is an error, which rings an
// alarm, if the operator has to act: for a fault of the account no mail goes out,
// and a temporary fault should have passed after some tries.
func logFault(ctx context.Context, err error, tries int, about ...any) {
	fault := faultOf(err)
	about = append(about, "fault", string(fault.Fault), "code", fault.Code, "tries", tries)
	if _, answered := errors.AsType[*mail.SendError](err); !answered {
		about = append(about, "error", err)
	}
	level := slog.LevelWarn
	if fault.Fault == mail.AccountFault || tries >= alarmTries {
		level = slog.LevelError
	}
	slog.Log(ctx, level, "mail.not_sent", about...)
}
