package boot

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// An order of 16 lines makes 48 calls at once, and so does the next.
func TestAWSConfig_keepsItsConnections(t *testing.T) {
	const atOnce = 48
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup // in the house, so that each has a connection of its own
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		all.Done()
		all.Wait()
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for range 3 {
		all.Add(atOnce)
		var calls sync.WaitGroup
		for range atOnce {
			calls.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := cfg.HTTPClient.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
			})
		}
		calls.Wait()
	}
	if got := opened.Load(); got != atOnce {
		t.Errorf("%d connections were opened for %d calls at a time, three times", got, atOnce)
	}
}
