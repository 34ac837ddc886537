package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keypool/infra/local/machine"
)

// functions are the functions and the bars of their starts, as multiples of the start
// of a function that does nothing.
var functions = []struct {
	name string
	bar  float64
}{
	{"webhook", 2.2},
	{"ingest", 2.5},
	{"fill", 2.5},
	{"deliver", 2.5},
	{"stock", 2.5},
	{"sweep", 2.5},
	{"catchup", 2.5},
	{"job", 2.5},
	{"api", 2.5},
	{"operator", 2.5},
	{"portal", 2.5},
	{"orderpage", 2.2}, // strangers start it
}

// build builds the functions and their zips as they are deployed.
func (b *bench) build(ctx context.Context, arch string) (folder string, err error) {
	out, err := exec.CommandContext(ctx, "make", "-C", b.checkout, "build", "ARCH="+arch).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return filepath.Join(b.checkout, ".build", arch), nil
}

// zips measures the sizes of the zips and of the binaries in them.
func zips(ctx context.Context, b *bench) error {
	folder, err := b.build(ctx, "arm64")
	if err != nil {
		return err
	}
	const bar, mb = 6_000_000, 1e6
	var zips, binaries []string
	met := true
	for _, f := range functions {
		zip, err1 := os.Stat(filepath.Join(folder, f.name+".zip"))
		binary, err2 := os.Stat(filepath.Join(folder, "bin", f.name))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		zips = append(zips, fmt.Sprintf("%s %.1f", f.name, float64(zip.Size())/mb))
		binaries = append(binaries, fmt.Sprintf("%s %.1f", f.name, float64(binary.Size())/mb))
		met = met && zip.Size() <= bar
	}
	b.add(figure{Name: "zip of each function, arm64", Bar: "<= 6 MB", Got: strings.Join(zips, ", ") + " MB", Met: met})
	b.add(figure{Name: "the binary in it", Got: strings.Join(binaries, ", ") + " MB"})
	return nil
}

// starts measures the time from the start of a process to its first request for an
// event. In each round every function starts once, and the one that does nothing too.
func starts(ctx context.Context, b *bench) error {
	const rounds = 25
	folder, err := b.build(ctx, machine.Architecture())
	if err != nil {
		return err
	}
	hello := filepath.Join(folder, "hello")
	compile := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w", "-o", hello, "./infra/proof/bench/hello")
	compile.Dir = b.checkout
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("build the function that does nothing: %w\n%s", err, out)
	}
	programs := append([]string{hello}, names()...)
	for i, name := range programs[1:] {
		programs[i+1] = filepath.Join(folder, "bin", name)
	}
	took := map[string][]time.Duration{}
	for range rounds {
		for _, program := range programs {
			name := filepath.Base(program)
			d, err := startOnce(ctx, program, nil)
			if err != nil {
				return fmt.Errorf("start %s: %w", name, err)
			}
			took[name] = append(took[name], d)
		}
	}
	base := median(took["hello"])
	for _, f := range functions {
		ratio := float64(median(took[f.name])) / float64(base)
		b.add(figure{
			Name: "start of " + f.name + " / a function that does nothing",
			Bar:  fmt.Sprintf("<= %.1f", f.bar),
			Got:  fmt.Sprintf("%.2f (%.1f ms / %.1f ms)", ratio, ms(median(took[f.name])), ms(base)),
			Met:  ratio <= f.bar,
		})
	}
	b.note("Starts", fmt.Sprintf("From the start of the process to its first call of the runtime API: the median of %d rounds, all functions in turn. No function loads the SDK's default configuration, which tries a dozen sources that a function does not have: region, credentials and endpoint come from the environment. A function makes clients only of the services that it calls, and decodes by reflection only once it has an event. The rest is the time to read a binary of that size, and the start of Go's runtime.", rounds))
	for _, program := range programs {
		f, err := initialized(ctx, filepath.Base(program), program)
		if err != nil {
			return err
		}
		b.add(f)
	}
	b.note("Packages, before main", "The runtime's report under GODEBUG=inittrace=1: the work of packages before main. The least of five runs.")
	return nil
}

