package s3_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"

	"keypool/shared/s3"
	"keypool/shared/upload"
)

var written = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// server answers as S3 does, as far as we ask it. Objects are named with their
// versions, as in "/bucket/name?v1".
type server struct {
	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string][]byte // of an upload in parts, by number
	tags    map[string]string
	digests map[string]string
	calls   []string
	deaf    bool // does not keep to ranges
	broken  string
	refusal string // the body of the answer to a broken call
	status  int    // of that answer; 0: 403
	absent  int    // the status for an object that is not there; 0: 404
}

func newServer(t *testing.T) (*server, *awss3.Client) {
	s := &server{objects: map[string][]byte{}, parts: map[string][]byte{}, tags: map[string]string{}, digests: map[string]string{}}
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	return s, awss3.New(awss3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(front.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer:     aws.NopRetryer{},
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query, body := r.URL.Query(), must(io.ReadAll(r.Body))
	what := r.Method
	for _, sub := range []string{"tagging", "uploads", "uploadId"} {
		if query.Has(sub) {
			what += " " + sub
		}
	}
	s.calls = append(s.calls, what)
	if what == s.broken {
		w.WriteHeader(cmp.Or(s.status, http.StatusForbidden))
		io.WriteString(w, s.refusal)
		return
	}
	name := r.URL.Path
	if version := query.Get("versionId"); version != "" {
		name += "?" + version
	}
	switch what {
	case "HEAD", "GET":
		object, ok := s.objects[name]
		if !ok {
			w.WriteHeader(cmp.Or(s.absent, http.StatusNotFound))
			return
		}
		if s.deaf {
			r.Header.Del("Range")
		}
		w.Header().Set("X-Amz-Version-Id", "current")
		w.Header().Set("X-Amz-Meta-Digest", s.digests[name])
		http.ServeContent(w, r, "", written, bytes.NewReader(object))
	case "PUT":
		if _, there := s.objects[name]; there && r.Header.Get("If-None-Match") == "*" {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		s.objects[name], s.digests[name] = unchunked(r, body), r.Header.Get("X-Amz-Meta-Digest")
	case "PUT tagging":
		if _, ok := s.objects[name]; !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		s.tags[name] = string(body)
	case "POST uploads":
		fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
	case "PUT uploadId":
		part := unchunked(r, body)
		s.parts[query.Get("partNumber")] = part
		sum := md5.Sum(part)
		w.Header().Set("Etag", hex.EncodeToString(sum[:]))
	case "POST uploadId":
		var list struct {
			Part []struct{ PartNumber int }
		}
		if err := xml.Unmarshal(body, &list); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var whole []byte
		for _, part := range list.Part {
			whole = append(whole, s.parts[strconv.Itoa(part.PartNumber)]...)
		}
		s.objects[name] = whole
		fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	case "DELETE uploadId":
		clear(s.parts)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// unchunked undoes the SDK's framing of a body with a trailing checksum.
func unchunked(r *http.Request, body []byte) []byte {
	if r.Header.Get("Content-Encoding") != "aws-chunked" {
		return body
	}
	var whole []byte
	for {
		head, rest, _ := bytes.Cut(body, []byte("\r\n"))
		size := must(strconv.ParseInt(strings.Split(string(head), ";")[0], 16, 64))
		if size == 0 {
			return whole
		}
		whole, body = append(whole, rest[:size]...), rest[size+2:]
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestUploads_readsRangesOfAVersion(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("answers with the whole object: %t", deaf), func(t *testing.T) {
			t.Parallel()
			s, client := newServer(t)
			s.deaf = deaf
			s.objects["/up/uploads/nova/elden/a b.txt?v1"] = []byte("0123456789")
			b := s3.OpenUploads(client, "up")
			o := upload.Object{Bucket: "up", Name: "uploads/nova/elden/a b.txt", Version: "v1"}
			for _, test := range []struct {
				from, to int64
				want     string
			}{{0, 4, "0123"}, {3, 7, "3456"}, {9, 10, "9"}} {
				body, err := b.Open(context.Background(), o, test.from, test.to)
				if err != nil {
					t.Fatal(err)
				}
				if got := must(io.ReadAll(body)); string(got) != test.want {
					t.Errorf("from %d to %d: %q, want %q", test.from, test.to, got, test.want)
				}
				body.Close()
			}
			o.Version = "v2"
			if _, err := b.Open(context.Background(), o, 0, 1); !errors.Is(err, upload.ErrGone) {
				t.Errorf("a version that is not there: %v, want %v", err, upload.ErrGone)
			}
		})
	}
}

func TestUploads_statAndTag(t *testing.T) {
	t.Parallel()
	s, client := newServer(t)
	s.objects["/up/a.txt?v1"], s.objects["/up/a.txt"] = []byte("12345"), []byte("123")
	b, ctx := s3.OpenUploads(client, "up"), context.Background()
	o := upload.Object{Bucket: "up", Name: "a.txt", Version: "v1"}
	stat, ok, err := b.Stat(ctx, o)
	if diff := gocmp.Diff(upload.Stat{Version: "v1", Size: 5, LastModified: written}, stat); diff != "" || !ok || err != nil {
		t.Errorf("%t, %v (-want +got):\n%s", ok, err, diff)
	}
	stat, ok, err = b.Stat(ctx, upload.Object{Bucket: "up", Name: "a.txt"})
	if diff := gocmp.Diff(upload.Stat{Version: "current", Size: 3, LastModified: written}, stat); diff != "" || !ok || err != nil {
		t.Errorf("of no version: %t, %v (-want +got):\n%s", ok, err, diff)
	}
	if _, ok, err := b.Stat(ctx, upload.Object{Bucket: "up", Name: "b.txt", Version: "v1"}); ok || err != nil {
		t.Errorf("of an object that is not there: %t, %v", ok, err)
	}
	if _, _, err := b.Stat(ctx, upload.Object{Bucket: "other", Name: "a.txt", Version: "v1"}); err == nil {
		t.Error("looked into a bucket that is not ours")
	}

	for value, loaded := range map[string]bool{"done": true, "refused": false} {
		if err := b.MarkDone(ctx, o, loaded); err != nil {
			t.Fatal(err)
		}
		var tagging struct {
			TagSet struct{ Tag struct{ Key, Value string } }
		}
		if err := xml.Unmarshal([]byte(s.tags["/up/a.txt?v1"]), &tagging); err != nil {
			t.Fatal(err)
		}
		if tag := tagging.TagSet.Tag; tag.Key != "keypool" || tag.Value != value {
			t.Errorf("tagged %+v, want what the bucket's lifecycle looks for: %s", tag, value)
		}
	}
	o.Version = "v2"
	if err := b.MarkDone(ctx, o, true); !errors.Is(err, upload.ErrGone) {
		t.Errorf("tagged a version that is not there: %v", err)
	}
}

// A file is stored once under its name: whoever comes later gets the one that is there.
func TestUploads_putNew(t *testing.T) {
	server, client := newServer(t)
	uploads := s3.OpenUploads(client, "uploads")
	for _, c := range []struct{ content, digest string }{{"A-1\n", "d1"}, {"A-1\n", "d1"}, {"A-2\n", "d2"}} {
		o, stat, there, err := uploads.PutNew(t.Context(), "uploads/nova/elden/keys.txt", []byte(c.content), c.digest)
		if err != nil {
			t.Fatal(err)
		}
		if want := (upload.Object{Bucket: "uploads", Name: "uploads/nova/elden/keys.txt", Version: "current"}); o != want {
			t.Errorf("object %+v, want %+v", o, want)
		}
		if want := (upload.Stat{Version: "current", Size: 4, LastModified: written}); stat != want || there != "d1" {
			t.Errorf("%+v with digest %s, want %+v with d1", stat, there, want)
		}
	}
	if got := string(server.objects["/uploads/uploads/nova/elden/keys.txt"]); got != "A-1\n" {
		t.Errorf("the file holds %q", got)
	}
	server.broken, server.refusal = "PUT", "<Error><Code>AccessDenied</Code><Message>A-9</Message></Error>"
	if _, _, _, err := uploads.PutNew(t.Context(), "uploads/nova/elden/other.txt", []byte("A-9\n"), "d9"); err == nil {
		t.Error("a refused file is taken as stored")
	}
}

func TestReports_writesWhatFitsAtOnceAndTheRestInParts(t *testing.T) {
	t.Parallel()
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	for _, test := range []struct {
		chunks int
		calls  []string
	}{
		{0, []string{"PUT"}},
		{7, []string{"PUT"}},
		{19, []string{"POST uploads", "PUT uploadId", "PUT uploadId", "PUT uploadId", "POST uploadId"}},
	} {
		t.Run(fmt.Sprintf("%d MiB", test.chunks), func(t *testing.T) {
			t.Parallel()
			s, client := newServer(t)
			reports, ctx := s3.OpenReports(client, "rep"), context.Background()
			err := reports.Write(ctx, "reports/nova/u.json", func(w io.Writer) error {
				for range test.chunks {
					if _, err := w.Write(chunk); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(test.calls, s.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			got, err := reports.Get(ctx, "reports/nova/u.json")
			if err != nil || !bytes.Equal(got, bytes.Repeat(chunk, test.chunks)) {
				t.Errorf("read back %d bytes, %v; wrote %d", len(got), err, test.chunks<<20)
			}
		})
	}
}

func TestReports_whatFailsIsNotStored(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken off")
	for _, failing := range []string{"", "PUT uploadId", "POST uploadId"} {
		s, client := newServer(t)
		s.broken = failing
		reports := s3.OpenReports(client, "rep")
		err := reports.Write(context.Background(), "r.json", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 9<<20)); err != nil || failing != "" {
				return err
			}
			return broken
		})
		if err == nil {
			t.Errorf("%q failed and nothing was said", failing)
		}
		if last := s.calls[len(s.calls)-1]; last != "DELETE uploadId" || len(s.objects) != 0 {
			t.Errorf("%q failed: last call %q, objects %d; want the parts dropped", failing, last, len(s.objects))
		}
	}
	_, client := newServer(t)
	if _, err := s3.OpenReports(client, "rep").Get(context.Background(), "no.json"); !errors.Is(err, upload.ErrGone) {
		t.Errorf("a report that is not there: %v, want %v", err, upload.ErrGone)
	}
}

func TestPresign_namesTheObjectAndEnds(t *testing.T) {
	t.Parallel()
	_, client := newServer(t)
	ctx := context.Background()
	address, headers, err := s3.OpenUploads(client, "up").PresignUpload(ctx, "uploads/nova/elden/a.txt", 123, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(map[string]string{"Content-Length": "123", "If-None-Match": "*"}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	up := must(url.Parse(address))
	if signed := up.Query().Get("X-Amz-SignedHeaders"); signed != "content-length;host;if-none-match" {
		t.Errorf("signed are %s", signed)
	}
	down := must(url.Parse(must(s3.OpenReports(client, "rep").PresignReport(ctx, "reports/nova/u.json", time.Minute))))
	if up.Path != "/up/uploads/nova/elden/a.txt" || up.Query().Get("X-Amz-Expires") != "3600" {
		t.Errorf("upload to %s for %s s", up.Path, up.Query().Get("X-Amz-Expires"))
	}
	if down.Path != "/rep/reports/nova/u.json" || down.Query().Get("X-Amz-Expires") != "60" {
		t.Errorf("read %s for %s s", down.Path, down.Query().Get("X-Amz-Expires"))
	}
}

// An object that can never be read is told from a right that the deployment lacks.
func TestUploads_tellsWhyAnObjectCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code, message string
		want          error
	}{
		"encrypted with another key": {"AccessDenied", "User: arn:aws:sts::1:assumed-role/r/i is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext", upload.ErrEncrypted},
		"a key that is disabled":     {"KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/k is disabled.", upload.ErrEncrypted},
		"in an archive":              {"InvalidObjectState", "The operation is not valid for the object's storage class", upload.ErrArchived},
		"a right that is missing":    {"AccessDenied", "User: arn:aws:sts::1:assumed-role/r/i is not authorized to perform: s3:GetObjectVersion", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := newServer(t)
			s.broken = "GET"
			s.refusal = "<Error><Code>" + test.code + "</Code><Message>" + test.message + "</Message></Error>"
			_, err := s3.OpenUploads(client, "uploads").Open(t.Context(), upload.Object{Bucket: "uploads", Name: "a.txt", Version: "v1"}, 0, 10)
			if test.want != nil && !errors.Is(err, test.want) || test.want == nil && (err == nil || upload.CauseOf(err) != "") {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}
