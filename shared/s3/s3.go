// Package s3 is the only package that calls S3. It has two buckets: Uploads, where
// merchants drop key files, and Reports, where Keypool writes what became of them, and
// the files of keys that merchants export.
//
// Decisions. Reports are written by the SDK's transfer manager rather than by a
// multipart writer of our own: measured on ingest, it adds 0.7 % to the binary, one
// package without work before main, nothing to the start, and no memory. A transfer
// manager whose API changes often would change our mind: it is not yet at version 1. Files
// of exports are written part by part: another process goes on with them.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"keypool/shared/upload"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Uploads is the bucket of key files. It is safe for concurrent use.
type Uploads struct {
	client *s3.Client
	bucket string
}

// OpenUploads returns the bucket of that name.
func OpenUploads(client *s3.Client, bucket string) *Uploads {
	return &Uploads{client: client, bucket: bucket}
}

// The tag of a file that is done, and its value: that of a loaded file and that of one
// that is never read. The bucket's lifecycle deletes files with this tag.
const (
	DoneTag = "keypool"
	Loaded  = "done"
	Refused = "refused"
)

// Stat implements ingest.Objects.
func (b *Uploads) Stat(ctx context.Context, o upload.Object) (upload.Stat, bool, error) {
	if o.Bucket != b.bucket {
		return upload.Stat{}, false, fmt.Errorf("an object of another bucket than %s", b.bucket)
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: aws.String(o.Bucket), Key: aws.String(o.Name), VersionId: version(o),
	})
	if gone(err) {
		return upload.Stat{}, false, nil
	}
	if err != nil {
		return upload.Stat{}, false, fmt.Errorf("read an object's head: %w", err)
	}
	stat := upload.Stat{
		Version:      o.Version,
		Size:         aws.ToInt64(out.ContentLength),
		LastModified: aws.ToTime(out.LastModified).UTC(),
	}
	if stat.Version == "" {
		stat.Version = aws.ToString(out.VersionId)
	}
	return stat, true, nil
}

// Open implements ingest.Objects. Some emulators ignore the range of a request that
// names a version: without a Content-Range in the answer, the object is cut here.
func (b *Uploads) Open(ctx context.Context, o upload.Object, from, to int64) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(o.Bucket), Key: aws.String(o.Name), VersionId: version(o),
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", from, to-1)),
	})
	if gone(err) {
		return nil, upload.ErrGone
	}
	if unreadable := unreadable(err); unreadable != nil {
		return nil, unreadable
	}
	if err != nil {
		return nil, fmt.Errorf("read an object from %d on: %w", from, err)
	}
	skip := from
	if came := aws.ToString(out.ContentRange); came != "" {
		var first, last int64
		if _, err := fmt.Sscanf(came, "bytes %d-%d/", &first, &last); err != nil || first != from {
			out.Body.Close()
			return nil, fmt.Errorf("asked for an object from %d on and got %q", from, came)
		}
		skip = 0
	}
	if _, err := io.CopyN(io.Discard, out.Body, skip); err != nil {
		out.Body.Close()
		return nil, fmt.Errorf("skip to %d of an object: %w", from, err)
	}
	return body{io.LimitReader(out.Body, to-from), out.Body}, nil
}

// body is the wanted part of a response.
type body struct {
	io.Reader
	io.Closer
}

// MarkDone implements ingest.Objects.
func (b *Uploads) MarkDone(ctx context.Context, o upload.Object, loaded bool) error {
	value := Refused
	if loaded {
		value = Loaded
	}
	_, err := b.client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: aws.String(o.Bucket), Key: aws.String(o.Name), VersionId: version(o),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(DoneTag), Value: aws.String(value)}}},
	})
	if gone(err) {
		return upload.ErrGone
	}
	if err != nil {
		return fmt.Errorf("tag an object: %w", err)
	}
	return nil
}

// PresignUpload returns an address that accepts a key file of that size by HTTP PUT, once,
// until it expires. The PUT must have the headers: they are signed.
func (b *Uploads) PresignUpload(ctx context.Context, name string, size int64, expires time.Duration) (address string, headers map[string]string, err error) {
	put, err := s3.NewPresignClient(b.client).PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(name), ContentLength: aws.Int64(size), IfNoneMatch: aws.String("*"),
	}, s3.WithPresignExpires(expires))
	if err != nil {
		return "", nil, fmt.Errorf("presign an upload: %w", err)
	}
	headers = map[string]string{}
	for header := range put.SignedHeader {
		if header != "Host" { // every client sends it
			headers[header] = put.SignedHeader.Get(header)
		}
	}
	return put.URL, headers, nil
}