// initialized measures the work of a program's packages before main.
func initialized(ctx context.Context, name, program string) (figure, error) {
	type cost struct {
		pkg    string
		clock  float64 // ms
		allocs int
	}
	least, packages, allocs := math.Inf(1), []cost(nil), 0
	for range 5 {
		var trace bytes.Buffer
		if _, err := startOnce(ctx, program, &trace); err != nil {
			return figure{}, err
		}
		var all []cost
		sum, made := 0.0, 0
		for line := range strings.Lines(trace.String()) {
			var c cost
			var at float64
			var size int
			if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &c.pkg, &at, &c.clock, &size, &c.allocs); n == 5 {
				all = append(all, c)
				sum, made = sum+c.clock, made+c.allocs
			}
		}
		if len(all) == 0 {
			return figure{}, fmt.Errorf("%s says nothing of its packages", name)
		}
		if sum < least {
			least, packages, allocs = sum, all, made
		}
	}
	slices.SortStableFunc(packages, func(a, b cost) int { return cmp.Compare(b.clock, a.clock) })
	var most []string
	for _, c := range packages[:min(3, len(packages))] {
		most = append(most, fmt.Sprintf("%s %.2f", c.pkg, c.clock))
	}
	return figure{
		Name: "packages of " + name + ", before main",
		Got:  fmt.Sprintf("%.2f ms, %d allocations; most: %s", least, allocs, strings.Join(most, ", ")),
	}, nil
}

func names() []string {
	var all []string
	for _, f := range functions {
		all = append(all, f.name)
	}
	return all
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// startOnce returns the time until a program requests an event. With a trace, the
// runtime writes the work of each package into it.
func startOnce(ctx context.Context, program string, trace *bytes.Buffer) (time.Duration, error) {
	lambda, err := newRuntimeAPI()
	if err != nil {
		return 0, err
	}
	defer lambda.close()
	start := time.Now()
	cmd := lambda.command(ctx, program)
	if trace != nil {
		cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
		cmd.Stderr = trace
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	select {
	case at := <-lambda.asked:
		return at.Sub(start), nil
	case <-time.After(10 * time.Second):
		return 0, fmt.Errorf("it never asked for an event")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// runtimeAPI is the part of Lambda's runtime API that one process needs.
type runtimeAPI struct {
	listener net.Listener
	asked    chan time.Time // when the process first asked for an event
	events   chan []byte
	answers  chan answer
}

// answer is the result of an event.
type answer struct {
	failed bool
	body   []byte
}

func newRuntimeAPI() (*runtimeAPI, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &runtimeAPI{listener: l, asked: make(chan time.Time, 1), events: make(chan []byte), answers: make(chan answer, 1)}
	go http.Serve(l, r)
	return r, nil
}

func (r *runtimeAPI) close() { r.listener.Close() }

// ServeHTTP hands out events and receives answers.
func (r *runtimeAPI) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path, _ := strings.CutPrefix(req.URL.Path, "/2018-06-01/runtime/")
	switch {
	case path == "invocation/next":
		select {
		case r.asked <- time.Now():
		default:
		}
		select {
		case event := <-r.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "bench")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(10*time.Minute).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:bench")
			w.Write(event)
		case <-req.Context().Done():
		}
	default:
		body, _ := io.ReadAll(req.Body)
		w.WriteHeader(http.StatusAccepted)
		r.answers <- answer{failed: !strings.HasSuffix(path, "/response"), body: body}
	}
}

// command returns a function's process with the environment variables of Lambda and
// of Keypool.
func (r *runtimeAPI) command(ctx context.Context, program string, more ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + r.listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=bench",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_VERSION=1",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=test",
		"KEYPOOL_CATALOG_TABLE=catalog", "KEYPOOL_KEYS_TABLE=keys", "KEYPOOL_ORDERS_TABLE=orders", "KEYPOOL_SESSIONS_TABLE=sessions",
		"KEYPOOL_UPLOADS_BUCKET=uploads", "KEYPOOL_REPORTS_BUCKET=reports",
		"KEYPOOL_RANGES_QUEUE_URL=http://127.0.0.1:9/000000000000/ranges", "KEYPOOL_FILL_QUEUE_URL=http://127.0.0.1:9/000000000000/fill", "KEYPOOL_CATCHUP_QUEUE_URL=http://127.0.0.1:9/000000000000/catchup", "KEYPOOL_JOBS_QUEUE_URL=http://127.0.0.1:9/000000000000/jobs",
		"KEYPOOL_MAX_QUANTITY=1000", "KEYPOOL_DELAY_MAIL_AFTER=5m", "KEYPOOL_KMS_KEY=key", "KEYPOOL_PUBLIC_URL=https://api.keypool.example",
		"KEYPOOL_SENDER=keys@example.com", "KEYPOOL_OPERATOR=operator@example.com", "KEYPOOL_CONFIGURATION_SET=keypool",
	}, more...)
	return cmd
}
