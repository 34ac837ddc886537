package settings

import (
	"context"
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/upload"
)

// Forms signs forms by which a browser sends a key file straight into the bucket, and finds
// the file there.
type Forms struct {
	Pools interface {
		Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	}
	Files FormFiles
}

// FormFiles is the bucket that forms send to.
type FormFiles interface {
	// PresignForm signs a form, and returns where it is sent and all its fields but the file.
	PresignForm(ctx context.Context, f upload.Form, expires time.Duration) (address string, fields map[string]string, err error)
	// Head returns an object as it is now, false if there is none.
	Head(ctx context.Context, name string) (upload.Object, upload.Stat, bool, error)
}

// SignedForm is a form that takes one file within 15 minutes.
type SignedForm struct {
	Address string
	Fields  map[string]string
}

// Sign returns a form for a file of that name and size, in bytes; one for any file if the name
// is empty. Fields are what the form holds besides. Its error is an *InvalidError, or
// ErrNotFound if there is no such pool.
func (s *Forms) Sign(ctx context.Context, to pool.ID, file string, size int64, fields map[string]string) (SignedForm, error) {
	f := upload.Form{Least: size, Most: size, Fields: fields}
	if file == "" {
		file, f.Least, f.Most = upload.AnyFile, 1, MaxFileSize
	} else if err := invalid(append(CheckFileName(to.Side, file), CheckFileSize(size)...)...); err != nil {
		return SignedForm{}, err
	}
	_, ok, err := s.Pools.Pool(ctx, to.Merchant, to.Pool)
	if err != nil {
		return SignedForm{}, err
	}
	if !ok {
		return SignedForm{}, ErrNotFound
	}
	f.Name = upload.Place{Merchant: to.Merchant, Pool: to.Pool, Side: to.Side, File: file, Ticket: fmt.Sprintf("%016x", random.Uint64(ctx))}.Name()
	address, all, err := s.Files.PresignForm(ctx, f, signedFor)
	return SignedForm{address, all}, err
}

// Arrived returns the id of the upload that an object of a merchant's is. Its error is
// ErrNotFound if there is none of that name, or if it is no key file of theirs.
func (s *Forms) Arrived(ctx context.Context, merchant, object string) (uploadID string, err error) {
	place, ok := upload.Locate(object)
	if !ok || place.Merchant != merchant || place.Ticket == "" {
		return "", ErrNotFound
	}
	o, stat, there, err := s.Files.Head(ctx, object)
	if err != nil {
		return "", err
	}
	if !there {
		return "", ErrNotFound
	}
	return upload.NewID(o, stat.LastModified), nil
}
