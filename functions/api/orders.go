package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/search"
	"keypool/shared/web/rest"
)

// Order is a paid order and the state of its lines.
type Order struct {
	Order    string   `json:"order" doc:"As the platform names it."`
	Account  string   `json:"account" doc:"The account with a payment platform that it was paid through; by-hand if somebody fulfilled it by hand."`
	Test     bool     `json:"test" doc:"It was marked as a test: it reaches test keys only."`
	Customer Customer `json:"customer" doc:"Empty of a customer who was erased."`
	Lines    []Line   `json:"lines" nullable:"false"`
	Page     string   `json:"order_page,omitempty" doc:"The address of the page that shows the customer this order and its keys, where it has one: see put-order-page. Whoever has it can see the keys, so it is told to those alone who may get-order-link. Not in lists."`
	Timeline []Entry  `json:"timeline,omitempty" nullable:"false" doc:"What happened to its lines, oldest first, and after that what comes to them by itself. A repeat of a webhook that changed nothing is not told. Not in lists."`
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
	Version    int       `json:"version" doc:"Grows with each change of the line, also of its mail: see versions of an act."`
	Product    string    `json:"product"`
	Original   string    `json:"original,omitempty" doc:"Of a dynamic product: the product whose pool and texts it takes, where it has no settings of its own."`
	Parent     string    `json:"parent,omitempty" doc:"The order that its order renews, as the platform names it."`
	SharedCode bool      `json:"shared_code,omitempty" doc:"It takes no key of a pool: it has the code of its product, which is everybody's, or gets it once it comes off hold."`
	ParentKeys bool      `json:"parent_keys,omitempty" doc:"It takes no key of its own: its mail holds those of the parent. While that cannot be mailed, delivery.code says why: ParentUnknown, ParentUnclear (several lines of the parent fit), ParentWaits, ParentHeld, ParentReturned, ParentOfAnother (customer) or ParentCircle."`
	Risk       string    `json:"risk,omitempty" doc:"The platform's verdict on the order, in its own word."`
	Title      string    `json:"title,omitempty" doc:"The product's name as the platform wrote it."`
	Pool       string    `json:"pool,omitempty" doc:"The pool that feeds it; none yet while unconnected."`
	State      string    `json:"state" enum:"fulfilled,waiting,unconnected,on_hold,returned,expected" doc:"fulfilled: holds every key it paid for. waiting: keys are missing. unconnected: no pool feeds its product. on_hold: gets no key and no mail, see holds. returned: given back in full. expected: something of it was given back before it was paid."`
	Quantity   int       `json:"quantity" doc:"Units paid for."`
	Wanted     int       `json:"wanted" doc:"Keys due for them."`
	Allocated  int       `json:"allocated" doc:"Good keys it holds. Their texts are not shown here."`
	Missing    int       `json:"missing" doc:"Keys it still has a right to."`
	Returned   int       `json:"returned" doc:"Keys that are not due any more, since their units were given back."`
	Holds      []string  `json:"holds,omitempty" nullable:"false" doc:"Why it is on hold: by hand; review, review:risk, review:amount, review:orders or cap (a rule, see review of the product); brake (see set-brake); paid before (its account delivers, see delivers_from); paid after a return (of its whole order); no address (its platform told none, and may); dispute: and the platform's id of it (release-order with disputes drops one that never ends). It is on hold while there is any."`
	KeyIDs     []string  `json:"key_ids,omitempty" nullable:"false" doc:"Names of the first 20 keys that it holds, which tell nothing of the keys. replace-key takes one."`
	Currency   string    `json:"currency,omitempty"`
	Language   string    `json:"language,omitempty"`
	UnitPrice  string    `json:"unit_price,omitempty"`
	PaidAt     time.Time `json:"paid_at,omitzero"`
	ReceivedAt time.Time `json:"received_at"`
	ErasedAt   time.Time `json:"erased_at,omitzero" doc:"When what was kept of its customer was erased."`

	AttentionSince time.Time `json:"attention_since,omitzero" doc:"Since when somebody has to look at it: it is on hold, no pool feeds it, its last mail failed or came back, or it waits for keys for an hour, which may be to come."`

	Delivery   *Delivery `json:"delivery,omitempty" doc:"The mail last written about the line."`
	QueuePlace int       `json:"queue_place,omitempty" doc:"Of a line that waits: its place in the queue of its pool, or of its product. 1 is the first; 1000 stands for more. Not in lists."`
	Mend       string    `json:"mend,omitempty" doc:"What you can do for it, where it waits, is on hold, or its mail reached nobody."`
}

