package s3

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
)

const (
	// partSize is the size of an upload's parts. Two are in memory: one is sent while
	// the next is filled. S3 accepts 10,000 parts of at least 5 MiB.
	partSize = 8 << 20

	// dropWithin is the time to delete the parts of a failed upload. The bucket's
	// lifecycle deletes the parts of a process that died.
	dropWithin = 5 * time.Second
)

// Write implements ingest.Reports. An object smaller than a part is one PutObject; a
// larger one is sent in parts while it is written, so that no report is ever whole
// in memory. If write fails, nothing is stored.
func (b *Reports) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	uploads := transfermanager.New(b.client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = partSize, partSize
		o.Concurrency = 1
		o.FailTimeout = dropWithin
	})
	from, to := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(to, 64<<10)
		err := write(buffered)
		if err == nil {
			err = buffered.Flush()
		}
		to.CloseWithError(err)
		wrote <- err
	}()
	_, err := uploads.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: aws.String(b.bucket), Key: aws.String(name), ContentType: contentType(name), Body: from,
	})
	from.CloseWithError(err) // ends a write that nobody reads
	if failed := <-wrote; failed != nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
