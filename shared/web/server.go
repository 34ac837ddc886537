// Package web lets a function serve HTTP: it turns an event of API Gateway (HTTP
// API, payload format 2.0) into a request of net/http, and the handler's response
// into the gateway's.
//
//	server := web.Server{Handler: router}
//	lambda.Start(server.Serve)
//
// Every failure that is not the handler's own answer is a problem: an unknown path, a panic.
// A body may have what Lambda accepts, some 6 MB; a handler that takes less says so itself.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/problem"
)

// Server serves the gateway's events by a handler of net/http.
type Server struct {
	Handler http.Handler

	// LogAnswers logs the route and the status of each answer. A function that logs
	// the outcome of its requests itself does without: log lines cost money.
	LogAnswers bool
}

// reserve is the part of an invocation's time that is kept for the response.
const reserve = time.Second

// Serve answers one request. The handler's context ends one second before the
// invocation does. Serve never returns an error: a panic is answered 500, and
// logged by its type and stack, since its value may hold a secret.
func (s Server) Serve(ctx context.Context, event events.APIGatewayV2HTTPRequest) (response events.APIGatewayV2HTTPResponse, _ error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	w, r := s.recorder(), newRequest(ctx, event)
	if refused := setBody(r, event); refused != nil {
		refused.Write(w, r)
		return w.response(r), nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			slog.ErrorContext(ctx, "request.panicked", "route", r.Pattern, "cause", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			w = s.recorder()
			problem.Internal.Write(w, r)
			response = w.response(r)
		}
	}()
	s.Handler.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	if s.LogAnswers {
		slog.InfoContext(ctx, "request.answered", "route", r.Pattern, "status", w.status)
	}
	return w.response(r), nil
}

// recorder returns one for an answer, with the headers that each answer has: see Guard.
func (s Server) recorder() *recorder {
	w := newRecorder()
	if pages, ok := s.Handler.(guarded); ok {
		pages.head(w.Header())
	}
	return w
}
