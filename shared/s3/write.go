package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// partSize is what is held in memory of an object that is written. S3 takes
// 10,000 parts of at least 5 MiB.
const partSize = 8 << 20

// Write implements ingest.Reports. A small object is one PutObject, a larger one
// goes up in parts while it is written, so that a report of any length is never
// whole in memory. If write fails, nothing is stored.
func (b *Reports) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	w := &writer{ctx: ctx, reports: b, name: name}
	err := write(w)
	if err == nil {
		err = w.close()
	}
	if err != nil {
		w.abort()
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writer cuts what is written into parts.
type writer struct {
	ctx     context.Context
	reports *Reports
	name    string

	buf    bytes.Buffer
	upload *string // nil while everything fits in buf
	parts  []types.CompletedPart
}

func (w *writer) Write(data []byte) (int, error) {
	n, _ := w.buf.Write(data)
	if w.buf.Len() < partSize {
		return n, nil
	}
	return n, w.flush()
}

// flush sends what is in the buffer as the next part.
func (w *writer) flush() error {
	client, bucket := w.reports.client, aws.String(w.reports.bucket)
	if w.upload == nil {
		out, err := client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{
			Bucket: bucket, Key: aws.String(w.name), ContentType: contentType(w.name),
		})
		if err != nil {
			return err
		}
		w.upload = out.UploadId
	}
	number := aws.Int32(int32(len(w.parts) + 1))
	out, err := client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: bucket, Key: aws.String(w.name), UploadId: w.upload,
		PartNumber: number, Body: bytes.NewReader(w.buf.Bytes()),
	})
	if err != nil {
		return err
	}
	w.parts = append(w.parts, types.CompletedPart{
		PartNumber: number, ETag: out.ETag,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	w.buf.Reset()
	return nil
}

// close makes the object appear.
func (w *writer) close() error {
	if w.upload == nil {
		return w.reports.Put(w.ctx, w.name, w.buf.Bytes())
	}
	if w.buf.Len() > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	_, err := w.reports.client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(w.reports.bucket), Key: aws.String(w.name), UploadId: w.upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	return err
}

// abort drops the parts that went up. The bucket's lifecycle drops those of a
// process that died.
func (w *writer) abort() {
	if w.upload == nil {
		return
	}
	_, err := w.reports.client.AbortMultipartUpload(context.WithoutCancel(w.ctx), &s3.AbortMultipartUploadInput{
		Bucket: aws.String(w.reports.bucket), Key: aws.String(w.name), UploadId: w.upload,
	})
	if err != nil {
		slog.WarnContext(w.ctx, "parts of a report stay until they expire", "error", err)
	}
}
