package access

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"keypool/shared/pool"
)

// How long a session lasts.
const (
	SessionIdle  = 3 * 24 * time.Hour  // without a click
	SessionLasts = 14 * 24 * time.Hour // in all
	// FreshFor is how long after a sign-in a person may show keys, give power and erase.
	FreshFor = 15 * time.Minute
	// SeenEvery is how often a session notes that it is used: a write for each click would cost
	// more than the click.
	SeenEvery = 10 * time.Minute
)

// Session is a signed-in browser of a person at one merchant, as it is stored. Its name
// stands in the browser's cookie alone.
type Session struct {
	Whom
	Hash       string // of its name
	Address    string // by which the person signed in
	Also       []Whom // who else has the address: the person at other merchants
	Browser    string // in a few words
	From       string // network address that it was signed in from
	SignedInAt time.Time
	FreshAt    time.Time // when the person last showed to have the mails of the address
	SeenAt     time.Time // last click, to SeenEvery
	// By is who opened it for somebody else: the operator, who helps for an hour; empty: the
	// person did. EndsAt is when it ends then.
	By     string
	EndsAt time.Time
}

// NewSessionName returns the name of a new session of a person. It tells whose session it is,
// so that all of a person stand together and one read finds one; the rest is random.
func NewSessionName(of Whom) string {
	return of.Merchant + "." + base64.RawURLEncoding.EncodeToString([]byte(of.Person)) + "." + NewName()
}

// ParseSessionName returns whose session a name is of, false if the text is no name of one.
func ParseSessionName(name string) (Whom, bool) {
	merchant, rest, ok1 := strings.Cut(name, ".")
	encoded, random, ok2 := strings.Cut(rest, ".")
	person, err1 := base64.RawURLEncoding.Strict().DecodeString(encoded)
	content, err2 := base64.RawURLEncoding.Strict().DecodeString(random)
	ok := ok1 && ok2 && err1 == nil && err2 == nil && len(content) == randomBytes && pool.CheckName(merchant) == nil &&
		pool.CheckName(strings.TrimPrefix(string(person), helpSign)) == nil
	return Whom{merchant, string(person)}, ok
}

// Good reports whether the session lasts at that time. What the table does by itself only
// tidies up.
func (s Session) Good(now time.Time) bool {
	return now.Before(s.SeenAt.Add(SessionIdle)) && now.Before(s.Ends())
}

// Ends returns when the session ends, however much it is used.
func (s Session) Ends() time.Time {
	if !s.EndsAt.IsZero() {
		return s.EndsAt
	}
	return s.SignedInAt.Add(SessionLasts)
}

// Fresh reports whether the person signed in, or typed a code again, a moment ago.
func (s Session) Fresh(now time.Time) bool { return now.Before(s.FreshAt.Add(FreshFor)) }

// Sessions keeps sessions.
type Sessions interface {
	// Session returns a person's session by the hash of its name, false if there is none.
	Session(ctx context.Context, of Whom, hash string) (Session, bool, error)
	// SeeSession notes that a session is used.
	SeeSession(ctx context.Context, s Session, at time.Time) error
	// MoveSession stores a session in place of a former one, false if that has ended meanwhile.
	MoveSession(ctx context.Context, session, former Session) (bool, error)
}

// Door knows the visitors of the portal by their sessions. It is safe for concurrent use.
type Door struct {
	Sessions Sessions
	People   PersonFinder
	Now      func() time.Time
}

// Visitor is whoever a session lets in.
type Visitor struct {
	Principal
	Called  string // the person's name
	Session Session
}

// Fresh reports whether the visitor signed in, or typed a code again, a moment ago.
func (v Visitor) Fresh(now time.Time) bool { return v.Session.Fresh(now) }

// Visitor returns whom a session's name lets in, false if there is no such session, it is
// over, or the person is gone, was added anew or has another address by now. Session and person are read side
// by side, anew for each click: another role counts from then on.
func (d *Door) Visitor(ctx context.Context, name string) (Visitor, bool, error) {
	of, ok := ParseSessionName(name)
	if !ok {
		return Visitor{}, false, nil
	}
	var (
		person    Person
		works     bool
		personErr error
		read      = make(chan struct{})
	)
	go func() {
		defer close(read)
		person, works, personErr = d.People.Person(ctx, of.Merchant, of.Person)
	}()
	now := d.Now()
	session, ok, err := d.Sessions.Session(ctx, of, HashName(name))
	<-read
	if err == nil {
		err = personErr
	}
	helped := session.By != ""
	if err != nil || !ok || !session.Good(now) || !helped && (!works || !session.isOf(person)) {
		return Visitor{}, false, err
	}
	v := Visitor{
		Principal: Principal{ID: session.Hash[:IDLength], Merchant: of.Merchant, Name: person.Name + " (" + person.ID + ")", Role: person.Role},
		Called:    person.Name, Session: session,
	}
	if helped {
		v.Name, v.Called, v.Role = session.By, session.By, Owner
	}
	if now.Sub(session.SeenAt) >= SeenEvery {
		if err := d.Sessions.SeeSession(ctx, session, now); err == nil {
			v.Session.SeenAt = now
		}
	}
	return v, true, nil
}

// Switch makes a session of the visitor's at another merchant, where the same address works, and
// returns its name. It takes the place of the one that the visitor has, ends when that would have,
// and is checked as any other. It is false if the person does not work there, was added anew or
// has another address there by now.
func (d *Door) Switch(ctx context.Context, v Visitor, merchant string) (name string, ok bool, err error) {
	i := slices.IndexFunc(v.Session.Also, func(w Whom) bool { return w.Merchant == merchant })
	if i < 0 || v.Session.By != "" {
		return "", false, nil
	}
	to := v.Session.Also[i]
	person, works, err := d.People.Person(ctx, to.Merchant, to.Person)
	if err != nil || !works || !v.Session.isOf(person) {
		return "", false, err
	}
	name = NewSessionName(to)
	next := v.Session
	next.Whom, next.Hash, next.SeenAt = to, HashName(name), d.Now()
	next.Also = append(slices.Delete(slices.Clone(v.Session.Also), i, i+1), v.Session.Whom)
	ok, err = d.Sessions.MoveSession(ctx, next, v.Session)
	return name, ok, err
}

// isOf reports whether the person is who signed in: with the same address, as a mail program
// knows it, and not removed and added again since.
func (s Session) isOf(p Person) bool {
	return strings.EqualFold(p.Address, s.Address) && p.since(s.SignedInAt)
}
