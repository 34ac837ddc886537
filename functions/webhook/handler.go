package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"keypool/shared/callback"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// handler turns a payment platform's callback into claims.
type handler struct {
	keyring     verifier
	claims      claimer
	refusals    refusals
	products    products
	maxQuantity int
	now         func() time.Time
}

type verifier interface {
	Verify(ctx context.Context, merchant, account string, r callback.Request) (catalog.Account, error)
}

type claimer interface {
	Claim(ctx context.Context, paid order.Fulfillment) (order.Fulfillment, error)
}

// refusals keeps what was signed and still could not be taken.
type refusals interface {
	KeepRefused(ctx context.Context, r callback.Refused) error
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

type products interface {
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// spare is what is left of the invocation's time for the answer.
const spare = time.Second

// linesAtOnce bounds the claims of one order that are in flight together.
const linesAtOnce = 16

// handle answers a callback: verified before it is parsed, all of it checked
// before any of it is claimed, answered only after it is stored.
func (h *handler) handle(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-spare))
		defer cancel()
	}
	response, err := h.answer(ctx, r)
	if err != nil {
		response = problem(ctx, err)
	}
	return response, nil
}

func (h *handler) answer(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	body, err := bodyOf(r)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	merchant, name := r.PathParameters["merchant"], r.PathParameters["account"]
	account, err := h.keyring.Verify(ctx, merchant, name, callback.Request{
		Header: func(name string) string { return r.Headers[strings.ToLower(name)] },
		Body:   body,
	})
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}

	event, err := callback.Platforms[account.Platform].Decode(body)
	if err == nil && !event.Paid {
		return answer(http.StatusOK, reply{Ignored: true, Type: event.Type})
	}
	if err == nil {
		err = event.Check(h.maxQuantity)
	}
	var field *callback.FieldError
	if errors.As(err, &field) {
		return events.APIGatewayV2HTTPResponse{}, errors.Join(field, h.keep(ctx, account, body, field))
	}
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	return h.claimLines(ctx, account, event)
}

// claimLines claims for each line of a checked event, side by side. If one fails,
// the others stand; the platform's repeat completes the order.
func (h *handler) claimLines(ctx context.Context, account catalog.Account, event callback.Event) (events.APIGatewayV2HTTPResponse, error) {
	lines := make([]replyLine, len(event.Lines))
	failures := make([]error, len(event.Lines))
	var claims errgroup.Group
	claims.SetLimit(linesAtOnce)
	for i, line := range event.Lines {
		claims.Go(func() error {
			got, err := h.claims.Claim(ctx, paid(account, event, line))
			var changed *claim.ChangedError
			switch {
			case errors.As(err, &changed):
				err = errors.Join(err, h.tellChanged(ctx, account.Merchant, event.Order, changed))
			case err == nil && got.State() == order.Unconnected:
				err = h.tellUnconnected(ctx, got)
			}
			failures[i] = err
			lines[i] = replyLine{
				Line: line.ID, Product: line.Product, State: got.State(), Wanted: got.Wanted, Allocated: got.Allocated,
			}
			return nil
		})
	}
	claims.Wait()
	if err := errors.Join(failures...); err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	for i, line := range event.Lines {
		slog.InfoContext(ctx, "paid", "line", lineID(account, event, line), "state", lines[i].State)
	}
	return answer(http.StatusOK, reply{Order: event.Order, Lines: lines})
}

func lineID(account catalog.Account, event callback.Event, line callback.Line) order.LineID {
	return order.Identity{
		Merchant: account.Merchant, Side: pool.SideOf(event.Test), Origin: account.Origin, Order: event.Order, Line: line.ID,
	}.ID()
}

// paid is the record of a line as far as the platform tells it.
func paid(account catalog.Account, event callback.Event, line callback.Line) order.Fulfillment {
	return order.Fulfillment{
		ID:       lineID(account, event, line),
		Merchant: account.Merchant, Side: pool.SideOf(event.Test), Account: account.Name, Origin: account.Origin,
		Order: event.Order, Line: line.ID, Product: line.Product,
		Quantity: line.Quantity,
		PaidAt:   event.PaidAt, Currency: event.Currency, Language: event.Language,
		UnitPrice: line.UnitPrice, Title: line.Title,
		Customer: event.Customer,
	}
}

