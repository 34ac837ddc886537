package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/infra/local/machine"
	"keypool/shared/dynamo"
	"keypool/shared/upload"
)

// ingestMemory lets one process of the deployed ingest binary load a file of 1 GB,
// range after range, and reads the peak of its memory.
func ingestMemory(ctx context.Context, b *bench) error {
	const bar = 64 << 20
	f := file{form: "KEY-%0191d", at: time.Now().Truncate(time.Second)}
	f.lines = int(1e9 / f.line())
	done, err := b.load(ctx, f, setting{workers: 1})
	if err != nil {
		return err
	}
	b.add(figure{
		Name: "memory for a 1 GB key file", Bar: "<= 64 MiB resident",
		Got: fmt.Sprintf("%.0f MiB", float64(done.peak)/(1<<20)), Met: done.peak <= bar,
	})
	b.note("Memory for a file of 1 GB", fmt.Sprintf("The peak resident memory of one process of the deployed binary while it loaded all %d ranges of the file, %d keys, one after the other (%s; the bucket, the queue and the table of keys answer at once).", done.ranges, f.lines, done.took.Round(time.Second)))
	return nil
}

// setting is the surroundings in which a file is loaded.
type setting struct {
	workers    int           // processes of the deployed binary
	batchTakes time.Duration // latency of the table of keys for a batch
	stored     bool          // the table of keys is MiniStack's
}

// loaded is the result of loading a file.
type loaded struct {
	took   time.Duration
	ranges int
	peak   int64 // bytes, of the process with the most
}

// load loads a file by the deployed ingest binary. The file and the queue are
// generated here, and so is the table of keys unless the keys are stored; everything
// else is MiniStack.
func (b *bench) load(ctx context.Context, f file, w setting) (done loaded, err error) {
	folder, err := b.build(ctx, machine.Architecture())
	if err != nil {
		return done, err
	}
	e, err := b.ministack(ctx)
	if err != nil {
		return done, err
	}
	tables := newTables()
	store, err := e.open(ctx, tables)
	if err != nil {
		return done, err
	}
	defer e.drop(ctx, tables)
	if err := setUp(ctx, store); err != nil {
		return done, err
	}
	const name = "uploads/acme/elden/large.txt"
	aws := &cloud{file: f, keys: tables.Keys, setting: w}
	aws.events = append(aws.events, fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"uploads"},"object":{"key":%q,"versionId":"v1"}}}]}`, name))
	if aws.dynamodb, err = proxy(e.endpoint); err != nil {
		return done, err
	}
	server := httptest.NewServer(aws)
	defer server.Close()
	start := time.Now()
	workers, workersCtx := errgroup.WithContext(ctx)
	for range w.workers {
		workers.Go(func() error {
			peak, err := work(workersCtx, aws, server.URL, filepath.Join(folder, "bin", "ingest"), tables)
			aws.mu.Lock()
			defer aws.mu.Unlock()
			done.peak = max(done.peak, peak)
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		return done, err
	}
	done.took, done.ranges = time.Since(start), aws.handled
	u, _, err := store.Upload(ctx, "acme", upload.NewID(upload.Object{Bucket: "uploads", Name: name, Version: "v1"}, f.at))
	if err != nil || u.State != upload.Finished || u.Counts[upload.Accepted] != f.lines {
		return done, fmt.Errorf("the upload is %s with %d of %d keys: %w", u.State, u.Counts[upload.Accepted], f.lines, err)
	}
	return done, nil
}

// work runs one process until there are no more events, and returns the peak of its
// memory.
func work(ctx context.Context, aws *cloud, endpoint, program string, tables dynamo.Tables) (peak int64, err error) {
	lambda, err := newRuntimeAPI()
	if err != nil {
		return 0, err
	}
	defer lambda.close()
	cmd := lambda.command(
		ctx, program, "AWS_ENDPOINT_URL="+endpoint,
		"KEYPOOL_CATALOG_TABLE="+tables.Catalog, "KEYPOOL_KEYS_TABLE="+tables.Keys, "KEYPOOL_ORDERS_TABLE="+tables.Orders, "KEYPOOL_SESSIONS_TABLE="+tables.Sessions,
		"KEYPOOL_RANGES_QUEUE_URL="+endpoint+"/ranges", "KEYPOOL_FILL_QUEUE_URL="+endpoint+"/fill", "KEYPOOL_CATCHUP_QUEUE_URL="+endpoint+"/catchup", "KEYPOOL_JOBS_QUEUE_URL="+endpoint+"/jobs",
	)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for {
		event, err := aws.next(ctx)
		if event == "" || err != nil {
			return peak, err
		}
		select {
		case lambda.events <- []byte(event):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		select {
		case made := <-lambda.answers:
			if made.failed || bytes.Contains(made.body, []byte("itemIdentifier")) {
				return 0, fmt.Errorf("a range was not loaded: %s", made.body)
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if peak, err = peakMemory(cmd.Process.Pid); err != nil {
			return 0, err
		}
		aws.done()
	}
}

// peakMemory returns the most bytes that a process ever had resident.
func peakMemory(pid int) (int64, error) {
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer status.Close()
	lines := bufio.NewScanner(status)
	for lines.Scan() {
		var kb int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, errors.New("the kernel does not tell the peak of a process's memory")
}

// cloud is the part of S3, SQS and DynamoDB that the upload of a generated file
// needs.
type cloud struct {
	file     file
	keys     string // the table that accepts every key
	setting  setting
	dynamodb http.Handler

	mu       sync.Mutex
	events   []string // waiting
	inFlight int
	handled  int
	objects  sync.Map // in the reports bucket
}

// next waits for an event, and returns "" once all are handled.
func (c *cloud) next(ctx context.Context) (string, error) {
	for ctx.Err() == nil {
		c.mu.Lock()
		if len(c.events) > 0 {
			event := c.events[0]
			c.events = c.events[1:]
			c.inFlight++
			c.mu.Unlock()
			return event, nil
		}
		over := c.inFlight == 0
		c.mu.Unlock()
		if over {
			return "", nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "", ctx.Err()
}

func (c *cloud) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.handled++
}

// ServeHTTP recognizes the service by the call.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch target := r.Header.Get("X-Amz-Target"); {
	case target == "AmazonSQS.SendMessage":
		c.queue(w, r)
	case strings.HasPrefix(target, "DynamoDB_"):
		c.table(w, r, strings.HasSuffix(target, ".BatchExecuteStatement"))
	default:
		c.bucket(w, r)
	}
}

func (c *cloud) queue(w http.ResponseWriter, r *http.Request) {
	var in struct{ QueueUrl, MessageBody string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(in.QueueUrl, "/ranges") {
		body, _ := json.Marshal(in.MessageBody)
		c.mu.Lock()
		c.events = append(c.events, fmt.Sprintf(`{"Records":[{"eventSource":"aws:sqs","messageId":"m","receiptHandle":"r","body":%s}]}`, body))
		c.mu.Unlock()
	}
	sum := md5.Sum([]byte(in.MessageBody))
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	fmt.Fprintf(w, `{"MessageId":"m","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))
}

