package settings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Keys takes keys that a program sends, a few at a time. They become a key file, so that they
// are loaded, reported and found as those of every file are.
type Keys struct {
	Pools interface {
		Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	}
	Files KeyFiles
}

// KeyFiles is the bucket of key files.
type KeyFiles interface {
	// PutNew stores a file unless there is one of its name, and returns the one that is there
	// then, with the digest that it was stored with.
	PutNew(ctx context.Context, name string, content []byte, digest string) (o upload.Object, stat upload.Stat, there string, err error)
}

const (
	// MaxTexts is how many keys one call may bring, or block.
	MaxTexts  = 1000
	addedFile = "sent-by-api.as-is.txt" // by its name, every line is a key

	pastedFile = "pasted.txt"
)

// CheckKeys returns the mistakes in the texts of keys of one call: those that would not be one
// line of a file each. It names no text.
func CheckKeys(texts []string) (problems []Problem) {
	if len(texts) == 0 || len(texts) > MaxTexts {
		return []Problem{{Path: "keys", Message: fmt.Sprintf("use 1 to %d keys a call", MaxTexts)}}
	}
	for i, text := range texts {
		if why := keyText(pool.TrimKey(text)); why != "" {
			problems = append(problems, Problem{Path: fmt.Sprintf("keys[%d]", i), Message: why})
		}
	}
	return problems
}

// keyText returns the reason why a trimmed text cannot be a key, "" if it can.
func keyText(text string) string {
	switch {
	case text == "":
		return "a key is needed"
	case len(text) > pool.MaxKey:
		return fmt.Sprintf("a key has %d bytes at most", pool.MaxKey)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "a key is one line, without control characters"
	}
	return ""
}

// Add stores keys as a file for a pool side, and returns the id of its upload. A repeat of the
// call is the same upload, for as long as the file is kept. Its error is an *InvalidError,
// idempotency.ErrOther if the call brought other keys before, or ErrNotFound if there is no
// such pool.
func (s *Keys) Add(ctx context.Context, to pool.ID, texts []string) (uploadID string, err error) {
	if err := invalid(CheckKeys(texts)...); err != nil {
		return "", err
	}
	_, ok, err := s.Pools.Pool(ctx, to.Merchant, to.Pool)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", ErrNotFound
	}
	var content []byte
	for _, text := range texts {
		content = append(append(content, pool.TrimKey(text)...), '\n')
	}
	return s.store(ctx, to, addedFile, content)
}

// MaxPasted is how many bytes a text may have that is pasted.
const MaxPasted = 256 << 10

// AddPasted stores a text that somebody pasted as a file for a pool side, and returns the id of
// its upload: it is read as any file is. Its errors are those of Add.
func (s *Keys) AddPasted(ctx context.Context, to pool.ID, text string) (uploadID string, err error) {
	switch {
	case strings.TrimSpace(text) == "":
		return "", invalid(Problem{Path: "text", Message: "paste at least one key"})
	case len(text) > MaxPasted:
		return "", invalid(Problem{Path: "text", Message: "this is too much to be pasted: choose it as a file"})
	}
	_, ok, err := s.Pools.Pool(ctx, to.Merchant, to.Pool)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", ErrNotFound
	}
	return s.store(ctx, to, pastedFile, []byte(text))
}

// store stores a file that is there once for each call.
func (s *Keys) store(ctx context.Context, to pool.ID, file string, content []byte) (uploadID string, err error) {
	place := upload.Place{Merchant: to.Merchant, Pool: to.Pool, Side: to.Side, File: file, Ticket: idempotency.Name(ctx)}
	sum := sha256.Sum256(content)
	own := hex.EncodeToString(sum[:])
	object, stat, there, err := s.Files.PutNew(ctx, place.Name(), content, own)
	if err != nil {
		return "", err
	}
	if there != own {
		return "", idempotency.ErrOther
	}
	return upload.NewID(object, stat.LastModified), nil
}
