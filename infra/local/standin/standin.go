// Package standin is the internet of the one-machine run: it stands in for the APIs of
// payment platforms, which functions call.
//
// The machine's functions make their calls of APIs by way of a proxy on this computer, and
// trust its certificate: see machine.Outside. Internet is that proxy. It answers by APIs,
// and reaches nothing else; while none is open, a call of an API fails, as
// it does when the platform is down.
package standin

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"keypool/infra/local/machine"
)

// Internet answers the calls of a machine's functions.
type Internet struct {
	APIs

	proxy  *http.Server
	within *http.Server // behind the proxy
	calls  *queue
	tls    *tls.Config
}

// Open begins to answer the calls of the machine's functions. One that is open already is
// waited for, up to 20 seconds.
func Open(ctx context.Context, m *machine.Machine) (*Internet, error) {
	address, certificate, err := m.Outside()
	if err != nil {
		return nil, err
	}
	var listener net.Listener
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			break
		}
		if time.Since(begun) > 20*time.Second || ctx.Err() != nil {
			return nil, fmt.Errorf("stand in for the platforms' APIs: %w", err)
		}
	}
	quiet := log.New(io.Discard, "", 0) // a call that is given up is no news
	n := &Internet{
		calls: &queue{address: listener.Addr(), connections: make(chan net.Conn), closed: make(chan struct{})},
		tls:   &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	n.proxy = &http.Server{Handler: http.HandlerFunc(n.connect), ErrorLog: quiet, ReadHeaderTimeout: 5 * time.Second}
	n.within = &http.Server{Handler: &n.APIs, ErrorLog: quiet, ReadHeaderTimeout: 5 * time.Second}
	go n.proxy.Serve(listener)
	go n.within.Serve(n.calls)
	return n, nil
}

// Close ends it. Calls that are being answered are broken off.
func (n *Internet) Close() error {
	return errors.Join(n.proxy.Close(), n.within.Close())
}

// connect begins a call: the function asks for a connection to a host and its port.
func (n *Internet) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil || port != "443" || n.host(host) == nil {
		http.Error(w, "there is no such host here", http.StatusBadGateway)
		return
	}
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		connection.Close()
		return
	}
	n.calls.add(tls.Server(buffers{connection, buffered.Reader}, n.tls))
}

// buffers is a connection of which the proxy may have read some bytes already.
type buffers struct {
	net.Conn
	read *bufio.Reader
}

func (b buffers) Read(p []byte) (int, error) { return b.read.Read(p) }

// queue hands connections from the proxy to the server behind it.
type queue struct {
	address     net.Addr
	connections chan net.Conn
	closed      chan struct{}
	close       sync.Once
}

func (q *queue) add(c net.Conn) {
	select {
	case q.connections <- c:
	case <-q.closed:
		c.Close()
	}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.connections:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.close.Do(func() { close(q.closed) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.address }
