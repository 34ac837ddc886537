package settings

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/lazy"
	"keypool/shared/mailaddress"
	"keypool/shared/notice"
)

// Senders sets the addresses at merchants' own domains that customers' mails come from.
type Senders struct {
	Store      SenderStore
	Identities Identities
	Looks      Looks
	Operator   string // the address that mails come from otherwise: its domain is nobody's
	Region     string // of SES
	Now        func() time.Time
}

// SenderStore keeps senders.
type SenderStore interface {
	// Sender returns a merchant's own sender, of version 0 if it has none.
	Sender(ctx context.Context, merchant string) (catalog.Sender, error)
	// PutSender stores a change of the version that it is given. The error is catalog.ErrTaken
	// if another merchant has the domain now.
	PutSender(ctx context.Context, s catalog.Sender, now time.Time, with ...audit.Record) error
	DeleteSender(ctx context.Context, merchant string, version int, with ...audit.Record) error
	// UnprovenSince returns since when a domain is a merchant's and not proven, whether the
	// merchant has given it up since or not; zero: it is not.
	UnprovenSince(ctx context.Context, merchant, domain string) (time.Time, error)
}

// Identities are the domains as SES knows them.
type Identities interface {
	// Claim has SES look for the records of a domain, again if need be. The error is
	// catalog.ErrTaken if SES has it from somebody else.
	Claim(ctx context.Context, domain, mailFrom string) error
	Look(ctx context.Context, domain string) (catalog.Identity, bool, error)
	// Free removes a domain. It is no error that there is none.
	Free(ctx context.Context, domain string) error
}

// Looks looks at a sender's domain, and stores what it found.
type Looks interface {
	Look(ctx context.Context, s catalog.Sender) (catalog.Sender, error)
}

// ErrUnclaimed means that SES does not look for a domain's records yet.
var ErrUnclaimed = errors.New("SES did not take the domain")

const (
	// lookAgainAfter is how old a look may be that Get answers from.
	lookAgainAfter = 30 * time.Second
	// lookFor is how long Get waits for SES; then it answers what was seen last.
	lookFor = 3 * time.Second
)

// Get returns a merchant's sender, looked at within half a minute if SES answers.
func (s *Senders) Get(ctx context.Context, merchant string) (catalog.Sender, error) {
	there, err := s.Store.Sender(ctx, merchant)
	if err == nil && there.Version == 0 {
		err = ErrNotFound
	}
	if err != nil || s.Now().Sub(there.LookedAt) < lookAgainAfter {
		return there, err
	}
	return s.look(ctx, there), nil
}

// look returns a sender as SES knows it now, or as it was if SES does not answer: the sweep
// looks again.
func (s *Senders) look(ctx context.Context, there catalog.Sender) catalog.Sender {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	seen, err := s.Looks.Look(ctx, there)
	if err != nil {
		slog.WarnContext(ctx, "sender.not_looked_at", "merchant", there.Merchant, "error", err)
	}
	return seen
}

// Put sets a merchant's sender, and returns it with its new version. The same address again
// has SES look for its records again. The error is catalog.ErrTaken if another has the domain.
func (s *Senders) Put(ctx context.Context, merchant, address string, by access.Principal, c Condition) (set catalog.Sender, created bool, err error) {
	if err := invalid(CheckSender(address, s.Operator)...); err != nil {
		return set, false, err
	}
	before, err := s.Store.Sender(ctx, merchant)
	if err != nil {
		return set, false, err
	}
	same := before.Version > 0 && before.Address == address
	if err := c.check(before.Version, same); err != nil {
		return set, false, err
	}
	if same && before.Proven() {
		return before, false, nil
	}
	set = before
	if before.Version == 0 || domainOf(address) != before.Domain() {
		// Who gives a domain up and takes it again has no more time to prove it: nobody can keep
		// another's domain from its owner for longer than that.
		since, err := s.Store.UnprovenSince(ctx, merchant, domainOf(address))
		if err != nil {
			return set, false, err
		}
		if since.IsZero() {
			since = s.Now()
		}
		set = catalog.Sender{
			Merchant: merchant, Version: before.Version, MailFrom: newMailFrom(domainOf(address)),
			State: catalog.SenderPending, UnprovenSince: since, DueAt: s.Now().Add(time.Minute),
		}
	}
	set.Address = address
	if !set.Proven() {
		set.State = catalog.SenderPending
	}
	var with []audit.Record
	if !same {
		e := entry(ctx, by, audit.Sender, merchant, "", shownIf(before.Version > 0, before), set.Shown(), s.Now())
		with = append(with, audit.Record{Entry: e, Tell: senderChanged(merchant, by, s.Now())})
	}
	// Stored first: nobody's domain is touched in SES before it is known whose it is. It is
	// stored again for an address that is there, whose domain may be another's by now.
	if err := s.Store.PutSender(ctx, set, s.Now(), with...); err != nil {
		return set, false, err
	}
	set.Version++
	if set.Proven() {
		return set, false, nil
	}
	err = s.Identities.Claim(ctx, set.Domain(), set.MailFrom)
	if errors.Is(err, catalog.ErrTaken) {
		return set, false, errors.Join(err, s.undo(ctx, before, set, by))
	}
	if before.Version > 0 && set.MailFrom != before.MailFrom {
		s.free(ctx, before)
	}
	if err != nil {
		slog.ErrorContext(ctx, "sender.not_claimed", "merchant", merchant, "error", err)
		return set, false, ErrUnclaimed
	}
	return s.look(ctx, set), before.Version == 0, nil
}

