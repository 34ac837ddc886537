// Package boot starts a Lambda function: log, settings, AWS configuration, and
// then the handler. It is all that the seven main functions share.
package boot

import (
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"keypool/shared/config"
)

// Run wires a function and serves its events until the process is stopped.
// Wire reads its settings from env and returns the handler, any function that
// lambda.Start takes; it does no I/O. If a setting is wrong, the process ends
// with every problem in one message, before the first event.
func Run(name string, wire func(env *config.Env, cfg aws.Config) any) {
	// A call leaves much garbage and little that lives: at the usual rate a sixth of
	// a claim's processor time goes into collecting it.
	debug.SetGCPercent(400)
	if mib, err := strconv.ParseInt(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 64); err == nil {
		debug.SetMemoryLimit(mib << 20 * 3 / 4) // where much lives, it is not killed for its garbage
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("function", name)
	slog.SetDefault(log)

	cfg, err := Config()
	if err != nil {
		log.Error("no AWS configuration", "error", err)
		os.Exit(1)
	}
	env := config.FromEnvironment()
	handler := wire(env, cfg)
	if err := env.Err(); err != nil {
		log.Error("not started", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
