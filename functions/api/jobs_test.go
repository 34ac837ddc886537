package main

import (
	"slices"
	"strings"
	"testing"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.upload(upload.Upload{Merchant: "acme", ID: "wrong", File: "wrong.txt", Pool: "elden", Side: pool.Test, State: upload.Finished, Ranges: 1})
	w.upload(upload.Upload{Merchant: "acme", ID: "binary", File: "logo.png", Pool: "elden", Side: pool.Live, State: upload.Finished, Cause: upload.Binary})
	call := func(method, path string, body any) resttest.Response {
		t.Helper()
		return w.shop(bearer, method, path, body)
	}

	call("POST", "/v1/uploads/nobody/withdraw", nil).Want(404)
	if got := call("POST", "/v1/uploads/binary/withdraw", nil).Want(409); !strings.Contains(got.Body, "nothing to withdraw") {
		t.Errorf("of a file that was not loaded: %s", got.Body)
	}
	var started, again, read Job
	call("POST", "/v1/uploads/wrong/withdraw", WithdrawUpload{Reason: "the wrong edition"}).Want(202).Into(&started)
	if sent := w.jobs.drain(); len(sent) != 1 || !strings.Contains(sent[0], started.ID) {
		t.Errorf("asked for %q", sent)
	}
	call("POST", "/v1/uploads/wrong/withdraw", nil).Want(202).Into(&again)
	call("GET", "/v1/jobs/"+started.ID, nil).Want(200).Into(&read)
	for _, j := range []Job{again, read} {
		if j != started {
			t.Errorf("job %+v, want %+v", j, started)
		}
	}
	if started.Kind != "withdraw" || started.State != "queued" || started.Side != "test" || started.Reason != "the wrong edition" || !started.CreatedAt.Equal(noon) {
		t.Errorf("job %+v", started)
	}
	var u Upload
	call("GET", "/v1/uploads/wrong", nil).Want(200).Into(&u)
	if u.Withdrawal != started.ID || !u.WithdrawnAt.Equal(noon) {
		t.Errorf("the upload is withdrawn by %q at %s", u.Withdrawal, u.WithdrawnAt)
	}

	if _, err := w.store.TakeJob(t.Context(), "acme", started.ID, noon); err != nil {
		t.Fatal(err)
	}
	var cancelled Job
	call("POST", "/v1/jobs/"+started.ID+"/cancel", nil).Want(202).Into(&cancelled)
	if cancelled.State != string(job.Cancelling) || !strings.HasPrefix(cancelled.CancelledBy, "the token") {
		t.Errorf("cancelled, it is %+v", cancelled)
	}
	call("GET", "/v1/jobs/nobody", nil).Want(404)
	call("POST", "/v1/jobs/nobody/cancel", nil).Want(404)
	var list JobList
	call("GET", "/v1/jobs?limit=1", nil).Want(200).Into(&list)
	if len(list.Items) != 1 || list.Items[0].ID != started.ID || list.Next != "" {
		t.Errorf("jobs %+v", list)
	}
	bearer = w.token("acme", access.Upload, access.KeysRead, access.OrdersWrite)
	call("POST", "/v1/uploads/wrong/withdraw", nil).Want(403)
}

func TestMoveKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	bearer := w.token("acme", access.Settings)
	for _, name := range []string{"elden", "ring"} {
		w.shop(bearer, "PUT", "/v1/pools/"+name, Pool{}).Want(201)
	}
	w.upload(upload.Upload{Merchant: "acme", ID: "wrong", File: "wrong.txt", Pool: "elden", Side: pool.Test, State: upload.Finished, Ranges: 1})
	move := func(from string, in MoveKeys) resttest.Response {
		t.Helper()
		return w.shop(bearer, "POST", "/v1/pools/"+from+"/move", in)
	}
	for what, c := range map[string]struct {
		from   string
		in     MoveKeys
		status int
		says   string
	}{
		"no such pool":       {"nowhere", MoveKeys{To: "ring"}, 404, "no such thing"},
		"no pool to move to": {"elden", MoveKeys{To: "nowhere"}, 422, "There is no pool of the name in to"},
		"the same pool":      {"elden", MoveKeys{To: "elden"}, 422, "Name another pool"},
		"no such upload":     {"elden", MoveKeys{To: "ring", Upload: "nobody"}, 404, "no such thing"},
		"another side":       {"elden", MoveKeys{To: "ring", Upload: "wrong", Side: "live"}, 404, "no such thing"},
	} {
		if got := move(c.from, c.in).Want(c.status); !strings.Contains(got.Body, c.says) {
			t.Errorf("%s: %s", what, got.Body)
		}
	}
	if sent := w.jobs.drain(); len(sent) > 0 {
		t.Errorf("asked for %q", sent)
	}
	var started, read Job
	move("elden", MoveKeys{To: "ring", Upload: "wrong", Count: 7, Side: "test", Reason: "the wrong pool"}).Want(202).Into(&started)
	if sent := w.jobs.drain(); len(sent) != 1 || !strings.Contains(sent[0], started.ID) {
		t.Errorf("asked for %q", sent)
	}
	w.shop(bearer, "GET", "/v1/jobs/"+started.ID, nil).Want(200).Into(&read)
	want := Job{
		ID: started.ID, Kind: "move", State: "queued", Upload: "wrong", Pool: "elden", Side: "test", To: "ring", Count: 7,
		By: started.By, Reason: "the wrong pool", CreatedAt: noon, SavedAt: noon,
	}
	for _, j := range []Job{started, read} {
		if j != want || !strings.HasPrefix(j.By, "the token") {
			t.Errorf("job %+v, want %+v", j, want)
		}
	}
	w.shop(bearer, "POST", "/v1/uploads/wrong/withdraw", nil).Want(202)
	if got := move("elden", MoveKeys{To: "ring", Upload: "wrong", Side: "test"}).Want(409); !strings.Contains(got.Body, "was withdrawn") {
		t.Errorf("of a withdrawn upload: %s", got.Body)
	}
	move("elden", MoveKeys{}).Want(422)
	bearer = w.token("acme", access.Upload, access.KeysRead, access.OrdersWrite)
	move("elden", MoveKeys{To: "ring"}).Want(403)
}

func TestWipeTestData(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.upload(upload.Upload{Merchant: "acme", ID: "tried", File: "tried.txt", Pool: "elden", Side: pool.Test, State: upload.Finished, Cause: upload.Wiped})
	var started Job
	w.shop(bearer, "POST", "/v1/test-data/wipe", nil).Want(202).Into(&started)
	if started.Kind != "wipe" || started.Side != "test" || started.State != "queued" || !strings.HasPrefix(started.By, "the token") {
		t.Errorf("job %+v", started)
	}
	if sent := w.jobs.drain(); len(sent) != 1 || !strings.Contains(sent[0], started.ID) {
		t.Errorf("asked for %q", sent)
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	if !slices.ContainsFunc(trail.Items, func(e AuditEntry) bool { return e.Name == started.ID && e.After["kind"] == "wipe" }) {
		t.Errorf("the audit trail is %+v", trail.Items)
	}
	var u Upload
	w.shop(bearer, "GET", "/v1/uploads/tried", nil).Want(200).Into(&u)
	if u.Cause != "wiped" || u.ReportURL != "" {
		t.Errorf("a file that was wiped is shown as %+v", u)
	}
	if e := resttest.Event(t, "good_api_wipe"); e.RawPath != "/v1/test-data/wipe" {
		t.Errorf("the example calls %s", e.RawPath)
	}
	for _, scope := range []access.Scope{access.Upload, access.OrdersWrite, access.KeysRead} {
		w.shop(w.token("acme", scope), "POST", "/v1/test-data/wipe", nil).Want(403)
	}
}
