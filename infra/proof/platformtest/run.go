package platformtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// Run runs all cases on a platform.
func Run(t *testing.T, p Platform) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, Platform){
		"verify before parse":         verifyBeforeParse,
		"one byte altered":            oneByteAltered,
		"empty secret":                emptySecret,
		"several secrets":             severalSecrets,
		"signature twice":             signatureTwice,
		"replay":                      replay,
		"five times in parallel":      fiveTimesInParallel,
		"test order":                  testOrder,
		"secret marked test":          markedTest,
		"unknown product":             unknownProduct,
		"body at its limit":           bodyAtItsLimit,
		"body over its limit":         bodyOverItsLimit,
		"each kind of event":          eachKind,
		"paid before delivers_from":   paidBefore,
		"changed repeat":              changedRepeat,
		"what can never be taken":     neverTaken,
		"the account does not exist":  noAccount,
		"secrets of nobody's account": noSecrets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, p)
		})
	}
	for name, c := range returns {
		if p.Events[c.needs] == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, p)
		})
	}
}

// hostile are bodies that a stranger sends.
func hostile() [][]byte {
	return [][]byte{
		nil,
		{},
		[]byte("{}"), []byte("null"), []byte("["),
		{0xff, 0xfe},
		[]byte(`"\ud800"`),
		bytes.Repeat([]byte("["), 100_000), bytes.Repeat([]byte(`{"a":`), 50_000),
		[]byte(`{"a":1,"a":2}`), []byte("a=b&c=%zz"), bytes.Repeat([]byte{0}, platform.MaxBody),
	}
}

// What nobody signed is never decoded, whatever it is.
func verifyBeforeParse(t *testing.T, p Platform) {
	s := openShop(t, p)
	good := p.signed(t, Paid, s.game(1), p.Secrets[0], s.now)
	bodies := append(hostile(), good.Body)
	for i, body := range bodies {
		for _, signature := range []string{"", "x", strings.Repeat("f", 128), "v1,", "t=1,v1=", "ts=1;h1=", "\x00"} {
			r := platform.Request{Header: good.Header.Clone(), Body: body}
			r.Header.Set(p.Signature, signature)
			if answer, _ := s.receive(r); answer.Status != refusedSignature {
				t.Errorf("body %d, signed %q, is answered %d", i, signature, answer.Status)
			}
		}
		if bytes.Equal(body, good.Body) || p.Covers != nil {
			continue
		}
		if answer, _ := s.receive(platform.Request{Header: good.Header.Clone(), Body: body}); answer.Status != refusedSignature {
			t.Errorf("body %d, with the signature of another, is answered %d", i, answer.Status)
		}
	}
	if answer, _ := s.receive(platform.Request{Header: http.Header{}, Body: good.Body}); answer.Status != refusedSignature {
		t.Errorf("without headers it is answered %d", answer.Status)
	}
	if n := s.decoded.Load(); n != 0 {
		t.Errorf("%d were decoded", n)
	}
	s.sold(0, "after strangers")
}

// A webhook of which one byte was altered is refused, wherever the signature covers it.
// Where it does not, the line gets no key more.
func oneByteAltered(t *testing.T, p Platform) {
	s := openShop(t, p)
	good := p.signed(t, Paid, s.game(1), p.Secrets[0], s.now)
	covered := func(int) bool { return true }
	if p.Covers != nil {
		covered = within(good.Body, p.Covers(good.Body))
	}
	altered := 0
	for i := range good.Body {
		if !covered(i) {
			continue
		}
		r := platform.Request{Header: good.Header, Body: bytes.Clone(good.Body)}
		r.Body[i] ^= 1
		altered++
		if answer, _ := s.receive(r); answer.Status != refusedSignature {
			t.Errorf("byte %d is altered, %q: answered %d", i, around(r.Body, i), answer.Status)
		}
	}
	if altered < 10 {
		t.Errorf("the signature covers %d bytes", altered)
	}
	signature := good.Header.Get(p.Signature)
	for i := range signature {
		if !alphanumeric(signature[i]) || sameBase64(signature, i) {
			continue
		}
		r := platform.Request{Header: good.Header.Clone(), Body: good.Body}
		r.Header.Set(p.Signature, signature[:i]+string(next(signature[i]))+signature[i+1:])
		if answer, _ := s.receive(r); answer.Status != refusedSignature {
			t.Errorf("byte %d of the signature is altered: answered %d", i, answer.Status)
		}
	}
	s.sold(0, "after altered webhooks")

	s.received(Paid, s.game(1))
	s.sold(1, "after the true one")
	for i := range good.Body {
		if covered(i) {
			continue
		}
		r := platform.Request{Header: good.Header, Body: bytes.Clone(good.Body)}
		r.Body[i] ^= 1
		s.receive(r)
	}
	for _, line := range s.sold(1, "after bytes were altered that the signature does not cover").Lines {
		if line.Wanted > 1 {
			t.Errorf("a line wants %d keys", line.Wanted)
		}
	}
}