// undo puts back the sender that there was before one whose domain SES has from somebody
// else; none, if there was none, or its domain has become another merchant's meanwhile.
func (s *Senders) undo(ctx context.Context, before, set catalog.Sender, by access.Principal) error {
	there := before.Version > 0
	e := entry(ctx, by, audit.Sender, set.Merchant, "", set.Shown(), shownIf(there, before), s.Now())
	if there {
		before.Version = set.Version
		err := s.Store.PutSender(ctx, before, s.Now(), audit.Record{Entry: e})
		if !errors.Is(err, catalog.ErrTaken) {
			return err
		}
		e = entry(ctx, by, audit.Sender, set.Merchant, "", set.Shown(), nil, s.Now())
	}
	return s.Store.DeleteSender(ctx, set.Merchant, set.Version, audit.Record{Entry: e})
}

// Delete removes a merchant's sender: mails come from the operator's address again, half a
// minute later at the latest. The error is ErrNotFound if there is none.
func (s *Senders) Delete(ctx context.Context, merchant string, by access.Principal, c Condition) error {
	before, err := s.Store.Sender(ctx, merchant)
	if err != nil {
		return err
	}
	if before.Version == 0 {
		return ErrNotFound
	}
	if err := c.check(before.Version, false); err != nil {
		return err
	}
	e := entry(ctx, by, audit.Sender, merchant, "", before.Shown(), nil, s.Now())
	if err := s.Store.DeleteSender(ctx, merchant, before.Version, audit.Record{Entry: e, Tell: senderChanged(merchant, by, s.Now())}); err != nil {
		return err
	}
	s.free(ctx, before)
	return nil
}

// free removes a domain from SES that a merchant has given up, unless it is another's by
// now. One that stays there is used by nobody.
func (s *Senders) free(ctx context.Context, former catalog.Sender) {
	found, known, err := s.Identities.Look(ctx, former.Domain())
	if err == nil && known && found.MailFrom == former.MailFrom {
		err = s.Identities.Free(ctx, former.Domain())
	}
	if err != nil {
		slog.WarnContext(ctx, "sender.not_freed", "merchant", former.Merchant, "error", err)
	}
}

// CheckSender returns the mistakes of a sender's address. The operator's domain, those
// above and those below it are nobody's.
func CheckSender(address, operator string) []Problem {
	domain, own := domainOf(address), strings.ToLower(domainOf(operator))
	wrong := func(message string) []Problem { return []Problem{{"address", message}} }
	switch {
	case !mailaddress.Valid(address) || !strings.Contains(domain, ".") || strings.HasPrefix(domain, "["):
		return wrong("is not a mail address at a domain, such as keys@shop.example")
	case strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsUpper(r) }):
		return wrong("write the domain in lower case, and an international one in its ASCII form (xn--…)")
	case !domainName().MatchString(domain):
		return wrong("its domain is none that DNS can have: names of 1 to 63 letters, digits and hyphens, with dots between them")
	case len(domain) > longestDomain:
		return wrong("the domain is too long")
	case domain == own || strings.HasSuffix(domain, "."+own) || strings.HasSuffix(own, "."+domain):
		return wrong("this domain cannot be used here; give one of your own")
	}
	return nil
}

// domainName is the form of a domain in lower case. Its last name is no number.
var domainName = lazy.Regexp(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// longestDomain leaves room for the labels of records below the domain: a name has 253
// characters at most, and that of DKIM's takes 44 of them.
const longestDomain = 200

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// newMailFrom returns a name below a domain that nobody was given before.
func newMailFrom(domain string) string {
	return "keys-" + strings.ToLower(rand.Text()[:12]) + "." + domain
}

// senderChanged returns the notice of another address that customers' mails come from.
func senderChanged(merchant string, by access.Principal, now time.Time) []notice.Notice {
	return []notice.Notice{changed(notice.ChangedText, merchant, notice.Changed{Name: notice.AllProducts, Parts: []string{"sender"}}, by, now)}
}
