package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Order is a paid order and the state of its lines.
type Order struct {
	Order    string   `json:"order" doc:"As the platform names it."`
	Account  string   `json:"account" doc:"The account with a payment platform that it was paid through."`
	Test     bool     `json:"test" doc:"It was marked as a test: it reaches test keys only."`
	Customer Customer `json:"customer"`
	Lines    []Line   `json:"lines" nullable:"false"`
}

// Customer is the buyer.
type Customer struct {
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Company string `json:"company,omitempty"`
	Country string `json:"country,omitempty" doc:"ISO 3166-1 alpha-2."`
}

// Line is one product in an order, and its keys.
type Line struct {
	ID         string    `json:"id" doc:"Keypool's name for the line; mail tags and logs carry it."`
	Line       string    `json:"line" doc:"As the platform names it; the product where it names none."`
	Product    string    `json:"product"`
	Title      string    `json:"title,omitempty" doc:"The product's name as the platform wrote it."`
	Pool       string    `json:"pool,omitempty" doc:"The pool that feeds it; none yet while unconnected."`
	State      string    `json:"state" enum:"fulfilled,waiting,unconnected,on_hold,returned" doc:"fulfilled: holds every key it paid for. waiting: keys are missing. unconnected: no pool feeds its product. on_hold: under review or in dispute. returned: given back in full."`
	Quantity   int       `json:"quantity" doc:"Units paid for."`
	Wanted     int       `json:"wanted" doc:"Keys due for them."`
	Allocated  int       `json:"allocated" doc:"Good keys it holds. Their texts are not shown here."`
	Missing    int       `json:"missing" doc:"Keys it still has a right to."`
	Returned   int       `json:"returned" doc:"Keys given back."`
	Currency   string    `json:"currency,omitempty"`
	Language   string    `json:"language,omitempty"`
	UnitPrice  string    `json:"unit_price,omitempty"`
	PaidAt     time.Time `json:"paid_at,omitzero"`
	ReceivedAt time.Time `json:"received_at"`
	Delivery   *Delivery `json:"delivery,omitempty" doc:"The mail last written about the line."`
	History    []Event   `json:"history,omitempty" nullable:"false" doc:"What happened to the line, oldest first."`
}

// Event is one entry of a line's history.
type Event struct {
	At        time.Time `json:"at"`
	What      string    `json:"what" doc:"paid-again, address-added, mail-sent, mail-delayed, mail-delivered, mail-bounced, mail-complained, mail-failed, mail-uncertain or mail-withdrawn."`
	By        string    `json:"by" doc:"Who did it: a function, or ses."`
	Mail      int       `json:"mail,omitempty" doc:"The number of the mail that it is about."`
	MessageID string    `json:"message_id,omitempty" doc:"Amazon SES's name for that mail."`
	Code      string    `json:"code,omitempty" doc:"Why; of paid-again the part that differs: product, quantity or customer."`
}

// Delivery is the state of a mail.
type Delivery struct {
	State     string    `json:"state" enum:"due,sending,sent,delivered,bounced,complained,failed"`
	About     string    `json:"about" enum:"keys,delay" doc:"keys: the line's keys. delay: the order is safe, the keys follow."`
	Number    int       `json:"number" doc:"Counts the mails of the line."`
	Tries     int       `json:"tries" doc:"Of this mail."`
	TryAt     time.Time `json:"try_at,omitzero" doc:"Not tried before."`
	MessageID string    `json:"message_id,omitempty" doc:"Amazon SES's name for it."`
	Code      string    `json:"code,omitempty" doc:"Why the last try failed."`
}

// OrderList holds the orders of one number: two accounts may use the same.
type OrderList struct {
	Items []Order `json:"items" nullable:"false"`
}

var sampleOrders = OrderList{Items: []Order{{
	Order: "A-1001", Account: "shop-eu",
	Customer: Customer{Name: "Ada Example", Email: "ada@example.com", Country: "DE"},
	Lines: []Line{{
		ID: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Line: "1", Product: "4711", Title: "Elden", Pool: "elden",
		State: string(order.Fulfilled), Quantity: 2, Wanted: 2, Allocated: 2,
		Currency: "EUR", Language: "de", UnitPrice: "29.90",
		PaidAt:     time.Date(2026, 11, 23, 9, 29, 58, 0, time.UTC),
		ReceivedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
		Delivery:   &Delivery{State: string(outbox.Delivered), About: string(outbox.Keys), Number: 1, Tries: 1, MessageID: "0100019a-7f3c-42d1"},
		History: []Event{
			{At: time.Date(2026, 11, 23, 9, 30, 1, 0, time.UTC), What: string(order.MailSent), By: "deliver", Mail: 1, MessageID: "0100019a-7f3c-42d1"},
			{At: time.Date(2026, 11, 23, 9, 30, 4, 0, time.UTC), What: string(order.MailDelivered), By: "ses", Mail: 1, MessageID: "0100019a-7f3c-42d1"},
		},
	}},
}}}