// within tells which bytes of a body stand in one of the parts.
func within(body []byte, parts [][]byte) func(int) bool {
	in := make([]bool, len(body))
	for _, part := range parts {
		at := bytes.Index(body, part)
		for i := max(at, 0); at >= 0 && i < at+len(part); i++ {
			in[i] = true
		}
	}
	return func(i int) bool { return in[i] }
}

func around(body []byte, i int) string {
	return string(body[max(0, i-8):min(len(body), i+8)])
}

func alphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// next returns another letter or digit.
func next(b byte) byte {
	switch b {
	case '9':
		return '0'
	case 'z':
		return 'a'
	case 'Z':
		return 'A'
	}
	return b + 1
}

// sameBase64 says whether a character is the last before the padding of base64: its low
// bits are no part of what it encodes.
func sameBase64(signature string, i int) bool {
	return strings.HasSuffix(signature, "=") && strings.Trim(signature[i+1:], "=") == ""
}

// An empty secret signs nothing: anybody knows it.
func emptySecret(t *testing.T, p Platform) {
	s := openShop(t, p, func(a *catalog.Account) {
		a.Secrets = []catalog.SealedSecret{{Name: "empty", Blob: []byte{}}, {Name: "good", Blob: p.key(t, p.Secrets[1])}}
	})
	r := p.request(p.Sign(nil, p.Events[Paid](s.game(1)), s.now))
	if answer, _ := s.receive(r); answer.Status != refusedSignature {
		t.Errorf("signed by an empty secret it is answered %d", answer.Status)
	}
	s.sold(0, "by an empty secret")
	s.receive(p.signed(t, Paid, s.game(1), p.Secrets[1], s.now))
	s.sold(1, "by the good secret beside an empty one")
}

// noSecrets: an account that has none yet refuses all.
func noSecrets(t *testing.T, p Platform) {
	s := openShop(t, p, func(a *catalog.Account) { a.Secrets = nil })
	for _, key := range [][]byte{nil, p.key(t, p.Secrets[0])} {
		if answer, _ := s.receive(p.request(p.Sign(key, p.Events[Paid](s.game(1)), s.now))); answer.Status != refusedSignature {
			t.Errorf("signed by %d bytes it is answered %d", len(key), answer.Status)
		}
	}
	s.sold(0, "by an account without secrets")
}

