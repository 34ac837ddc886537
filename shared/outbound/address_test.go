package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for _, public := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "169.253.255.255", "172.15.255.255",
		"172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "2003::1",
	} {
		if !isPublic(netip.MustParseAddr(public)) {
			t.Errorf("%s is refused", public)
		}
	}
	for _, private := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.0.1", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
		"198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:1.1.1.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::101:101", "64:ff9b:1::1", "100::1",
		"2001::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		if isPublic(netip.MustParseAddr(private)) {
			t.Errorf("%s is taken", private)
		}
	}
}

// named returns a dialer whose look-ups are answered by a name server of the test's:
// the names of one call after the other are at these addresses.
func named(t *testing.T, addresses ...string) *net.Dialer {
	t.Helper()
	var asked atomic.Int32
	return &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // a stream: each message has its length before it
		go func() {
			defer theirs.Close()
			query := make([]byte, 1024)
			n, err := theirs.Read(query)
			var m dnsmessage.Message
			if err != nil || m.Unpack(query[2:n]) != nil {
				return
			}
			m.Response = true
			m.Additionals = nil
			at := netip.MustParseAddr(addresses[min(int(asked.Load()), len(addresses)-1)])
			head := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: m.Questions[0].Type, Class: dnsmessage.ClassINET}
			switch {
			case head.Type == dnsmessage.TypeA && at.Is4():
				asked.Add(1)
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: at.As4()}}}
			case head.Type == dnsmessage.TypeAAAA && at.Is6():
				asked.Add(1)
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: at.As16()}}}
			}
			answer, err := m.Pack()
			if err != nil {
				return
			}
			theirs.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...))
		}()
		return ours, nil
	}}}
}

// A shop's domain that leads into the deployment's own network is not called, however it
// gets there, and the error does not say where it led.
func TestShopsAreCalledAtPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	shop, err := Shop("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fd00:ec2::254", "64:ff9b::7f00:1", "::ffff:127.0.0.1"} {
		c := &Client{shops: client(transport(publicOnly(named(t, address))))}
		_, err := c.Do(t.Context(), Call{Host: shop})
		var mend *Error
		if !errors.As(err, &mend) || !strings.Contains(mend.Problem, "public internet") || strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// The check is made of the address that is dialled, each time: a domain that was at a
// public address a moment ago gains nothing by it.
func TestShopsAddressIsCheckedAtEachConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	d := named(t, "1.1.1.1", "127.0.0.1")
	if at, err := d.Resolver.LookupNetIP(t.Context(), "ip4", "shop.example.com"); err != nil || len(at) != 1 || !isPublic(at[0]) {
		t.Fatalf("at first at %v, %v", at, err)
	}
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var refused *addressError
	if _, err := publicOnly(d).DialContext(t.Context(), "tcp4", net.JoinHostPort("shop.example.com", port)); !errors.As(err, &refused) {
		t.Errorf("dialled: %v", err)
	}
	// Without the check, the same dialer reaches the server.
	connection, err := named(t, "127.0.0.1").DialContext(t.Context(), "tcp4", net.JoinHostPort("shop.example.com", port))
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
}

func TestUnknownDomainIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}}
	c := &Client{apis: client(transport(d))}
	if _, err := c.Do(t.Context(), Call{Host: API("api.example.com")}); !errors.Is(err, ErrTryAgain) {
		t.Error(err)
	}
}

// The network's client dials shops by the check, and never by way of a proxy.
func TestNew(t *testing.T) {
	t.Parallel()
	shops := New().shops.Transport.(*http.Transport)
	if shops.Proxy != nil {
		t.Error("a shop is called by way of a proxy, which does not check its address")
	}
	var refused *addressError
	if _, err := shops.DialContext(t.Context(), "tcp", "127.0.0.1:443"); !errors.As(err, &refused) {
		t.Errorf("a shop is dialled without a check: %v", err)
	}
	if New().apis.Transport.(*http.Transport).Proxy == nil {
		t.Error("a constant host is not called by way of the operator's proxy")
	}
}

// A shop's domain is called by way of a proxy only if the environment names one that is for
// shops: the proxy of other hosts is not asked.
func TestNew_shopsProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:8443")
	for set, want := range map[string]string{"": "", "not an address": "", "http://127.0.0.1:8444": "127.0.0.1:8444"} {
		t.Setenv(ShopsProxy, set)
		shops := New().shops.Transport.(*http.Transport)
		got := ""
		if shops.Proxy != nil {
			proxy, err := shops.Proxy(httptest.NewRequest(http.MethodGet, "https://shop.example.com/", nil))
			if err != nil {
				t.Fatal(err)
			}
			got = proxy.Host
		}
		var refused *addressError
		_, err := shops.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if got != want || errors.As(err, &refused) != (want == "") {
			t.Errorf("%s=%q: called by way of %q, dialled with %v", ShopsProxy, set, got, err)
		}
	}
}
