package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
)

// noticeItem is a notice in the orders table.
type noticeItem struct {
	primaryKey
	V       int `dynamodbav:"v"`
	Version int `dynamodbav:"version"`

	Merchant string    `dynamodbav:"merchant,omitempty"`
	TestOf   string    `dynamodbav:"testOf,omitempty"` // see wipe.go
	To       string    `dynamodbav:"to,omitempty"`
	Kind     string    `dynamodbav:"kind"`
	RaisedAt int64     `dynamodbav:"raisedAt"`
	Facts    factsItem `dynamodbav:"facts"`

	ExpiresAt int64 `dynamodbav:"expiresAt,omitempty"` // in seconds: see ExpiresAttribute

	outboxItem
}

type factsItem struct {
	Pool      string   `dynamodbav:"pool,omitempty"`
	Side      string   `dynamodbav:"side,omitempty"`
	Product   string   `dynamodbav:"product,omitempty"`
	Available int      `dynamodbav:"available,omitempty"`
	Threshold int      `dynamodbav:"threshold,omitempty"`
	Waiting   int      `dynamodbav:"waiting,omitempty"`
	Missing   int      `dynamodbav:"missing,omitempty"`
	HeadNeeds int      `dynamodbav:"headNeeds,omitempty"`
	Mails     []string `dynamodbav:"mails,omitempty"`
	Uploads   []string `dynamodbav:"uploads,omitempty"`
	File      string   `dynamodbav:"file,omitempty"`
	Orders    []string `dynamodbav:"orders,omitempty"`
	OrderID   string   `dynamodbav:"orderId,omitempty"`
	Count     int      `dynamodbav:"count,omitempty"`
	Cause     string   `dynamodbav:"cause,omitempty"`
	Limit     int64    `dynamodbav:"limit,omitempty"`
	StartedAt int64    `dynamodbav:"startedAt,omitempty"`

	Products []soldItem `dynamodbav:"products,omitempty"`

	Refused []refusedItem `dynamodbav:"refused,omitempty"`
	Changed []changedItem `dynamodbav:"changed,omitempty"`
	Account string        `dynamodbav:"account,omitempty"`
	Address string        `dynamodbav:"address,omitempty"`
	Sample  *sampleItem   `dynamodbav:"sample,omitempty"`
	Job     *endedItem    `dynamodbav:"job,omitempty"`
	Line    string        `dynamodbav:"line,omitempty"`
	Former  int           `dynamodbav:"former,omitempty"`
	SignIn  string        `dynamodbav:"signIn,omitempty"`
}

// sampleItem is a mail that a merchant asked for.
type sampleItem struct {
	Product  string    `dynamodbav:"product,omitempty"`
	Text     *textItem `dynamodbav:"text,omitempty"`
	Language string    `dynamodbav:"language,omitempty"`
	Keys     int       `dynamodbav:"keys,omitempty"`
	Test     bool      `dynamodbav:"test,omitempty"`
}

// endedItem is a job that has ended.
type endedItem struct {
	ID          string `dynamodbav:"id"`
	Kind        string `dynamodbav:"kind"`
	To          string `dynamodbav:"to,omitempty"`
	Keys        int    `dynamodbav:"keys,omitempty"`
	Lines       int    `dynamodbav:"lines,omitempty"`
	Left        int    `dynamodbav:"left,omitempty"`
	Cut         bool   `dynamodbav:"cut,omitempty"`
	By          string `dynamodbav:"by"`
	CancelledBy string `dynamodbav:"cancelledBy,omitempty"`
}

type refusedItem struct {
	Order   string `dynamodbav:"order,omitempty"`
	Account string `dynamodbav:"account"`
	Cause   string `dynamodbav:"cause"`
}

// soldItem is a product that was paid for.
type soldItem struct {
	ID     string   `dynamodbav:"id"`
	Side   string   `dynamodbav:"side"`
	Ships  bool     `dynamodbav:"ships,omitempty"`
	Orders []string `dynamodbav:"orders,omitempty"`
	Count  int      `dynamodbav:"count"`
}

