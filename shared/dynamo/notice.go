package dynamo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
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

	Listed     string `dynamodbav:"listed,omitempty"` // see noticesName
	ReceivedAt int64  `dynamodbav:"receivedAt,omitempty"`

	outboxItem
}

// noticesName is the partition of the index of lines in which the notices to a merchant are
// listed. No side of a merchant has it. The index has their keys alone: what becomes of a mail
// is not written to it.
func noticesName(merchant string) string { return merchant + "#notices" }

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
	var listed string
	var receivedAt int64
	if n.ToMerchant() {
		listed, receivedAt = noticesName(n.Merchant), millis(n.RaisedAt)
	}
	return noticeItem{
		primaryKey: noticeKey(n.ID), V: schema, Version: n.Version, Listed: listed, ReceivedAt: receivedAt,
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

// NoticesOf returns up to limit notices to a merchant, the newest first, after the place of the
// page before, "" to begin with, and the place to go on after, "" on the last page. It is two
// round trips, however many there are. Its error is order.ErrPlace for a place that is none.
func (s *Store) NoticesOf(ctx context.Context, merchant string, after notice.Place, limit int) (list []notice.Notice, next notice.Place, err error) {
	q := query{
		table: s.tables.Orders, index: listedIndex, where: "listed = :listed", values: attrs{":listed": text(noticesName(merchant))},
		backwards: true, limit: limit + 1,
	}
	var until int64
	var seen string
	if after != "" {
		moment, hash, ok := strings.Cut(string(after), "-")
		if until, err = strconv.ParseInt(moment, 10, 64); err != nil || !ok {
			return nil, "", order.ErrPlace
		}
		seen = hash
		q.where, q.values[":until"], q.limit = "listed = :listed AND receivedAt <= :until", number(until), limit+1+noticesOfMoment
	}
	entries, err := s.items(ctx, q)
	if err != nil {
		return nil, "", wrap(err, "list the notices of %s", merchant)
	}
	for i, entry := range entries {
		if numberOf(entry["receivedAt"]) == until && placeOfNotice(entry) == after && seen != "" {
			entries = entries[i+1:]
			break
		}
	}
	if len(entries) > limit {
		entries = entries[:limit]
		next = placeOfNotice(entries[limit-1])
	}
	keys, places := make([]attrs, len(entries)), map[primaryKey]int{}
	for i, entry := range entries {
		keys[i], places[keyOf(entry)] = keyOf(entry).attrs(), i
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Orders, keys)
	if err != nil {
		return nil, "", wrap(err, "read the notices of %s", merchant)
	}
	slices.SortFunc(items, func(a, b attrs) int { return cmp.Compare(places[keyOf(a)], places[keyOf(b)]) })
	for _, item := range items { // one that is gone is left out
		n, err := decodeNotice(item)
		if err != nil {
			return nil, "", err
		}
		list = append(list, n)
	}
	return list, next, nil
}

// noticesOfMoment is how many notices of one millisecond a page looks through for its place.
const noticesOfMoment = 50

// placeOfNotice is the place of an entry of the index. It does not tell the notice's name, which
// may hold a platform's number of an order.
func placeOfNotice(entry attrs) notice.Place {
	sum := sha256.Sum256([]byte(keyOf(entry).PK))
	return notice.Place(strconv.FormatInt(numberOf(entry["receivedAt"]), 10) + "-" + hex.EncodeToString(sum[:8]))
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
