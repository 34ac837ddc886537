package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
)

// door is a portal's door over tables of its own, where Ada is acme's owner.
type door struct {
	*testing.T
	access.Door
	access.SignIns
	store  *dynamo.Store
	tables dynamo.Tables
	now    time.Time
}

const (
	adas = "ada@acme.example"
	home = "192.0.2.1"
)

func openDoor(t *testing.T, options ...dynamotest.Option) *door {
	t.Helper()
	d := &door{T: t, now: noon}
	d.store, d.tables = dynamotest.Open(t, options...)
	now := func() time.Time { return d.now }
	d.Door = access.Door{Sessions: d.store, People: d.store, Now: now}
	d.SignIns = access.SignIns{Store: d.store, Counts: d.store, Now: now}
	d.must(d.store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "stock@acme.example"}))
	d.person("acme", "ada", adas, access.Owner)
	return d
}

func (d *door) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// person adds somebody at this moment, or changes one.
func (d *door) person(merchant, id, address string, role access.Role) {
	d.Helper()
	people, version, err := d.store.People(d.Context(), merchant)
	d.must(err)
	next, former := access.Person{Merchant: merchant, ID: id, Name: id, Address: address, Role: role, AddedAt: d.now}, ""
	for _, p := range people {
		if p.ID == id {
			next.Version, next.AddedAt, former = p.Version, p.AddedAt, p.Address
		}
	}
	d.must(d.store.PutPerson(d.Context(), version, next, former))
}

func (d *door) remove(merchant, id string) {
	d.Helper()
	people, version, err := d.store.People(d.Context(), merchant)
	d.must(err)
	for _, p := range people {
		if p.ID == id {
			d.must(d.store.DeletePerson(d.Context(), version, p))
		}
	}
}

func (d *door) ask(address, from string) (name string) {
	d.Helper()
	name, err := d.Ask(d.Context(), address, "Firefox on Linux", from)
	d.must(err)
	return name
}

// mailed writes link and code into a request, as the mail does that is sent if there is the
// notice of it and somebody has the address; "": there is none.
func (d *door) mailed(name string) (link, code string) {
	d.Helper()
	if !d.told(name) {
		return "", ""
	}
	r, err := d.store.SignIn(d.Context(), access.HashName(name))
	d.must(err)
	people, err := d.store.Addressed(d.Context(), r.Address)
	d.must(err)
	if len(people) == 0 {
		return "", ""
	}
	link, code = access.NewName(), access.NewCode()
	d.must(d.store.PutSignIn(d.Context(), r.Mailed(link, code, people)))
	return link, code
}

// told reports whether a mail is to be written for a request.
func (d *door) told(name string) bool {
	d.Helper()
	_, ok, err := d.store.Notice(d.Context(), notice.New("", notice.SignIn, access.HashName(name), notice.Facts{}, d.now).ID)
	d.must(err)
	return ok
}

// signIn signs in by a code, and returns the session's name.
func (d *door) signIn(address string, former ...access.Session) string {
	d.Helper()
	name := d.ask(address, home)
	_, code := d.mailed(name)
	at := access.At{From: home}
	for _, f := range former {
		at.Former = f
	}
	session, err := d.ByCode(d.Context(), name, code, at)
	d.must(err)
	return session
}

// lets returns whom a session lets in, and fails the test unless that is as it should be.
func (d *door) lets(session string, in bool) access.Visitor {
	d.Helper()
	v, ok, err := d.Visitor(d.Context(), session)
	d.must(err)
	if ok != in {
		d.Errorf("at %s: let in: %v", d.now.Sub(noon), ok)
	}
	return v
}

// refuses fails the test unless a code is refused by that error.
func (d *door) refuses(name, code string, want error) {
	d.Helper()
	if session, err := d.ByCode(d.Context(), name, code, access.At{From: home}); !errors.Is(err, want) || session != "" {
		d.Errorf("a code of %d digits: %q, %v, want %v", len(code), session, err, want)
	}
}

