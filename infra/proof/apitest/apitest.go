// Package apitest lets a test be the API of a payment platform.
package apitest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"keypool/shared/outbound"
)

// Serve returns a client all of whose calls, whatever their host, are answered by api,
// over TLS. Request.Host says which host was called.
func Serve(t testing.TB, api http.Handler) *outbound.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(api)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a call that is given up is no news
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // a name of the server's certificate
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	return outbound.Through(transport)
}