type changedItem struct {
	Name  string   `dynamodbav:"name"`
	ID    string   `dynamodbav:"id,omitempty"`
	Parts []string `dynamodbav:"parts,omitempty"`
	Until int64    `dynamodbav:"until,omitempty"`
	Ended int      `dynamodbav:"ended,omitempty"`
	By    string   `dynamodbav:"by"`
	At    int64    `dynamodbav:"at"`
}

// RaiseNotice stores a notice of one event, to be mailed. The same notice again is not
// stored and is no error: the merchant has been told. A notice of a kind that is gathered
// is added to the one that is there.
func (s *Store) RaiseNotice(ctx context.Context, n notice.Notice) error {
	if n.Kind.Gathered() {
		err := retryUnless(ctx, func() error {
			write, ok, err := s.noticeWrite(ctx, n)
			if err != nil || !ok {
				return err
			}
			return s.write(ctx, write)
		}, func(error) bool { return false })
		return wrap(err, "raise a notice of %s", n.Kind)
	}
	_, err := s.RaiseNewNotice(ctx, n)
	return err
}

// RaiseNewNotice stores a notice of one event, to be mailed. It is false if the same notice
// is there already. The kind is none that is gathered.
func (s *Store) RaiseNewNotice(ctx context.Context, n notice.Notice) (raised bool, err error) {
	err = s.write(ctx, noticePut(s.tables.Orders, n))
	if _, there := failedCondition(err, 0); there {
		return false, nil
	}
	return err == nil, wrap(err, "raise a notice of %s", n.Kind)
}

// writeAndTell makes writes, and those of notices that tell of them: one transaction,
// tried again if it is throttled, or if another event is added to a notice meanwhile. The
// writes have the first positions in a *writeError; a condition of theirs that does not
// hold is final. It is a transaction even for one write: the SDK's own tries of it carry
// one token, so that none fails on what an earlier one wrote.
func (s *Store) writeAndTell(ctx context.Context, tell []notice.Notice, writes ...types.TransactWriteItem) error {
	return retryUnless(ctx, func() error {
		var tx transaction
		for _, write := range writes {
			tx.add(write)
		}
		for _, n := range tell {
			write, ok, err := s.noticeWrite(ctx, n)
			if err != nil {
				return err
			}
			if ok {
				tx.add(write)
			}
		}
		return s.transact(ctx, &tx)
	}, func(err error) bool {
		for i := range writes {
			if _, refused := failedCondition(err, i); refused {
				return true
			}
		}
		return false
	})
}

// noticePut returns the write of a notice that is not there yet, for use in the
// transaction that decides its cause.
func noticePut(table string, n notice.Notice) types.TransactWriteItem {
	return put(table, encode(newNoticeItem(n)), absent)
}

func newNoticeItem(n notice.Notice) noticeItem {
	f := n.Facts
	var refused []refusedItem
	for _, r := range f.Refused {
		refused = append(refused, refusedItem(r))
	}
	var products []soldItem
	for _, p := range f.Products {
		products = append(products, soldItem{p.ID, string(p.Side), p.Ships, p.Orders, p.Count})
	}
	var changed []changedItem
	for _, c := range f.Changed {
		changed = append(changed, changedItem{c.Name, c.ID, c.Parts, millis(c.Until), c.Ended, c.By, millis(c.At)})
	}
	var sample *sampleItem
	if f.Sample != nil {
		sample = &sampleItem{f.Sample.Product, (*textItem)(f.Sample.Text), f.Sample.Language, f.Sample.Keys, f.Sample.Test}
	}
	var ended *endedItem
	if j := f.Job; j != nil {
		ended = &endedItem{j.ID, string(j.Kind), j.To, j.Keys, j.Lines, j.Left, j.Cut, j.By, j.CancelledBy}
	}
	about := f.Side
	if n.Kind.Gathered() { // it may tell of both sides
		about = ""
	}
	var expires int64
	if n.Kind == notice.SignIn { // anybody may cause one
		expires = n.RaisedAt.Add(signInNoticeKept).Unix()
	}
	return noticeItem{
		primaryKey: noticeKey(n.ID), V: schema, Version: n.Version,
		Merchant: n.Merchant, TestOf: testOf(n.Merchant, about), To: n.To, Kind: string(n.Kind), RaisedAt: millis(n.RaisedAt),
		Facts: factsItem{
			Pool: f.Pool, Side: string(f.Side), Product: f.Product,
			Available: f.Available, Threshold: f.Threshold,
			Waiting: f.Waiting, Missing: f.Missing, HeadNeeds: f.HeadNeeds,
			Mails: f.Mails, Uploads: f.Uploads, File: f.File, Orders: f.Orders, OrderID: f.OrderID, Count: f.Count, Cause: f.Cause,
			Limit: f.Limit, StartedAt: millis(f.Started), Products: products, Refused: refused, Changed: changed, Account: f.Account, Address: f.Address, Sample: sample, Job: ended, Line: f.Line, Former: f.Former, SignIn: f.SignIn,
		},
		ExpiresAt:  expires,
		outboxItem: newOutboxItem(n.Mail, n.ID),
	}
}