// other returns another code.
func other(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

func TestSignIns_once(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	name := d.ask(" ADA@acme.example ", home)
	link, code := d.mailed(name)
	d.must(d.Look(t.Context(), name, link))
	session, err := d.ByLink(t.Context(), name, link, access.At{Browser: "Firefox", From: home})
	d.must(err)
	v := d.lets(session, true)
	if v.Merchant != "acme" || v.Role != access.Owner || v.Session.Person != "ada" || !v.Fresh(d.now) || v.Session.Browser != "Firefox" {
		t.Errorf("%+v", v)
	}
	// Link, code and request are used up.
	d.refuses(name, code, access.ErrSignInOver)
	for _, err := range []error{d.Look(t.Context(), name, link), second(d.ByLink(t.Context(), name, link, access.At{}))} {
		if !errors.Is(err, access.ErrSignInOver) {
			t.Errorf("the link again: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Two browsers that sign in by one request at the same moment: one is in.
func TestSignIns_raced(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	name := d.ask(adas, home)
	link, code := d.mailed(name)
	var all sync.WaitGroup
	var mu sync.Mutex
	const browsers = 8
	d.lookTogether(browsers)
	in := 0
	for i := range browsers {
		all.Go(func() {
			try, secret := d.ByCode, code
			if i%2 == 0 {
				try, secret = d.ByLink, link
			}
			session, err := try(t.Context(), name, secret, access.At{From: home})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && session != "" {
				in++
			} else if !errors.Is(err, access.ErrSignInOver) {
				t.Errorf("%q, %v", session, err)
			}
		})
	}
	all.Wait()
	sessions, err := d.store.SessionsOf(t.Context(), access.Whom{Merchant: "acme", Person: "ada"})
	if in != 1 || err != nil || len(sessions) != 1 {
		t.Errorf("%d are in by one request, with %d sessions, %v", in, len(sessions), err)
	}
}

func TestSignIns_tenMinutes(t *testing.T) {
	t.Parallel()
	for by, late := range map[time.Duration]bool{access.SignInGoodFor - 1: false, access.SignInGoodFor: true} {
		d := openDoor(t)
		name := d.ask(adas, home)
		link, code := d.mailed(name)
		d.now = d.now.Add(by)
		looked := d.Look(t.Context(), name, link)
		_, err := d.ByCode(t.Context(), name, code, access.At{})
		if late != errors.Is(err, access.ErrSignInOver) || late != errors.Is(looked, access.ErrSignInOver) || !late && (err != nil || looked != nil) {
			t.Errorf("after %s: %v, %v", by, looked, err)
		}
		if late && d.row(access.HashName(name)) == nil {
			t.Error("the request is refused because it is gone: its time was not asked")
		}
	}
}

// row returns the item of a request or a session by the hash of its name, nil if there is none.
func (d *door) row(hash string) map[string]types.AttributeValue {
	d.Helper()
	found, err := dynamotest.Client(d).Scan(d.Context(), &dynamodb.ScanInput{TableName: &d.tables.Sessions})
	d.must(err)
	for _, item := range found.Items {
		key := item["pk"].(*types.AttributeValueMemberS).Value + " " + item["sk"].(*types.AttributeValueMemberS).Value
		if strings.Contains(key, hash) {
			return item
		}
	}
	return nil
}

func TestSignIns_fiveWrongCodes(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	name := d.ask(adas, home)
	link, code := d.mailed(name)
	for i := range access.MaxTries {
		if i%2 == 0 {
			d.refuses(name, other(code), access.ErrWrongCode)
		} else if _, err := d.ByLink(t.Context(), name, access.NewName(), access.At{}); !errors.Is(err, access.ErrWrongCode) {
			t.Errorf("a wrong link: %v", err)
		}
	}
	d.refuses(name, code, access.ErrSignInOver)
	if _, err := d.ByLink(t.Context(), name, link, access.At{}); !errors.Is(err, access.ErrSignInOver) {
		t.Errorf("the link: %v", err)
	}
	// Four leave it good.
	name = d.ask(adas, home)
	_, code = d.mailed(name)
	for range access.MaxTries - 1 {
		d.refuses(name, other(code), access.ErrWrongCode)
	}
	_, err := d.ByCode(t.Context(), name, code, access.At{})
	d.must(err)
}

// Guesses that are sent side by side are counted one by one.
func TestSignIns_guessesSideBySide(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	name := d.ask(adas, home)
	_, code := d.mailed(name)
	const guesses = 24
	d.lookTogether(guesses)
	var all sync.WaitGroup
	var mu sync.Mutex
	tried := 0
	for i := range guesses {
		all.Go(func() {
			_, err := d.ByCode(t.Context(), name, other(code), access.At{From: fmt.Sprint("203.0.113.", i)})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, access.ErrWrongCode) {
				tried++
			}
		})
	}
	all.Wait()
	if tried > access.MaxTries {
		t.Errorf("%d guesses were judged, and %d end a request", tried, access.MaxTries)
	}
	for range access.MaxTries {
		_, _ = d.ByCode(t.Context(), name, other(code), access.At{From: home})
	}
	d.refuses(name, code, access.ErrSignInOver)
}

// together is a store that answers the first looks at a request once so many have looked.
type together struct {
	access.SignInStore
	left  sync.WaitGroup
	first atomic.Int32
}

// lookTogether has the first looks at a request end together.
func (d *door) lookTogether(looks int) {
	s := &together{SignInStore: d.store}
	s.left.Add(looks)
	s.first.Store(int32(looks))
	d.SignIns.Store = s
}

func (s *together) SignIn(ctx context.Context, hash string) (access.SignIn, error) {
	r, err := s.SignInStore.SignIn(ctx, hash)
	if s.first.Add(-1) >= 0 {
		s.left.Done()
		s.left.Wait()
	}
	return r, err
}

// The mail is written a moment after it was asked for, for an address that somebody has: codes
// that were tried before count on, as they do for an address that nobody has.
func TestSignIns_triesBeforeTheMailTellNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	for _, address := range []string{adas, "nobody@acme.example"} {
		name := d.ask(address, home)
		for range access.MaxTries - 1 {
			d.refuses(name, "0000000", access.ErrWrongCode)
		}
		_, code := d.mailed(name)
		if code == "" {
			code = "1111111"
		}
		d.refuses(name, other(code), access.ErrWrongCode)
		d.refuses(name, other(code), access.ErrSignInOver)
	}
}

// Of an address that nobody has, no code is right, and neither is none.
func TestSignIns_ofNobody(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	for _, code := range []string{"", "0000000", access.HashName("")} {
		name := d.ask("nobody@acme.example", home)
		if link, _ := d.mailed(name); link != "" {
			t.Fatal("nobody is mailed")
		}
		d.refuses(name, code, access.ErrWrongCode)
		if _, err := d.ByLink(t.Context(), name, code, access.At{}); !errors.Is(err, access.ErrWrongCode) {
			t.Errorf("by the link %q: %v", code, err)
		}
	}
	for _, name := range []string{"", access.NewName(), "x"} {
		d.refuses(name, "0000000", access.ErrSignInOver)
	}
}

// What is no address, or is asked for too often, is given a name as well.
func TestSignIns_noAddress(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	for _, address := range []string{"", "ada", "a@b, " + adas, "Ada <" + adas + ">", adas + "\r\nBcc: eve@example.com", strings.Repeat("a", 10_000) + "@acme.example"} {
		name := d.ask(address, home)
		if len(name) != len(access.NewName()) || d.told(name) {
			t.Errorf("%.40q: %q, told: %v", address, name, d.told(name))
		}
		d.refuses(name, "0000000", access.ErrSignInOver)
	}
}

// Of two requests, each has its own link and code; those of one mail are of no use with the
// other, and a second mail of a request makes the first worthless.
func TestSignIns_eachRequestItsOwn(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	d.person("acme", "bob", "bob@acme.example", access.Read)
	mine, his := d.ask("bob@acme.example", home), d.ask(adas, home)
	d.mailed(mine)
	link, code := d.mailed(his)
	d.refuses(mine, code, access.ErrWrongCode)
	if err := d.Look(t.Context(), mine, link); !errors.Is(err, access.ErrWrongCode) {
		t.Errorf("the link of another request: %v", err)
	}
	again, second := d.mailed(his)
	d.refuses(his, code, access.ErrWrongCode)
	if err := d.Look(t.Context(), his, link); !errors.Is(err, access.ErrWrongCode) {
		t.Errorf("the link of the first mail: %v", err)
	}
	d.must(d.Look(t.Context(), his, again))
	_, err := d.ByCode(t.Context(), his, second[:3]+" "+second[3:], access.At{})
	d.must(err)
}

// Limits count by address, by network, and by both, whoever asks.
func TestSignIns_limits(t *testing.T) {
	t.Parallel()
	networks := func(i int) string { return fmt.Sprintf("203.0.113.%d", i) }
	for name, c := range map[string]struct {
		ask  func(d *door, i int) string
		want int
		ends time.Duration
	}{
		"by address and network": {func(d *door, _ int) string { return d.ask(adas, home) }, 5, 15 * time.Minute},
		"by address":             {func(d *door, i int) string { return d.ask(adas, networks(i)) }, 10, time.Hour},
		"in other letters":       {func(d *door, i int) string { return d.ask(strings.ToUpper(adas[:i%8])+adas[i%8:], networks(i)) }, 10, time.Hour},
		"by network":             {func(d *door, i int) string { return d.ask(fmt.Sprintf("p%d@acme.example", i), home) }, 60, time.Hour},
		"by network of IPv6": {func(d *door, i int) string {
			return d.ask(fmt.Sprintf("p%d@acme.example", i), fmt.Sprintf("2001:db8:0:7::%x", i))
		}, 60, time.Hour},
		"by address, IPv6": {func(d *door, i int) string { return d.ask(adas, fmt.Sprintf("2001:db8:0:7:%x::1", i)) }, 5, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t)
			for i := range c.want {
				if request := c.ask(d, i); !d.told(request) {
					t.Fatalf("request %d is not told", i+1)
				}
			}
			if d.told(c.ask(d, c.want)) || d.told(c.ask(d, c.want+1)) {
				t.Errorf("more than %d are told", c.want)
			}
			d.now = d.now.Add(c.ends - 1)
			if d.told(c.ask(d, 0)) {
				t.Errorf("told before %s are over", c.ends)
			}
			d.now = d.now.Add(1)
			if !d.told(c.ask(d, 0)) {
				t.Errorf("none is told after %s", c.ends)
			}
		})
	}
}

// One network tries some codes an hour, of however many requests; its next one is refused, the
// right one too. All addresses of a network of IPv6 are one.
func TestSignIns_triesOfANetwork(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	from := func(i int) access.At { return access.At{From: fmt.Sprintf("2001:db8::%x", i)} }
	for i := range 100 {
		if _, err := d.ByCode(t.Context(), access.NewName(), "0000000", from(i)); !errors.Is(err, access.ErrSignInOver) {
			t.Fatal(err)
		}
	}
	name := d.ask(adas, home)
	_, code := d.mailed(name)
	if _, err := d.ByCode(t.Context(), name, code, from(100)); !errors.Is(err, access.ErrWrongCode) {
		t.Errorf("the right code: %v", err)
	}
	if _, err := d.ByCode(t.Context(), name, code, access.At{From: "2001:db8:0:1::1"}); err != nil {
		t.Errorf("from another network: %v", err)
	}
}

// A code is stored so that it is of no use for another request, and cannot be found by trying all
// codes without the request's name.
func TestMailed_hashesAreTheRequests(t *testing.T) {
	t.Parallel()
	one, two := access.SignIn{Hash: "a"}.Mailed("link", "1234567", nil), access.SignIn{Hash: "b"}.Mailed("link", "1234567", nil)
	if one.CodeHash == two.CodeHash || strings.Contains(fmt.Sprint(one), "1234567") || strings.Contains(fmt.Sprint(one), "link") {
		t.Errorf("%+v, %+v", one, two)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:DB8:1:2::9": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "", "somewhere": "somewhere",
	} {
		if got := access.Network(address); got != want {
			t.Errorf("%s counts as %s", address, got)
		}
	}
}
