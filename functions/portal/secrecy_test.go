package main

import (
	"crypto/rand"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
)

// The kinds of what people sign in by, as canaries.
const (
	ofSession = "name of a session"
	ofRequest = "name of a sign-in request"
	ofMail    = "link or code of a sign-in mail"
)

// sandbox is the function on tables of its own, where Ada is the merchant's owner, and makes
// the events of her browser. Each session, request, link and code is a canary.
type sandbox struct {
	*lambdatest.Sandbox
	ada     access.Whom
	address string
	begun   *string // hash of the last session
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{Sandbox: lambdatest.Open(t, wire), ada: access.Whom{Merchant: lambdatest.Merchant, Person: "ada"}}
	s.address = s.Canaries.Address(canary.Merchant)
	ada := access.Person{Merchant: s.ada.Merchant, ID: s.ada.Person, Name: "Ada Byron", Address: s.address, Role: access.Owner}
	if err := s.Store.PutPerson(t.Context(), 0, ada, ""); err != nil {
		t.Fatal(err)
	}
	return s
}

// secret makes a canary of a random name, and of the random part of it.
func (s *sandbox) secret(kind, name string) string {
	s.Canaries.Add(kind, name)
	if _, random, ok := strings.Cut(name, "."); ok {
		_, random, _ = strings.Cut(random, ".")
		s.Canaries.Add(kind, random)
	}
	return name
}

// helped makes the link by which the operator opens the merchant's portal, and returns its name.
func (s *sandbox) helped() string {
	s.Helper()
	name, r := access.NewHelp(lambdatest.Merchant, access.Operator(), time.Now())
	if err := s.Store.PutSignIn(s.Context(), r); err != nil {
		s.Fatal(err)
	}
	return s.secret(ofMail, name)
}

// session begins a session of Ada's, who signed in that long ago and has the address at others
// too, and returns its name.
func (s *sandbox) session(ago time.Duration, others ...access.Whom) string {
	s.Helper()
	name, at := s.secret(ofSession, access.NewSessionName(s.ada)), time.Now().Add(-ago)
	session := access.Session{Whom: s.ada, Hash: access.HashName(name), Address: s.address, Also: others, SignedInAt: at, FreshAt: at, SeenAt: at}
	if err := s.Store.PutSession(s.Context(), session); err != nil {
		s.Fatal(err)
	}
	if s.begun != nil { // the page of sessions lists few
		if err := s.Store.EndSession(s.Context(), s.ada, *s.begun); err != nil {
			s.Fatal(err)
		}
	}
	s.begun = &session.Hash
	return name
}

// asked stores a sign-in request of Ada's that she was mailed about, and returns its name,
// link and code.
func (s *sandbox) asked() (name, link, code string) {
	s.Helper()
	name, link, code = s.secret(ofRequest, access.NewName()), s.secret(ofMail, access.NewName()), access.NewCode()
	s.Canaries.Add(ofMail, code)
	r := access.SignIn{Hash: access.HashName(name), Address: s.address, AskedAt: time.Now()}.Mailed(link, code, []access.Whom{s.ada})
	if err := s.Store.PutSignIn(s.Context(), r); err != nil {
		s.Fatal(err)
	}
	return name, link, code
}

// call is a request of a browser with cookies; a form makes it a POST.
func (s *sandbox) call(path string, form url.Values, cookies map[string]string) []byte {
	s.Helper()
	e := resttest.Event(s, "good_portal_home")
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.Cookies = nil
	for name, value := range cookies {
		e.Cookies = append(e.Cookies, name+"="+value)
	}
	if form != nil {
		e.RequestContext.HTTP.Method = "POST"
		e.Headers["content-type"], e.Headers["sec-fetch-site"] = "application/x-www-form-urlencoded", "same-origin"
		e.Body = form.Encode()
	}
	return s.raw(e)
}

func (s *sandbox) raw(e events.APIGatewayV2HTTPRequest) []byte {
	s.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		s.Fatal(err)
	}
	return raw
}

// screenCall is a call of a screen: its form, made anew for each run, nil if it is a GET, and the
// kinds that its answer may hold.
type screenCall struct {
	path string
	form func() url.Values
	may  []string
}