// Entry is one entry of an order's timeline.
type Entry struct {
	At        time.Time `json:"at,omitzero" doc:"Of what comes by itself: at once where left out."`
	Line      string    `json:"line"`
	What      string    `json:"what" doc:"What happened: received (its payment), keys-taken (when it was paid, or while it waited), queued (it waits: its place in the queue counts from then), page-opened (the page of the order, by whoever has its link; at most once an hour), keys-shown (on that page, at most once an hour, or to somebody who works here), link-replaced, link-revoked (of that page), fulfilled-by-hand, paid-again, cancelled, address-added, address-corrected, risk-reported, units-returned, order-returned, refund-matched, refund-failed, reported, held, released, replaced, resent, mail-sent, mail-delayed, mail-delivered, mail-bounced, mail-complained, mail-failed, mail-uncertain, mail-withdrawn or erased. What comes by itself: mail-tried (its mail is sent, or tried again), lease-ends (its mail is being sent; if that was cut off, it is sent again), sweep-looks (whether something stopped halfway is looked at) or needs-attention (it will have waited for an hour, and be listed by attention=true)."`
	Ahead     bool      `json:"ahead,omitempty" doc:"It comes by itself, unless something else comes first. Where an order has no such entry, nothing comes until somebody acts, its platform reports something, or keys come."`
	By        string    `json:"by,omitempty" doc:"Who did it: a function, ses, or the name of a token. Payments come by webhook or catchup, or by api where somebody fulfils an order by hand."`
	Account   string    `json:"account,omitempty" doc:"Of received: the account that it came through."`
	Keys      int       `json:"keys,omitempty" doc:"Of keys-taken: how many; while it waited, all together, the last of them then. Of queued: how many it misses."`
	Pool      string    `json:"pool,omitempty" doc:"Of keys-taken and queued; none of a line that no pool feeds."`
	Mail      int       `json:"mail,omitempty" doc:"The number of the line's mail that it is about."`
	MessageID string    `json:"message_id,omitempty" doc:"Amazon SES's name for that mail."`
	Code      string    `json:"code,omitempty" doc:"Why; of paid-again the part that differs (product, quantity or customer), or returned, of a line that was returned before; of a return the refund, the dispute or the reason that was given; of a hold and its release the reason, or dispute: and its id, and where a person dropped it why; of fulfilled-by-hand and address-corrected the reason; of risk-reported the platform's word; of reported what the platform reported, such as subscription.cancelled."`
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

// OrderList holds orders: those of one number, or one page of a list.
type OrderList struct {
	Items []Order `json:"items" nullable:"false"`
	Next  string  `json:"next,omitempty" doc:"Of a list, where the next page starts: give it as after, with the same filters. Not there on the last page."`
}

var sampleOrders = OrderList{Items: []Order{{
	Order: "A-1001", Account: "shop-eu",
	Customer: Customer{Name: "Ada Example", Email: "ada@example.com", Country: "DE"},
	Lines: []Line{{
		ID: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Line: "1", Version: 4, Product: "4711", Title: "Elden", Pool: "elden",
		State: string(order.Fulfilled), Quantity: 2, Wanted: 2, Allocated: 2,
		Currency: "EUR", Language: "de", UnitPrice: "29.90",
		PaidAt:     time.Date(2026, 11, 23, 9, 29, 58, 0, time.UTC),
		ReceivedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
		Delivery:   &Delivery{State: string(outbox.Delivered), About: string(outbox.Keys), Number: 1, Tries: 1, MessageID: "0100019a-7f3c-42d1"},
	}},
	Timeline: []Entry{
		{At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), Line: "1", What: string(order.Received), By: "webhook", Account: "shop-eu"},
		{At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), Line: "1", What: string(order.KeysTaken), By: "webhook", Keys: 2, Pool: "elden"},
		{At: time.Date(2026, 11, 23, 9, 30, 1, 0, time.UTC), Line: "1", What: string(order.MailSent), By: "deliver", Mail: 1, MessageID: "0100019a-7f3c-42d1"},
		{At: time.Date(2026, 11, 23, 9, 30, 4, 0, time.UTC), Line: "1", What: string(order.MailDelivered), By: "ses", Mail: 1, MessageID: "0100019a-7f3c-42d1"},
	},
}}}

