package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var uploadNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func loadingUpload(id string) upload.Upload {
	return upload.Upload{
		Merchant: "nova", ID: id, Pool: "elden", Side: pool.Live, File: "a.txt",
		State: upload.Loading, Ranges: 2, Counts: upload.Counts{},
		ReceivedAt: uploadNoon, DueAt: uploadNoon.Add(time.Minute),
	}
}

func newKeys(texts ...string) []upload.NewKey {
	keys := make([]upload.NewKey, len(texts))
	for i, text := range texts {
		keys[i] = upload.NewKey{ID: pool.Identify(nil, "nova", pool.Live, text), Text: pool.Conceal(text), Offset: int64(10 * i)}
	}
	return keys
}

func TestInsertKeys_saysWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	insert := func(upload string, texts ...string) []upload.Inserted {
		t.Helper()
		results, err := store.InsertKeys(ctx, elden, 4, upload, newKeys(texts...))
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	if diff := cmp.Diff([]upload.Inserted{upload.Stored, upload.Stored}, insert("u1", "A", "B")); diff != "" {
		t.Errorf("new keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]upload.Inserted{upload.Exists, upload.Stored, upload.Exists}, insert("u2", "B", "C", "A")); diff != "" {
		t.Errorf("some of them known (-want +got):\n%s", diff)
	}
	for code, want := range map[string]upload.Inserted{
		"ValidationError":       upload.Rejected,
		"DuplicateItem":         upload.Exists,
		"ThrottlingError":       upload.Throttled,
		"InternalServerError":   upload.Throttled,
		"RequestLimitExceeded":  upload.Throttled,
		"TransactionConflict":   upload.Throttled,
		"SomethingOfNextYear":   upload.Throttled,
		"ProvisionedThroughput": upload.Throttled,
	} {
		faults.Next("BatchExecuteStatement", 1, dynamotest.Partial(code, 1))
		if diff := cmp.Diff([]upload.Inserted{want, want}, insert("u3", "D", "E")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
	for _, code := range []string{"AccessDenied", "ResourceNotFound"} { // nobody waits for these to pass
		faults.Next("BatchExecuteStatement", 1, dynamotest.Partial(code, 1))
		if _, err := store.InsertKeys(ctx, elden, 4, "u3", newKeys("D", "E")); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want an error that says so", code, err)
		}
	}
	faults.Next("BatchExecuteStatement", dynamotest.SDKAttempts, dynamotest.Throttled)
	if diff := cmp.Diff([]upload.Inserted{upload.Throttled, upload.Throttled}, insert("u3", "D", "E")); diff != "" {
		t.Errorf("the whole call throttled (-want +got):\n%s", diff)
	}
	found, err := store.FindKeys(ctx, []pool.KeyID{newKeys("A")[0].ID, newKeys("B")[0].ID, newKeys("E")[0].ID})
	want := map[pool.KeyID]upload.KnownKey{
		newKeys("A")[0].ID: {Upload: "u1", Offset: 0, Pool: "elden", State: pool.KeyAvailable},
		newKeys("B")[0].ID: {Upload: "u1", Offset: 10, Pool: "elden", State: pool.KeyAvailable},
	}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("found, %v (-want +got):\n%s", err, diff)
	}
}

// A test key is stored only while its text does not stand on the live side.
func TestInsertKeys_ofTheTestSide(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	test := pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Test}
	insert := func(texts ...string) []upload.Inserted {
		t.Helper()
		keys := newKeys(texts...)
		for i, key := range keys {
			keys[i].ID, keys[i].Live = pool.Identify(nil, "nova", pool.Test, key.Text.Reveal()), key.ID
		}
		results, err := store.InsertKeys(t.Context(), test, 4, "u1", keys)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	if _, err := store.InsertKeys(t.Context(), elden, 4, "u", newKeys("LIVE")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]upload.Inserted{upload.Stored, upload.OnLiveSide, upload.Stored}, insert("A", "LIVE", "B")); diff != "" {
		t.Errorf("one of them on the live side (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]upload.Inserted{upload.Exists, upload.Stored}, insert("A", "C")); diff != "" {
		t.Errorf("one of them known (-want +got):\n%s", diff)
	}
	found, err := store.FindKeys(t.Context(), []pool.KeyID{pool.Identify(nil, "nova", pool.Test, "B"), pool.Identify(nil, "nova", pool.Test, "LIVE")})
	want := map[pool.KeyID]upload.KnownKey{
		pool.Identify(nil, "nova", pool.Test, "B"): {Upload: "u1", Offset: 20, Pool: "elden", State: pool.KeyAvailable},
	}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("found, %v (-want +got):\n%s", err, diff)
	}
	for code, want := range map[string]upload.Inserted{
		"TransactionConflict": upload.Throttled, "ThrottlingError": upload.Throttled, "ValidationError": upload.Rejected,
	} {
		faults.Next("TransactWriteItems", 1, dynamotest.Cancelled(code, 1))
		if diff := cmp.Diff([]upload.Inserted{want}, insert("D")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
}

func TestInsertKeys_noKeyInAnError(t *testing.T) {
	t.Parallel()
	store := dynamo.Open(dynamotest.Client(t), dynamo.Tables{Keys: "not-there"})
	_, err := store.InsertKeys(context.Background(), elden, 4, "u", newKeys("SECRET-1"))
	if err != nil && strings.Contains(err.Error(), "SECRET-1") {
		t.Errorf("a key stands in %v", err)
	}
}

// halving leaves half of a batch of reads for another time, twice.
type halving struct{ left atomic.Int32 }

func (h *halving) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") || h.left.Add(-1) < 0 {
		return dynamotest.Engine().RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		RequestItems map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	unprocessed := map[string]map[string]json.RawMessage{}
	for table, request := range in.RequestItems {
		var keys []json.RawMessage
		if err := json.Unmarshal(request["Keys"], &keys); err != nil {
			return nil, err
		}
		rest := map[string]json.RawMessage{}
		for name, value := range request {
			rest[name] = value
		}
		now, _ := json.Marshal(keys[:len(keys)/2])
		later, _ := json.Marshal(keys[len(keys)/2:])
		request["Keys"], rest["Keys"] = now, later
		unprocessed[table] = rest
	}
	if body, err = json.Marshal(in); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer, err := dynamotest.Engine().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, err
	}
	out["UnprocessedKeys"] = unprocessed
	body, err = json.Marshal(out)
	answer.Header.Del("X-Amz-Crc32")
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, err
}

