package machine

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// The certificate is valid for this machine's names, and its authority for no others.
func TestCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := ensureCertificate(dir); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := trust(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	defer server.Close()
	for name, good := range map[string]bool{
		"localhost": true, "127.0.0.1": true, Domain: true, "bucket.localhost": true, "bucket.s3.localhost": true,
		"keypool.example": false, "a." + Domain: false,
	} {
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: name})
		if good != (err == nil) {
			t.Errorf("%s: good is %t, want %t: %v", name, err == nil, good, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if _, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{ServerName: "localhost"}); err == nil {
		t.Error("somebody who was not told to trust it does")
	}

	before := pair.Certificate[0]
	if err := ensureCertificate(dir); err != nil {
		t.Fatal(err)
	}
	if pair, err = tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if string(before) != string(pair.Certificate[0]) {
		t.Error("a good certificate was replaced: whoever trusts the old one is lost")
	}
}

// A machine that was set up before its names were others gets a certificate for those it has.
func TestCertificate_ofOtherNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := certificate{authority: "Keypool on one machine", names: []string{"localhost", "*.localhost"}, domains: []string{"localhost"}}
	ca, cert, key, err := before.make()
	if err != nil {
		t.Fatal(err)
	}
	if err := write(dir, map[string][]byte{caFile: ca, bundleFile: ca, certFile: cert, keyFile: key}); err != nil {
		t.Fatal(err)
	}
	if certificateIsGood(dir) {
		t.Error("it is good")
	}
	if err := ensureCertificate(dir); err != nil {
		t.Fatal(err)
	}
	if !certificateIsGood(dir) {
		t.Error("it was not replaced")
	}
}

// The certificate of the stand-ins is valid for platforms' hosts, and trusted by what the
// functions alone read.
func TestCertificate_ofStandIns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := ensureCertificate(dir); err != nil {
		t.Fatal(err)
	}
	if outsideIsGood(dir) {
		t.Error("there is one before it was made")
	}
	if err := ensureOutside(dir); err != nil {
		t.Fatal(err)
	}
	if !outsideIsGood(dir) {
		t.Error("there is none")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, outsideCertFile), filepath.Join(dir, outsideKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for file, trusts := range map[string]bool{outsideFile: true, caFile: false, bundleFile: false} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(content) {
			t.Fatalf("%s holds no certificate", file)
		}
		for name, good := range map[string]bool{"api.stripe.com": true, "a-shop.myshopify.com": true, "localhost": false, "keypool.example": false} {
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool})
			if (good && trusts) != (err == nil) {
				t.Errorf("who trusts %s takes it for %s: %v", file, name, err)
			}
		}
	}
}

// A process is identified by its number and its start time, not by its number alone.
func TestRunning_knowsItsOwnProcess(t *testing.T) {
	t.Parallel()
	m, err := Open(t.TempDir(), filepath.Join(t.TempDir(), "machine"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Running() {
		t.Error("a machine that was never started runs")
	}
	m.state.PID, m.state.Ticks = 1, "1"
	if m.Running() {
		t.Error("somebody else's process is taken for the machine's")
	}
	m.state.Ticks = startTicks(1)
	if !m.Running() {
		t.Error("its own process is not recognised")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{"Python 3.11.7": {3, 11}, "v20.20.2": {20, 20}, "11.19.1\n": {11, 19}, "nothing": {0, 0}} {
		if major, minor := version(text); major != want[0] || minor != want[1] {
			t.Errorf("%q is %d.%d", text, major, minor)
		}
	}
}
