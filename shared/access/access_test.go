package access_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/notice"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// tokens are the tokens that there are, by hash. It counts reads and uses.
type tokens struct {
	mu    sync.Mutex
	there map[string]access.Token
	reads int
	uses  []time.Time
	spent time.Time // up to when, of the one token
	err   error
}

func (s *tokens) Token(_ context.Context, merchant, hash string) (access.Token, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	t, ok := s.there[hash]
	return t, ok && t.Merchant == merchant, s.err
}

func (s *tokens) UseToken(_ context.Context, _ access.Token, at time.Time, spent time.Duration) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses = append(s.uses, at)
	if s.spent.Before(at) {
		s.spent = at
	}
	s.spent = s.spent.Add(spent)
	return s.spent, nil
}

// newGate returns a gate that knows one token, and its text.
func newGate(now func() time.Time) (*access.Gate, *tokens, string) {
	text := access.NewText("acme-games")
	hash := access.HashToken(text)
	s := &tokens{there: map[string]access.Token{hash: {
		Hash: hash, Merchant: "acme-games", Name: "nightly", Scopes: []access.Scope{access.Upload}, ExpiresAt: noon.Add(time.Hour),
	}}}
	return &access.Gate{Tokens: s, Uses: s, Now: now}, s, text
}

func TestGate_knowsAToken(t *testing.T) {
	t.Parallel()
	now := noon
	gate, s, text := newGate(func() time.Time { return now })
	got, ok, err := gate.Principal(t.Context(), text)
	want := access.Principal{
		ID: access.HashToken(text)[:16], Merchant: "acme-games", Name: `the token "nightly" (` + access.HashToken(text)[:16] + `)`, Scopes: []access.Scope{access.Upload},
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("%v, %v, %s", ok, err, diff)
	}
	for at, want := range map[time.Duration]bool{time.Hour - 1: true, time.Hour: false} {
		now = noon.Add(at)
		if _, ok, err := gate.Principal(t.Context(), text); ok != want || err != nil {
			t.Errorf("after %s: %v, %v", at, ok, err)
		}
	}
	now = noon
	delete(s.there, access.HashToken(text))
	if _, ok, err := gate.Principal(t.Context(), text); ok || err != nil {
		t.Errorf("a token that was revoked: %v, %v", ok, err)
	}
	s.err = errors.New("no answer")
	if _, ok, err := gate.Principal(t.Context(), text); ok || err == nil {
		t.Errorf("a failed read: %v, %v", ok, err)
	}
}

// What has not the form of a token is refused without a read.
func TestGate_readsNothingForWhatIsNoToken(t *testing.T) {
	t.Parallel()
	gate, s, text := newGate(func() time.Time { return noon })
	random := text[strings.LastIndex(text, "kp_acme-games_")+len("kp_acme-games_"):]
	for _, wrong := range []string{
		"", "kp_", "kp_acme-games", "kp_acme-games_", "kp__" + random, "kp_" + random, text[:len(text)-1], text + "A", text + "=",
		strings.ToUpper(text), "KP_" + text[3:], "kp_Acme_" + random, "kp_../x_" + random, "kp_" + strings.Repeat("a", 64) + "_" + random,
		" " + text, "kp_acme games_" + random, access.HashToken(text), "kp_acme-games_" + access.HashToken(text), "\x00" + text,
	} {
		if _, ok, err := gate.Principal(t.Context(), wrong); ok || err != nil {
			t.Errorf("%q: %v, %v", wrong, ok, err)
		}
	}
	if s.reads != 0 {
		t.Errorf("%d reads", s.reads)
	}
	if _, ok, err := gate.Principal(t.Context(), access.NewText("acme-games")); ok || err != nil || s.reads != 1 {
		t.Errorf("a token that there is not: %v, %v, %d reads", ok, err, s.reads)
	}
}

// A token that many use at once is noted once an hour.
func TestGate_notesAUseOnceAnHour(t *testing.T) {
	t.Parallel()
	gate, s, text := newGate(func() time.Time { return noon })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, ok, err := gate.Principal(t.Context(), text); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
	all.Wait()
	if !slices.Equal(s.uses, []time.Time{noon}) {
		t.Errorf("noted at %v", s.uses)
	}
}

func TestScopes_eachIsExplained(t *testing.T) {
	t.Parallel()
	for _, scope := range access.Scopes {
		if scope.Meaning() == "" || !strings.Contains(access.Explained(), string(scope)+": "+scope.Meaning()+".") {
			t.Errorf("nothing says what %s is for", scope)
		}
	}
	for operation, scope := range access.Needs {
		if !slices.Contains(access.Scopes, scope) {
			t.Errorf("%s needs %q, which is no scope", operation, scope)
		}
	}
}

