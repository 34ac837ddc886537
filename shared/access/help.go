package access

import (
	"context"
	"time"
)

// The operator looks after a merchant's portal by a link of its own: whoever may sign requests of
// AWS for the deployment has one made, opens it once within ten minutes, and is in for what is
// left of an hour. Nobody is asked; the notice address and the owners are told by mail at the
// moment the link is made, the audit trail has it, and an owner may end it.
//
// An owner who is locked out gets in by it too: the operator gives that person another address,
// by which the person signs in. There is no link that signs the operator in as somebody else:
// what the operator does has the operator's name.

// HelpLasts is how long the operator's help lasts, from when its link was made.
const HelpLasts = time.Hour

// HelpPath is the path of links for the operator below the deployment's address; the name
// follows.
const HelpPath = SignInPath + "help/"

// helpSign begins what no ID of a person begins with: those are names.
const helpSign = "@"

// HelpOf names whose sessions the operator's at a merchant are: no person's.
func HelpOf(merchant string) Whom { return Whom{merchant, helpSign + "operator"} }

// NewHelp returns a request by which the operator opens a merchant's portal, and its name, which
// is for the link.
func NewHelp(merchant string, by Principal, now time.Time) (name string, r SignIn) {
	name = NewName()
	return name, SignIn{Hash: HashName(name), AskedAt: now, People: []Whom{HelpOf(merchant)}, By: by.Name}
}

// LookHelp returns the merchant whose portal a link opens for the operator. It changes nothing.
// Its error is ErrSignInOver.
func (s *SignIns) LookHelp(ctx context.Context, name string) (merchant string, err error) {
	r, err := s.help(ctx, name)
	if err != nil {
		return "", err
	}
	return r.People[0].Merchant, nil
}

// ByHelp uses the link up, and returns the name of the operator's session: see ByLink.
func (s *SignIns) ByHelp(ctx context.Context, name string, at At) (session string, err error) {
	r, err := s.help(ctx, name)
	if err != nil {
		return "", err
	}
	now := s.Now()
	session = NewSessionName(r.People[0])
	err = s.Store.BeginSession(ctx, r, Session{
		Whom: r.People[0], Hash: HashName(session), Browser: at.Browser, From: at.From, SignedInAt: now, FreshAt: now, SeenAt: now,
		By: r.By, EndsAt: r.AskedAt.Add(HelpLasts),
	}, at.Former)
	if used(err) {
		return "", ErrSignInOver
	}
	return session, err
}

func (s *SignIns) help(ctx context.Context, name string) (SignIn, error) {
	if name == "" {
		return SignIn{}, ErrSignInOver
	}
	r, err := s.Store.SignIn(ctx, HashName(name))
	if err == nil && (r.By == "" || !r.Good(s.Now())) {
		err = ErrSignInOver
	}
	return r, err
}