func (c *cloud) table(w http.ResponseWriter, r *http.Request, batch bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	insert := []byte(`INSERT INTO \"` + c.keys)
	if n := bytes.Count(body, insert); batch && n > 0 && !c.setting.stored {
		time.Sleep(c.setting.batchTakes)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Responses":[%s]}`, strings.TrimSuffix(strings.Repeat("{},", n), ","))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.dynamodb.ServeHTTP(w, r)
}

func (c *cloud) bucket(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/uploads/") && r.Method == http.MethodPut: // the tag of a loaded file
	case strings.HasPrefix(path, "/uploads/"):
		w.Header().Set("X-Amz-Version-Id", "v1")
		http.ServeContent(w, r, "", c.file.at, &reader{file: c.file})
	case r.Method == http.MethodPut:
		content, _ := io.ReadAll(r.Body)
		c.objects.Store(path, content)
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		xml.NewEncoder(w).Encode(struct {
			XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
			UploadId string
		}{UploadId: "u"})
	case r.Method == http.MethodPost:
		xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
			ETag    string
		}{ETag: "e"})
	default:
		content, ok := c.objects.Load(path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(content.([]byte))
	}
}

// reader reads a generated file from any position.
type reader struct {
	file file
	at   int64
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	r.at = offset + [...]int64{io.SeekStart: 0, io.SeekCurrent: r.at, io.SeekEnd: r.file.size()}[whence]
	return r.at, nil
}

func (r *reader) Read(p []byte) (int, error) {
	if r.at >= r.file.size() {
		return 0, io.EOF
	}
	part, err := r.file.Open(context.Background(), upload.Object{}, r.at, r.at+int64(len(p)))
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(part, p[:min(int64(len(p)), r.file.size()-r.at)])
	r.at += int64(n)
	return n, err
}

// proxy forwards calls to an engine.
func proxy(endpoint string) (http.Handler, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	p := httputil.NewSingleHostReverseProxy(target)
	p.Transport = transport
	return p, nil
}
