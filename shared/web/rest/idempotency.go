package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"keypool/shared/access"
	"keypool/shared/idempotency"
)

var longestKey = idempotency.MaxKey

// keyParameter describes the header of calls that are not idempotent by themselves.
var keyParameter = &huma.Param{
	Name: idempotency.Header, In: "header", Example: "8e03978e-40d5-43ec-bc93-6894a57f9324",
	Description: "A word of your own for this call, such as a UUID, which makes it safe to repeat for 24 hours: the same call with the same word is made once, and answered as the first was, with the header Idempotency-Replayed: true. Another call with that word is 422, the same one while the first is being made 409. What failed may be sent again with the same word. A word is known for the token that sent it.",
	Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &longestKey, Pattern: "^[!-~]+$"},
}

var one = 1

// keyedCall is a call with an Idempotency-Key on its way through once, which reads its key,
// and made, which begins it where its form is right.
type keyedCall struct {
	idempotency.Call
	begun bool                // by this request
	again *idempotency.Answer // of the call that was made before
}

type keyedCallKey struct{}

// once makes a call with an Idempotency-Key once: see package idempotency.
func (a *API) once(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	repeat := idempotency.Posts[op.OperationID]
	r, w := humago.Unwrap(ctx)
	if !repeat.Keyed() || len(r.Header.Values(idempotency.Header)) == 0 {
		next(ctx)
		return
	}
	key, err := readKey(r)
	if err != nil {
		refuse(ctx, err)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(ctx, err)
		return
	}
	by := access.From(ctx.Context())
	call := &keyedCall{Call: idempotency.NewCall(by.ID, key, op.OperationID, r.URL.Path, r.URL.RawQuery, string(body))}
	r = r.WithContext(context.WithValue(idempotency.With(ctx.Context(), call.Call), keyedCallKey{}, call))
	r.Body = io.NopCloser(bytes.NewReader(body))
	held := &heldAnswer{header: http.Header{}}
	next(humago.NewContext(op, r, held))
	answer := held.answer()
	switch {
	case call.again != nil:
		answer = *call.again
		answer.Headers["Idempotency-Replayed"] = "true"
	case call.begun:
		if err := a.config.Idempotency.End(ctx.Context(), call.Call, answer, repeat == idempotency.RepeatsSecret); err != nil {
			slog.ErrorContext(ctx.Context(), "call.not_kept", "operation", op.OperationID, "error", err)
		}
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.Status)
	w.Write(answer.Body)
}

// begin begins a call of an operation, if it has a key. It returns errMade if the call was
// made before.
func (a *API) begin(ctx context.Context) error {
	call, ok := ctx.Value(keyedCallKey{}).(*keyedCall)
	if !ok {
		return nil
	}
	begun, done, err := a.config.Idempotency.Begin(ctx, call.Call)
	switch {
	case err != nil:
		return err
	case done:
		call.again = &begun.Answer
		return errMade
	}
	call.Call, call.begun = begun, true
	return nil
}

// errMade ends a call whose answer is there: once answers it.
var errMade = errors.New("the call was made before")

// readKey returns the key of a call: a word, which may stand in quotes, as a string of
// RFC 9651 does.
func readKey(r *http.Request) (string, error) {
	key := strings.Join(r.Header.Values(idempotency.Header), ",")
	if inner, ok := strings.CutPrefix(key, `"`); ok {
		key, _ = strings.CutSuffix(inner, `"`)
	}
	if key == "" || len(key) > idempotency.MaxKey || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return "", ErrKey
	}
	return key, nil
}

// heldAnswer holds an answer until it is known which one is given.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) { h.status = cmp.Or(h.status, status) }

func (h *heldAnswer) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *heldAnswer) answer() idempotency.Answer {
	a := idempotency.Answer{Status: cmp.Or(h.status, http.StatusOK), Headers: map[string]string{}, Body: h.body.Bytes()}
	for name := range h.header {
		a.Headers[name] = h.header.Get(name)
	}
	return a
}
