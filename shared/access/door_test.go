package access_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/access"
	"keypool/shared/catalog"
)

// A session ends three days after its last click, and after fourteen days in all. What DynamoDB
// deletes by itself is later than that.
func TestSession_ends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clicks []time.Duration // each after the one before
		ends   time.Duration   // after the sign-in
	}{
		"idle":           {nil, access.SessionIdle},
		"used once":      {[]time.Duration{2 * 24 * time.Hour}, 2*24*time.Hour + access.SessionIdle},
		"used all along": {[]time.Duration{48 * time.Hour, 48 * time.Hour, 48 * time.Hour, 48 * time.Hour, 48 * time.Hour, 48 * time.Hour}, access.SessionLasts},
		"used at once":   {[]time.Duration{access.SeenEvery - 1}, access.SessionIdle}, // which is not noted
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t)
			session := d.signIn(adas)
			for _, after := range c.clicks {
				d.now = d.now.Add(after)
				d.lets(session, true)
			}
			d.now = noon.Add(c.ends - 1)
			unseen := access.Door{Sessions: unseen{d.store}, People: d.store, Now: d.Door.Now}
			if _, ok, err := unseen.Visitor(t.Context(), session); !ok || err != nil {
				t.Errorf("a moment before: %v, %v", ok, err)
			}
			d.now = noon.Add(c.ends)
			d.lets(session, false)
			// It is there still: its times end it, and what DynamoDB deletes by itself comes later.
			item := d.row(access.HashName(session))
			expires, err := strconv.ParseInt(item["expiresAt"].(*types.AttributeValueMemberN).Value, 10, 64)
			if err != nil || !time.Unix(expires, 0).After(d.now) {
				t.Errorf("DynamoDB may delete it at %s", time.Unix(expires, 0).UTC())
			}
		})
	}
}

// unseen notes no use.
type unseen struct{ access.Sessions }

func (unseen) SeeSession(context.Context, access.Session, time.Time) error { return nil }

// The person is asked for at each click: who is gone, or has another address, is out, and another
// role counts at once.
func TestVisitor_thePersonAtEachClick(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	d.person("acme", "bob", "bob@acme.example", access.Manager)
	session := d.signIn("bob@acme.example")
	for _, role := range access.Roles {
		d.person("acme", "bob", "bob@acme.example", role)
		if v := d.lets(session, true); v.Role != role {
			t.Errorf("%s, want %s", v.Role, role)
		}
	}
	d.person("acme", "bob", "Bob@ACME.example", access.Read)
	d.lets(session, true)
	d.person("acme", "bob", "bob@elsewhere.example", access.Read)
	d.lets(session, false)
	d.person("acme", "bob", "bob@acme.example", access.Read)
	d.lets(session, true)
	d.remove("acme", "bob")
	d.lets(session, false)
	// Whoever is added again signs in again: a browser that was lost with the person stays out.
	d.now = d.now.Add(time.Minute)
	d.person("acme", "bob", "bob@acme.example", access.Owner)
	d.lets(session, false)
	d.lets(d.signIn("bob@acme.example"), true)
}

// No name but the one that was given lets in.
func TestVisitor_names(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	d.must(d.store.PutMerchant(t.Context(), catalog.Merchant{Name: "nova", Title: "Nova", NoticeAddress: "stock@nova.example"}))
	d.person("nova", "ada", adas, access.Owner)
	d.person("acme", "bob", "bob@acme.example", access.Owner)
	session := d.signIn(adas)
	merchant, rest, _ := strings.Cut(session, ".")
	person, random, _ := strings.Cut(rest, ".")
	text := base64.RawURLEncoding.EncodeToString
	for name, wrong := range map[string]string{
		"none": "", "cut": session[:len(session)-1], "longer": session + "A", "its hash": access.HashName(session), "padded": session + "=",
		"the random part":            random,
		"at another merchant":        "nova." + person + "." + random,
		"of another person":          merchant + "." + text([]byte("bob")) + "." + random,
		"of nobody":                  merchant + ".." + random,
		"of a person with a hash":    merchant + "." + text([]byte("ada#x")) + "." + random,
		"of a person of a long name": merchant + "." + text([]byte(strings.Repeat("a", 5000))) + "." + random,
		"of the operator":            merchant + "." + text([]byte("@operator")) + "." + random,
		"of a merchant with a hash":  "acme#ada." + person + "." + random,
		"made anew":                  access.NewSessionName(access.Whom{Merchant: "acme", Person: "ada"}),
		"in other letters":           strings.ToUpper(session),
		"with another last letter":   session[:len(session)-1] + string(session[len(session)-1]^1),
		"twice":                      session + "." + random,
		"a request's":                d.ask(adas, home),
		"with a line break":          session[:10] + "\n" + session[10:],
		"with a line break, at last": session + "\n",
	} {
		if v, ok, err := d.Visitor(t.Context(), wrong); ok || err != nil {
			t.Errorf("%s: %v, %v, %v", name, v, ok, err)
		}
	}
	d.lets(session, true)
}