// Each of the account's secrets signs. One that was taken away signs no more, and one
// of somebody else never did.
func severalSecrets(t *testing.T, p Platform) {
	s := openShop(t, p, func(a *catalog.Account) {
		a.Secrets[1].ExpiresAt = noon.Add(time.Hour)
		a.Secrets = append(a.Secrets[:2], a.Secrets[3:]...)
	})
	for i, secret := range p.Secrets[:2] {
		if answer, _ := s.receive(p.signed(t, Paid, s.game(i), secret, s.now)); answer.Status/100 != 2 {
			t.Errorf("by secret %d it is answered %d", i, answer.Status)
		}
	}
	if answer, _ := s.receive(p.signed(t, Paid, s.game(3), p.Secrets[2], s.now)); answer.Status != refusedSignature {
		t.Errorf("by a secret that is not the account's it is answered %d", answer.Status)
	}
	s.now = noon.Add(time.Hour)
	if answer, _ := s.receive(p.signed(t, Paid, s.game(4), p.Secrets[1], s.now)); answer.Status != refusedSignature {
		t.Errorf("by a secret that expired it is answered %d", answer.Status)
	}
	s.sold(2, "by two secrets")
	if s.soldOf(pool.Test) != 0 {
		t.Error("a live secret sold a test key")
	}

	// The adapter says which it was.
	account := platform.Account{Settings: p.Settings}
	for _, secret := range p.Secrets {
		account.Secrets = append(account.Secrets, platform.SigningSecret{Secret: platform.Conceal(p.key(t, secret))})
	}
	for i, secret := range p.Secrets {
		signed, err := p.Adapter.Verify(p.signed(t, Paid, s.game(1), secret, s.now), account, s.now)
		if err != nil || signed.Secret != i {
			t.Errorf("by secret %d: %+v, %v", i, signed, err)
		}
	}
}

// A header that is there twice, or that API Gateway joined, is never a way in, and no
// reason to fall over.
func signatureTwice(t *testing.T, p Platform) {
	s := openShop(t, p)
	good := p.signed(t, Paid, s.game(1), p.Secrets[0], s.now)
	right := good.Header.Get(p.Signature)
	wrong := p.signed(t, Paid, s.game(2), p.Secrets[0], s.now).Header.Get(p.Signature)
	for _, values := range [][]string{{wrong, wrong}, {wrong, ""}, {"", ""}, {"", wrong}, {wrong + "," + wrong}, {wrong + ", " + wrong}, {}} {
		r := platform.Request{Header: good.Header.Clone(), Body: good.Body}
		r.Header[http.CanonicalHeaderKey(p.Signature)] = values
		if answer, _ := s.receive(r); answer.Status != refusedSignature {
			t.Errorf("signed by %d wrong values it is answered %d", len(values), answer.Status)
		}
	}
	s.sold(0, "by wrong signatures")
	for _, values := range [][]string{{right, wrong}, {wrong, right}, {right, right}, {right + "," + right}} {
		r := platform.Request{Header: good.Header.Clone(), Body: good.Body}
		r.Header[http.CanonicalHeaderKey(p.Signature)] = values
		if answer, _ := s.receive(r); answer.Status/100 != 2 && answer.Status != refusedSignature {
			t.Errorf("it is answered %d", answer.Status)
		}
	}
	s.receive(good)
	s.sold(1, "by one order, signed in many ways")
}

// The same webhook again is the same line, and one that somebody recorded is worth
// nothing.
func replay(t *testing.T, p Platform) {
	s := openShop(t, p)
	good := p.signed(t, Paid, s.game(1), p.Secrets[0], s.now)
	for i := range 3 {
		if answer, results := s.receive(good); answer.Status/100 != 2 || results[0].State != order.Fulfilled {
			t.Errorf("repeat %d is answered %d: %+v", i, answer.Status, results)
		}
	}
	for _, later := range []time.Duration{time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
		s.now = noon.Add(later)
		answer, _ := s.receive(good)
		if p.Replays && answer.Status/100 != 2 || !p.Replays && answer.Status != refusedSignature {
			t.Errorf("%s later it is answered %d", later, answer.Status)
		}
	}
	s.now = noon.Add(-time.Hour)
	if answer, _ := s.receive(good); !p.Replays && answer.Status != refusedSignature {
		t.Errorf("an hour before its time it is answered %d", answer.Status)
	}
	s.sold(1, "by one webhook, sent many times")
	// A repeat that the platform signs anew, days later.
	s.now = noon.Add(48 * time.Hour)
	o := s.game(1)
	o.PaidAt = noon.Add(-time.Minute)
	s.received(Paid, o)
	s.sold(1, "by a late repeat")
	if told := s.told(notice.ChangedRepeat); len(told) != 0 {
		t.Errorf("a repeat is told as another: %+v", told)
	}
}

