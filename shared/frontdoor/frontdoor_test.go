package frontdoor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keypool/shared/frontdoor"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/settings"
)

func TestDoor(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, r.Method, " ", r.URL.Path, " ", r.Header.Get("webhook-id"))
	}))
	t.Cleanup(server.Close)
	f := frontdoor.New(server.URL)
	r := standard.TestOrder([]byte("key"), time.Unix(1767366245, 0), platform.Paid{Order: "test-1"})
	for _, status = range []int{200, 503, 302} {
		answer, err := f.Post(t.Context(), "/webhooks/acme/shop", r)
		if err != nil || answer.Status != status || string(answer.Body) != "POST /webhooks/acme/shop test-1" {
			t.Errorf("%d: %d %s, %v", status, answer.Status, answer.Body, err)
		}
	}
	status = 0
	if _, err := f.Post(t.Context(), "/webhooks/acme/shop", r); !errors.Is(err, settings.ErrUnanswered) || strings.Contains(err.Error(), server.URL) {
		t.Errorf("a connection that breaks off: %v", err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Post(cut, "/webhooks/acme/shop", r); err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("without time: %v", err)
	}
}
