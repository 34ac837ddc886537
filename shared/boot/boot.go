// Package boot starts a Lambda function: log, settings, AWS configuration, and
// then the handler. Every main function is a call of Run.
//
// # Decisions
//
// The packages that speak an AWS service hold a function for each operation that they call,
// and not the client. The portal's pages are templates, which call methods by name: the
// linker then keeps every exported method of every type that an interface may lead to. With
// the clients in structs, the portal's zip held all 370 operations of five services, 0.5 MB
// more than the few that are called. S3's client is there as a whole even so, since its own
// package puts it into an interface, and is half of the 1.4 MB that the portal's zip
// has too much. A text/template without calls of methods, put in place by go build's -overlay,
// would mend it, but pages would no longer be tested by the program that shows them. An S3
// client of our own would, too: five calls, for a few milliseconds of each cold start.
//
// Since autumn 2026 the SDK's releases of a service describe each of its shapes by variables that
// are set while the program starts, also those of calls that nobody makes: 6,400 allocations
// for SES, KMS and SQS, a fourth of the portal's start. For these three, whose calls are few, go.mod
// names the last releases before that; the portal's zip is 0.3 MB larger for it. DynamoDB's is a
// later one: it costs a start as much as SES's, but a claim makes 1,806 allocations, not 2,521.
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