// WhichOrder tells orders of the same number apart.
type WhichOrder struct {
	Account string `query:"account" minLength:"1" maxLength:"63" doc:"The account it was paid through; all of them where left out." example:"shop-eu"`
	Test    string `query:"test" enum:"true,false" doc:"Whether it was marked as a test; both where left out." example:"false"`
}

// An order is named in the path or, whatever its number, in the query: clients change a
// path that holds "..".
type OrderPath struct {
	Order string `path:"order" maxLength:"128" doc:"The order, as the platform names it. A number with . or .. between slashes, or that ends as another address does (/cancel), is named in the query instead." example:"A-1001"`
	WhichOrder
}

// ListOrders says which orders a list has.
type ListOrders struct {
	Order     string    `query:"order" minLength:"1" maxLength:"128" doc:"Only the orders of this number, as get-order reads them, whatever characters it has. It goes with account and test only."`
	Account   string    `query:"account" minLength:"1" maxLength:"63" doc:"Only what was paid through this account."`
	Test      string    `query:"test" enum:"true,false" doc:"Whether it was marked as a test. Where left out, both of a number, and of a list those that were paid."`
	Email     string    `query:"email" minLength:"1" maxLength:"320" doc:"Only the orders of this customer's mail address, in any letter case, those too whose address was corrected since."`
	Product   string    `query:"product" minLength:"1" maxLength:"128" doc:"Only lines of this product, as the platform names it, or of dynamic products that take its pool."`
	State     string    `query:"state" enum:"fulfilled,waiting,unconnected,on_hold,returned" doc:"Only lines in this state."`
	From      time.Time `query:"from" doc:"Only what was received at this time or later."`
	Until     time.Time `query:"until" doc:"Only what was received before this time."`
	Attention bool      `query:"attention" doc:"Only lines that somebody has to look at, see attention_since; those that came to it last are the first."`
	rest.Page
}

// Resolve refuses filters beside a number.
func (in *ListOrders) Resolve(huma.Context) []error {
	filters := in.Email != "" || in.Product != "" || in.State != "" || !in.From.IsZero() || !in.Until.IsZero() || in.Attention || in.After != ""
	if in.Order == "" || !filters {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "query.order", Message: "goes with account and test only: leave it out to search, or the other filters to read an order by its number"}}
}

type OrderQuery struct {
	Order string `query:"order" required:"true" minLength:"1" maxLength:"128" doc:"The order, as the platform names it, whatever characters it has." example:"A-1001"`
	WhichOrder
}

// Cancellation says what became of each line of an order.
type Cancellation struct {
	Order   string          `json:"order"`
	Account string          `json:"account"`
	Test    bool            `json:"test"`
	Lines   []CancelledLine `json:"lines" nullable:"false"`
}

// CancelledLine is a line of an order that was cancelled.
type CancelledLine struct {
	ID        string `json:"id" doc:"Keypool's name for the line."`
	Line      string `json:"line"`
	Product   string `json:"product"`
	State     string `json:"state" enum:"fulfilled,waiting,unconnected,on_hold,returned"`
	Version   int    `json:"version" doc:"Of the line as it is now: see versions of an act."`
	Cancelled bool   `json:"cancelled" doc:"false: it does not wait, because its keys had come, or it is on hold. It is left as it is."`
}

var sampleCancellation = Cancellation{Order: "A-1001", Account: "shop-eu", Lines: []CancelledLine{
	{ID: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Line: "1", Product: "4711", State: string(order.Returned), Version: 2, Cancelled: true},
	{ID: "Zx0LJ3r8kqf1N2b7c4dP5QTb2Vn0xW7uC1yHs6pKzQe4", Line: "2", Product: "4712", State: string(order.Fulfilled), Version: 3},
}}

// CancelAct says why an order is cancelled, and as which its lines were seen.
type CancelAct struct {
	Reason
	Seen
}

var sampleCancel = CancelAct{Reason: Reason{"the customer asked for it"}}

// The body may be left out.
type cancelByPath struct {
	OrderPath
	Body *CancelAct
}