// To sign in once more makes a new name, and ends the former one; another browser's goes on.
func TestSignIns_anotherTime(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	first, elsewhere := d.signIn(adas), d.signIn(adas)
	d.now = d.now.Add(access.FreshFor - 1)
	v := d.lets(first, true)
	if !v.Fresh(d.now) {
		t.Error("not fresh before a quarter of an hour is over")
	}
	d.now = d.now.Add(1)
	if v.Fresh(d.now) {
		t.Error("fresh after a quarter of an hour")
	}
	next := d.signIn(adas, v.Session)
	d.lets(first, false)
	if v := d.lets(elsewhere, true); v.Fresh(d.now) {
		t.Error("a browser is fresh because another one is")
	}
	if v := d.lets(next, true); !v.Fresh(d.now) || next == first {
		t.Error("not fresh once signed in again")
	}
}

// An address that works at several merchants: a session is at one of them, and goes to another
// by itself alone.
func TestSwitch(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	for _, name := range []string{"nova", "other"} {
		d.must(d.store.PutMerchant(t.Context(), catalog.Merchant{Name: name, Title: name, NoticeAddress: "stock@" + name + ".example"}))
	}
	d.person("nova", "a-byron", adas, access.Read)
	d.person("other", "ada", "ada@other.example", access.Owner)
	session := d.signIn(adas)
	v := d.lets(session, true)
	here, there := v.Merchant, v.Session.Also[0].Merchant
	for _, merchant := range []string{"other", here, "nobody", ""} {
		if name, ok, err := d.Switch(t.Context(), v, merchant); ok || err != nil || name != "" {
			t.Errorf("to %q: %q, %v, %v", merchant, name, ok, err)
		}
	}
	d.now = d.now.Add(access.FreshFor)
	name, ok, err := d.Switch(t.Context(), v, there)
	if d.must(err); !ok {
		t.Fatal("not switched")
	}
	d.lets(session, false)
	now := d.lets(name, true)
	if now.Merchant != there || now.Fresh(d.now) || !now.Session.Ends().Equal(v.Session.Ends()) {
		t.Errorf("%+v", now)
	}
	// What has ended meanwhile goes nowhere.
	if again, ok, err := d.Switch(t.Context(), v, there); ok || err != nil {
		t.Errorf("a session that is over: %q, %v, %v", again, ok, err)
	}
	d.must(d.store.EndSession(t.Context(), now.Session.Whom, now.Session.Hash))
	if again, ok, err := d.Switch(t.Context(), now, here); ok || err != nil {
		t.Errorf("a session that was ended: %q, %v, %v", again, ok, err)
	}
}

// The operator's link opens once, within ten minutes, for what is left of an hour, and is in for
// nobody else.
func TestHelp(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	help := func() string {
		name, r := access.NewHelp("acme", access.Operator(), d.now)
		d.must(d.store.PutSignIn(t.Context(), r))
		return name
	}
	name := help()
	if merchant, err := d.LookHelp(t.Context(), name); merchant != "acme" || err != nil {
		t.Errorf("%q, %v", merchant, err)
	}
	d.now = d.now.Add(access.SignInGoodFor - 1)
	session, err := d.ByHelp(t.Context(), name, access.At{})
	d.must(err)
	if v := d.lets(session, true); v.Role != access.Owner || v.Name != "the operator" || v.Session.Also != nil {
		t.Errorf("%+v", v)
	}
	late, used := help(), name
	d.now = d.now.Add(access.SignInGoodFor)
	asked := d.ask(adas, home)
	link, _ := d.mailed(asked)
	for what, name := range map[string]string{"late": late, "used": used, "a person's request": asked, "a person's link": link, "none": "", "unknown": access.NewName()} {
		if session, err := d.ByHelp(t.Context(), name, access.At{}); !errors.Is(err, access.ErrSignInOver) || session != "" {
			t.Errorf("%s: %q, %v", what, session, err)
		}
		if _, err := d.LookHelp(t.Context(), name); !errors.Is(err, access.ErrSignInOver) {
			t.Errorf("%s, looked at: %v", what, err)
		}
	}
	// Nor is it a request by which a person signs in.
	name = help()
	d.refuses(name, "0000000", access.ErrWrongCode)
	if _, err := d.ByLink(t.Context(), name, name, access.At{}); !errors.Is(err, access.ErrWrongCode) {
		t.Errorf("by itself as a link: %v", err)
	}
	d.now = noon.Add(access.HelpLasts - 1)
	v := d.lets(session, true)
	if _, ok, err := d.Switch(t.Context(), v, "acme"); ok || err != nil {
		t.Errorf("the operator switches: %v, %v", ok, err)
	}
	d.now = noon.Add(access.HelpLasts)
	d.lets(session, false)
}
