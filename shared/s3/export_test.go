package s3_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/job"
	"keypool/shared/s3"
	"keypool/shared/upload"
)

func TestFile_isMadeOfItsParts(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	bucket, ctx := s3.OpenReports(client, "rep"), t.Context()
	id, err := bucket.BeginFile(ctx, "exports/nova/j", job.CSV)
	if err != nil || id != "u1" {
		t.Fatalf("upload %q, %v", id, err)
	}
	var parts []job.FilePart
	for i, content := range []string{strings.Repeat("A-1\n", 1000), "A-2\n"} {
		part, err := bucket.WritePart(ctx, "exports/nova/j", id, 3+4*i, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		if part.Number != 3+4*i || part.Tag == "" {
			t.Errorf("part %+v", part)
		}
		parts = append(parts, part)
	}
	if _, err := bucket.WritePart(ctx, "exports/nova/j", id, 5, []byte("A-9\n")); err != nil { // of an earlier worker
		t.Fatal(err)
	}
	if err := bucket.FinishFile(ctx, "exports/nova/j", id, parts); err != nil {
		t.Fatal(err)
	}
	if got, want := string(server.objects["/rep/exports/nova/j"]), strings.Repeat("A-1\n", 1000)+"A-2\n"; got != want {
		t.Errorf("the file holds %d bytes, want %d", len(got), len(want))
	}
	if diff := cmp.Diff([]string{"POST uploads", "PUT uploadId", "PUT uploadId", "PUT uploadId", "POST uploadId"}, server.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if err := bucket.DropFile(ctx, "exports/nova/j", id); err != nil {
		t.Error(err)
	}
}

// An upload that has ended is told from a call that failed: it has left an object, or none.
func TestFile_whoseUploadHasEnded(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404} {
		server, client := newServer(t)
		bucket, ctx := s3.OpenReports(client, "rep"), t.Context()
		server.refusal = "<Error><Code>NoSuchUpload</Code></Error>"
		server.broken, server.status = "PUT uploadId", 404
		if _, err := bucket.WritePart(ctx, "exports/nova/j", "u1", 1, []byte("A-1\n")); !errors.Is(err, upload.ErrGone) {
			t.Errorf("a part: %v", err)
		}
		server.broken = "DELETE uploadId"
		if err := bucket.DropFile(ctx, "exports/nova/j", "u1"); err != nil {
			t.Errorf("its end: %v", err)
		}
		server.broken, server.absent = "POST uploadId", status
		if err := bucket.FinishFile(ctx, "exports/nova/j", "u1", nil); !errors.Is(err, upload.ErrGone) {
			t.Errorf("where there is no object, which is answered %d: %v", status, err)
		}
		if _, err := bucket.Rest(ctx, "exports/nova/j"); !errors.Is(err, upload.ErrGone) {
			t.Errorf("a rest that is not there, which is answered %d: %v", status, err)
		}
		server.objects["/rep/exports/nova/j"] = []byte("A-1\n")
		if err := bucket.FinishFile(ctx, "exports/nova/j", "u1", nil); err != nil {
			t.Errorf("where there is one: %v", err)
		}
		if rest, err := bucket.Rest(ctx, "exports/nova/j"); err != nil || string(rest) != "A-1\n" {
			t.Errorf("a rest: %q, %v", rest, err)
		}
		for _, call := range []string{"POST uploads", "PUT uploadId", "POST uploadId", "DELETE uploadId"} {
			server.broken, server.status = call, 400
			_, begun := bucket.BeginFile(ctx, "j", job.JSONL)
			_, written := bucket.WritePart(ctx, "j", "u1", 1, bytes.Repeat([]byte("A"), 10))
			if err := errors.Join(begun, written, bucket.FinishFile(ctx, "j", "u1", nil), bucket.DropFile(ctx, "j", "u1")); err == nil || errors.Is(err, upload.ErrGone) {
				t.Errorf("%s fails: %v", call, err)
			}
		}
	}
}

func TestPresignFile(t *testing.T) {
	t.Parallel()
	_, client := newServer(t)
	address := must(s3.OpenReports(client, "rep").PresignFile(t.Context(), "exports/nova/j", "elden-live.csv", 10*time.Minute))
	got := must(url.Parse(address))
	query := got.Query()
	if got.Path != "/rep/exports/nova/j" || query.Get("X-Amz-Expires") != "600" {
		t.Errorf("%s for %s s", got.Path, query.Get("X-Amz-Expires"))
	}
	if query.Get("response-content-disposition") != `attachment; filename="elden-live.csv"` || query.Get("response-cache-control") != "no-store" {
		t.Errorf("served as %s, %s", query.Get("response-content-disposition"), query.Get("response-cache-control"))
	}
}