type getOrder struct {
	Order   string `path:"order" maxLength:"128" doc:"The order, as the platform names it." example:"A-1001"`
	Account string `query:"account" maxLength:"63" doc:"The account it was paid through; all of them where left out." example:"shop-eu"`
	Test    string `query:"test" enum:"true,false" doc:"Whether it was marked as a test; both where left out." example:"false"`
}

// orders reads orders.
type orders interface {
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
	// Lines returns the lines of an order, none if there is no such order.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
	// History returns the events of a line, oldest first.
	History(ctx context.Context, id order.LineID) ([]order.History, error)
}

func (a *api) addOrders(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{order}", Tags: []string{"Orders"},
		Summary:     "Read an order: its lines, their states and their mails",
		Description: "A list, since the orders of two accounts may have the same number, and so may a paid order and a test. It has one order where account and test are given. Texts of keys are never shown.",
		Errors:      []int{404}, Responses: to.Responses(sampleOrders, 200),
	}, a.getOrder)
}

func (a *api) getOrder(ctx context.Context, in *getOrder) (*rest.Body[OrderList], error) {
	sides := []pool.Side{pool.Live, pool.Test}
	if in.Test != "" {
		sides = []pool.Side{pool.SideOf(in.Test == "true")}
	}
	out := OrderList{Items: []Order{}}
	accounts, err := a.orders.Accounts(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		if in.Account != "" && in.Account != account.Name {
			continue
		}
		for _, side := range sides {
			id := order.Identity{Merchant: caller(ctx), Side: side, Origin: account.Origin, Order: in.Order}
			lines, err := a.orders.Lines(ctx, id.OrderID())
			if err != nil {
				return nil, err
			}
			if len(lines) == 0 {
				continue
			}
			body, err := a.order(ctx, lines)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, body)
		}
	}
	if len(out.Items) == 0 {
		return nil, settings.ErrNotFound
	}
	return &rest.Body[OrderList]{Body: out}, nil
}

// linesAtOnce bounds the lines of an order whose histories are read together.
const linesAtOnce = 16

// order returns the order that some lines make up.
func (a *api) order(ctx context.Context, lines []order.Fulfillment) (Order, error) {
	first := lines[0]
	body := Order{
		Order: first.Order, Account: first.Account, Test: first.Side == pool.Test,
		Customer: Customer{
			Name: first.Customer.Name, Email: first.Customer.Email, Phone: first.Customer.Phone,
			Company: first.Customer.Company, Country: first.Customer.Country,
		},
		Lines: make([]Line, len(lines)),
	}
	var reading errgroup.Group
	reading.SetLimit(linesAtOnce)
	for i, line := range lines {
		body.Lines[i] = newLine(line)
		reading.Go(func() error {
			history, err := a.orders.History(ctx, line.ID)
			for _, h := range history {
				body.Lines[i].History = append(body.Lines[i].History, Event{h.At, string(h.Event), h.By, h.Mail, h.MessageID, h.Code})
			}
			return err
		})
	}
	return body, reading.Wait()
}

func newLine(f order.Fulfillment) Line {
	line := Line{
		ID: string(f.ID), Line: f.Line, Product: f.Product, Title: f.Title, Pool: f.Pool, State: string(f.State()),
		Quantity: f.Quantity, Wanted: f.Wanted, Allocated: f.Allocated, Missing: max(0, f.Missing()), Returned: f.Returned,
		Currency: f.Currency, Language: f.Language, UnitPrice: f.UnitPrice, PaidAt: f.PaidAt, ReceivedAt: f.ReceivedAt,
	}
	if f.Mail.State != outbox.None {
		line.Delivery = &Delivery{
			State: string(f.Mail.State), About: string(f.Mail.Kind), Number: f.Mail.Number, Tries: f.Mail.Tries,
			TryAt: f.Mail.TryAt, MessageID: f.Mail.MessageID, Code: f.Mail.Code,
		}
	}
	return line
}
