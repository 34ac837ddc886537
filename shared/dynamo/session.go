package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/notice"
)

// signInItem is a request to sign in.
type signInItem struct {
	primaryKey
	V         int        `dynamodbav:"v"`
	Version   int        `dynamodbav:"version"`
	Address   string     `dynamodbav:"address"`
	Browser   string     `dynamodbav:"browser,omitempty"`
	From      string     `dynamodbav:"from,omitempty"`
	AskedAt   int64      `dynamodbav:"askedAt"`
	Link      string     `dynamodbav:"link,omitempty"` // hashes
	Code      string     `dynamodbav:"code,omitempty"`
	People    []whomItem `dynamodbav:"people,omitempty"`
	Tries     int        `dynamodbav:"tries,omitempty"`
	By        string     `dynamodbav:"by,omitempty"`
	ExpiresAt int64      `dynamodbav:"expiresAt"` // in seconds: see ExpiresAttribute
}

type whomItem struct {
	Merchant string `dynamodbav:"merchant"`
	Person   string `dynamodbav:"person"`
}

// sessionItem is a signed-in browser. It stands under the hash of its name, in the partition
// of its person.
type sessionItem struct {
	primaryKey
	V          int        `dynamodbav:"v"`
	Address    string     `dynamodbav:"address,omitempty"`
	Also       []whomItem `dynamodbav:"also,omitempty"`
	Browser    string     `dynamodbav:"browser,omitempty"`
	From       string     `dynamodbav:"from,omitempty"`
	SignedInAt int64      `dynamodbav:"signedInAt"`
	FreshAt    int64      `dynamodbav:"freshAt"`
	SeenAt     int64      `dynamodbav:"seenAt"`
	By         string     `dynamodbav:"by,omitempty"`
	EndsAt     int64      `dynamodbav:"endsAt,omitempty"`
	ExpiresAt  int64      `dynamodbav:"expiresAt"` // in seconds: see ExpiresAttribute
}

// AskSignIn stores a request to sign in, with the notice by which a mail is written if
// somebody has the address: one transaction, which looks nobody up, so that it is the same
// work for every address.
func (s *Store) AskSignIn(ctx context.Context, r access.SignIn, tell notice.Notice) error {
	var tx transaction
	r.Version = 1
	tx.add(put(s.tables.Sessions, encode(newSignInItem(r)), absent))
	write, ok, err := s.noticeWrite(ctx, tell)
	if err != nil {
		return wrap(err, "ask for a sign-in")
	}
	if ok {
		tx.add(write)
	}
	return wrap(s.transact(ctx, &tx), "ask for a sign-in")
}

// OpenHelp stores the request by which the operator opens a merchant's portal, with what tells of
// it: one transaction.
func (s *Store) OpenHelp(ctx context.Context, r access.SignIn, with audit.Record) error {
	r.Version = 1
	write := put(s.tables.Sessions, encode(newSignInItem(r)), absent)
	return wrap(s.writeSetting(ctx, []types.TransactWriteItem{write}, []audit.Record{with}), "open a portal for the operator")
}

// SignIn returns a request to sign in by the hash of its name, one of version 0 if there is
// none: one consistent read.
func (s *Store) SignIn(ctx context.Context, hash string) (access.SignIn, error) {
	item, _, err := getAs[signInItem](ctx, s, s.tables.Sessions, signInKey(hash), oldestInSessions)
	return item.signIn(hash), wrap(err, "read a sign-in request")
}

// PutSignIn stores a request to sign in under an optimistic lock: catalog.ErrConflict if
// it was changed, or used, since it was read.
func (s *Store) PutSignIn(ctx context.Context, r access.SignIn) error {
	lock := locked(r.Version)
	r.Version++
	return wrap(lockError(s.write(ctx, put(s.tables.Sessions, encode(newSignInItem(r)), lock))), "store a sign-in request")
}

// BeginSession uses a request to sign in up, stores the session, and ends a former one unless
// it has no hash: all or nothing. It is catalog.ErrConflict if the request was changed, or
// used, since it was read.
func (s *Store) BeginSession(ctx context.Context, r access.SignIn, session, former access.Session) error {
	var tx transaction
	tx.add(remove(s.tables.Sessions, signInKey(r.Hash), atVersion(r.Version)))
	tx.add(put(s.tables.Sessions, encode(newSessionItem(session)), absent))
	if former.Hash != "" {
		tx.add(remove(s.tables.Sessions, sessionKey(former.Whom, former.Hash), always))
	}
	return wrap(lockError(s.transact(ctx, &tx)), "begin a session")
}

// Session implements access.Sessions: one consistent read.
func (s *Store) Session(ctx context.Context, of access.Whom, hash string) (access.Session, bool, error) {
	item, ok, err := getAs[sessionItem](ctx, s, s.tables.Sessions, sessionKey(of, hash), oldestInSessions)
	return item.session(of), ok, wrap(err, "read a session")
}

