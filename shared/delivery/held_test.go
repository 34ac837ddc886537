package delivery_test

import (
	"regexp"
	"testing"
	"time"

	"keypool/shared/link"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

var linkForm = regexp.MustCompile(`https://api\.keypool\.example/links/([\w.-]+)`)

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

// links returns the links in the n-th mail, each by its purpose and what it is about.
func (s *scene) links(n int) map[string]link.Link {
	s.t.Helper()
	merchant, _, err := s.store.Merchant(s.t.Context(), "nova")
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]link.Link{}
	for _, token := range linkForm.FindAllStringSubmatch(s.ses.mails[n].Text, -1) {
		l, err := link.Check(token[1], merchant.LinkKey, s.now)
		if err != nil {
			s.t.Fatal(err)
		}
		all[string(l.Purpose)+" "+l.About] = l
	}
	return all
}

// The mail has a link to each line of its side, and one to all; each good for a week.
func TestNotice_ofHeldLines(t *testing.T) {
	s := newScene(t)
	live, test := []order.LineID{s.hold("1", pool.Live), s.hold("2", pool.Live)}, []order.LineID{s.hold("3", pool.Test), s.hold("4", pool.Test)}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		s.mailHeld(side)
	}
	for n, lines := range [][]order.LineID{live, test} {
		want := []string{"held-all " + []string{"live", "test"}[n]}
		for _, id := range lines {
			want = append(want, "held "+string(id))
		}
		links := s.links(n)
		if len(links) != len(want) {
			t.Errorf("mail %d has the links %v", n, links)
		}
		for _, name := range want {
			if l, ok := links[name]; !ok || l.Merchant != "nova" || !l.Until.Equal(noon.AddDate(0, 0, 7)) {
				t.Errorf("mail %d: %s is %+v", n, name, l)
			}
		}
	}
	s.now = noon.Add(time.Hour + time.Minute)
	s.mailHeld(pool.Live)
	if len(s.ses.mails) != 2 {
		t.Errorf("%d mails, of lines that were told", len(s.ses.mails))
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
	links := s.links(1)
	for _, id := range []order.LineID{first, second} {
		if _, ok := links["held "+string(id)]; !ok {
			t.Errorf("no link to %s: %v", id, links)
		}
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
	if _, ok := s.links(1)["held "+string(late)]; !ok {
		t.Errorf("no link to it: %v", s.links(1))
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
