package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/job"
)

func TestExportKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	all := w.merchant("acme")
	w.shop(all, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	bearer := w.token("acme", access.KeysRead)
	export := func(in ExportKeys, headers ...string) resttest.Response {
		t.Helper()
		return w.shop(bearer, "POST", "/v1/pools/elden/exports", in, headers...)
	}
	w.shop(bearer, "POST", "/v1/pools/nowhere/exports", ExportKeys{Which: "sold"}).Want(404)
	for what, in := range map[string]ExportKeys{
		"of other keys":         {Which: "all"},
		"of no keys":            {},
		"in another form":       {Which: "sold", Format: "xml"},
		"of unsold since":       {Which: "unsold", From: noon},
		"of a period that ends": {Which: "sold", From: noon, Until: noon},
	} {
		if got := export(in); got.StatusCode != 422 {
			t.Errorf("an export %s: %d", what, got.StatusCode)
		}
	}
	if sent := w.jobs.drain(); len(sent) > 0 {
		t.Errorf("asked for %q", sent)
	}

	month := ExportKeys{Which: "sold", Format: "jsonl", Side: "test", From: noon.AddDate(0, -1, 0), Until: noon, Reason: "the month's books"}
	var started, again, read Job
	export(month, "idempotency-key", "books-11").Want(202).Into(&started)
	export(month, "idempotency-key", "books-11").Want(202).Into(&again)
	if sent := w.jobs.drain(); len(sent) != 1 || !strings.Contains(sent[0], started.ID) {
		t.Errorf("asked for %q", sent)
	}
	w.shop(all, "GET", "/v1/jobs/"+started.ID, nil).Want(200).Into(&read)
	want := Job{
		ID: started.ID, Kind: "export", State: "queued", Pool: "elden", Side: "test", Which: "sold", Format: "jsonl", From: month.From, Until: month.Until,
		By: started.By, Reason: "the month's books", CreatedAt: noon, SavedAt: noon,
	}
	for _, j := range []Job{started, again, read} {
		if j != want || !strings.HasPrefix(j.By, "the token") {
			t.Errorf("job %+v, want %+v", j, want)
		}
	}
	var second Job
	export(ExportKeys{Which: "unsold"}).Want(202).Into(&second)
	if second.Format != "csv" || second.Side != "live" {
		t.Errorf("job %+v", second)
	}
	if got := export(ExportKeys{Which: "unsold"}).Want(409); !strings.Contains(got.Body, "Two exports are running") {
		t.Errorf("the third: %s", got.Body)
	}
	if job.MostExports != 2 {
		t.Error("the answer says two")
	}
	w.shop(all, "POST", "/v1/jobs/"+second.ID+"/cancel", nil).Want(202)
}

func TestJobFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	all := w.merchant("acme")
	stranger := w.merchant("mallory")
	w.shop(all, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	bearer := w.token("acme", access.KeysRead)
	var started Job
	w.shop(bearer, "POST", "/v1/pools/elden/exports", ExportKeys{Which: "unsold"}).Want(202).Into(&started)
	path := "/v1/jobs/" + started.ID + "/link"
	if got := w.shop(bearer, "POST", path, nil).Want(409); !strings.Contains(got.Body, "call again") {
		t.Errorf("before it is done: %s", got.Body)
	}
	j, err := w.store.TakeJob(t.Context(), "acme", started.ID, noon)
	if err != nil {
		t.Fatal(err)
	}
	j.Done, j.FinishedAt, j.Keys, j.File = true, noon, 7, job.File{Size: 512}
	if err := w.store.EndJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	var file JobFile
	got := w.shop(bearer, "POST", path, nil).Want(200)
	got.Into(&file)
	want := JobFile{
		URL:       "https://reports.example.com/exports/acme/" + started.ID + "?file=elden-live-unsold-20261123T120000Z.csv&lasts=10m0s",
		ExpiresAt: noon.Add(10 * time.Minute), Name: "elden-live-unsold-20261123T120000Z.csv", Keys: 7, Bytes: 512,
	}
	if file != want {
		t.Errorf("%+v, want %+v", file, want)
	}
	trail, _, err := w.store.Entries(t.Context(), "acme", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, e := range trail {
		if e.Thing == "link" {
			links++
			if e.Name != started.ID || !strings.HasPrefix(e.By, "the token") || strings.Contains(e.By+e.Name, "http") {
				t.Errorf("in the audit trail: %+v", e)
			}
		}
	}
	if links != 1 {
		t.Errorf("%d links in the audit trail", links)
	}

	w.shop(stranger, "POST", path, nil).Want(404)
	without := slices.DeleteFunc(slices.Clone(access.Scopes), func(s access.Scope) bool { return s == access.KeysRead })
	for _, scopes := range [][]access.Scope{without, {access.Settings}, {access.Upload, access.OrdersRead}} {
		refused := w.token("acme", scopes...)
		w.shop(refused, "POST", path, nil).Want(403)
		w.shop(refused, "POST", "/v1/pools/elden/exports", ExportKeys{Which: "sold"}).Want(403)
	}
	w.advance(job.FileKept)
	if got := w.shop(bearer, "POST", path, nil).Want(409); !strings.Contains(got.Body, "kept for a day") {
		t.Errorf("a day later: %s", got.Body)
	}
}

// A person who looks after orders, brings keys or reads may neither export keys nor fetch them.
func TestExportKeys_roles(t *testing.T) {
	t.Parallel()
	for _, role := range access.Roles {
		may := role == access.Owner || role == access.Manager
		for _, operation := range []string{"export-keys", "link-job-file"} {
			if role.May(operation) != may {
				t.Errorf("%s by %s: %t", operation, role, !may)
			}
		}
	}
}