type cancelByQuery struct {
	OrderQuery
	Body *CancelAct
}

// orders reads orders.
type orders interface {
	// Order returns the lines of an order, none if there is no such order, and what is known of
	// it as a whole.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)
	// Lines returns its lines alone.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
	// OrderHistory returns the events of each line of an order, oldest first.
	OrderHistory(ctx context.Context, orderID string) (map[order.LineID][]order.History, error)
	// QueuePlace returns the place of a line in its queue, up to most; 0: it does not wait.
	QueuePlace(ctx context.Context, f order.Fulfillment, most int) (int, error)
}

func (a *api) addOrders(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{order}", Tags: []string{"Orders"},
		Summary:     "Read an order: its lines, and all that happened to them",
		Description: "The states of its lines, their mails, and timeline: what happened to the order, who did it and why, and what comes by itself. A list, since the orders of two accounts may have the same number, and so may a paid order and a test. It has one order where account and test are given. Texts of keys are never shown.",
		Errors:      []int{404}, Responses: to.Responses(sampleOrders, 200),
	}, func(ctx context.Context, in *OrderPath) (*rest.Body[OrderList], error) {
		return a.getOrder(ctx, in.Order, in.WhichOrder)
	})
	rest.Register(to, huma.Operation{
		OperationID: "list-orders", Method: http.MethodGet, Path: "/v1/orders", Tags: []string{"Orders"},
		Summary:     "List orders, the newest first, or find one by its number",
		Description: "All filters together say what is listed. A page has up to limit lines, and each order once, with those of its lines that the page has, and without timelines: get-order shows all. account, product and state are looked for among the lines that a page reads, so that it may have few lines, or none, and a next: go on. What has just come or changed may take a second to be listed. With order it reads the orders of that number as get-order does, such as those that a path cannot hold: \".\" or \"a/../b\"; none is 404.",
		Errors:      []int{404}, Responses: to.Responses(sampleOrders, 200),
	}, a.listOrders)
	cancelling := "Its lines that wait for keys or for a pool become returned and leave their queues; keys that they had got so far are for sale again. A line that was filled meanwhile is left as it is, and the answer says so. To cancel an order twice is harmless, and its customer is not told. Several orders of the number (of two accounts, or a paid one and a test) are 409, and errors names them: say which is meant by account and test."
	rest.Register(to, huma.Operation{
		OperationID: "cancel-order", Method: http.MethodPost, Path: "/v1/orders/{order}/cancel", Tags: []string{"Orders"},
		Summary: "Cancel the lines of an order that wait", Description: cancelling,
		Errors: []int{404, 409}, RequestBody: rest.Request(sampleCancel), Responses: to.Responses(sampleCancellation, 200),
	}, func(ctx context.Context, in *cancelByPath) (*rest.Body[Cancellation], error) {
		return a.cancelOrder(ctx, in.Order, in.WhichOrder, or(in.Body, CancelAct{}))
	})
	rest.Register(to, huma.Operation{
		OperationID: "cancel-order-by-query", Method: http.MethodPost, Path: "/v1/orders/cancel", Tags: []string{"Orders"},
		Summary: "Cancel the lines that wait of the order in the query", Description: cancelling,
		Errors: []int{404, 409}, RequestBody: rest.Request(sampleCancel), Responses: to.Responses(sampleCancellation, 200),
	}, func(ctx context.Context, in *cancelByQuery) (*rest.Body[Cancellation], error) {
		return a.cancelOrder(ctx, in.Order, in.WhichOrder, or(in.Body, CancelAct{}))
	})
	a.addActs(to)
	a.addFulfil(to)
	a.addOrderLink(to)
}

func (a *api) listOrders(ctx context.Context, in *ListOrders) (*rest.Body[OrderList], error) {
	if in.Order != "" {
		return a.getOrder(ctx, in.Order, WhichOrder{in.Account, in.Test})
	}
	page, err := a.search.Find(ctx, search.Query{
		Merchant: caller(ctx), Side: pool.SideOf(in.Test == "true"), Email: in.Email, Attention: in.Attention,
		From: in.From, Until: in.Until, Account: in.Account, Product: in.Product, State: order.State(in.State),
	}, in.After, in.Limit)
	out := OrderList{Items: []Order{}, Next: page.Next}
	for _, lines := range page.Orders() {
		of := newOrder(lines[0])
		for _, line := range lines {
			of.Lines = append(of.Lines, newLine(line))
		}
		out.Items = append(out.Items, of)
	}
	return &rest.Body[OrderList]{Body: out}, err
}