// signInNoticeKept is how long the notice of a sign-in is kept: as long as SES may report what
// became of its mail.
const signInNoticeKept = 3 * 24 * time.Hour

// Notice returns a notice as it stands, false if there is none: one consistent read.
func (s *Store) Notice(ctx context.Context, id string) (notice.Notice, bool, error) {
	item, err := s.get(ctx, s.tables.Orders, noticeKey(id))
	if err != nil || item == nil {
		return notice.Notice{}, false, wrap(err, "read a notice")
	}
	n, err := decodeNotice(item)
	return n, err == nil, err
}

func decodeNotice(item attrs) (notice.Notice, error) {
	i, err := decode[noticeItem](item, oldestInOrders)
	if err != nil {
		return notice.Notice{}, wrap(err, "read a notice")
	}
	id, _ := i.primaryKey.notice()
	f := i.Facts
	var refused []notice.Refused
	for _, r := range f.Refused {
		refused = append(refused, notice.Refused(r))
	}
	var products []notice.Product
	for _, p := range f.Products {
		products = append(products, notice.Product{ID: p.ID, Side: pool.Side(p.Side), Ships: p.Ships, Orders: p.Orders, Count: p.Count})
	}
	var changed []notice.Changed
	for _, c := range f.Changed {
		changed = append(changed, notice.Changed{
			Name: c.Name, ID: c.ID, Parts: c.Parts, Until: at(c.Until), Ended: c.Ended, By: c.By, At: at(c.At),
		})
	}
	var sample *notice.Sample
	if s := f.Sample; s != nil {
		sample = &notice.Sample{Product: s.Product, Text: (*catalog.Text)(s.Text), Language: s.Language, Keys: s.Keys, Test: s.Test}
	}
	var ended *notice.Job
	if j := f.Job; j != nil {
		ended = &notice.Job{ID: j.ID, Kind: job.Kind(j.Kind), To: j.To, Keys: j.Keys, Lines: j.Lines, Left: j.Left, Cut: j.Cut, By: j.By, CancelledBy: j.CancelledBy}
	}
	return notice.Notice{
		ID: id, Version: i.Version,
		Merchant: i.Merchant, To: i.To, Kind: notice.Kind(i.Kind), RaisedAt: at(i.RaisedAt),
		Facts: notice.Facts{
			Pool: f.Pool, Side: pool.Side(f.Side), Product: f.Product,
			Available: f.Available, Threshold: f.Threshold,
			Waiting: f.Waiting, Missing: f.Missing, HeadNeeds: f.HeadNeeds,
			Mails: f.Mails, Uploads: f.Uploads, File: f.File, Orders: f.Orders, OrderID: f.OrderID, Count: f.Count, Cause: f.Cause,
			Limit: f.Limit, Started: at(f.StartedAt), Products: products, Refused: refused, Changed: changed, Account: f.Account, Address: f.Address, Sample: sample, Job: ended, Line: f.Line, Former: f.Former, SignIn: f.SignIn,
		},
		Mail: i.entry(),
	}, nil
}
