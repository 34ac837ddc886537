package shop

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Trace is an order as the API shows it, with all that happened to it.
type Trace struct {
	Order    string
	Account  string
	Test     bool
	Lines    []TracedLine
	Timeline []TraceEntry
}

// TracedLine is a line of an order that is traced.
type TracedLine struct {
	OrderLine
	Line       string
	QueuePlace int `json:"queue_place"`
	Mend       string
}

// TraceEntry is an entry of an order's timeline.
type TraceEntry struct {
	At        time.Time
	Line      string
	What      string
	Ahead     bool
	By        string
	Account   string
	Keys      int
	Pool      string
	Mail      int
	MessageID string `json:"message_id"`
	Code      string
}

// Traces reads the orders of a number, none if there is no such order.
func (s *Shop) Traces(ctx context.Context, token, order string) ([]Trace, error) {
	var found struct{ Items []Trace }
	err := s.Ask(ctx, token, http.MethodGet, "/v1/orders?order="+url.QueryEscape(order), nil, &found)
	if IsMissing(err) {
		return nil, nil
	}
	return found.Items, err
}
