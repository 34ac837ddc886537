package outbound

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// publicOnly returns a dialer like d that connects to public addresses alone. The
// address is checked after the name was looked up, right before the connection is made:
// a name whose address changes meanwhile gains nothing.
func publicOnly(d *net.Dialer) *net.Dialer {
	only := *d
	only.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr()) {
			return &addressError{}
		}
		return nil
	}
	return &only
}

// addressError means that an address was not dialled. It does not say which: the
// merchant would learn the addresses of the deployment's network.
type addressError struct{}

func (*addressError) Error() string { return "the address is not of the public internet" }

// reserved are the addresses that are not of the public internet, by the registries of
// special-purpose addresses (RFC 6890 and its successors, www.iana.org/assignments/
// iana-ipv4-special-registry and iana-ipv6-special-registry). Of IPv6, only 2000::/3 is
// public at all: loopback, link-local, private and v4-mapped addresses and NAT64 are
// outside of it.
var reserved = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by providers' customers (CGNAT)
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local: the metadata of a cloud's machine
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/3",     // multicast, reserved, broadcast
	"2001::/23",       // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4, which holds an IPv4 address
	"3fff::/20",       // documentation
)

var global = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, one := range all {
		parsed = append(parsed, netip.MustParsePrefix(one))
	}
	return parsed
}

// isPublic says whether an address is of the public internet.
func isPublic(a netip.Addr) bool {
	if a.Zone() != "" || !a.Is4() && !global.Contains(a) {
		return false
	}
	for _, prefix := range reserved {
		if prefix.Contains(a) {
			return false
		}
	}
	return true
}

// checkDomain returns the mistake in the domain of a shop, nil if there is none.
func checkDomain(domain string) error {
	if strings.Contains(domain, "/") || strings.Contains(domain, ":") {
		return errors.New("is more than a domain: write shop.example.com, without https://, port and path")
	}
	labels := strings.Split(domain, ".")
	if len(domain) > 253 || len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errNoDomain // the last: an IP address, in one of the forms that some libraries take
	}
	for _, label := range labels {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, isNotOfDomains) {
			return errNoDomain
		}
	}
	return nil
}

var errNoDomain = errors.New("is not a domain: write one such as shop.example.com; one with letters beyond a to z as xn--…")

func isNotOfDomains(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
}