// PresignForm implements settings.Forms. The signature of a name of any file covers the folder.
func (b *Uploads) PresignForm(ctx context.Context, f upload.Form, expires time.Duration) (address string, fields map[string]string, err error) {
	conditions := []any{[]any{"content-length-range", f.Least, f.Most}}
	if folder, ok := strings.CutSuffix(f.Name, upload.AnyFile); ok {
		conditions = append(conditions, []any{"starts-with", "$key", folder})
	}
	for name, value := range f.Fields {
		conditions = append(conditions, map[string]string{name: value})
	}
	post, err := s3.NewPresignClient(b.client).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: aws.String(b.bucket), Key: aws.String(f.Name)},
		func(o *s3.PresignPostOptions) { o.Expires, o.Conditions = expires, conditions })
	if err != nil {
		return "", nil, fmt.Errorf("presign a form: %w", err)
	}
	maps.Copy(post.Values, f.Fields)
	return post.URL, post.Values, nil
}

// Head implements settings.Forms: the newest version of an object.
func (b *Uploads) Head(ctx context.Context, name string) (upload.Object, upload.Stat, bool, error) {
	o := upload.Object{Bucket: b.bucket, Name: name}
	stat, there, err := b.Stat(ctx, o)
	o.Version = stat.Version
	return o, stat, there, err
}

// digestOf is the name of an object's metadata that has the digest of its content.
const digestOf = "digest"

// PutNew implements settings.KeyFiles.
func (b *Uploads) PutNew(ctx context.Context, name string, content []byte, digest string) (upload.Object, upload.Stat, string, error) {
	o := upload.Object{Bucket: b.bucket, Name: name}
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(name), Body: bytes.NewReader(content),
		IfNoneMatch: aws.String("*"), Metadata: map[string]string{digestOf: digest},
	})
	if err != nil && !exists(err) {
		return o, upload.Stat{}, "", fmt.Errorf("store keys as a file: %w", err)
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(b.bucket), Key: aws.String(name)})
	if err != nil {
		return o, upload.Stat{}, "", fmt.Errorf("read the head of a file of keys: %w", err)
	}
	o.Version = aws.ToString(out.VersionId)
	stat := upload.Stat{Version: o.Version, Size: aws.ToInt64(out.ContentLength), LastModified: aws.ToTime(out.LastModified).UTC()}
	return o, stat, out.Metadata[digestOf], nil
}

// exists reports whether S3 stored nothing because an object of that name is there, or is
// being stored now.
func exists(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && (response.HTTPStatusCode() == http.StatusPreconditionFailed || response.HTTPStatusCode() == http.StatusConflict)
}

func version(o upload.Object) *string {
	if o.Version == "" {
		return nil
	}
	return aws.String(o.Version)
}

// gone reports whether S3 has no such object or no such version of it.
func gone(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotFound
}

// unreadable returns the reason why an object that is there can never be read as it is,
// nil if there is none. A refusal that names no action of KMS is a right that Keypool
// lacks, and no fault of the file.
func unreadable(err error) error {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return nil
	}
	code, message := refused.ErrorCode(), refused.ErrorMessage()
	switch {
	case code == "InvalidObjectState":
		return upload.ErrArchived
	case code == "AccessDenied" && strings.Contains(message, "kms:"),
		code == "KMS.DisabledException", code == "KMS.NotFoundException", code == "KMS.KMSInvalidStateException":
		return upload.ErrEncrypted
	default:
		return nil
	}
}

// Reports is the bucket of reports. It is safe for concurrent use.
type Reports struct {
	client *s3.Client
	bucket string
}

// OpenReports returns the bucket of that name.
func OpenReports(client *s3.Client, bucket string) *Reports {
	return &Reports{client: client, bucket: bucket}
}

// Put implements ingest.Reports.
func (b *Reports) Put(ctx context.Context, name string, data []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(name),
		Body: bytes.NewReader(data), ContentType: contentType(name),
	})
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Get implements ingest.Reports.
func (b *Reports) Get(ctx context.Context, name string) ([]byte, error) {
	body, err := b.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// Open streams a report. The caller closes it. A missing report is upload.ErrGone.
func (b *Reports) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.bucket), Key: aws.String(name)})
	if gone(err) {
		return nil, upload.ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return out.Body, nil
}

// Delete removes an object; none there is no error.
func (b *Reports) Delete(ctx context.Context, name string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: &name})
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// PresignReport returns an address that serves a report until it expires.
func (b *Reports) PresignReport(ctx context.Context, name string, expires time.Duration) (string, error) {
	get, err := s3.NewPresignClient(b.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(name),
	}, s3.WithPresignExpires(expires))
	if err != nil {
		return "", fmt.Errorf("presign a report: %w", err)
	}
	return get.URL, nil
}

func contentType(name string) *string {
	if strings.HasSuffix(name, ".json") {
		return aws.String("application/json")
	}
	return nil
}
