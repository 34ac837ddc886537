package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/config"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

// frozenSES is an endpoint of AWS whose SES resets the second request of each
// connection, as a connection does that died while the function was frozen. Calls
// of DynamoDB go to the tests' engine.
type frozenSES struct {
	mu    sync.Mutex
	used  map[net.Conn]bool
	mails int
}

type connKey struct{}

func (f *frozenSES) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB") {
		f.forward(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, _ := r.Context().Value(connKey{}).(*net.TCPConn)
	if f.used[conn] {
		conn.SetLinger(0)
		conn.Close()
		return
	}
	f.used[conn] = true
	f.mails++
	io.WriteString(w, `{"MessageId":"0100018c"}`)
}

func (f *frozenSES) forward(w http.ResponseWriter, r *http.Request) {
	engine, err := url.Parse(dynamotest.Endpoint())
	if err != nil {
		panic(err)
	}
	request := r.Clone(r.Context())
	request.URL.Scheme, request.URL.Host, request.RequestURI = engine.Scheme, engine.Host, ""
	answer, err := dynamotest.Engine().RoundTrip(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	io.Copy(w, answer.Body)
}

// A mail whose request finds a dead connection could have been taken: it would wait
// for ten minutes, and be recorded as uncertain. Each invocation starts without the
// connections of the one before.
func TestDeliver_afterItWasFrozen(t *testing.T) {
	store, tables := dynamotest.Open(t)
	ses := &frozenSES{used: map[net.Conn]bool{}}
	server := httptest.NewUnstartedServer(ses)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.Start()
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": server.URL,
	} {
		t.Setenv(name, value)
	}
	cfg, err := boot.Config()
	if err != nil {
		t.Fatal(err)
	}
	env := config.From(func(variable string) (string, bool) {
		value, ok := map[string]string{
			"KEYPOOL_CATALOG_TABLE": tables.Catalog, "KEYPOOL_ORDERS_TABLE": tables.Orders, "KEYPOOL_SESSIONS_TABLE": tables.Sessions, "KEYPOOL_CONFIGURATION_SET": "mail",
			"KEYPOOL_SENDER": "keys@keypool.example", "KEYPOOL_OPERATOR": "operator@keypool.example", "KEYPOOL_PUBLIC_URL": "https://api.keypool.example",
		}[variable]
		return value, ok
	})
	function := lambda.NewHandler(wire(env, cfg))
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.PutMerchant(t.Context(), catalog.Merchant{Name: "nova", Title: "Nova", NoticeAddress: "ops@nova.example"}); err != nil {
		t.Fatal(err)
	}

	for i := range 3 {
		n := notice.New("nova", notice.MailFailed, fmt.Sprint(i), notice.Facts{Orders: []string{"A-1"}, Count: 1}, time.Now())
		if err := store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: fmt.Sprint(i)})
		pk, err := json.Marshal("notice#" + n.ID)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := function.Invoke(ctx, fmt.Appendf(nil,
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"1","Keys":{"pk":{"S":%s},"sk":{"S":"notice"}},"NewImage":{"mail":{"S":"due"}}}}]}`, pk))
		if err != nil || strings.Contains(string(answer), "itemIdentifier") {
			t.Fatalf("invocation %d: %s, %v", i, answer, err)
		}
		mails := dynamotest.Items(t, tables.Orders, "")
		sent := 0
		for _, item := range mails {
			if item["mail"] == string(outbox.Sent) {
				sent++
			}
		}
		if sent != i+1 || ses.mails != i+1 {
			t.Errorf("after %d invocations %d mails are sent, and SES took %d", i+1, sent, ses.mails)
		}
	}
}
