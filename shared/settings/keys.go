package settings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/random"
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
	// MaxAdded is how many keys one call may bring.
	MaxAdded  = 1000
	addedFile = "sent-by-api.as-is.txt" // by its name, every line is a key
)

// ErrKeyUsed means that a call with the same idempotency key brought other keys.
var ErrKeyUsed = errors.New("the idempotency key was used for other keys")

// CheckKeys returns the mistakes in the texts of keys: those that would not be one line of a
// file each. It names no text.
func CheckKeys(texts []string) (problems []Problem) {
	if len(texts) == 0 || len(texts) > MaxAdded {
		return []Problem{{Path: "keys", Message: fmt.Sprintf("use 1 to %d keys; bring more as a file", MaxAdded)}}
	}
	for i, text := range texts {
		text = pool.TrimKey(text)
		message := ""
		switch {
		case text == "":
			message = "a key is needed"
		case len(text) > pool.MaxKey:
			message = fmt.Sprintf("a key has %d bytes at most", pool.MaxKey)
		case strings.ContainsFunc(text, unicode.IsControl):
			message = "a key is one line, without control characters"
		default:
			continue
		}
		problems = append(problems, Problem{Path: fmt.Sprintf("keys[%d]", i), Message: message})
	}
	return problems
}

// Add stores keys as a file for a pool side, and returns the id of its upload. A repeat with
// the same idempotency key is the same upload, for as long as the file is kept; an empty key
// is of this call alone. Its error is an *InvalidError, ErrKeyUsed, or ErrNotFound if there is
// no such pool.
func (s *Keys) Add(ctx context.Context, to pool.ID, texts []string, idempotency string) (uploadID string, err error) {
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
	place := upload.Place{Merchant: to.Merchant, Pool: to.Pool, Side: to.Side, File: addedFile, Ticket: fmt.Sprintf("%016x", random.Uint64(ctx))}
	if idempotency != "" {
		place.Ticket = digest("idempotency", idempotency)[:16]
	}
	own := digest("keys", string(content))
	object, stat, there, err := s.Files.PutNew(ctx, place.Name(), content, own)
	if err != nil {
		return "", err
	}
	if there != own {
		return "", ErrKeyUsed
	}
	return upload.NewID(object, stat.LastModified), nil
}

func digest(of, text string) string {
	sum := sha256.Sum256([]byte(of + "\x00" + text))
	return hex.EncodeToString(sum[:])
}
