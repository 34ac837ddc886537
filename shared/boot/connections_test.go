package boot

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// forgetful is a server that answers the first request of a connection, and resets
// the connection at the second: as one that died while a function was frozen.
type forgetful struct {
	mu      sync.Mutex
	seen    map[net.Conn]bool
	opened  int
	resets  int
	address string
}

type connKey struct{}

func newForgetful(t *testing.T) *forgetful {
	t.Helper()
	f := &forgetful{seen: map[net.Conn]bool{}}
	server := httptest.NewUnstartedServer(f)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	server.Start()
	t.Cleanup(server.Close)
	f.address = server.URL
	return f
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if !f.seen[conn] {
		f.seen[conn], f.opened = true, f.opened+1
		return
	}
	f.resets++
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// invocation returns the context of an invocation of the function.
func invocation(ctx context.Context, id string) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id})
}

func post(ctx context.Context, client aws.HTTPClient, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil) // a POST is not repeated by net/http
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func TestFreshConnections_noneOfAnEarlierInvocation(t *testing.T) {
	server := newForgetful(t)
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	client := FreshConnections(cfg).HTTPClient
	for _, id := range []string{"1", "2", "3"} {
		if err := post(invocation(t.Context(), id), client, server.address); err != nil {
			t.Errorf("the first request of invocation %s: %v", id, err)
		}
	}
	if server.opened != 3 || server.resets != 0 {
		t.Errorf("%d connections, %d resets", server.opened, server.resets)
	}
	// Within an invocation connections are kept, as this server shows by its reset.
	if err := post(invocation(t.Context(), "3"), client, server.address); err == nil {
		t.Error("each request opens a connection anew, with a handshake")
	}
}

// Every client drops connections that were idle: of the SDK's 90 seconds, most are
// longer than a connection lives while the function is frozen.
func TestConfig_idleConnectionsAreDropped(t *testing.T) {
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]aws.HTTPClient{
		"all":   cfg.HTTPClient,
		"fresh": FreshConnections(cfg).HTTPClient.(*freshClient).of(t.Context()),
	} {
		transport := client.(interface{ GetTransport() *http.Transport }).GetTransport()
		if transport.IdleConnTimeout != 5*time.Second || transport.MaxIdleConnsPerHost != keptOpen {
			t.Errorf("%s: idle connections are kept for %s, %d at most", name, transport.IdleConnTimeout, transport.MaxIdleConnsPerHost)
		}
	}
}

func TestConfig_firstRetryComesSoon(t *testing.T) {
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	retryer := cfg.Retryer()
	reset := errors.New("read: connection reset by peer")
	throttle := &smithy.GenericAPIError{Code: "ThrottlingException"}
	var longest time.Duration
	for attempt, most := range map[int]time.Duration{1: 25 * time.Millisecond, 2: 50 * time.Millisecond, 3: 100 * time.Millisecond} {
		for range 100 {
			pause, err := retryer.RetryDelay(attempt, reset)
			if err != nil || pause > most {
				t.Errorf("attempt %d is followed by %s, %v", attempt, pause, err)
			}
			if pause, err = retryer.RetryDelay(attempt, throttle); err != nil {
				t.Error(err)
			}
			longest = max(longest, pause)
		}
	}
	if longest < time.Second {
		t.Errorf("a throttle is followed by %s at most", longest)
	}
	if got := retryer.MaxAttempts(); got != 4 {
		t.Errorf("%d attempts", got)
	}
}
