// Package boot starts a Lambda function: log, settings, AWS configuration, and
// then the handler. Every main function is a call of Run.
package boot

import (
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"keypool/shared/config"
)

// Run wires a function and serves its events until the process is stopped.
//
// Wire reads the function's settings from env and returns its handler, any function
// that lambda.Start takes. It does no I/O. If a setting is wrong, the process ends
// before the first event, with every problem in one message.
//
// Run sets the garbage collector and the memory limit before it calls wire, so a
// function that needs others sets them there.
func Run(name string, wire func(env *config.Env, cfg aws.Config) any) {
	tuneMemory()
	log := newLog(os.Stderr, name)
	slog.SetDefault(log)

	cfg, err := Config()
	if err != nil {
		log.Error("function.misconfigured", "error", err)
		os.Exit(1)
	}
	env := config.FromEnvironment()
	handler := wire(env, cfg)
	if err := env.Err(); err != nil {
		log.Error("function.misconfigured", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

// newLog returns the log of a function: one JSON object a line. The message of
// slog is the stable name of an event ("order.claimed") and stands under "event".
func newLog(to io.Writer, function string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.MessageKey {
				a.Key = "event"
			}
			return a
		},
	})).With("function", function)
}

// tuneMemory suits a function that makes much garbage and keeps little: at Go's
// usual rate, a sixth of a claim's processor time goes into collecting it. The
// limit keeps Lambda from killing a function for garbage that nobody collected.
func tuneMemory() {
	debug.SetGCPercent(400)
	if mib, err := strconv.ParseInt(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 64); err == nil {
		debug.SetMemoryLimit(mib << 20 * 3 / 4)
	}
}
