package mail

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// TestUploadDigests_golden: one mail about several files.
func TestUploadDigests_golden(t *testing.T) {
	file := func(name string, change func(*upload.Upload)) upload.Upload {
		u := upload.Upload{
			Merchant: "nova", ID: "20261123T115800-0123456789abcdef", Object: upload.Object{Name: "uploads/nova/elden/" + name},
			File: name, Pool: "elden", Side: pool.Live, State: upload.Finished, Lines: 20, Counts: upload.Counts{upload.Accepted: 20},
			ReceivedAt: noon.Add(-2 * time.Minute), FinishedAt: noon,
		}
		if change != nil {
			change(&u)
		}
		return u
	}
	unread := func(cause upload.Cause) func(*upload.Upload) {
		return func(u *upload.Upload) { u.Counts, u.Cause = upload.Counts{}, cause }
	}
	var empties []upload.Upload
	for n := range 39 {
		empties = append(empties, file(fmt.Sprintf("export-%02d.txt", n+1), unread(upload.Empty)))
	}
	mixed := []upload.Upload{
		file("one.txt", nil),
		file("two.txt", func(u *upload.Upload) {
			u.Counts = upload.Counts{upload.Accepted: 1998, upload.Sold: 1, upload.SameFile: 40}
			u.Kept = []upload.RejectedLine{{Line: 17, Reason: upload.Sold, SoldAt: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)}}
			for n := range 40 {
				u.Kept = append(u.Kept, upload.RejectedLine{Line: 1204 + n, Reason: upload.SameFile})
			}
		}),
		file("<b>three</b>.txt", func(u *upload.Upload) { u.Side, u.Counts = pool.Test, upload.Counts{upload.Accepted: 1} }),
		file("keys.xlsx", unread(upload.Binary)),
		file("five.txt", func(u *upload.Upload) { u.Cause, u.State, u.Counts = "", upload.Loading, upload.Counts{} }),
		file("six.txt", func(u *upload.Upload) {
			u.Cause, u.State, u.Pool, u.Counts = upload.UnknownPool, upload.Parked, "eldn", upload.Counts{}
		}),
		file("seven.txt", func(u *upload.Upload) {
			u.Cause, u.Counts = upload.NoKeys, upload.Counts{upload.Tab: 1}
			u.Kept = []upload.RejectedLine{{Line: 1, Reason: upload.Tab}}
		}),
		file("uploads/nova/eight.txt", func(u *upload.Upload) {
			u.Cause, u.Pool, u.Object.Name, u.Counts = upload.Misplaced, "", "uploads/nova/eight.txt", upload.Counts{}
		}),
	}
	for name, c := range map[string]struct {
		kind     notice.Kind
		merchant string
		count    int
		uploads  []upload.Upload
	}{
		"uploads_all_good": {notice.UploadReport, "nova", 2, []upload.Upload{file("one.txt", nil), file("two.txt", nil)}},
		"uploads_mixed":    {notice.UploadReport, "nova", 8, mixed},
		"uploads_empty":    {notice.UploadReport, "nova", 39, empties},
		"uploads_more":     {notice.UploadReport, "nova", 1102, mixed[:2]},
		"uploads_reminder": {notice.UploadReminder, "nova", 3, []upload.Upload{mixed[3], mixed[5], mixed[6]}},
		"uploads_held": {notice.UploadReport, "nova", 3, []upload.Upload{
			file("warned.txt", func(u *upload.Upload) {
				u.Counts = upload.Counts{upload.Accepted: 19, upload.SkippedHeading: 1, upload.UnpairedQuotes: 1}
				u.Kept = []upload.RejectedLine{{Line: 1, Reason: upload.SkippedHeading}, {Line: 7, Reason: upload.UnpairedQuotes}}
				u.Seen.Asked = []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}
				u.Seen.Warned = []upload.Finding{{Trait: upload.Typography, Lines: 2, First: 4}}
			}),
			file("held.txt", func(u *upload.Upload) {
				u.State, u.Cause, u.Counts = upload.NeedsConfirmation, upload.Unclear, upload.Counts{}
				u.Seen.Asked = []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}, {Trait: upload.Quotes, Lines: 19, First: 2}}
			}),
			file("orders.csv", unread(upload.NoColumn)),
		}},
		"uploads_misplaced_nobody": {notice.Misplaced, "", 2, []upload.Upload{
			file("", func(u *upload.Upload) {
				u.Merchant, u.Object.Name, u.Cause = "", "uploads/nowa/elden/keys.txt", upload.UnknownMerchant
			}),
			file("", func(u *upload.Upload) { u.Merchant, u.Object.Name, u.Cause = "", "keys.txt", upload.Misplaced }),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			n := notice.Gather(c.merchant, c.kind, notice.Facts{Count: c.count}, noon)
			merchant := nova
			if c.merchant == "" {
				merchant = catalog.Merchant{}
			}
			m, err := composeNotice(n, merchant, catalog.Pool{}, c.uploads, sender, "operator@keypool.example", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "notice_"+name, m)
		})
	}
}
