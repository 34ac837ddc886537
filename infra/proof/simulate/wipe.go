package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// checkWipe wipes the test side once the history is over, with the faults of the history, and
// checks that all of it is gone and that every live row is as it was.
func (w *world) checkWipe() {
	w.over.Store(true)
	before := w.rows()
	w.reliable.Store(false)
	defer w.reliable.Store(true)
	var j job.Job
	w.untilDone("wipe", func(ctx context.Context, now time.Time) (err error) {
		jobs := &inventory.Jobs{Store: w.store, Queue: nowhere{}, Now: func() time.Time { return now }}
		j, err = jobs.Wipe(ctx, merchant, "a token")
		return err
	})
	for id, n := j.ID, 0; !j.Done; n++ { // a read that fails returns no job
		time.Sleep(inventory.IndexLag + time.Second)
		w.untilDone(fmt.Sprint("wipe goes on ", n), func(ctx context.Context, _ time.Time) (err error) {
			side := inventory.TestSide{Rows: w.store, Orders: w.store, Keys: w.store, Uploads: w.store, Reports: w.bucket}
			worker := &inventory.Worker{Progress: w.store, Keys: w.store, Pools: w.store, Uploads: w.store, Test: side, Now: time.Now}
			if err = worker.Handle(ctx, job.Resume(merchant, id)); err != nil && !errors.Is(err, job.ErrPaused) {
				return err
			}
			j, _, err = w.store.Job(ctx, merchant, id)
			return err
		})
		if n == 100 {
			w.ledger.report("the wipe of the test side does not end: %+v", j)
			return
		}
	}
	w.count("test side wiped")
	w.compareWiped(before, w.rows())
}

// nowhere takes messages that nobody needs.
type nowhere struct{}

func (nowhere) Send(context.Context, any, time.Duration) error { return nil }

// rows returns all rows of the tables by table and key, but for jobs, their entries in the
// audit trail and the notices of their ends.
func (w *world) rows() map[string]map[string]any {
	ofJobs := "notice#" + merchant + "#" + string(notice.JobEnded) + "#"
	all := map[string]map[string]any{}
	for _, table := range []string{w.tables.Catalog, w.tables.Keys, w.tables.Orders} {
		for _, item := range plain(w.db.Items(table)) {
			pk := item["pk"].(string)
			if !slices.ContainsFunc([]string{"jobs#", "audit#", ofJobs}, func(prefix string) bool { return strings.HasPrefix(pk, prefix) }) {
				all[fmt.Sprint(table, " ", pk, " ", item["sk"])] = item
			}
		}
	}
	return all
}

// compareWiped compares the tables before and after the test side was wiped. Of which side a row
// is it tells from keys, and from what orders and uploads say, not from what a wipe goes by.
func (w *world) compareWiped(before, after map[string]map[string]any) {
	ofTest := map[any]bool{} // partitions of orders, and ids of uploads
	for _, row := range before {
		if row["side"] == string(pool.Test) {
			ofTest[row["pk"]] = strings.HasPrefix(row["pk"].(string), "order#")
			ofTest[row["sk"]] = strings.HasPrefix(row["pk"].(string), "uploads#")
		}
	}
	isTest := func(row map[string]any) bool {
		pk, sk := row["pk"].(string), fmt.Sprint(row["sk"])
		facts, _ := row["facts"].(map[string]any)
		kind := notice.Kind(fmt.Sprint(row["kind"]))
		switch {
		case row["state"] == string(pool.KeyShared):
			return false // a product's code for test orders is a setting
		case strings.HasPrefix(pk, "ranges#"):
			return ofTest[pk[strings.LastIndexByte(pk, '#')+1:]]
		case strings.HasPrefix(pk, "notice#"):
			return facts["side"] == string(pool.Test) && !kind.Gathered()
		case strings.HasPrefix(pk, "refused"):
			return row["testOf"] == merchant
		}
		return ofTest[row["pk"]] || ofTest[row["sk"]] || strings.Contains(pk+"#"+sk+"#", "#"+string(pool.Test)+"#")
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		row, now := before[key], after[key]
		switch {
		case !isTest(row):
			if fmt.Sprint(now) != fmt.Sprint(row) {
				w.ledger.report("a wipe of the test side changed %s from %v to %v", key, row, now)
			}
		case now != nil && now["cause"] != string(upload.Wiped) && !(strings.Contains(key, " counts#") && now["accepted"] == 0.0 && now["taken"] == 0.0):
			w.ledger.report("a wipe of the test side left %s: %v", key, now)
		case now != nil && now["cause"] == string(upload.Wiped) && len(now["counts"].(map[string]any)) > 0:
			w.ledger.report("a wipe of the test side left counts of an upload: %v", now)
		}
	}
	for key := range after {
		if before[key] == nil {
			w.ledger.report("a wipe of the test side made %s", key)
		}
	}
}
