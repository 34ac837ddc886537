package main

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// What holds of every screen is tried here with all of them, as portal.screens lists them: a new
// one is tried without a word more.

// theirs stands in all that the merchant nova calls its own, and in no name by which an address
// could ask for it.
const theirs = "zqtheirs"

// names are those of things of a merchant's, by what the patterns of screens call them.
type names map[string]string

// common are the names that are no merchant's.
var common = names{"language": "en", "platform": "stripe"}

// fill returns a pattern's method and path with names in it. Not ok: none of them is a merchant's.
func (n names) fill(t *testing.T, pattern string) (method, path string, ok bool) {
	t.Helper()
	method, path, _ = strings.Cut(pattern, " ")
	path = wildcards.ReplaceAllStringFunc(path, func(wildcard string) string {
		name := strings.Trim(wildcard, "{}")
		if value, is := common[name]; is {
			return value
		}
		value, is := n[name]
		if !is {
			t.Errorf("%s: give the merchant nova something that is called %s", pattern, wildcard)
		}
		ok = true
		return url.PathEscape(value)
	})
	return method, path, ok
}

var wildcards = regexp.MustCompile(`\{[a-z_]+\}`)

// furnish gives a merchant one thing of each kind, in whose titles the word stands, and returns
// their names.
func (s *seller) furnish(merchant, word string) names {
	s.Helper()
	n := names{
		"pool": merchant + "-pool", "product": merchant + "-product", "account": merchant + "-account", "person": merchant + "-person",
		"upload": "20261123T110000-" + (merchant + "0000000000000000")[:16], "job": "20261123T110000-" + (merchant + "j000000000000000")[:16], "rest": merchant + "-rest",
	}
	sealed, _ := s.seals.Seal(s.Context(), merchant, n["account"], []byte("0123456789abcdef0123456789abcdef"))
	token := access.Token{Hash: access.HashToken(merchant), Merchant: merchant, Name: word, Scopes: []access.Scope{access.Upload}, CreatedAt: noon}
	n["token"] = token.ID()
	for _, err := range []error{
		s.store.PutPool(s.Context(), catalog.Pool{Merchant: merchant, Name: n["pool"], Title: word, LowStock: 5, Shards: 1}),
		s.store.PutProduct(s.Context(), catalog.Product{
			Merchant: merchant, ID: n["product"], Title: word, Pool: n["pool"], Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Texts: map[string]catalog.Text{"en": {Subject: word, Body: word + " {KEY}"}},
		}),
		s.store.PutAccount(s.Context(), catalog.Account{Merchant: merchant, Name: n["account"], Platform: "standard", Origin: word, Secrets: []catalog.SealedSecret{{Blob: sealed, CreatedAt: noon}}}),
		s.store.PutToken(s.Context(), token),
		s.store.StartJob(s.Context(), job.Job{Merchant: merchant, ID: n["job"], Kind: job.Export, Pool: n["pool"], Side: pool.Live, CreatedAt: noon, By: word}),
	} {
		if err != nil {
			s.Fatal(err)
		}
	}
	s.person(merchant, n["person"], word, merchant+"-person@people.example", access.Support)
	s.keysIn(pool.ID{Merchant: merchant, Pool: n["pool"], Side: pool.Live}, merchant+"-key-1", merchant+"-key-2")
	s.world.read(merchant, n["pool"], func(u *upload.Upload) { u.ID, u.File = n["upload"], word+".txt" })
	f := order.Fulfillment{
		Version: 1, Merchant: merchant, Side: pool.Live, Account: n["account"], Origin: word, Order: merchant + "-1001", Line: "1", Product: n["product"], Title: word, Pool: n["pool"],
		Quantity: 2, KeysPerUnit: 1, Wanted: 2, ReceivedAt: noon.Add(-time.Hour), PaidAt: noon.Add(-time.Hour), OrderLines: 1,
		Customer: order.Customer{Name: word, Email: merchant + "-customer@example.com"},
	}
	f.ID = f.Identity().ID()
	if err := s.store.Commit(s.Context(), order.Change{After: f}); err != nil {
		s.Fatal(err)
	}
	n["order"] = f.ID.OrderHalf()
	n["line"] = string(f.ID)
	return n
}