func TestFindKeys_asksAgainForWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := &halving{}
	store, _ := dynamotest.Open(t, dynamotest.Transport(h))
	keys := newKeys("A", "B", "C", "D", "E")
	if _, err := store.InsertKeys(ctx, elden, 4, "u", keys); err != nil {
		t.Fatal(err)
	}
	var ids []pool.KeyID
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	h.left.Store(2)
	found, err := store.FindKeys(ctx, ids)
	if len(found) != len(keys) || err != nil {
		t.Errorf("found %d of %d keys, %v", len(found), len(keys), err)
	}
}

func TestMoveUpload_onceAndFromTheStateNamed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	move := func(from upload.State, u upload.Upload, tell *notice.Notice) bool {
		t.Helper()
		moved, err := store.MoveUpload(ctx, from, u, tell)
		if err != nil {
			t.Fatal(err)
		}
		return moved
	}
	u := loadingUpload("u1")
	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
	if !move("", u, nil) {
		t.Error("not created, though only the answer was lost")
	}
	if move("", u, nil) {
		t.Error("created twice")
	}
	told := notice.New("nova", notice.LargeUpload, u.ID, notice.Uploaded(u), uploadNoon)
	if err := store.RaiseNotice(ctx, told); err != nil {
		t.Fatal(err)
	}
	u.State, u.Cause, u.FinishedAt, u.DueAt = upload.Finished, upload.NoKeys, uploadNoon, time.Time{}
	u.Kept = []upload.RejectedLine{{Line: 1, Reason: upload.Sold, SoldAt: uploadNoon}}
	if !move(upload.Loading, u, &told) {
		t.Error("not finished, because it had been told already")
	}
	if move(upload.Loading, u, nil) {
		t.Error("finished twice")
	}
	got, ok, err := store.Upload(ctx, "nova", "u1")
	if diff := cmp.Diff(u, got); diff != "" || !ok || err != nil {
		t.Errorf("%t, %v (-want +got):\n%s", ok, err, diff)
	}
}

