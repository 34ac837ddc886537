package ingest

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"keypool/shared/upload"
)

// flaky is a bucket of one object whose first answers break in the middle.
type flaky struct {
	Objects
	content string
	breaks  int
	err     error
	refuses bool // the call itself fails, before its answer
	opened  int
}

func (f *flaky) Open(_ context.Context, _ upload.Object, from, to int64) (io.ReadCloser, error) {
	f.opened++
	if f.opened > f.breaks {
		return io.NopCloser(strings.NewReader(f.content[from:to])), nil
	}
	if f.refuses {
		return nil, &url.Error{Op: "Get", Err: f.err} // as net/http tells it
	}
	half := f.content[from : (from+to)/2]
	return io.NopCloser(io.MultiReader(strings.NewReader(half), iotest.ErrReader(f.err))), nil
}

func TestSource_readsPieceByPiece(t *testing.T) {
	content := strings.Repeat("0123456789", pieceSize/4) // two and a half pieces
	bucket := &flaky{content: content}
	s := &source{ctx: t.Context(), objects: bucket, at: 3, end: int64(len(content)) - 1}
	got, err := io.ReadAll(s)
	if err != nil || string(got) != content[3:len(content)-1] {
		t.Errorf("read %d bytes, %v; want those from 3 to %d", len(got), err, len(content)-1)
	}
	if bucket.opened != 3 {
		t.Errorf("opened %d times, want one for each of 3 pieces", bucket.opened)
	}
}

func TestSource_brokenConnectionIsNotTheEnd(t *testing.T) {
	reset := errors.New("connection reset")
	for _, test := range []struct {
		breaks  int
		err     error
		want    error
		refuses bool
	}{
		{breaks: 2, err: reset},
		{breaks: 2, err: io.EOF},
		{breaks: 3, err: reset, want: reset},
		{breaks: 3, err: io.EOF, want: io.ErrUnexpectedEOF},
		{breaks: 1, err: upload.ErrGone, want: upload.ErrGone},
		{breaks: 2, err: io.EOF, refuses: true},
		{breaks: 3, err: io.EOF, want: io.ErrUnexpectedEOF, refuses: true},
	} {
		s := &source{ctx: t.Context(), objects: &flaky{content: "0123456789", breaks: test.breaks, err: test.err, refuses: test.refuses}, end: 10}
		got, err := io.ReadAll(s)
		if !errors.Is(err, test.want) || test.want == nil && string(got) != "0123456789" {
			t.Errorf("broken %d times by %v: %q, %v; want %v", test.breaks, test.err, got, err, test.want)
		}
	}
}