func (a *api) getOrder(ctx context.Context, number string, which WhichOrder) (*rest.Body[OrderList], error) {
	found, err := findEach(ctx, a, number, which, a.readWhole)
	if err != nil {
		return nil, err
	}
	out := OrderList{Items: make([]Order, len(found))}
	var reading errgroup.Group
	for i, whole := range found {
		reading.Go(func() (err error) {
			out.Items[i], err = a.order(ctx, whole)
			return err
		})
	}
	return &rest.Body[OrderList]{Body: out}, reading.Wait()
}

func (a *api) cancelOrder(ctx context.Context, number string, which WhichOrder, in CancelAct) (*rest.Body[Cancellation], error) {
	lines, err := a.findOne(ctx, number, which)
	if err != nil {
		return nil, err
	}
	seen, err := in.of(lines)
	if err != nil {
		return nil, err
	}
	out := Cancellation{Order: number, Account: lines[0].Account, Test: lines[0].Side == pool.Test, Lines: []CancelledLine{}}
	now, _, err := lifecycle.OnEach(lines, seen, actOf(ctx, in.Reason.Reason), func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return a.changes.Cancel(ctx, line.ID, act)
	})
	for _, line := range now {
		out.Lines = append(out.Lines, CancelledLine{string(line.ID), line.Line, line.Product, string(line.State()), line.Version, line.State() == order.Returned})
	}
	return &rest.Body[Cancellation]{Body: out}, err
}

// findOne returns the lines of the one order that an act is about. Its error is
// *order.AmbiguousError if several have the number.
func (a *api) findOne(ctx context.Context, number string, which WhichOrder) ([]order.Fulfillment, error) {
	found, err := a.find(ctx, number, which)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	several := &order.AmbiguousError{}
	for _, lines := range found {
		several.Matches = append(several.Matches, order.Match{Account: lines[0].Account, Side: lines[0].Side})
	}
	return nil, several
}

// find returns the lines of each order that has the number. Its error is
// order.ErrNoOrder if there is none.
func (a *api) find(ctx context.Context, number string, which WhichOrder) (found [][]order.Fulfillment, err error) {
	return findEach(ctx, a, number, which, func(ctx context.Context, orderID string) ([]order.Fulfillment, []order.Fulfillment, error) {
		lines, err := a.orders.Lines(ctx, orderID)
		return lines, lines, err
	})
}

// findEach returns what read makes of each order that has the number: see search.Each.
func findEach[T any](ctx context.Context, a *api, number string, which WhichOrder, read func(ctx context.Context, orderID string) (T, []order.Fulfillment, error)) ([]T, error) {
	is := search.Which{Account: which.Account}
	if which.Test != "" {
		is.Sides = []pool.Side{pool.SideOf(which.Test == "true")}
	}
	return search.Each(ctx, a.numbers, caller(ctx), number, is, read)
}

// readAtOnce bounds the reads that one request makes side by side.
const readAtOnce = 32

// mostInQueue is the last place of a queue that is counted.
const mostInQueue = 1000

// readOrder is an order as it is read: its lines, and what happened to them.
type readOrder struct {
	lines   []order.Fulfillment
	whole   order.Whole
	history map[order.LineID][]order.History
}

// readWhole reads the lines of an order and their histories, side by side.
func (a *api) readWhole(ctx context.Context, orderID string) (readOrder, []order.Fulfillment, error) {
	var whole readOrder
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() (err error) {
		whole.lines, whole.whole, err = a.orders.Order(ctx, orderID)
		return err
	})
	reading.Go(func() (err error) {
		whole.history, err = a.orders.OrderHistory(ctx, orderID)
		return err
	})
	err := reading.Wait()
	return whole, whole.lines, err
}

