package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/orderpage"
	"keypool/shared/pool"
	"keypool/shared/web/rest"
)

// OrderLink is the page of an order as JSON, for a page of the shop's own.
type OrderLink struct {
	Order   string          `json:"order" doc:"As the platform names it."`
	Account string          `json:"account"`
	Test    bool            `json:"test"`
	Page    string          `json:"order_page" doc:"The page's address. Whoever has it can see the keys."`
	EndsAt  time.Time       `json:"ends_at" doc:"The address is good until then: see put-order-page."`
	Lines   []OrderLinkLine `json:"lines" nullable:"false" doc:"The lines that stand on the page: those of products that have one."`
}

// OrderLinkLine is a line as its customer sees it.
type OrderLinkLine struct {
	Line         string   `json:"line"`
	Product      string   `json:"product"`
	Title        string   `json:"title" doc:"The product's name, as customers know it."`
	State        string   `json:"state" enum:"ready,waiting,partly,held,returned,renewed,erased" doc:"ready: its keys can be shown. waiting, partly: none, or not all of them, are there yet. held: no key is shown until somebody has looked at the order. returned: given back. renewed: it has the keys of the order that it renews. erased: nothing of its customer is kept."`
	Quantity     int      `json:"quantity"`
	Keys         []string `json:"keys,omitempty" nullable:"false" doc:"Of show-order-keys, where the state is ready: the keys, in the order of the mail."`
	Download     string   `json:"download,omitempty"`
	Instructions string   `json:"instructions,omitempty"`
	Mail         string   `json:"mail_to,omitempty" doc:"The address that its mail goes to, as a stranger may see it."`
}

var sampleOrderLink = OrderLink{
	Order: "A-1001", Account: "shop-eu", Page: "https://keypool.example/o/Zx0LJ3r8kqf1N2b7c4dP5QYvU9sA8eRtG3hJkL2nQwErTw",
	EndsAt: time.Date(2027, 11, 23, 9, 30, 0, 0, time.UTC),
	Lines:  []OrderLinkLine{{Line: "1", Product: "4711", Title: "Elden", State: string(orderpage.Ready), Quantity: 1, Mail: "a•••@example.com"}},
}

func (a *api) addOrderLink(to *rest.API) {
	const several = " Several orders of the number (of two accounts, or a paid one and a test) are 409, and errors names them: say which is meant by account and test."
	const about = "What a customer's page of the order says: its address, and its lines as the customer sees them. Have a page of your own, behind your shop's accounts, show it. It holds no key: show-order-keys has them." + several
	const shows = "As get-order-link, with the keys of the lines that are ready. That they are shown is written before they are, and each time in the timeline: a key that was shown is never sold again, even if its order is given back." + several
	get := func(ctx context.Context, number string, which WhichOrder) (*rest.Body[OrderLink], error) {
		return a.orderLink(ctx, number, which, false)
	}
	show := func(ctx context.Context, number string, which WhichOrder) (*rest.Body[OrderLink], error) {
		return a.orderLink(ctx, number, which, true)
	}
	for _, o := range []struct {
		id, method, path, summary, description string
		do                                     func(context.Context, string, WhichOrder) (*rest.Body[OrderLink], error)
	}{
		{"get-order-link", http.MethodGet, "page", "Read the page of an order", about, get},
		{"show-order-keys", http.MethodPost, "keys", "Show the keys of an order", shows, show},
	} {
		operation := huma.Operation{
			OperationID: o.id, Method: o.method, Path: "/v1/orders/{order}/" + o.path, Tags: []string{"Orders"},
			Summary: o.summary, Description: o.description, Errors: []int{404, 409}, Responses: to.Responses(sampleOrderLink, 200),
		}
		rest.Register(to, operation, func(ctx context.Context, in *OrderPath) (*rest.Body[OrderLink], error) {
			return o.do(ctx, in.Order, in.WhichOrder)
		})
		operation.OperationID, operation.Path, operation.Summary = o.id+"-by-query", "/v1/orders/"+o.path, o.summary+" (order in the query)"
		operation.Responses = to.Responses(sampleOrderLink, 200)
		rest.Register(to, operation, func(ctx context.Context, in *OrderQuery) (*rest.Body[OrderLink], error) {
			return o.do(ctx, in.Order, in.WhichOrder)
		})
	}
	addAct(to, "replace-order-link", "replace-link", "Replace the link of an order's page",
		"The page gets another address, which get-order-link tells, and mails from then on. The one before is good no more. So does a page whose link was revoked, or has ended.", Reason{"she had forwarded the mail"}, a.linkAct(changes.ReplaceLink))
	addAct(to, "revoke-order-link", "revoke-link", "Revoke the link of an order's page",
		"The order has no page until replace-order-link makes it another link.", Reason{"it was posted in a forum"}, a.linkAct(changes.RevokeLink))
}

