package platform_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform"
)

// One header with two times is refused: which one is signed is not known.
func TestTimedHMAC(t *testing.T) {
	t.Parallel()
	const stamp = "1767366245"
	scheme := platform.TimedHMAC{Header: "Signed", Time: "t", Signature: "v1", Separators: ",", Between: "."}
	body, now := []byte("a body"), time.Unix(1767366245, 0)
	secrets := []platform.SigningSecret{{Secret: platform.Conceal([]byte("a secret of the shop"))}}
	signed := scheme.Sign([]byte("a secret of the shop"), now, body)
	sum, ok := strings.CutPrefix(signed, "t="+stamp+",v1=")
	if !ok || len(sum) != 64 {
		t.Fatalf("signed is %s", signed)
	}
	other := "v1=" + strings.Repeat("0", 64)
	for header, good := range map[string]bool{
		signed: true,
		"t=" + stamp + ", v1=" + sum + ",v0=00," + other: true,
		"t=" + stamp + "," + other + ",v1=" + sum:        true,
		"v1=" + sum + ",t=" + stamp:                      true,
		"t=" + stamp + ",t=" + stamp + ",v1=" + sum:      true,
		"t=" + stamp + ",t=1767366246,v1=" + sum:         false,
		"t=1767366246,t=" + stamp + ",v1=" + sum:         false,
		"t=1767366246,v1=" + sum:                         false,
		"t=" + stamp + ",v1=" + sum[2:]:                  false,
		"t=" + stamp + ";v1=" + sum:                      false,
		"t=-" + stamp + ",v1=" + sum:                     false,
		"t=+" + stamp + ",v1=" + sum:                     false,
		"t=" + stamp + "0000,v1=" + sum:                  false,
		"t=" + stamp + "," + other:                       false,
		"v1=" + sum:                                      false,
		"":                                               false,
		"t=,v1=" + sum:                                   false,
		"t=" + stamp + ",v1=" + sum + ",v1=zz" + sum[2:]: true,
	} {
		if _, err := scheme.Verify(platform.Request{Header: http.Header{"Signed": {header}}, Body: body}, secrets, now); good != (err == nil) {
			t.Errorf("%q: %v", header, err)
		}
	}
	for age, want := range map[time.Duration]error{0: nil, platform.Tolerance: nil, time.Hour: platform.ErrClock, -time.Hour: platform.ErrClock} {
		if _, err := scheme.Verify(platform.Request{Header: http.Header{"Signed": {signed}}, Body: body}, secrets, now.Add(age)); !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", age, err, want)
		}
	}
}

// A signature is exactly one header with exactly what base64 writes.
func TestBodyHMAC(t *testing.T) {
	t.Parallel()
	scheme := platform.BodyHMAC{Header: "Signed"}
	body := []byte("a body")
	secrets := []platform.SigningSecret{{Secret: platform.Conceal([]byte("a secret of the shop"))}}
	sum := scheme.Sign([]byte("a secret of the shop"), body)
	if len(sum) != 44 {
		t.Fatalf("signed is %s", sum)
	}
	for name, test := range map[string]struct {
		header []string
		good   bool
	}{
		"as it is signed":    {[]string{sum}, true},
		"none":               {nil, false},
		"an empty one":       {[]string{""}, false},
		"twice":              {[]string{sum, sum}, false},
		"twice in one":       {[]string{sum + "," + sum}, false},
		"with a line end":    {[]string{sum[:40] + "\n" + sum[40:]}, false},
		"without its end":    {[]string{strings.TrimRight(sum, "=")}, false},
		"of another body":    {[]string{scheme.Sign([]byte("a secret of the shop"), []byte("another"))}, false},
		"by another secret":  {[]string{scheme.Sign([]byte("another secret"), body)}, false},
		"cut":                {[]string{sum[:24]}, false},
		"with further bytes": {[]string{sum + sum}, false},
	} {
		_, err := scheme.Verify(platform.Request{Header: http.Header{"Signed": test.header}, Body: body}, secrets, time.Unix(0, 0))
		if test.good != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