// keep stores that a signed event was refused, without its content, and tells
// the merchant once an hour and cause: somebody may have paid for it.
func (h *handler) keep(ctx context.Context, account catalog.Account, body []byte, field *callback.FieldError) error {
	now := h.now()
	sum := sha256.Sum256(body)
	err := h.refusals.KeepRefused(ctx, callback.Refused{
		Merchant: account.Merchant, Account: account.Name, Order: field.Order, Body: hex.EncodeToString(sum[:]), Field: field.Field, Problem: field.Problem, At: now,
	})
	if err != nil {
		return err
	}
	facts := notice.Facts{Cause: field.Error(), Count: 1}
	if field.Order != "" {
		facts.Orders = []string{field.Order}
	}
	occasion := account.Name + "#" + field.Field + "#" + notice.Hour(now)
	return h.refusals.RaiseNotice(ctx, notice.New(account.Merchant, notice.CallbackRefused, occasion, facts, now))
}

// tellChanged tells the merchant, once a line, that it was paid again with other content.
func (h *handler) tellChanged(ctx context.Context, merchant, orderID string, changed *claim.ChangedError) error {
	return h.refusals.RaiseNotice(ctx, notice.New(merchant, notice.ChangedRepeat, string(changed.Line),
		notice.Facts{Orders: []string{orderID}, Count: 1}, h.now()))
}

// tellUnconnected tells the merchant, once a product and day, that no pool feeds
// what was paid for, unless the merchant has said that this is right.
func (h *handler) tellUnconnected(ctx context.Context, line order.Fulfillment) error {
	product, known, err := h.products.Product(ctx, line.Merchant, line.Product)
	if err != nil || known && product.Ignored {
		return err
	}
	now := h.now()
	occasion := string(line.Side) + "#" + notice.Day(now) + "#" + line.Product
	facts := notice.Facts{Product: line.Product, Side: line.Side, Orders: []string{line.Order}, Count: 1}
	return h.refusals.RaiseNotice(ctx, notice.New(line.Merchant, notice.Unconnected, occasion, facts, now))
}

// reply is the body of a 200: states and counts, never keys.
type reply struct {
	Order   string      `json:"order,omitempty"`
	Lines   []replyLine `json:"lines,omitempty"`
	Ignored bool        `json:"ignored,omitempty"`
	Type    string      `json:"type,omitempty"`
}

type replyLine struct {
	Line      string      `json:"line"`
	Product   string      `json:"product"`
	State     order.State `json:"state"`
	Wanted    int         `json:"wanted"`
	Allocated int         `json:"allocated"`
}

var errTooLarge = errors.New("the body is too large")

func bodyOf(r events.APIGatewayV2HTTPRequest) ([]byte, error) {
	if len(r.Body) > base64.StdEncoding.EncodedLen(callback.MaxBody) {
		return nil, errTooLarge
	}
	body := []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, callback.ErrSignature // not what was signed
		}
	}
	if len(body) > callback.MaxBody {
		return nil, errTooLarge
	}
	return body, nil
}

// problem turns an error into an answer (RFC 9457): the one table from errors to
// statuses. What the sender cannot mend is logged and answered with a fixed body.
func problem(ctx context.Context, err error) events.APIGatewayV2HTTPResponse {
	var field *callback.FieldError
	var changed *claim.ChangedError
	status, detail := http.StatusServiceUnavailable, "Not stored, or not all of it: send the same again."
	switch {
	case errors.Is(err, callback.ErrSignature):
		status, detail = http.StatusUnauthorized, "The signature does not match."
	case errors.Is(err, errTooLarge):
		status, detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d KiB.", callback.MaxBody>>10)
	case hasPassing(err):
		slog.ErrorContext(ctx, "not stored", "error", err)
	case errors.As(err, &field):
		status, detail = http.StatusBadRequest, field.Error()+"."
		slog.WarnContext(ctx, "refused", "field", field.Field)
	case errors.As(err, &changed):
		status, detail = http.StatusConflict, "The line was paid before with another product or quantity; nothing was changed."
		slog.WarnContext(ctx, "repeated with other content", "line", changed.Line)
	}
	body := problemBody{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
	if field != nil && status == http.StatusBadRequest {
		body.Field = field.Field
	}
	response, encodeErr := answer(status, body)
	if encodeErr != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusServiceUnavailable}
	}
	response.Headers["content-type"] = "application/problem+json"
	if status == http.StatusServiceUnavailable {
		response.Headers["retry-after"] = "5"
	}
	return response
}

type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
}

// hasPassing reports whether anything in a tree of joined errors is neither a
// field at fault nor a changed repeat: it may pass, and comes first.
func hasPassing(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			if hasPassing(one) {
				return true
			}
		}
		return false
	}
	var field *callback.FieldError
	var changed *claim.ChangedError
	return !errors.As(err, &field) && !errors.As(err, &changed)
}

func answer(status int, body any) (events.APIGatewayV2HTTPResponse, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, fmt.Errorf("encode the answer: %w", err)
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": "application/json"},
		Body:       string(encoded),
	}, nil
}