// twoShops is a world with people of each role at acme, and the merchants acme and nova with one
// thing of each kind.
func twoShops(t *testing.T) (s *seller, acme, nova names) {
	t.Helper()
	s = openSeller(t)
	s.merchant("nova", theirs)
	s.person("nova", "eve", theirs, "eve@nova.example", access.Owner)
	acme, nova = s.furnish("acme", "ours"), s.furnish("nova", theirs)
	return s, acme, nova
}

// as returns a browser in which somebody of a role is signed in at acme.
func (s *seller) as(role access.Role) *browser {
	s.Helper()
	of, address := access.Whom{Merchant: "acme", Person: string(role)}, string(role)+"@acme.example"
	if role == access.Owner {
		of.Person, address = "ada", "ada@acme.example"
	}
	b, name, at := s.browser(), access.NewSessionName(of), s.now()
	session := access.Session{Whom: of, Hash: access.HashName(name), Address: address, SignedInAt: at, FreshAt: at, SeenAt: at}
	if err := s.store.PutSession(s.Context(), session); err != nil {
		s.Fatal(err)
	}
	b.cookies[sessionCookie] = name
	return b
}

// signOut ends the session of a browser, if there is one still.
func (s *seller) signOut(b *browser) {
	s.Helper()
	if of, ok := access.ParseSessionName(b.cookies[sessionCookie]); ok {
		if err := s.store.EndSession(s.Context(), of, access.HashName(b.cookies[sessionCookie])); err != nil {
			s.Fatal(err)
		}
	}
}

// stored returns all that the tables hold, by its key, but for what only counts or notes that a
// form was sent.
func (w *world) stored() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, table := range []string{w.tables.Catalog, w.tables.Keys, w.tables.Orders, w.tables.Sessions} {
		pages := dynamodb.NewScanPaginator(dynamotest.Client(w), &dynamodb.ScanInput{TableName: aws.String(table)})
		for pages.HasMorePages() {
			found, err := pages.NextPage(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			for _, item := range found.Items {
				pk := item["pk"].(*types.AttributeValueMemberS).Value
				if strings.HasPrefix(pk, "limits#") || strings.HasPrefix(pk, "idempotency#") {
					continue
				}
				key := pk
				if sk, is := item["sk"].(*types.AttributeValueMemberS); is {
					key += " " + sk.Value
				}
				all[key] = rendered(&types.AttributeValueMemberM{Value: item})
			}
		}
	}
	return all
}

// rendered writes a value, and all that it holds, in one way.
func rendered(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			b.WriteString(name + "=" + rendered(v.Value[name]) + ";")
		}
		return "{" + b.String() + "}"
	case *types.AttributeValueMemberL:
		var b strings.Builder
		for _, one := range v.Value {
			b.WriteString(rendered(one) + ",")
		}
		return "[" + b.String() + "]"
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return fmt.Sprintf("%x", v.Value)
	default:
		return fmt.Sprintf("%#v", v)
	}
}

// wantStored fails the test if what was there before has changed; all says that nothing may be new
// either.
func (w *world) wantStored(after string, before map[string]string, all bool) {
	w.Helper()
	now := w.stored()
	for key, was := range before {
		if is, there := now[key]; is != was {
			w.Errorf("%s: %s was %s, and is (%v) %s", after, key, was, there, is)
		}
	}
	for key := range now {
		if _, there := before[key]; all && !there {
			w.Errorf("%s: %s is new", after, key)
		}
	}
}

// may reports whether a role may open a screen.
func may(s screen, role access.Role) bool { return s.does == "" || role.May(s.does) }

