package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// builder builds test binaries and runs tests in them. It is safe for concurrent
// use.
type builder struct {
	checkout string
	home     string // of the binaries and edited sources

	mu       sync.Mutex
	unedited map[string]func() error // by package and test: whether the test passes without an edit
	built    map[string]func() (string, error)
}

func newBuilder(checkout string) (*builder, error) {
	home, err := os.MkdirTemp("", "mutants-")
	return &builder{checkout: checkout, home: home, unedited: map[string]func() error{}, built: map[string]func() (string, error){}}, err
}

func (w *builder) close() { os.RemoveAll(w.home) }

// try builds the mutant's test with the edit laid over the sources, runs it, and
// reports whether it failed. The test's output goes to out.
func (w *builder) try(ctx context.Context, m mutant, out io.Writer) (noticed bool, err error) {
	home, err := os.MkdirTemp(w.home, "edit-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(home)
	overlay, err := w.edit(m, home)
	if err != nil {
		return false, err
	}
	if err := w.passes(ctx, m)(); err != nil {
		return false, err
	}
	binary := filepath.Join(home, "test")
	if err := w.build(ctx, m.in, binary, "-overlay", overlay); err != nil {
		return false, fmt.Errorf("the edit does not compile: %w", err)
	}
	said, err := w.run(ctx, binary, m, out, "KEYPOOL_OVERLAY="+overlay) // for tests that read the source
	name, _, _ := strings.Cut(m.test, "/")
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
		return false, nil
	case strings.Contains(said, "--- FAIL: "+name):
		return true, nil
	}
	// It could not be started, say, or ran into its time limit on a busy machine.
	return false, fmt.Errorf("%s ends without a verdict: %w\n%s", m.test, err, said[max(0, len(said)-2000):])
}

// edit writes the mutant's edited source, and returns the file of the overlay that
// go build takes.
func (w *builder) edit(m mutant, home string) (overlay string, err error) {
	original := filepath.Join(w.checkout, m.file)
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), m.old) != 1 {
		return "", fmt.Errorf("%s does not hold the text to edit once", m.file)
	}
	edited := filepath.Join(home, filepath.Base(m.file))
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: edited}})
	overlay = filepath.Join(home, "overlay.json")
	return overlay, errors.Join(
		err,
		os.WriteFile(edited, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600),
		os.WriteFile(overlay, replace, 0o600),
	)
}

// passes returns a function that says whether the mutant's test passes without the
// edit. Each test is built and run once, however many mutants name it.
func (w *builder) passes(ctx context.Context, m mutant) func() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	build, ok := w.built[m.in]
	if !ok {
		binary := filepath.Join(w.home, strings.ReplaceAll(m.in, "/", "-"))
		build = sync.OnceValues(func() (string, error) { return binary, w.build(ctx, m.in, binary) })
		w.built[m.in] = build
	}
	name := m.in + " " + m.test
	passes, ok := w.unedited[name]
	if !ok {
		passes = sync.OnceValue(func() error {
			binary, err := build()
			if err != nil {
				return fmt.Errorf("the package does not compile without the edit: %w", err)
			}
			if said, err := w.run(ctx, binary, m, io.Discard); err != nil {
				return fmt.Errorf("%s fails without the edit:\n%s", m.test, said)
			}
			return nil
		})
		w.unedited[name] = passes
	}
	return passes
}

// build builds a package's tests, without symbols: linking is most of the time.
func (w *builder) build(ctx context.Context, in, binary string, options ...string) error {
	args := append([]string{"test", "-c", "-ldflags=-s -w", "-o", binary}, options...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+in)...)
	cmd.Dir = w.checkout
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

// run runs the mutant's test in a test binary and returns what it said.
func (w *builder) run(ctx context.Context, binary string, m mutant, out io.Writer, environment ...string) (string, error) {
	var said strings.Builder
	// Each part of a name with slashes is a pattern of its own.
	pattern := "^" + strings.ReplaceAll(m.test, "/", "$/^") + "$"
	test := exec.CommandContext(ctx, binary, "-test.run", pattern, "-test.timeout", "5m")
	test.Dir = filepath.Join(w.checkout, m.in)
	test.Env = append(os.Environ(), environment...)
	test.Stdout, test.Stderr = io.MultiWriter(&said, out), io.MultiWriter(&said, out)
	err := test.Run()
	return said.String(), err
}
