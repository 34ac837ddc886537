package shop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// The command that make order prints sends the same body with a valid signature,
// whatever characters the body has.
func TestCurl_signsAsWeDo(t *testing.T) {
	t.Parallel()
	account := Account{Merchant: "demo", Secret: platform.FormatSecret([]byte("a signing secret of 32 bytes or so"))}
	signing := opened(t, account)
	body := Order{ID: "A-1", Email: "o'brien@shop.example", Name: `"Ada" $HOME \n %s`, Lines: []Line{{Product: "p", Quantity: 1}}}.Body()
	received := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received++
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != string(body) {
			t.Errorf("the body that came is %s, %v; want %s", got, err, body)
		}
		if _, err := (standard.Adapter{}).Verify(platform.Request{Header: r.Header, Body: got}, signing, time.Now()); err != nil {
			t.Error(err)
		}
		if r.URL.Path != account.Path() {
			t.Errorf("called %s", r.URL.Path)
		}
	}))
	defer server.Close()

	command := exec.Command("bash", "-c", account.Curl(server.URL, body, "KEYPOOL_SECRET"))
	command.Env = append(command.Environ(), "KEYPOOL_SECRET="+account.Secret)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if received != 1 {
		t.Errorf("%d requests came, want 1", received)
	}
}

func TestSign_holds(t *testing.T) {
	t.Parallel()
	account := Account{Merchant: "demo", Secret: platform.FormatSecret([]byte("a signing secret of 32 bytes or so"))}
	signing := opened(t, account)
	r, err := account.Sign([]byte(`{}`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (standard.Adapter{}).Verify(platform.Request{Header: r.Header, Body: r.Body}, signing, time.Now()); err != nil {
		t.Error(err)
	}
}

// opened returns the account as a platform's adapter has it.
func opened(t *testing.T, a Account) platform.Account {
	t.Helper()
	key, err := platform.ParseSecret(a.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(key)}}}
}

func TestTo_needsAllTheWords(t *testing.T) {
	t.Parallel()
	mails := []Mail{
		{ID: "1", To: []string{"a@shop.example"}, Subject: "Low stock", Text: "elden has 4 keys left"},
		{ID: "2", To: []string{"b@shop.example"}, Subject: "Low stock", Text: "elden has 4 keys left"},
		{ID: "3", To: []string{"a@shop.example"}, Subject: "Report", Text: "elden"},
	}
	found := To(mails, "a@shop.example", "low STOCK", "Elden")
	if len(found) != 1 || found[0].ID != "1" {
		t.Errorf("found %+v, want the first alone", found)
	}
}