// SessionsOf returns a person's sessions, those too that are over and not yet deleted.
func (s *Store) SessionsOf(ctx context.Context, of access.Whom) ([]access.Session, error) {
	items, err := queryAs[sessionItem](ctx, s, inPartition(s.tables.Sessions, sessionKey(of, "").PK), oldestInSessions)
	sessions := make([]access.Session, len(items))
	for i, item := range items {
		sessions[i] = item.session(of)
	}
	return sessions, wrap(err, "list the sessions of a person")
}

// MoveSession stores a session in place of a former one of the same browser. It is false if that
// has ended meanwhile: nothing is stored then.
func (s *Store) MoveSession(ctx context.Context, session, former access.Session) (bool, error) {
	var tx transaction
	tx.add(remove(s.tables.Sessions, sessionKey(former.Whom, former.Hash), condition{expression: "attribute_exists(pk)"}))
	tx.add(put(s.tables.Sessions, encode(newSessionItem(session)), absent))
	err := s.transact(ctx, &tx)
	if _, ended := failedCondition(err, 0); ended {
		return false, nil
	}
	return err == nil, wrap(err, "move a session")
}

// PutSession stores a session that was not begun by a sign-in request.
func (s *Store) PutSession(ctx context.Context, session access.Session) error {
	return wrap(s.write(ctx, put(s.tables.Sessions, encode(newSessionItem(session)), absent)), "store a session")
}

// SeeSession implements access.Sessions. A session that was ended meanwhile stays ended.
func (s *Store) SeeSession(ctx context.Context, session access.Session, now time.Time) error {
	session.SeenAt = now
	u := newUpdate(condition{expression: "attribute_exists(pk)"})
	u.set("seenAt", number(millis(now)))
	u.set(ExpiresAttribute, number(newSessionItem(session).ExpiresAt))
	return wrap(s.write(ctx, u.write(s.tables.Sessions, sessionKey(session.Whom, session.Hash))), "note the use of a session")
}

// EndSession removes a session. It is no failure that there is none.
func (s *Store) EndSession(ctx context.Context, of access.Whom, hash string) error {
	return wrap(s.write(ctx, remove(s.tables.Sessions, sessionKey(of, hash), always)), "end a session")
}

// CountAttempts implements access.Counts: one write.
func (s *Store) CountAttempts(ctx context.Context, what, of string, span time.Duration, now time.Time) (int, error) {
	begins := now.Truncate(span)
	u := newUpdate(always)
	u.set("v", number(schema))
	u.set(ExpiresAttribute, number(begins.Add(2*span).Unix()))
	u.add("count", 1)
	item, err := s.writeAndRead(ctx, u.write(s.tables.Sessions, limitKey(what, access.HashName(of), begins)))
	return int(numberOf(item["count"])), wrap(err, "count attempts")
}

func newSignInItem(r access.SignIn) signInItem {
	return signInItem{
		primaryKey: signInKey(r.Hash), V: schema, Version: r.Version, Address: r.Address, Browser: r.Browser, From: r.From,
		AskedAt: millis(r.AskedAt), Link: r.LinkHash, Code: r.CodeHash, People: newWhomItems(r.People), Tries: r.Tries, By: r.By,
		ExpiresAt: r.AskedAt.Add(access.SignInGoodFor + tidiedAfter).Unix(),
	}
}

func (i signInItem) signIn(hash string) access.SignIn {
	return access.SignIn{
		Hash: hash, Version: i.Version, Address: i.Address, Browser: i.Browser, From: i.From,
		AskedAt: at(i.AskedAt), LinkHash: i.Link, CodeHash: i.Code, People: whoms(i.People), Tries: i.Tries, By: i.By,
	}
}

func newWhomItems(people []access.Whom) []whomItem {
	var items []whomItem
	for _, p := range people {
		items = append(items, whomItem(p))
	}
	return items
}

func whoms(items []whomItem) []access.Whom {
	var people []access.Whom
	for _, item := range items {
		people = append(people, access.Whom(item))
	}
	return people
}

func newSessionItem(s access.Session) sessionItem {
	ends := s.Ends()
	if idle := s.SeenAt.Add(access.SessionIdle); idle.Before(ends) {
		ends = idle
	}
	return sessionItem{
		primaryKey: sessionKey(s.Whom, s.Hash), V: schema, Address: s.Address, Also: newWhomItems(s.Also), Browser: s.Browser, From: s.From,
		SignedInAt: millis(s.SignedInAt), FreshAt: millis(s.FreshAt), SeenAt: millis(s.SeenAt), By: s.By, EndsAt: millis(s.EndsAt),
		ExpiresAt: ends.Add(tidiedAfter).Unix(),
	}
}

func (i sessionItem) session(of access.Whom) access.Session {
	return access.Session{
		Whom: of, Hash: i.SK, Address: i.Address, Also: whoms(i.Also), Browser: i.Browser, From: i.From,
		SignedInAt: at(i.SignedInAt), FreshAt: at(i.FreshAt), SeenAt: at(i.SeenAt), By: i.By, EndsAt: at(i.EndsAt),
	}
}

// tidiedAfter is how long after their end DynamoDB may delete sessions and requests.
const tidiedAfter = time.Hour