// Five deliveries at once are one fulfillment.
func fiveTimesInParallel(t *testing.T, p Platform) {
	s := openShop(t, p)
	for n := range 4 {
		o := s.game(n)
		o.Quantity = 2
		r := p.signed(t, Paid, o, p.Secrets[0], s.now)
		var calls sync.WaitGroup
		statuses := make([]int, 5)
		for i := range statuses {
			calls.Go(func() {
				answer, _ := s.receive(r)
				statuses[i] = answer.Status
			})
		}
		calls.Wait()
		for _, status := range statuses {
			if status/100 != 2 {
				t.Errorf("answered %v", statuses)
			}
		}
	}
	if books := s.sold(8, "by four orders of two units, each sent five times at once"); len(books.Lines) != 4 {
		t.Errorf("%d lines", len(books.Lines))
	}
}

// A test order gets a test key, and a live one a live key, side by side under one
// number.
func testOrder(t *testing.T, p Platform) {
	s := openShop(t, p)
	test := s.game(1)
	test.Test = true
	if p.Events[Paid](test).Body == nil {
		t.Skip("the platform has no test orders")
	}
	for range 2 {
		s.received(Paid, test)
	}
	if live, sold := s.soldOf(pool.Live), s.soldOf(pool.Test); live != 0 || sold != 1 {
		t.Errorf("a test order took %d live keys and %d test keys", live, sold)
	}
	s.received(Paid, s.game(1))
	if live, sold := s.soldOf(pool.Live), s.soldOf(pool.Test); live != 1 || sold != 1 {
		t.Errorf("a test order and a live one took %d live keys and %d test keys", live, sold)
	}
}

// A secret that is marked test sells no live key, whatever the body says: its orders are
// tests, or the platform's orders tell that otherwise, and settings refuse the mark.
func markedTest(t *testing.T, p Platform) {
	s := openShop(t, p, func(a *catalog.Account) {
		for i := range a.Secrets {
			a.Secrets[i].Test = true
		}
	})
	problem := platform.MarkProblem(p.Adapter)
	if problem != "" && p.TestSecret != "" {
		t.Errorf("it has a secret of the test mode, and the adapter says: %s", problem)
	}
	_, results := s.send(Paid, s.game(1))
	if live := s.soldOf(pool.Live); live != 0 || len(results) != 1 {
		t.Errorf("%d live keys are sold; %+v", live, results)
	}
	if problem == "" {
		return
	}
	if s.soldOf(pool.Test) != 0 || results[0].Outcome != platform.Rejected || results[0].Field.Field != "secrets" || results[0].Order == "" || len(s.refused()) != 1 {
		t.Errorf("%+v, %+v, kept %+v", results, results[0].Field, s.refused())
	}
	// What asks for nothing is no reason to tell the merchant.
	if w := p.Events[Concerns]; w != nil {
		if _, results := s.send(Concerns, s.game(2)); len(results) > 0 && results[0].Outcome != platform.Skipped {
			t.Errorf("%+v", results)
		}
	}
}

// A line whose product nobody knows is kept, told, and sold when it is connected.
func unknownProduct(t *testing.T, p Platform) {
	s := openShop(t, p)
	o := s.game(1)
	o.Product = Other
	for range 2 {
		if results := s.received(Paid, o); len(results) != 1 || results[0].State != order.Unconnected {
			t.Errorf("%+v", results)
		}
	}
	if books := s.sold(0, "by an unknown product"); len(books.Lines) != 1 {
		t.Errorf("%d lines", len(books.Lines))
	}
	if told := s.told(notice.Unconnected); len(told) != 1 {
		t.Errorf("told %+v", told)
	}

	ignoring := openShop(t, p, func(a *catalog.Account) { a.OtherProducts = catalog.OthersIgnored })
	if results := ignoring.received(Paid, o); len(results) != 1 || results[0].Why != platform.OtherProduct {
		t.Errorf("%+v", results)
	}
	ignoring.received(Paid, ignoring.game(2))
	if books := ignoring.sold(1, "beside an ignored product"); len(books.Lines) != 1 {
		t.Errorf("%d lines", len(books.Lines))
	}
}