// order returns an order with its timeline.
func (a *api) order(ctx context.Context, of readOrder) (Order, error) {
	body := newOrder(of.lines[0])
	body.Lines = make([]Line, len(of.lines))
	var timeline []order.Entry
	var reading errgroup.Group
	reading.SetLimit(readAtOnce)
	if access.From(ctx).May("get-order-link") == nil {
		reading.Go(func() (err error) {
			body.Page, err = a.pageAddress(ctx, of)
			return err
		})
	}
	for i, line := range of.lines {
		body.Lines[i] = newLine(line)
		timeline = append(timeline, line.Timeline(of.history[line.ID], a.search.Now())...)
		reading.Go(func() (err error) {
			body.Lines[i].QueuePlace, err = a.orders.QueuePlace(ctx, line, mostInQueue)
			return err
		})
	}
	order.SortTimeline(timeline)
	for _, e := range timeline {
		entry := Entry{
			At: e.At, Line: e.Line, What: e.What, Ahead: e.Ahead, By: e.By, Keys: e.Keys, Pool: e.Pool,
			Mail: e.Mail, MessageID: e.MessageID, Code: e.Code,
		}
		if e.What == string(order.Received) {
			entry.Account = body.Account
		}
		body.Timeline = append(body.Timeline, entry)
	}
	return body, reading.Wait()
}

// newOrder returns the order of a line, without its lines.
func newOrder(f order.Fulfillment) Order {
	return Order{
		Order: f.Order, Account: f.Account, Test: f.Side == pool.Test,
		Customer: Customer{
			Name: f.Customer.Name, Email: f.Customer.Email, Phone: f.Customer.Phone,
			Company: f.Customer.Company, Country: f.Customer.Country,
		},
	}
}

func newLine(f order.Fulfillment) Line {
	line := Line{
		ID: string(f.ID), Line: f.Line, Version: f.Version, Product: f.Product, Original: f.Original, Parent: f.Parent, ParentKeys: f.KeysOfParent, SharedCode: f.SharedCode, Risk: f.Risk, Title: f.Title, Pool: f.Pool, State: string(f.State()),
		Quantity: f.Quantity, Wanted: f.Wanted, Allocated: f.Allocated, Missing: max(0, f.Missing()), Returned: f.Returned,
		Currency: f.Currency, Language: f.Language, UnitPrice: f.UnitPrice, PaidAt: f.PaidAt, ReceivedAt: f.ReceivedAt, ErasedAt: f.ErasedAt,
	}
	line.AttentionSince, _ = f.Attention()
	line.Mend = mend(f)
	for _, hold := range f.Holds {
		line.Holds = append(line.Holds, string(hold))
	}
	for _, key := range f.Keys {
		line.KeyIDs = append(line.KeyIDs, string(key.ID))
	}
	if f.Mail.State != outbox.None {
		line.Delivery = &Delivery{
			State: string(f.Mail.State), About: string(f.Mail.Kind), Number: f.Mail.Number, Tries: f.Mail.Tries,
			TryAt: f.Mail.TryAt, MessageID: f.Mail.MessageID, Code: f.Mail.Code,
		}
	}
	return line
}

// mend says what the merchant can do for a line that needs it; "" if it needs nothing.
func mend(f order.Fulfillment) string {
	switch f.Mend() {
	case order.MendDispute:
		return "On hold, because the customer disputes the payment. When the platform says how the dispute ended, the line goes on (you won) or is given back (you lost). If that word will not come, POST /v1/orders/{order}/release with {\"disputes\": true} drops the dispute and releases the whole order: the customer gets the keys, although the money may still go back."
	case order.MendAddress:
		return "It has no mail address that keys could be sent to. It comes off hold when its platform reports the order with one."
	case order.MendErased:
		return "On hold for good: its customer was erased, and there is nobody to send anything to. POST /v1/orders/{order}/return gives it back."
	case order.MendHold:
		return "On hold, see holds. POST /v1/orders/{order}/release lets it go on; to give it back, POST /v1/orders/{order}/return."
	case order.MendConnect:
		return "No pool feeds its product. Connect it: PUT /v1/products/{product} with product " + f.ConnectedBy() + " and its pool, or pools_by_currency; or set the code that all its orders get, PUT /v1/codes/{product}. The line gets its keys by itself then, in its place of the queue. To deliver nothing, POST /v1/orders/{order}/cancel."
	case order.MendStock:
		return "The pool is short of keys. Upload some: the line gets them by itself, in its place of the queue."
	case order.MendMail:
		return "Its mail reached nobody. Correct the address: POST /v1/orders/{order}/resend with {\"email\": \"…\"}."
	case order.MendNothing:
	}
	return ""
}