// linkAct returns the operation of an act on the link of an order.
func (a *api) linkAct(do func(changes, context.Context, order.Fulfillment, lifecycle.Act) (order.Whole, error)) func(context.Context, act[Reason]) (*rest.Body[Acted], error) {
	return func(ctx context.Context, in act[Reason]) (*rest.Body[Acted], error) {
		return a.actOnWhole(ctx, in.number, in.which, Seen{}, func(lines []order.Fulfillment, _ order.Whole, _ []order.LineVersion) ([]order.Fulfillment, error) {
			if _, err := do(a.changes, ctx, lines[0], actOf(ctx, in.body.Reason)); err != nil {
				return nil, err
			}
			return a.orders.Lines(ctx, lines[0].ID.OrderHalf())
		}, func(order.Fulfillment) bool { return true })
	}
}

// orderLink returns the page of the one order that is meant.
func (a *api) orderLink(ctx context.Context, number string, which WhichOrder, show bool) (*rest.Body[OrderLink], error) {
	found, err := findEach(ctx, a, number, which, func(ctx context.Context, orderID string) (lifecycle.Read, []order.Fulfillment, error) {
		lines, whole, err := a.orders.Order(ctx, orderID)
		return lifecycle.Read{Lines: lines, Whole: whole}, lines, err
	})
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		several := &order.AmbiguousError{}
		for _, read := range found {
			several.Matches = append(several.Matches, order.Match{Account: read.Lines[0].Account, Side: read.Lines[0].Side})
		}
		return nil, several
	}
	v, has, err := a.pages.Of(ctx, found[0])
	if err == nil && !has {
		err = order.ErrNoPage
	}
	if err == nil && show {
		err = a.pages.ShowTo(ctx, &v, actOf(ctx, "").By)
	}
	if err != nil {
		return nil, err
	}
	body, err := a.newOrderLink(v)
	return &rest.Body[OrderLink]{Body: body}, err
}

func (a *api) newOrderLink(v orderpage.View) (OrderLink, error) {
	first := v.Lines[0]
	body := OrderLink{Order: v.Order, Account: first.Account, Test: first.Side == pool.Test, EndsAt: v.Ends}
	for _, line := range v.Lines {
		shown := OrderLinkLine{
			Line: line.Line, Product: line.Fulfillment.Product, Title: line.Title(), State: string(line.State), Quantity: line.Quantity,
			Download: line.Product.Download, Instructions: line.Product.Instructions,
		}
		if line.Customer.Email != "" {
			shown.Mail = orderpage.Mask(line.Customer.Email)
		}
		for _, key := range line.Keys {
			shown.Keys = append(shown.Keys, key.Text.Reveal())
		}
		body.Lines = append(body.Lines, shown)
	}
	var err error
	body.Page, err = v.URL(a.publicURL)
	return body, err
}

// pageAddress returns the address of the page of an order, "" if it has none.
func (a *api) pageAddress(ctx context.Context, of readOrder) (string, error) {
	v, has, err := a.pages.Of(ctx, lifecycle.Read{Lines: of.lines, Whole: of.whole})
	if err != nil || !has {
		return "", err
	}
	return v.URL(a.publicURL)
}