// A body of the largest size is taken.
func bodyAtItsLimit(t *testing.T, p Platform) {
	s := openShop(t, p)
	w := p.Events[Paid](s.game(1))
	w.Body = p.pad(w.Body, platform.MaxBody)
	if len(w.Body) != platform.MaxBody {
		t.Fatalf("it is padded to %d bytes", len(w.Body))
	}
	answer, results := s.receive(p.request(p.Sign(p.key(t, p.Secrets[0]), w, s.now)))
	if answer.Status/100 != 2 || len(results) != 1 || results[0].State != order.Fulfilled {
		t.Errorf("answered %d: %s; %+v", answer.Status, answer.Body, results)
	}
	s.sold(1, "by a large body")
}

// A body that is too large is never parsed. One that the account signed is kept as refused,
// and told, once; of a platform whose signature stands in what is parsed it is not known who
// signed it.
func bodyOverItsLimit(t *testing.T, p Platform) {
	s := openShop(t, p)
	w := p.Events[Paid](s.game(1))
	w.Body = p.pad(w.Body, platform.MaxBody+1)
	r := p.request(p.Sign(p.key(t, p.Secrets[0]), w, s.now))
	for range 2 {
		answer, results := s.receive(r)
		isRefused := len(results) == 1 && results[0].Outcome == platform.Rejected && len(s.refused()) == 1
		if !isRefused && (answer.Status != refusedSignature || len(s.refused()) != 0) || s.decoded.Load() != 0 {
			t.Errorf("answered %d: %s; %+v; %d are kept", answer.Status, answer.Body, results, len(s.refused()))
		}
	}
	s.sold(0, "by a body that is too large")
}

// Every kind of event is counted as received. One that is no concern of ours stores
// nothing, and of one that nobody knows the merchant is told.
func eachKind(t *testing.T, p Platform) {
	for kind, event := range p.Events {
		if kind == Unreadable {
			continue
		}
		s := openShop(t, p)
		if w := event(s.game(1)); w.Body == nil {
			t.Errorf("%s: there is no sample", kind)
			continue
		}
		if kind == Dynamic {
			dynamicProduct(s)
			continue
		}
		results := s.received(kind, s.game(1))
		switch kind {
		case Paid:
			if len(results) != 1 || results[0].State != order.Fulfilled || results[0].Allocated != 1 || results[0].Product != Game {
				t.Errorf("%s: %+v", kind, results)
			}
			s.sold(1, "by a paid order")
		case Concerns, Unheard:
			if len(results) > 1 || len(results) == 1 && results[0].Outcome != platform.Skipped {
				t.Errorf("%s: %+v", kind, results)
			}
			if told, want := len(s.told(notice.UnknownEvent)), map[Kind]int{Unheard: 1}[kind]; told != want {
				t.Errorf("%s is told %d times, want %d", kind, told, want)
			}
			if books := s.sold(0, string(kind)); len(books.Lines) != 0 {
				t.Errorf("%s: %d lines", kind, len(books.Lines))
			}
		case Recorded:
			s.received(Recorded, s.game(1)) // the same again is one entry
			paid := s.received(Paid, s.game(1))
			entries := 0
			for _, h := range s.history(paid[0].Order, paid[0].Line) {
				if h.Event == order.Reported {
					entries++
				}
			}
			if entries != 1 {
				t.Errorf("%s: %d entries in the history", kind, entries)
			}
		default:
			s.sold(0, fmt.Sprintf("by %s of an order that was never paid", kind))
		}
	}
}

// dynamicProduct: a product that was made for one order is sold as its original.
func dynamicProduct(s *shop) {
	o := s.game(1)
	o.Product = Other
	for range 2 {
		if results := s.received(Dynamic, o); len(results) != 1 || results[0].State != order.Fulfilled || results[0].Product != Other {
			s.Errorf("%+v", results)
		}
	}
	s.sold(1, "by a dynamic product")
	if told := s.told(notice.Unconnected); len(told) != 0 {
		s.Errorf("told %+v", told)
	}
}

