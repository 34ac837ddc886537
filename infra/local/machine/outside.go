package machine

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// The files of the certificate by which stand-ins of platforms' APIs answer, in the
// machine's tls folder. The functions alone trust its authority: with the certificate's key
// anybody can stand in for a platform.
const (
	outsideFile     = "outside.pem" // whom the functions trust: this machine and the stand-ins, and nobody else
	outsideCertFile = "outside-cert.pem"
	outsideKeyFile  = "outside-key.pem"
)

// outsideHosts are the hosts that functions call and stand-ins answer for.
var outsideHosts = []string{
	"api.stripe.com", "api.paddle.com", "sandbox-api.paddle.com", "*.myshopify.com", "shop.example.com",
}

// Outside returns the address at which a stand-in of platforms' APIs is to listen, as a
// proxy, and its certificate. See package standin.
func (m *Machine) Outside() (address string, certificate tls.Certificate, err error) {
	if m.state.Outside == 0 {
		return "", certificate, &Fault{Says: "The one-machine run is not up.", Try: "make up"}
	}
	certificate, err = tls.LoadX509KeyPair(m.path("tls", outsideCertFile), m.path("tls", outsideKeyFile))
	return m.outside(), certificate, err
}

// outside is the address of the proxy by which functions call platforms' APIs.
func (m *Machine) outside() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.state.Outside))
}

// ensureOutside makes the certificate of the stand-ins, unless there is a valid one.
func ensureOutside(dir string) error {
	if outsideIsGood(dir) {
		return nil
	}
	ca, cert, key, err := certificate{
		authority: "Stand-ins of Keypool on one machine", names: outsideHosts,
		domains: []string{"stripe.com", "paddle.com", "myshopify.com", "example.com"},
	}.make()
	if err != nil {
		return err
	}
	own, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return err
	}
	return write(dir, map[string][]byte{outsideFile: append(own, ca...), outsideCertFile: cert, outsideKeyFile: key})
}

func outsideIsGood(dir string) bool {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, outsideCertFile), filepath.Join(dir, outsideKeyFile))
	if err != nil {
		return false
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	return err == nil && time.Until(leaf.NotAfter) > 7*24*time.Hour && slices.Equal(leaf.DNSNames, outsideHosts)
}