// Whatever goes wrong with a request, no secret stands in what the function answers or logs,
// but for what the visitor asked for; and each right of the function is used.
func TestSecrecy(t *testing.T) {
	s := newSandbox(t)
	s.RefuseEachCall("to ask for a sign-in", func() []byte {
		return s.call("/portal/sign-in/ask", url.Values{"email": {s.Canaries.Address(canary.Customer)}}, nil)
	})
	s.RefuseEachCall("the link of a mail", func() []byte {
		name, link, _ := s.asked()
		return s.call("/portal/sign-in/"+link, nil, map[string]string{signInCookie: name})
	}, ofMail)
	s.RefuseEachCall("to sign in by the link", func() []byte {
		name, link, _ := s.asked()
		return s.call("/portal/sign-in/"+link, url.Values{}, map[string]string{signInCookie: name})
	})
	s.RefuseEachCall("to sign in by the code, again", func() []byte {
		name, _, code := s.asked()
		return s.call("/portal/sign-in/code", url.Values{"code": {code}}, map[string]string{signInCookie: name, sessionCookie: s.session(time.Hour)})
	})
	s.RefuseEachCall("a wrong code", func() []byte {
		name, _, code := s.asked()
		return s.call("/portal/sign-in/code", url.Values{"code": {wrong(code)}}, map[string]string{signInCookie: name})
	})
	s.RefuseEachCall("to ask for a code again", func() []byte {
		return s.call("/portal/sign-in/again", url.Values{"to": {"/portal"}}, map[string]string{sessionCookie: s.session(time.Hour)})
	})
	s.RefuseEachCall("to sign out", func() []byte {
		return s.call("/portal/sign-out", url.Values{"once": {rand.Text()}}, map[string]string{sessionCookie: s.session(0)})
	})
	s.RefuseEachCall("to end a session", func() []byte {
		name := s.session(0)
		return s.call(mePath+"/end", url.Values{"session": {access.HashName(name)[:access.IDLength]}, "once": {rand.Text()}}, map[string]string{sessionCookie: name})
	})
	other := access.Whom{Merchant: "other", Person: "ada"}
	if err := s.Store.PutPerson(t.Context(), 0, access.Person{Merchant: other.Merchant, ID: other.Person, Name: "Ada Byron", Address: s.address, Role: access.Read}, ""); err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("to go to another shop", func() []byte {
		return s.call(mePath+"/switch", url.Values{"merchant": {other.Merchant}, "once": {rand.Text()}}, map[string]string{sessionCookie: s.session(0, other)})
	}, ofSession) // the next one's cookie
	s.RefuseEachCall("the operator's link", func() []byte { return s.call(helpPath+"/"+s.helped(), nil, nil) }, ofMail)
	s.RefuseEachCall("to open a portal as the operator", func() []byte { return s.call(helpPath+"/"+s.helped(), url.Values{}, nil) })
	// Each screen, and what it does. A session of an hour is noted as used, one of now is not.
	for _, c := range slices.Concat(
		[]screenCall{
			{"/portal", nil, nil},
		},
		s.shopCalls(),
		s.stockCalls(),
		s.peopleCalls(),
	) {
		s.RefuseEachCall(c.path, func() []byte {
			var form url.Values
			if c.form != nil {
				if form = c.form(); form != nil {
					form.Set("once", rand.Text())
				}
			}
			return s.call(c.path, form, map[string]string{sessionCookie: s.session(0)})
		}, c.may...)
	}
	s.refuseOrderCalls()
	s.RefuseEachCall("a session that was not used for an hour", func() []byte {
		return s.call("/portal", nil, map[string]string{sessionCookie: s.session(time.Hour)})
	}, setting)

	key := s.Canaries.New(canary.Key)
	for _, raw := range []string{`"` + key + `"`, `{"headers":"` + key + `"}`, `{"isBase64Encoded":true,"body":"` + key + `!"}`, `{"rawPath":"/` + key + `","rawQueryString":"` + key + `"}`} {
		s.Invoke("an event that cannot be read", []byte(raw))
	}
	for _, path := range []string{"/" + key, "/portal/" + key, "/portal/orders/" + key, "/portal?x=" + key, "/portal/pools/" + key, "/portal/assets/" + key} {
		for _, form := range []url.Values{nil, {key: {key}}} {
			s.Invoke("an address with a key in it", s.call(path, form, map[string]string{sessionCookie: s.session(0)}), setting)
			s.Invoke("an address with a key in it, and nobody signed in", s.call(path, form, nil), canary.Key) // a cookie has the address that the browser is to come back to
		}
	}
}