// Nobody may call an operation that the table leaves out, not even with every scope.
func TestPrincipal_mayNothingThatStandsInNoTable(t *testing.T) {
	t.Parallel()
	everything := access.Principal{Merchant: "acme", Scopes: append([]access.Scope{""}, access.Scopes...)}
	var denied *access.DeniedError
	if err := everything.May("no-operation"); !errors.As(err, &denied) {
		t.Errorf("allowed: %v", err)
	}
	if err := (access.Principal{}).May("get-pool"); !errors.As(err, &denied) || denied.Needs != access.Settings {
		t.Errorf("nobody may: %v", err)
	}
	if p := access.From(t.Context()); p.Merchant != "" || p.Scopes != nil {
		t.Errorf("a request of nobody comes from %+v", p)
	}
}

// A token may make its calls of a minute at once, then one whenever the time of one has gone by.
func TestGate_limitsATokensRate(t *testing.T) {
	t.Parallel()
	now := noon
	gate, s, text := newGate(func() time.Time { return now })
	gate.Rate = 60
	call := func() access.Quota {
		t.Helper()
		p, ok, err := gate.Principal(t.Context(), text)
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		return p.Quota
	}
	if diff := cmp.Diff(access.Quota{Rate: 60, Left: 59, Full: time.Second}, call()); diff != "" {
		t.Error(diff)
	}
	for range 58 {
		call()
	}
	if diff := cmp.Diff(access.Quota{Rate: 60, Left: 0, Full: time.Minute}, call()); diff != "" {
		t.Error(diff)
	}
	for range 5 {
		if diff := cmp.Diff(access.Quota{Rate: 60, Full: time.Minute, Wait: time.Second}, call()); diff != "" {
			t.Error(diff)
		}
	}
	now = now.Add(time.Second - 1)
	if got := call(); got.Wait != 1 {
		t.Errorf("a moment too early: %+v", got)
	}
	now = now.Add(1)
	if got := call(); got.Wait != 0 || got.Left != 0 {
		t.Errorf("after a second: %+v", got)
	}
	now = now.Add(time.Minute)
	for hash, token := range s.there {
		token.Rate = 6000
		s.there[hash] = token
	}
	if got := call(); got.Rate != 6000 || got.Left != 5999 {
		t.Errorf("with a rate of its own: %+v", got)
	}
}

// Processes that serve one token count together: what passes is at most the rate and ten
// calls a process, and most calls write nothing.
func TestGate_processesCountTogether(t *testing.T) {
	t.Parallel()
	first, s, text := newGate(func() time.Time { return noon })
	gates := []*access.Gate{first}
	for range 4 {
		gates = append(gates, &access.Gate{Tokens: s, Uses: s, Now: first.Now})
	}
	passed := 0
	for i := range 2000 {
		gate := gates[i%len(gates)]
		gate.Rate = 600
		p, ok, err := gate.Principal(t.Context(), text)
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		if p.Quota.Wait == 0 {
			passed++
		}
	}
	if passed < 600 || passed > 600+10*len(gates) {
		t.Errorf("%d calls passed", passed)
	}
	if writes := len(s.uses); writes > passed/10+2*len(gates) {
		t.Errorf("%d writes for %d calls", writes, passed)
	}
}

// Without the table, a process counts by itself, and calls go on.
func TestGate_countsAloneIfItMust(t *testing.T) {
	t.Parallel()
	gate, _, text := newGate(func() time.Time { return noon })
	gate.Rate, gate.Uses = 20, nil
	over := 0
	for range 30 {
		if p, ok, _ := gate.Principal(t.Context(), text); !ok || p.Quota.Wait > 0 {
			over++
		}
	}
	if over != 10 {
		t.Errorf("%d calls over the rate", over)
	}
}

// days is the table's count of the calls of one merchant.
type days struct {
	mu     sync.Mutex
	limit  int
	made   map[string]int // by day
	writes int
	reads  int
	told   []string
	err    error
	lost   error // of a notice
}

func (d *days) CountCalls(_ context.Context, _ string, at time.Time, calls int) (access.Day, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if calls > 0 {
		d.writes++
	} else {
		d.reads++
	}
	if d.made == nil {
		d.made = map[string]int{}
	}
	d.made[notice.Day(at)] += calls
	return access.Day{Calls: d.made[notice.Day(at)], Limit: d.limit}, d.err
}

func (d *days) RaiseNotice(_ context.Context, n notice.Notice) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, n.ID)
	return d.lost
}

