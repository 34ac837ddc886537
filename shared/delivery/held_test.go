package delivery_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

var orderForm = regexp.MustCompile(`https://api\.keypool\.example/portal/orders/([\w-]+)\n`)

// hold stores a line that a rule holds since now, and raises its notices.
func (s *scene) hold(number string, side pool.Side) order.LineID {
	s.t.Helper()
	id := s.line(number, 1, 0, func(f *order.Fulfillment) {
		f.Side, f.Mail = side, outbox.Entry{}
		f.HoldByRules([]order.Hold{order.HoldReview}, s.now)
	})
	first, rest := notice.Held("nova", side, s.now)
	for _, n := range []notice.Notice{rest, first} {
		if err := s.store.RaiseNotice(s.t.Context(), n); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

// mailHeld mails the notices of an hour that are due.
func (s *scene) mailHeld(side pool.Side) {
	s.t.Helper()
	first, rest := notice.Held("nova", side, noon)
	for _, n := range []notice.Notice{first, rest} {
		s.mail(outbox.NoticeItem(n.ID))
	}
}

// orders returns the orders whose pages the n-th mail leads to.
func (s *scene) orders(n int) (ids []string) {
	s.t.Helper()
	for _, found := range orderForm.FindAllStringSubmatch(s.ses.mails[n].Text, -1) {
		ids = append(ids, found[1])
	}
	slices.Sort(ids)
	return ids
}

// The mail leads to the order of each line of its side, and its button to the list of all.
func TestNotice_ofHeldLines(t *testing.T) {
	s := newScene(t)
	live, test := []order.LineID{s.hold("1", pool.Live), s.hold("2", pool.Live)}, []order.LineID{s.hold("3", pool.Test), s.hold("4", pool.Test)}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		s.mailHeld(side)
	}
	for n, lines := range [][]order.LineID{live, test} {
		if want := halves(lines...); !slices.Equal(s.orders(n), want) {
			t.Errorf("mail %d leads to the orders %v, want %v", n, s.orders(n), want)
		}
		button := "Release or reject:\nhttps://api.keypool.example/portal/orders?show=on_hold" + []string{"", "&side=test"}[n] + "\n"
		if !strings.Contains(s.ses.mails[n].Text, button) {
			t.Errorf("mail %d has another button:\n%s", n, s.ses.mails[n].Text)
		}
	}
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 2 {
		t.Errorf("%d mails, of lines that were told", len(s.ses.mails))
	}
}

// halves returns the orders of lines, as addresses name them.
func halves(ids ...order.LineID) (all []string) {
	for _, id := range ids {
		all = append(all, id.OrderHalf())
	}
	slices.Sort(all)
	return all
}

// A mail about one line has a button that leads to its order.
func TestNotice_ofOneHeldLine(t *testing.T) {
	s := newScene(t)
	id := s.hold("1", pool.Live)
	s.mailHeld(pool.Live)
	if got := s.ses.mails[0].Text; !strings.Contains(got, "Release or reject:\nhttps://api.keypool.example/portal/orders/"+id.OrderHalf()+"\n") {
		t.Errorf("the mail has another button:\n%s", got)
	}
}

// What is held after the first mail of an hour is told when the hour ends, with all that is
// held still.
func TestNotice_ofLinesHeldLater(t *testing.T) {
	s := newScene(t)
	first := s.hold("1", pool.Live)
	s.mailHeld(pool.Live)
	s.now = noon.Add(10 * time.Minute)
	second := s.hold("2", pool.Live)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 1 {
		t.Fatalf("%d mails within the hour", len(s.ses.mails))
	}
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 2 {
		t.Fatalf("%d mails", len(s.ses.mails))
	}
	if got, want := s.orders(1), halves(first, second); !slices.Equal(got, want) {
		t.Errorf("it leads to the orders %v, want %v", got, want)
	}
}

// A claim that takes long stores a line that was held before the one that was told at once.
func TestNotice_ofALineThatWasStoredLate(t *testing.T) {
	s := newScene(t)
	s.now = noon.Add(-time.Hour)
	s.hold("0", pool.Live) // of another hour, whose mail has told of it
	s.now = noon.Add(6 * time.Second)
	s.hold("2", pool.Live)
	s.mailHeld(pool.Live)
	s.now = noon.Add(5 * time.Second)
	late := s.hold("1", pool.Live)
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 2 {
		t.Fatalf("%d mails", len(s.ses.mails))
	}
	if got := s.orders(1); !slices.Contains(got, late.OrderHalf()) {
		t.Errorf("it leads to the orders %v", got)
	}
}

// A line that is on hold since another hour is told in the first mail of an hour, and no
// reason for a second.
func TestNotice_ofLinesOfAnotherHour(t *testing.T) {
	s := newScene(t)
	s.now = noon.Add(-time.Hour)
	s.hold("0", pool.Live)
	s.now = noon
	s.hold("1", pool.Live)
	s.mailHeld(pool.Live)
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 1 {
		t.Errorf("%d mails", len(s.ses.mails))
	}
}

// Nothing is told of lines that somebody has decided meanwhile.
func TestNotice_ofLinesDecidedMeanwhile(t *testing.T) {
	s := newScene(t)
	id := s.hold("1", pool.Live)
	s.change(id, func(f *order.Fulfillment) { f.Release() })
	s.mailHeld(pool.Live)
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	s.wantSent()
}
