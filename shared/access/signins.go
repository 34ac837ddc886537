package access

import (
	"context"
	"errors"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/mailaddress"
	"keypool/shared/notice"
	"keypool/shared/retry"
)

// SignIns lets people sign in. Nothing that it answers tells whether somebody has an address.
// It is safe for concurrent use.
type SignIns struct {
	Store  SignInStore
	Counts Counts
	Now    func() time.Time
}

// SignInStore keeps sign-in requests, and begins sessions.
type SignInStore interface {
	// AskSignIn stores a request with the notice of it, and looks nobody up.
	AskSignIn(ctx context.Context, r SignIn, tell notice.Notice) error
	// SignIn returns a request by the hash of its name, of version 0 if there is none.
	SignIn(ctx context.Context, hash string) (SignIn, error)
	// PutSignIn stores it; catalog.ErrConflict if it was changed, or used, meanwhile.
	PutSignIn(ctx context.Context, r SignIn) error
	// BeginSession uses it up, with the same error, and ends another session of the browser's,
	// unless that has no hash.
	BeginSession(ctx context.Context, r SignIn, session, former Session) error
}

// Ask makes a request to sign in by a mail to an address, and returns its name, which is for
// the cookie of the browser that asks. The mail is written by who looks the address up. What
// is asked for too often, or is no address, gets a name too, and no mail: nobody can tell.
func (s *SignIns) Ask(ctx context.Context, address, browser, from string) (name string, err error) {
	name, now := NewName(), s.Now()
	address = strings.ToLower(strings.TrimSpace(address))
	network := Network(from)
	attempts, err := CountAttempts(ctx, s.Counts, now, map[Limit]string{ofAddress: address, ofNetwork: network, ofAddressNetwork: address + " " + network})
	if err != nil || !attempts.Within() || !mailaddress.Valid(address) {
		return name, err
	}
	r := SignIn{Hash: HashName(name), Address: address, Browser: browser, From: from, AskedAt: now}
	tell := notice.New("", notice.SignIn, r.Hash, notice.Facts{SignIn: r.Hash}, now)
	tell.To = address
	return name, s.Store.AskSignIn(ctx, r, tell)
}

// Look returns nil if a link, opened in the browser whose cookie has the name, could be signed
// in by. It changes nothing.
func (s *SignIns) Look(ctx context.Context, name, link string) error {
	r, err := s.Store.SignIn(ctx, HashName(name))
	if err != nil {
		return err
	}
	return r.CheckLink(link, s.Now())
}

// At is the browser that signs in: what it says of itself in a few words, its network address,
// and the session that it has, which the new one takes the place of; none: the zero Session.
type At struct {
	Browser, From string
	Former        Session
}

// ByLink signs in by the link of the mail, and returns the name of the session, which is for
// the browser's cookie. Its error is ErrSignInOver or ErrWrongCode.
func (s *SignIns) ByLink(ctx context.Context, name, link string, at At) (session string, err error) {
	return s.try(ctx, name, at, linksOfNetwork, func(r SignIn) error { return r.CheckLink(link, s.Now()) })
}

// ByCode signs in by the code of the mail: see ByLink. A wrong code is counted, and MaxTries
// of them end the request.
func (s *SignIns) ByCode(ctx context.Context, name, code string, at At) (session string, err error) {
	return s.try(ctx, name, at, codesOfNetwork, func(r SignIn) error { return r.CheckCode(code, s.Now()) })
}

// try signs in by what check says is right. Of a network that tries too often nothing is right
// any more, and it is told the same as before. A browser without a request is not counted:
// programs that look at mails have none, and would use up what an office may try.
func (s *SignIns) try(ctx context.Context, name string, at At, of Limit, check func(SignIn) error) (session string, err error) {
	if name == "" {
		return "", ErrSignInOver
	}
	attempts, err := CountAttempts(ctx, s.Counts, s.Now(), map[Limit]string{of: Network(at.From)})
	if err != nil {
		return "", err
	}
	return s.begin(ctx, name, at, func(r SignIn) error {
		if err := check(r); err != nil || attempts.Within() {
			return err
		}
		return ErrWrongCode
	})
}

func (s *SignIns) begin(ctx context.Context, name string, at At, check func(SignIn) error) (session string, err error) {
	err = retry.Contention.Do(ctx, func() error {
		r, err := s.Store.SignIn(ctx, HashName(name))
		if err != nil {
			return err
		}
		switch err = check(r); {
		case errors.Is(err, ErrWrongCode):
			r.Tries++
			if err := contended(s.Store.PutSignIn(ctx, r)); err != nil {
				return err
			}
			return ErrWrongCode
		case err != nil:
			return err
		case len(r.People) == 0:
			return ErrSignInOver
		}
		now := s.Now()
		whom, also := r.whom(at.Former)
		session = NewSessionName(whom)
		return contended(s.Store.BeginSession(ctx, r, Session{
			Whom: whom, Hash: HashName(session), Address: r.Address, Also: also, Browser: at.Browser, From: at.From, SignedInAt: now, FreshAt: now, SeenAt: now,
		}, at.Former))
	})
	if err != nil {
		return "", err
	}
	return session, nil
}

// contended returns retry.ErrChanged for a request that was changed since it was read: it is
// read again, and is over if it was used.
func contended(err error) error {
	if used(err) {
		return retry.ErrChanged
	}
	return err
}

// used reports whether an error is that of a request that was changed, or used, meanwhile.
func used(err error) bool {
	return errors.Is(err, catalog.ErrConflict) || errors.Is(err, catalog.ErrMissing)
}