// An answer is stored once, with the upload, and remembered for the pool and the question.
func TestConfirmUpload(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	u := loadingUpload("u1")
	u.State, u.Cause, u.Ranges, u.DueAt = upload.NeedsConfirmation, upload.Unclear, 0, time.Time{}
	u.Seen = upload.Seen{
		Asked:     []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 3}, {Trait: upload.Quotes, Lines: 7, First: 4}},
		Warned:    []upload.Finding{{Trait: upload.Typography, Lines: 2, First: 5}},
		HeadingAt: 12, Numbering: "1. ",
		Table: upload.Table{Separator: ";", Columns: 3, Column: 2, DataAt: 40, Named: []string{"key", "status"}},
	}
	if moved, err := store.MoveUpload(ctx, "", u, nil); !moved || err != nil {
		t.Fatal(moved, err)
	}
	if got, _, err := store.Upload(ctx, "nova", "u1"); err != nil || !cmp.Equal(u, got) {
		t.Fatalf("%v (-want +got):\n%s", err, cmp.Diff(u, got))
	}
	held := u
	u.State, u.Cause, u.DueAt, u.ConfirmedAt = upload.Confirmed, "", uploadNoon.Add(time.Hour), uploadNoon
	u.Reading = upload.Reading{SkipHeading: true, StripQuotes: true}
	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
	if confirmed, err := store.ConfirmUpload(ctx, u); !confirmed || err != nil {
		t.Fatalf("%t, %v; want it confirmed, though the answer was lost", confirmed, err)
	}
	other := held
	other.State, other.Reading = upload.Confirmed, upload.Reading{}
	if confirmed, err := store.ConfirmUpload(ctx, other); confirmed || err != nil {
		t.Errorf("confirmed twice: %t, %v", confirmed, err)
	}
	if got, _, err := store.Upload(ctx, "nova", "u1"); err != nil || !cmp.Equal(u, got) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(u, got))
	}
	for question, want := range map[string]bool{"heading+quotes": true, "heading": false, "": false} {
		how, known, err := store.Reading(ctx, "nova", u.Pool, question)
		if err != nil || known != want || known && how != u.Reading {
			t.Errorf("the answer to %q is %+v, %t, %v", question, how, known, err)
		}
	}
	for _, foreign := range [][2]string{{"nova", "ring"}, {"vega", u.Pool}} {
		if _, known, err := store.Reading(ctx, foreign[0], foreign[1], "heading+quotes"); known || err != nil {
			t.Errorf("%v knows the answer: %v", foreign, err)
		}
	}
	loading := u
	loading.State, loading.Ranges = upload.Loading, 3
	if moved, err := store.MoveUpload(ctx, upload.Confirmed, loading, nil); !moved || err != nil {
		t.Fatal(moved, err)
	}
	if got, _, err := store.Upload(ctx, "nova", "u1"); err != nil || !cmp.Equal(loading, got) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(loading, got))
	}
}

