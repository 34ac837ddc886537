package ingest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/upload"
)

// TestIngest_rushOfSmallFilesIsThreeMailsAtMost drops forty files in a minute, wherever in
// a window that minute begins, and mails what is due after each. Every file is told once.
func TestIngest_rushOfSmallFilesIsThreeMailsAtMost(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "KEY-%d\nKEY-%d\n"} {
		for _, begins := range []time.Duration{0, 100 * time.Second, 4*time.Minute + 1, 4*time.Minute + 30*time.Second, 5*time.Minute - 1} {
			t.Run(fmt.Sprintf("%d bytes, after %s", len(content), begins), func(t *testing.T) {
				t.Parallel()
				m := newMailed(t, noon.Add(begins))
				for n := range 40 {
					text := content
					if text != "" {
						text = fmt.Sprintf(content, n, n)
					}
					m.drop(fmt.Sprintf("uploads/nova/elden/%d.txt", n), text)
					if n == 0 {
						m.wantMails(1, 1) // at once
					}
					m.now = m.now.Add(1500 * time.Millisecond)
				}
				m.now = m.now.Add(10 * time.Minute)
				m.wantMails(3, 40)

				m.now = m.now.Add(time.Hour)
				m.drop("uploads/nova/elden/later.txt", "LATER\n")
				m.wantMails(4, 41) // at once again
			})
		}
	}
}

// TestIngest_strayFilesAreGatheredForTheOperator: the same of files that belong to nobody.
func TestIngest_strayFilesAreGatheredForTheOperator(t *testing.T) {
	t.Parallel()
	m := newMailed(t, noon)
	for n := range 40 {
		m.drop(fmt.Sprintf("uploads/vega/elden/%d.txt", n), "KEY\n")
		m.now = m.now.Add(time.Second)
	}
	m.now = m.now.Add(10 * time.Minute)
	m.wantMails(3, 40)
}

// TestIngest_filesAtOnceShareANotice: forty workers add to one notice, and to the usage of
// one day, at the same moment.
func TestIngest_filesAtOnceShareANotice(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	var workers sync.WaitGroup
	for n := range 40 {
		o := d.bucket.Put(fmt.Sprintf("uploads/nova/elden/%d.txt", n), fmt.Appendf(nil, "KEY-%02d\n", n))
		workers.Go(func() {
			if err := d.worker.Receive(context.Background(), o); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	told, _, err := d.store.Notice(t.Context(), notice.Gather("nova", notice.UploadReport, notice.Facts{}, noon).ID)
	if err != nil || told.Facts.Count != 40 || len(told.Facts.Uploads) != 40 {
		t.Errorf("the notice tells of %d files, names %d, %v; want all 40", told.Facts.Count, len(told.Facts.Uploads), err)
	}
	if used, err := d.store.Usage(t.Context(), "nova", noon); err != nil || used != (upload.Usage{Files: 40, Bytes: 280, Keys: 40}) {
		t.Errorf("the day's usage is %+v, %v", used, err)
	}
}

// mailed is a fixture whose clock moves and whose notices are mailed.
type mailed struct {
	*fixture
	now   time.Time
	files map[string]upload.Object // by upload id
	mails []string                 // ids of notices, each with its number
	told  map[string]int           // uploads, by id
}

func newMailed(t *testing.T, begins time.Time) *mailed {
	m := &mailed{fixture: newFixture(t), now: begins, files: map[string]upload.Object{}, told: map[string]int{}}
	m.worker.Now = func() time.Time { return m.now }
	return m
}

func (m *mailed) drop(name, content string) {
	m.t.Helper()
	u := m.fixture.drop(name, content)
	m.files[u.ID] = u.Object
	m.mail()
}

// mail mails the notices whose time has come, as the function deliver does.
func (m *mailed) mail() {
	m.t.Helper()
	mails := m.store.NoticeMails()
	for _, n := range m.allNotices() {
		leased, _, ok, err := mails.Lease(context.Background(), n.ID, m.now)
		if err != nil {
			m.t.Fatal(err)
		}
		if !ok {
			continue
		}
		m.mails = append(m.mails, n.ID)
		for _, id := range leased.Facts.Uploads {
			m.told[id]++
		}
		leased.Mail = leased.Mail.Completed(outbox.Sent, "ses", "", m.now)
		if err := mails.Mark(context.Background(), leased, nil, nil); err != nil {
			m.t.Fatal(err)
		}
	}
}

// wantMails expects so many mails at most by now, which tell of each of so many files once.
func (m *mailed) wantMails(most, files int) {
	m.t.Helper()
	m.mail()
	if len(m.mails) > most {
		m.t.Errorf("%d mails, want %d at most: %q", len(m.mails), most, m.mails)
	}
	want := map[string]int{}
	for id := range m.files {
		want[id] = 1
	}
	if diff := cmp.Diff(want, m.told); diff != "" || len(want) != files {
		m.t.Errorf("of %d files, want %d, told (-want +got):\n%s", len(want), files, diff)
	}
}