// Each screen is for the roles that access.Needs gives its operation, and for no other: whoever
// has another role is refused before anything is done.
func TestScreens_eachRole(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	gone := names{}
	for name, value := range acme {
		gone[name] = value[:len(value)-1] + "x" // what an address names is not there: nothing is changed
	}
	for _, screen := range s.portal.screens() {
		for _, role := range access.Roles {
			if screen.does != "" {
				if _, known := access.Needs[screen.does]; !known {
					t.Fatalf("%s does %q, which is no operation of the API's", screen.pattern, screen.does)
				}
			}
			method, path, _ := gone.fill(t, screen.pattern)
			b := s.as(role)
			if !may(screen, role) {
				// Not even with the very form of what is there.
				_, path, _ = acme.fill(t, screen.pattern)
			}
			p := b.send(method, path, formFor(method))
			refused := strings.Contains(p.words(), "Your role does not include this.")
			if refused == may(screen, role) || refused && p.status != http.StatusForbidden {
				t.Errorf("%s as %s: %d, refused: %v", screen.pattern, role, p.status, refused)
			}
			if p.status >= 500 {
				t.Errorf("%s as %s: %d", screen.pattern, role, p.status)
			}
		}
	}
}

// formFor returns a form of no fields for a POST, nil for what has none.
func formFor(method string) url.Values {
	if method == http.MethodPost {
		return url.Values{}
	}
	return nil
}

// A thing of another merchant is answered as one that never was, to the byte, and nothing of that
// merchant's is changed or shown, whatever a form or a query names.
func TestScreens_ofAnotherMerchant(t *testing.T) {
	t.Parallel()
	s, _, nova := twoShops(t)
	never := names{}
	for name, value := range nova {
		never[name] = value[:len(value)-1] + "x"
	}
	before := s.stored()
	for _, screen := range s.portal.screens() {
		method, _, ofMerchant := nova.fill(t, screen.pattern)
		var answers []page
		for _, n := range []names{nova, never} {
			_, path, _ := n.fill(t, screen.pattern)
			query := n.asked()
			form := formFor(method)
			if form != nil {
				form = query
			}
			b := s.as(access.Owner)
			p := b.send(method, path+"?"+query.Encode(), form)
			s.signOut(b)
			if strings.Contains(p.body+fmt.Sprint(p.headers), theirs) {
				t.Errorf("%s shows what is another merchant's:\n%s", screen.pattern, p.words())
			}
			answers = append(answers, p)
		}
		got, want := unnamed(answers[0], nova, never), unnamed(answers[1], nova, never)
		if got != want && (ofMerchant || method == http.MethodGet) { // what else is done twice may end otherwise
			t.Errorf("%s: a thing of another merchant's is answered otherwise than one that never was:\n%s\n%s", screen.pattern, got, want)
		}
		// A form may be refused before what it is about is looked for.
		refused := answers[0].status == http.StatusConflict || answers[0].status == http.StatusUnprocessableEntity
		if ofMerchant && answers[0].status != http.StatusNotFound && !(method == http.MethodPost && refused) {
			t.Errorf("%s: %d, and %s", screen.pattern, answers[0].status, answers[0].words())
		}
	}
	changed := map[string]string{}
	for key, was := range before { // acme's own settings are changed by forms that name what is theirs
		if strings.Contains(was, "nova") || strings.Contains(was, theirs) {
			changed[key] = was
		}
	}
	if len(changed) < 15 {
		t.Errorf("only %d rows are nova's", len(changed))
	}
	s.wantStored("asked for by acme", changed, false)
}

// asked are fields of forms and of queries that could name a thing of the merchant's.
func (n names) asked() url.Values {
	return url.Values{
		"version": {"1"}, "merchant": {"nova"}, "pool": {n["pool"]}, "to": {n["pool"]}, "product": {n["product"]}, "original": {n["product"]}, "account": {n["account"]},
		"person": {n["person"]}, "order": {n["order"]}, "find": {n["order"]}, "line": {n["line"]}, "seen": {n["line"] + " 1"}, "units": {"1"}, "key": {"uploads/nova/" + n["pool"] + "/x/keys.txt"},
		"upload": {n["upload"]}, "job": {n["job"]}, "token": {n["token"]}, "session": {access.HashName(n["person"])[:access.IDLength]}, "act": {"release"}, "sure": {"1"},
		"keys": {"nova-key-1"}, "text": {"nova-key-1"}, "kind": {"secret"}, "name": {n["rest"]}, "after": {n["upload"]}, "language": {"en"}, "in": {"en"}, "id": {n["rest"]}, "size": {"7"},
	}
}

var onceValue = regexp.MustCompile(`name="once" value="[^"]*"`)

