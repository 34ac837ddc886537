package shop

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Stock is one side of a pool, as the API shows it.
type Stock struct{ Available, Claimed, Revoked, Withdrawn, Waiting int }

// Stock reads the two sides of a pool.
func (s *Shop) Stock(ctx context.Context, token, pool string) (live, test Stock, err error) {
	var found struct{ Live, Test Stock }
	err = s.Ask(ctx, token, http.MethodGet, "/v1/pools/"+pool, nil, &found)
	return found.Live, found.Test, err
}

// OrderLine is a line of an order, as the API shows it.
type OrderLine struct {
	ID        string
	Product   string
	State     string
	Quantity  int
	Wanted    int
	Allocated int
	Missing   int
	KeyIDs    []string `json:"key_ids"`
	Holds     []string
	Delivery  *struct {
		State     string
		About     string
		Number    int
		Tries     int
		MessageID string `json:"message_id"`
	}
}

// OrderLines reads the lines of an order, none if it is not known.
func (s *Shop) OrderLines(ctx context.Context, token, order string) ([]OrderLine, error) {
	var found struct {
		Items []struct{ Lines []OrderLine }
	}
	err := s.Ask(ctx, token, http.MethodGet, "/v1/orders/"+url.PathEscape(order), nil, &found)
	if IsMissing(err) {
		return nil, nil
	}
	var lines []OrderLine
	for _, o := range found.Items {
		lines = append(lines, o.Lines...)
	}
	return lines, err
}

// Upload is a key file's upload, as the API shows it.
type Upload struct {
	ID         string
	File       string
	Pool       string
	State      string
	Cause      string
	Lines      int
	Accepted   int
	Duplicates map[string]int
	Refused    map[string]int
	First      []struct {
		Line   int
		Reason string
	}
}

// Upload reads the newest upload of a file, false if there is none yet.
func (s *Shop) Upload(ctx context.Context, token, file string) (Upload, bool, error) {
	var found struct{ Items []Upload }
	if err := s.Ask(ctx, token, http.MethodGet, "/v1/uploads?limit=100", nil, &found); err != nil {
		return Upload{}, false, err
	}
	for _, u := range found.Items {
		if u.File != file {
			continue
		}
		var whole Upload // the list may leave out the lines
		err := s.Ask(ctx, token, http.MethodGet, "/v1/uploads/"+u.ID, nil, &whole)
		return whole, err == nil, err
	}
	return Upload{}, false, nil
}

// AwaitUpload waits until the file's upload is in the state.
func (s *Shop) AwaitUpload(ctx context.Context, timeout time.Duration, token, file, state string) (Upload, error) {
	var upload Upload
	err := Await(ctx, timeout, "the upload of "+file+" being "+state, func() (bool, error) {
		u, ok, err := s.Upload(ctx, token, file)
		upload = u
		return ok && u.State == state, err
	})
	return upload, err
}
