package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keypool/shared/job"
	"keypool/shared/upload"
)

// mediaTypes are those of files of keys.
var mediaTypes = map[job.Format]string{
	job.CSV:   "text/csv; charset=utf-8; header=present",
	job.JSONL: "application/jsonl",
}

// BeginFile implements inventory.Files.
func (b *Reports) BeginFile(ctx context.Context, object string, format job.Format) (string, error) {
	out, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(b.bucket), Key: aws.String(object), ContentType: aws.String(mediaTypes[format]), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return "", fmt.Errorf("begin %s: %w", object, err)
	}
	return aws.ToString(out.UploadId), nil
}

// WritePart implements inventory.Files.
func (b *Reports) WritePart(ctx context.Context, object, uploadID string, number int, content []byte) (job.FilePart, error) {
	out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: aws.String(b.bucket), Key: aws.String(object), UploadId: aws.String(uploadID), PartNumber: aws.Int32(int32(number)),
		Body: bytes.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if gone(err) {
		return job.FilePart{}, upload.ErrGone
	}
	if err != nil {
		return job.FilePart{}, fmt.Errorf("write part %d of %s: %w", number, object, err)
	}
	return job.FilePart{Number: number, Tag: aws.ToString(out.ETag), Checksum: aws.ToString(out.ChecksumCRC32)}, nil
}

// FinishFile implements inventory.Files.
func (b *Reports) FinishFile(ctx context.Context, object, uploadID string, parts []job.FilePart) error {
	all := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		all[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.Tag)}
		if p.Checksum != "" {
			all[i].ChecksumCRC32 = aws.String(p.Checksum)
		}
	}
	_, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(b.bucket), Key: aws.String(object), UploadId: aws.String(uploadID),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: all},
	})
	if gone(err) {
		return b.finished(ctx, object)
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", object, err)
	}
	return nil
}

// finished returns upload.ErrGone unless the object is there.
func (b *Reports) finished(ctx context.Context, object string) error {
	_, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(b.bucket), Key: aws.String(object)})
	if absent(err) {
		return upload.ErrGone
	}
	if err != nil {
		return fmt.Errorf("look whether %s is finished: %w", object, err)
	}
	return nil
}

// Rest implements inventory.Rests.
func (b *Reports) Rest(ctx context.Context, object string) ([]byte, error) {
	content, err := b.Get(ctx, object)
	if absent(err) {
		return nil, upload.ErrGone
	}
	return content, err
}

// absent reports whether there is no such object. S3 calls it forbidden to a caller who may not
// list the bucket.
func absent(err error) bool {
	var response *awshttp.ResponseError
	return gone(err) || errors.As(err, &response) && response.HTTPStatusCode() == http.StatusForbidden
}

// DropFile implements inventory.Files.
func (b *Reports) DropFile(ctx context.Context, object, uploadID string) error {
	_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: aws.String(b.bucket), Key: aws.String(object), UploadId: aws.String(uploadID),
	})
	if err != nil && !gone(err) {
		return fmt.Errorf("drop the parts of %s: %w", object, err)
	}
	return nil
}

// PresignFile implements inventory.Links.
func (b *Reports) PresignFile(ctx context.Context, object, file string, expires time.Duration) (string, error) {
	get, err := s3.NewPresignClient(b.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(object),
		ResponseContentDisposition: aws.String(fmt.Sprintf(`attachment; filename="%s"`, strings.ReplaceAll(file, `"`, ""))),
		ResponseCacheControl:       aws.String("no-store"),
	}, s3.WithPresignExpires(expires))
	if err != nil {
		return "", fmt.Errorf("presign a file of keys: %w", err)
	}
	return get.URL, nil
}
