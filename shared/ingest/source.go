package ingest

import (
	"context"
	"errors"
	"io"

	"keypool/shared/upload"
)

// pieceSize is the number of bytes that are fetched at a time.
const pieceSize = 512 << 10

// source reads a part of an object, piece by piece. A piece is fetched whole before
// any of it is used: the table may take minutes for its keys, and a bucket closes a
// connection on which nobody reads for so long.
type source struct {
	ctx     context.Context
	objects Objects
	object  upload.Object
	at, end int64 // of the object, still to be fetched
	buf     []byte
	piece   []byte // of buf, fetched and not read
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.piece) == 0 {
		if s.at >= s.end {
			return 0, io.EOF
		}
		if err := s.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.piece)
	s.piece = s.piece[n:]
	return n, nil
}

// fetch gets the next piece. A connection that breaks in the middle of it is tried
// again: it is not the end of the file.
func (s *source) fetch() error {
	const attempts = 3
	size := int(min(pieceSize, s.end-s.at))
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	for tries := 1; ; tries++ {
		err := s.fill(s.buf[:size])
		if err == nil {
			s.piece = s.buf[:size]
			s.at += int64(size)
			return nil
		}
		if tries == attempts || upload.CauseOf(err) != "" || s.ctx.Err() != nil {
			return err
		}
	}
}

func (s *source) fill(piece []byte) error {
	to := s.at + int64(len(piece))
	body, err := s.objects.Open(s.ctx, s.object, s.at, to)
	if err == nil {
		_, err = io.ReadFull(body, piece)
		body.Close()
	}
	if errors.Is(err, io.EOF) {
		// The object has these bytes. A connection that is closed before its answer is an
		// EOF too, in the error of the call.
		err = io.ErrUnexpectedEOF
	}
	return wrap(err, "read an object from %d to %d", s.at, to)
}