// All tokens of a merchant together may make the calls of a day, and call again the next day.
func TestGate_limitsADay(t *testing.T) {
	t.Parallel()
	now := noon
	gate, s, text := newGate(func() time.Time { return now })
	d := &days{limit: 25}
	gate.Uses, gate.Days, gate.Notices = nil, d, d
	other := access.NewText("acme-games")
	s.there[access.HashToken(other)] = access.Token{Hash: access.HashToken(other), Merchant: "acme-games"}
	s.there[access.HashToken(text)] = access.Token{Hash: access.HashToken(text), Merchant: "acme-games"}
	call := func(text string) access.Quota {
		t.Helper()
		p, ok, err := gate.Principal(t.Context(), text)
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		return p.Quota
	}
	for i := range 25 {
		got := call([]string{text, other}[i%2])
		if want := (access.DayQuota{Limit: 25, Left: 24 - i, Ends: 12 * time.Hour}); got.Day != want || got.Allows("get-pool") != nil {
			t.Fatalf("call %d: %+v, want %+v", i+1, got.Day, want)
		}
	}
	for range 20 {
		got := call(other)
		var over *access.OverDayError
		if err := got.Allows("get-pool"); !errors.As(err, &over) || over.Quota.Limit != 25 || over.Quota.Ends != 12*time.Hour {
			t.Fatalf("%+v: %v", got.Day, err)
		}
		for _, operation := range access.Unlimited {
			if err := got.Allows(operation); err != nil {
				t.Errorf("%s: %v", operation, err)
			}
		}
	}
	if d.made["2026-11-23"] != 25 || d.writes != 3 || d.reads != 1 {
		t.Errorf("%v calls were counted by %d writes and %d reads", d.made, d.writes, d.reads)
	}
	if want := notice.New("acme-games", notice.CallLimit, "2026-11-23", notice.Facts{}, now).ID; !slices.Equal(d.told, []string{want}) {
		t.Errorf("told %q", d.told)
	}

	// The operator raises the limit: a process that refuses sees it within half a minute.
	d.limit = 26
	now = now.Add(30 * time.Second)
	if got := call(text); got.Day.Over || got.Day.Left != 0 {
		t.Errorf("with one call more: %+v", got.Day)
	}
	if got := call(text); !got.Day.Over {
		t.Errorf("with none left: %+v", got.Day)
	}
	now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	if got := call(text); got.Day != (access.DayQuota{Limit: 26, Left: 25, Ends: 24 * time.Hour}) {
		t.Errorf("the next day: %+v", got.Day)
	}
}

// A call that the token's rate refuses is none of the day's.
func TestGate_countsNoRefusedCall(t *testing.T) {
	t.Parallel()
	gate, _, text := newGate(func() time.Time { return noon })
	d := &days{limit: 1000}
	gate.Rate, gate.Uses, gate.Days, gate.Notices = 20, nil, d, d
	for range 100 {
		p, _, err := gate.Principal(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if p.Quota.Wait > 0 && p.Quota.Day.Left != 980 {
			t.Fatalf("%+v", p.Quota)
		}
	}
	if d.made["2026-11-23"] > 20 {
		t.Errorf("%v were counted", d.made)
	}
}

// Processes count a day together: what passes is the limit and ten calls a process at most,
// and one call in ten writes.
func TestGate_processesCountADayTogether(t *testing.T) {
	t.Parallel()
	first, s, text := newGate(func() time.Time { return noon })
	d := &days{limit: 1000}
	var gates []*access.Gate
	for range 7 {
		gates = append(gates, &access.Gate{Tokens: s, Days: d, Notices: d, Now: first.Now})
	}
	passed := 0
	for i := range 3000 {
		p, ok, err := gates[i%len(gates)].Principal(t.Context(), text)
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		if !p.Quota.Day.Over {
			passed++
		}
	}
	if passed < 1000 || passed > 1000+10*len(gates) {
		t.Errorf("%d calls passed", passed)
	}
	if d.writes > passed/10+len(gates) {
		t.Errorf("%d writes for %d calls", d.writes, passed)
	}
}

// Without the table, a process counts by the limit that it knows, and calls go on.
func TestGate_countsADayAloneIfItMust(t *testing.T) {
	t.Parallel()
	now := noon
	gate, _, text := newGate(func() time.Time { return now })
	d := &days{limit: 20, err: errors.New("no answer")}
	gate.Uses, gate.Days, gate.Notices = nil, d, d
	over := func(calls int) (n int) {
		for range calls {
			if p, ok, _ := gate.Principal(t.Context(), text); !ok || p.Quota.Day.Over {
				n++
			}
		}
		return n
	}
	if n := over(50); n != 0 {
		t.Errorf("%d of 50 calls are over a limit that nobody knows", n)
	}
	d.err, d.lost = nil, errors.New("no answer")
	over(10)
	d.err, d.lost = d.lost, nil
	if n := over(50); n != 50 {
		t.Errorf("%d of 50 calls are over the limit", n)
	}
	d.err = nil
	now = now.Add(lookEvery)
	over(1)
	if len(d.told) != 2 { // the first one is lost
		t.Errorf("told %q", d.told)
	}
}

// lookEvery is how long a process refuses calls before it looks at the limit again.
const lookEvery = 30 * time.Second
