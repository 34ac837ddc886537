package machine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files of the certificate, in the machine's tls folder.
const (
	caFile     = "ca.pem"     // whom to trust
	bundleFile = "bundle.pem" // the system's roots and ca.pem: the CA variables of most tools replace the system's
	certFile   = "cert.pem"
	keyFile    = "key.pem"
)

// containersGateway is the address by which containers reach the computer they run on.
var containersGateway = net.IPv4(172, 17, 0, 1).To4()

// hosts are the names of this machine: those of the AWS services, of buckets as S3 clients
// address them, and of the API, which OpenSSL does not find in *.localhost: it wants a
// wildcard to stand below two names.
var hosts = []string{"localhost", "*.localhost", "*.s3.localhost", Domain}

// certificate is a certificate to make, with a certificate authority of its own.
type certificate struct {
	authority string // its name
	// The names that the certificate is for, and the domains and addresses that the
	// authority could sign for, even with its key.
	names   []string
	domains []string
	ips     []net.IP
}

// ensureCertificate makes a certificate authority and a certificate for this machine's
// names, unless there is a valid one. The authority's key is thrown away after that:
// nobody can make another certificate that the files in this folder trust.
func ensureCertificate(dir string) error {
	if certificateIsGood(dir) {
		return nil
	}
	ca, cert, key, err := certificate{
		authority: "Keypool on one machine", domains: []string{"localhost"}, names: hosts,
		ips: []net.IP{net.IPv4(127, 0, 0, 1).To4(), containersGateway},
	}.make()
	if err != nil {
		return err
	}
	return write(dir, map[string][]byte{caFile: ca, bundleFile: append(systemRoots(), ca...), certFile: cert, keyFile: key})
}

// make returns the authority, the certificate, and the certificate's key, as PEM.
func (c certificate) make() (ca, cert, key []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber:                serial(),
		Subject:                     pkix.Name{CommonName: c.authority},
		NotBefore:                   now.Add(-time.Hour),
		NotAfter:                    now.AddDate(1, 0, 0),
		KeyUsage:                    x509.KeyUsageCertSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         c.domains,
	}
	for _, ip := range c.ips {
		authority.PermittedIPRanges = append(authority.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)})
	}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: c.names[0]},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     c.names,
		IPAddresses:  c.ips,
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, leafKey.Public(), caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, nil, nil, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	cert = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), ca...)
	return ca, cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// certificateIsGood reports whether the folder has a certificate for this machine's names
// that is valid for another week.
func certificateIsGood(dir string) bool {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		return false
	}
	for _, name := range []string{caFile, bundleFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	return err == nil && time.Until(leaf.NotAfter) > 7*24*time.Hour && slices.Equal(leaf.DNSNames, hosts)
}

// Fingerprint returns that of the key of the machine's certificate, by which Chromium trusts it:
// --ignore-certificate-errors-spki-list.
func (m *Machine) Fingerprint() (string, error) {
	pair, err := tls.LoadX509KeyPair(m.path("tls", certFile), m.path("tls", keyFile))
	if err != nil {
		return "", err
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// trust returns a certificate pool with the machine's own authority alone.
func trust(dir string) (*x509.CertPool, error) {
	ca, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(dir, caFile))
	}
	return pool, nil
}

// systemRoots returns the system's trusted certificates, nothing if they are not found:
// then the bundle trusts this machine only.
func systemRoots() []byte {
	for _, path := range []string{
		os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch, Alpine
		"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, Amazon Linux
		"/etc/ssl/ca-bundle.pem",             // SUSE
	} {
		if roots, err := os.ReadFile(path); path != "" && err == nil {
			return append(bytes.TrimRight(roots, "\n"), '\n')
		}
	}
	return nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n
}