// unnamed is an answer without the names that requests had, and without what is new each time.
func unnamed(p page, of ...names) string {
	text := fmt.Sprint(p.status, " ", p.headers["Location"], "\n", onceValue.ReplaceAllString(p.body, ""))
	var all []string
	for _, n := range of {
		all = slices.AppendSeq(all, maps.Values(n))
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, name := range all {
		for _, form := range []string{name, url.PathEscape(name), url.QueryEscape(name), html.EscapeString(name), access.HashName(name)[:access.IDLength]} {
			text = strings.ReplaceAll(text, form, "…")
		}
	}
	return text
}

// Without a session, with one that is over, or one of nobody, every screen leads to the form that
// asks for an address, and nothing is stored. A page is come back to.
func TestScreens_withoutASession(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	over := s.as(access.Owner)
	s.later(access.SessionIdle)
	before := s.stored()
	for _, screen := range s.portal.screens() {
		method, path, _ := acme.fill(t, screen.pattern)
		for name, session := range map[string]string{"none": "", "over": over.cookies[sessionCookie], "nobody's": access.NewSessionName(access.Whom{Merchant: "acme", Person: "ada"})} {
			b := s.browser()
			if session != "" {
				b.cookies[sessionCookie] = session
			}
			p := b.send(method, path, formFor(method), func(e *events.APIGatewayV2HTTPRequest) { e.Headers["referer"] = publicURL + "/portal/pools?x=1" })
			if p.status != http.StatusSeeOther || p.headers["Location"] != signInPath || p.body != "" && strings.Contains(p.body, "ours") {
				t.Errorf("%s, %s: %d to %s", screen.pattern, name, p.status, p.headers["Location"])
			}
			back := path
			if method == http.MethodPost {
				back = "/portal/pools?x=1"
			}
			if safePath(back) == homePath { // it is where everybody comes to
				back = ""
			}
			if got, err := url.QueryUnescape(b.cookies[backCookie]); got != back || err != nil {
				t.Errorf("%s, %s: it leads back to %q", screen.pattern, name, got)
			}
		}
	}
	s.wantStored("without a session", before, true)
}

// No form of another site does anything, and none that is sent after a sign-in that is too long
// ago, where that matters.
func TestScreens_formsOfOthers(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	b := s.as(access.Owner)
	before := s.stored()
	for _, screen := range s.portal.screens() {
		method, path, _ := acme.fill(t, screen.pattern)
		if method != http.MethodPost {
			continue
		}
		for name, headers := range map[string][2]string{"cross-site": {"sec-fetch-site", "cross-site"}, "same-site": {"sec-fetch-site", "same-site"}, "old": {"origin", "https://evil.example"}, "none": {"origin", "null"}} {
			p := b.send(method, path, acme.asked(), func(e *events.APIGatewayV2HTTPRequest) {
				delete(e.Headers, "sec-fetch-site")
				e.Headers[headers[0]] = headers[1]
			})
			if p.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", screen.pattern, name, p.status)
			}
		}
	}
	s.wantStored("forms of other sites", before, true)
	for _, screen := range s.portal.screens() {
		method, path, _ := acme.fill(t, screen.pattern)
		if !screen.fresh {
			continue
		}
		old := s.as(access.Owner)
		s.later(access.FreshFor)
		before := s.stored()
		p := old.send(method, path, formFor(method))
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.headers["Location"], againPath+"?to=") {
			t.Errorf("%s, a quarter of an hour later: %d to %s", screen.pattern, p.status, p.headers["Location"])
		}
		for key, is := range s.stored() { // but that the session is seen
			if before[key] != is && !strings.HasPrefix(key, "sessions#") {
				t.Errorf("%s: %s is %s", screen.pattern, key, is)
			}
		}
	}
}

// A name in an address that is longer than anything can be called is that of nothing.
func TestScreens_longNames(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	for _, screen := range s.portal.screens() {
		method, path, _ := strings.Cut(screen.pattern, " ")
		for _, length := range []int{200, 900, 3000} {
			long := wildcards.ReplaceAllString(path, strings.Repeat("a", length))
			if p := s.as(access.Owner).send(method, long, formFor(method)); p.status >= http.StatusInternalServerError {
				t.Errorf("%s, %d letters: %d", screen.pattern, length, p.status)
			}
		}
	}
}