func TestRanges_oneWorkerAtATimeAndCountedOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	faults := dynamotest.NewFaults(t, 1)
	store, tables := dynamotest.Open(t, faults.Option)
	u := loadingUpload("u1")
	if moved, err := store.MoveUpload(ctx, "", u, nil); !moved || err != nil {
		t.Fatal(moved, err)
	}
	first, err := store.TakeRange(ctx, u, 0, uploadNoon)
	if err != nil {
		t.Fatal(err)
	}
	first.Offset, first.Lines, first.Counts, first.Objects = 100, 9, upload.Counts{upload.Accepted: 7, upload.Sold: 2}, []int{1}
	first.SavedAt = uploadNoon
	if err := store.SaveRange(ctx, u, first); err != nil {
		t.Fatal(err)
	}
	second, err := store.TakeRange(ctx, u, 0, uploadNoon)
	if err != nil {
		t.Fatal(err)
	}
	want := first
	want.Token = 2
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
	if err := store.SaveRange(ctx, u, first); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the first worker saved: %v, want %v", err, job.ErrFenced)
	}
	if err := store.EndRange(ctx, u, first, uploadNoon); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the first worker ended: %v, want %v", err, job.ErrFenced)
	}
	second.Done = true
	// The first try is carried out, its answer lost, and the SDK's repetition refused.
	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
	faults.Next("TransactWriteItems", 2, dynamotest.Conflict(tables.Catalog))
	if err := store.EndRange(ctx, u, second, uploadNoon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := store.EndRange(ctx, u, second, uploadNoon); !errors.Is(err, job.ErrFenced) {
		t.Errorf("ended twice: %v, want %v", err, job.ErrFenced)
	}
	again, err := store.TakeRange(ctx, u, 0, uploadNoon)
	if !again.Done || again.Token != 2 || err != nil {
		t.Errorf("taken after its end: %+v, %v", again, err)
	}

	blank, err := store.TakeRange(ctx, u, 1, uploadNoon) // a range that holds no line
	if err != nil {
		t.Fatal(err)
	}
	blank.Done, blank.SavedAt = true, uploadNoon
	if err := store.EndRange(ctx, u, blank, uploadNoon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, _, err := store.Upload(ctx, "nova", "u1")
	u.Done, u.Lines, u.Counts, u.DueAt = 2, 9, upload.Counts{upload.Accepted: 7, upload.Sold: 2}, uploadNoon.Add(time.Hour)
	if diff := cmp.Diff(u, got); diff != "" || err != nil {
		t.Errorf("record, %v (-want +got):\n%s", err, diff)
	}
	ranges, err := store.Ranges(ctx, u)
	if diff := cmp.Diff([]upload.Range{second, blank}, ranges); diff != "" || err != nil {
		t.Errorf("ranges, %v (-want +got):\n%s", err, diff)
	}
}

func TestPostponeUpload_onlyWhileItIsInThatState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, _ := dynamotest.Open(t)
	u := loadingUpload("u1")
	if moved, err := store.MoveUpload(ctx, "", u, nil); !moved || err != nil {
		t.Fatal(moved, err)
	}
	for i, state := range []upload.State{upload.Loading, upload.Parked} {
		seen := u
		seen.State = state
		if err := store.PostponeUpload(ctx, seen, uploadNoon.Add(time.Duration(i+1)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := store.Upload(ctx, "nova", "u1")
	if want := uploadNoon.Add(time.Hour); !got.DueAt.Equal(want) || err != nil {
		t.Errorf("looked at %v, %v; want %v", got.DueAt, err, want)
	}
	if _, ok, err := store.Upload(ctx, "nova", fmt.Sprint(2)); ok || err != nil {
		t.Errorf("an upload that is not there: %t, %v", ok, err)
	}
}

// TestPostponeUpload_outlastsATransaction: the end of a range is a transaction on
// the upload, which is nothing to fail for.
func TestPostponeUpload_outlastsATransaction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	u := loadingUpload("u1")
	if moved, err := store.MoveUpload(ctx, "", u, nil); !moved || err != nil {
		t.Fatal(moved, err)
	}
	faults.Next("UpdateItem", dynamotest.SDKAttempts-1, dynamotest.Contended)
	want := uploadNoon.Add(time.Hour)
	if err := store.PostponeUpload(ctx, u, want); err != nil {
		t.Error(err)
	}
	if got, _, err := store.Upload(ctx, "nova", "u1"); !got.DueAt.Equal(want) || err != nil {
		t.Errorf("looked at %v, %v; want %v", got.DueAt, err, want)
	}
}
