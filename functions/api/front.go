package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"keypool/shared/platform"
	"keypool/shared/settings"
)

// front is this deployment's own address, as shops reach it.
type front struct {
	client *http.Client
	url    string
}

// answerWithin is how long a webhook has: somewhat less than the API itself.
const answerWithin = 22 * time.Second

// mostOfAnAnswer is how many bytes are read of one.
const mostOfAnAnswer = 1 << 16

func newFront(url string) front {
	return front{&http.Client{
		Timeout:       answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, url}
}

// Post implements settings.Front.
func (f front) Post(ctx context.Context, path string, r platform.Request) (platform.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+path, bytes.NewReader(r.Body))
	if err != nil {
		return platform.Response{}, fmt.Errorf("the deployment's own address: %w", err)
	}
	request.Header = r.Header.Clone()
	answer, err := f.client.Do(request)
	if err != nil {
		return platform.Response{}, settings.ErrUnanswered // the error holds the address
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostOfAnAnswer))
	if err != nil {
		return platform.Response{}, settings.ErrUnanswered
	}
	return platform.Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}
