package main

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket is a server that answers as S3 does: versions and delete markers, in pages of a few.
type bucket struct{ versions, markers int }

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, versions := r.URL.Query()["versions"]; versions {
		fmt.Fprint(w, `<ListVersionsResult>`)
		for i := range min(b.versions, 3) {
			fmt.Fprintf(w, `<Version><Key>file</Key><VersionId>v%d</VersionId></Version>`, i)
		}
		for i := range min(b.markers, 2) {
			fmt.Fprintf(w, `<DeleteMarker><Key>file</Key><VersionId>m%d</VersionId></DeleteMarker>`, i)
		}
		fmt.Fprint(w, `</ListVersionsResult>`)
		return
	}
	var deletion struct {
		Object []struct{ Key, VersionId string }
	}
	xml.NewDecoder(r.Body).Decode(&deletion)
	for _, object := range deletion.Object {
		if object.VersionId[0] == 'v' {
			b.versions--
		} else {
			b.markers--
		}
	}
	fmt.Fprint(w, `<DeleteResult></DeleteResult>`)
}

func TestEmpty_everyVersionAndMarker(t *testing.T) {
	files := &bucket{versions: 8, markers: 5}
	server := httptest.NewServer(files)
	defer server.Close()
	client := s3.New(s3.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	n, err := empty(t.Context(), client, "uploads")
	if err != nil || n != 13 || files.versions != 0 || files.markers != 0 {
		t.Errorf("%d deleted, %v; %d versions and %d markers are left", n, err, files.versions, files.markers)
	}
}

func TestBucketsOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "outputs.json")
	for content, good := range map[string]bool{
		`{"Keypool": {"UploadsBucket": "u", "ApiId": "a"}, "Keypool-Data": {"ReportsBucket": "r"}}`: true,
		`{"Keypool": {"UploadsBucket": "u"}}`:                                                       false,
		`{`:                                                                                         false,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		uploads, reports, err := bucketsOf(file)
		if (err == nil) != good || good && (uploads != "u" || reports != "r") {
			t.Errorf("%s: %q, %q, %v", content, uploads, reports, err)
		}
	}
}
