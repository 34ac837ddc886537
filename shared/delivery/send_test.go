package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"keypool/shared/mail"
)

// TestLogFault holds which faults the alarm sees: those that nobody but the
// operator can end.
func TestLogFault(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, c := range []struct {
		err   error
		tries int
		want  string
	}{
		{&mail.SendError{Fault: mail.Permanent, Code: "MessageRejected"}, 0, "WARN"},
		{&mail.SendError{Fault: mail.Temporary, Code: "ThrottlingException"}, 4, "WARN"},
		{&mail.SendError{Fault: mail.Temporary, Code: "ThrottlingException"}, 5, "ERROR"},
		{&mail.SendError{Fault: mail.AccountFault, Code: "SendingPausedException"}, 0, "ERROR"},
		{&mail.SendError{Fault: mail.Unknown, Code: "NoAnswer"}, 0, "WARN"},
		{errors.New("read the merchant: throttled"), 0, "WARN"},
	} {
		logged.Reset()
		logFault(context.Background(), c.err, c.tries, "line", "x")
		if got := logged.String(); !strings.Contains(got, `"level":"`+c.want+`"`) || !strings.Contains(got, `"code":"`+faultOf(c.err).Code+`"`) {
			t.Errorf("%v after %d tries, want %s: %s", c.err, c.tries, c.want, got)
		}
	}
}