// An order that was paid before the account delivers is received, listed and told once,
// and gets nothing until it is released.
func paidBefore(t *testing.T, p Platform) {
	s := openShop(t, p)
	old := s.game(1)
	old.PaidAt = s.account.DeliversFrom.Add(-time.Minute).Truncate(time.Second)
	for range 2 {
		for _, result := range s.received(Paid, old) {
			if result.Outcome != platform.Accepted || result.State != order.OnHold {
				t.Errorf("%+v", result)
			}
		}
	}
	older := s.game(2)
	older.PaidAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	s.received(Paid, older)
	for _, line := range s.sold(0, "by orders from before").Lines {
		if !line.OnHold || line.Mail != "" {
			t.Errorf("a line is %+v", line)
		}
	}
	if told := s.told(notice.PaidBefore); len(told) != 1 || told[0].Facts.Count != 2 {
		t.Errorf("told %+v", told)
	}
	if refused := s.refused(); len(refused) != 2 {
		t.Errorf("listed %+v", refused)
	}
	s.received(Paid, s.game(3))
	s.sold(1, "by an order after the account was made")
}

// A repeat with a higher quantity brings no further key: it goes to the history, and
// the merchant is told.
func changedRepeat(t *testing.T, p Platform) {
	s := openShop(t, p)
	s.received(Paid, s.game(1))
	more := s.game(1)
	more.Quantity = 5
	for range 2 {
		answer, results := s.send(Paid, more)
		if len(results) != 1 || results[0].Outcome != platform.Changed {
			t.Errorf("%+v", results)
		}
		if refused := answer.Status/100 == 4; refused != p.Refused {
			t.Errorf("answered %d", answer.Status)
		}
	}
	s.sold(1, "by a repeat with more units")
	if told := s.told(notice.ChangedRepeat); len(told) != 1 {
		t.Errorf("told %+v", told)
	}
	many := s.game(2)
	many.Quantity = s.intake.MaxQuantity + 1
	if _, results := s.send(Paid, many); len(results) != 1 || results[0].Outcome != platform.Rejected {
		t.Errorf("%+v", results)
	}
	s.sold(1, "by a quantity over the cap")
}

// What is signed and can never be taken is kept, without its content, and told.
func neverTaken(t *testing.T, p Platform) {
	s := openShop(t, p)
	event, ok := p.Events[Unreadable]
	if !ok {
		t.Fatal("there is no sample of an order that can never be taken")
	}
	r := p.request(p.Sign(p.key(t, p.Secrets[0]), event(s.game(1)), s.now))
	for range 2 {
		answer, results := s.receive(r)
		if len(results) != 1 || results[0].Outcome != platform.Rejected {
			t.Fatalf("%+v", results)
		}
		if refused := answer.Status/100 == 4; refused != p.Refused || answer.Status/100 == 5 {
			t.Errorf("answered %d", answer.Status)
		}
	}
	if refused := s.refused(); len(refused) != 1 || refused[0].Problem == "" {
		t.Errorf("listed %+v", refused)
	}
	if told := s.told(notice.OrderRefused); len(told) != 1 {
		t.Errorf("told %+v", told)
	}
	s.sold(0, "by what can never be taken")

	// What may pass is to be sent again.
	if answer := p.Adapter.Answer([]platform.Result{{Outcome: platform.Failed}}); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("a passing failure is answered %d", answer.Status)
	}
}

// An account that does not exist is answered as one that did not sign.
func noAccount(t *testing.T, p Platform) {
	s := openShop(t, p)
	r := p.signed(t, Paid, s.game(1), p.Secrets[0], s.now)
	for _, name := range [][2]string{{"acme", "other"}, {"nova", "shop"}} {
		_, err := s.accounts.Verify(t.Context(), name[0], name[1], r)
		var known *platform.SignatureError
		if !errors.Is(err, platform.ErrSignature) || errors.As(err, &known) {
			t.Errorf("%v: %v", name, err)
		}
	}
}
