package generic_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/generic"
)

// dryRun returns the steps, as "name ok: says" or "name BAD: says", and the trial.
func dryRun(t *testing.T, r platform.Request, a platform.Account, now time.Time) (string, platform.Trial) {
	t.Helper()
	trial, err := platform.DryRun(t.Context(), generic.Adapter{}, r, a, now, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, step := range trial.Steps {
		state := map[bool]string{true: "ok", false: "BAD"}[step.OK]
		fmt.Fprintf(&all, "%s %s: %s\n", step.Name, state, step.Says)
		if step.Says == "" || step.OK && strings.Contains(step.Says, "no ") && step.Name == "signature" {
			t.Errorf("%s says %q", step.Name, step.Says)
		}
	}
	for _, s := range a.Secrets {
		if text := string(s.Secret.Reveal()); text != "" && strings.Contains(all.String(), text) {
			t.Errorf("the secret is shown:\n%s", all.String())
		}
	}
	return all.String(), trial
}

const timedSettings = `{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"},` + rest + `}`

const tried = `{"order":{"id":42,"email":"ada@example.com","sku":"game"}}`

func TestDryRun_whatFails(t *testing.T) {
	t.Parallel()
	good := "t=1767366245,v1=" + inHex(secret, "1767366245."+tried)
	for name, test := range map[string]struct {
		settings, secret string
		r                platform.Request
		now              time.Duration
		want             []string // each is said
	}{
		"all is right": {timedSettings, secret, request(tried, "X-Signature", good), 0, []string{
			"signature ok: The header X-Signature holds one signature in hex.", "time ok: It was signed at 2026-01-02T15:04:05Z.",
			"secret ok: It was signed by secret 1 of the account.", "body ok: It reports a paid order.", "order ok: ",
		}},
		"no header": {timedSettings, secret, request(tried, "X-Hub-Signature-256", good), 0, []string{
			"signature BAD: There is no header X-Signature. One may stand in: X-Hub-Signature-256.", "time BAD: There is no part t= of the header X-Signature.", "secret BAD: There is no signature", "body ok:",
		}},
		"no headers at all": {timedSettings, secret, request(tried), 0, []string{"signature BAD: There is no header X-Signature. Copy all headers"}},
		"another prefix":    {timedSettings, secret, request(tried, "X-Signature", strings.Replace(good, "v1=", "v2=", 1)), 0, []string{"signature BAD: No part of the header X-Signature begins with the prefix of the settings."}},
		"not hex":           {timedSettings, secret, request(tried, "X-Signature", "t=1767366245,v1="+inBase64(secret, "1767366245."+tried)), 0, []string{"signature BAD: The signature is not hex. It has the form of a signature by sha256 in base64."}},
		"another algorithm": {timedSettings, secret, request(tried, "X-Signature", "t=1767366245,v1="+strings.Repeat("ab", 64)), 0, []string{"signature BAD: The signature has 64 bytes; one by sha256 has 32. It has the form of a signature by sha512 in hex."}},
		"no time":           {timedSettings, secret, request(tried, "X-Signature", good[13:]), 0, []string{"signature ok", "time BAD: There is no part t= of the header X-Signature."}},
		"a time in words":   {timedSettings, secret, request(tried, "X-Signature", strings.Replace(good, "t=1767366245", "t=now", 1)), 0, []string{"time BAD: The part t= of the header X-Signature is no time of the unit s."}},
		"too old":           {timedSettings, secret, request(tried, "X-Signature", good), 10 * time.Minute, []string{"time BAD: It was signed 10m0s before 2026-01-02T15:14:05Z, and the settings allow 300 seconds.", "secret ok", "body ok"}},
		"too early":         {timedSettings, secret, request(tried, "X-Signature", good), -time.Hour, []string{"time BAD: It was signed 1h0m0s after"}},
		"another secret": {timedSettings, "keypool-another-secret", request(tried, "X-Signature", good), 0, []string{
			"secret BAD: None of the account's secrets made the signature. No other reading of them fits either: compare", "body ok",
		}},
		"no secret":         {timedSettings, "", request(tried, "X-Signature", good), 0, []string{"secret BAD: None of the account's secrets made the signature. Secret 1 of the account is no text"}},
		"no time is signed": {`{"signature":{"header":"X-Signature"},` + rest + `}`, secret, request(tried, "X-Signature", inHex(secret, tried)), 0, []string{"time ok: The settings sign none", "secret ok"}},
		"no JSON":           {timedSettings, secret, request("id=1", "X-Signature", "t=1767366245,v1="+inHex(secret, "1767366245.id=1")), 0, []string{"secret ok", "body BAD: The body is no JSON: if the sender sends a form, set body to form."}},
		"a pointer that finds nothing": {timedSettings, secret, request(`{"order":{"id":1}}`, "X-Signature", good), 0, []string{
			"secret BAD", "body BAD: customer.email finds nothing at /order/email.",
		}},
		"no mail address": {timedSettings, secret, request(`{"order":{"id":1,"email":"ada","sku":"game"}}`, "X-Signature", good), 0, []string{"body ok", "order BAD: customer.email is not a mail address."}},
		"an id": {
			`{"signature":{"header":"X-Signature","signed":"{id}.{body}"},"id_header":"X-Id",` + rest + `}`, secret,
			request(tried, "X-Id", "a", "X-Signature", inHex(secret, "a."+tried)), 0,
			[]string{"id ok: The header X-Id holds it.", "secret ok"},
		},
		"no id": {
			`{"signature":{"header":"X-Signature","signed":"{id}.{body}"},"id_header":"X-Id",` + rest + `}`, secret,
			request(tried, "X-Signature", inHex(secret, "a."+tried)), 0,
			[]string{"id BAD: There is no header X-Id."},
		},
	} {
		says, trial := dryRun(t, test.r, account(t, test.settings, test.secret), at.Add(test.now))
		for _, want := range test.want {
			if !strings.Contains(says, want) {
				t.Errorf("%s: is not said to be %q:\n%s", name, want, says)
			}
		}
		if bad := strings.Contains(says, " BAD: "); trial.OK() == bad {
			t.Errorf("%s: OK is %v", name, trial.OK())
		}
	}
	says, _ := dryRun(t, request(tried, "X-Signature", good), account(t, timedSettings), at)
	if !strings.Contains(says, "secret BAD: The account has no secret that is valid") {
		t.Error(says)
	}
	says, _ = dryRun(t, request(tried, "X-Signature", good), platform.Account{Settings: json.RawMessage(`{"hush":1}`)}, at)
	if !strings.Contains(says, "settings BAD") {
		t.Error(says)
	}
}

// A signature that no secret made: the dry run says which other reading fits.
func TestDryRun_whatWouldMatch(t *testing.T) {
	t.Parallel()
	hexed, encoded := hex.EncodeToString([]byte(secret)), "a2V5cG9vbC1nZW5lcmljLXNlY3JldA=="
	bare := `{"signature":{"header":"X-Signature","key":"%s","signed":"%s"},"time":{"header":"X-Time"},"id_header":"X-Id",` + rest + `}`
	spaced := `{ "order": {"id": 42, "email": "ada@example.com", "sku": "game"} }`
	for name, test := range map[string]struct{ key, signed, secret, body, signer, message, want string }{
		"hex as text":              {"text", "{body}", hexed, tried, secret, tried, "fits secret 1 of the account read as hex: set signature.key to hex"},
		"base64 as text":           {"text", "{body}", encoded, tried, secret, tried, "read as base64"},
		"whsec as text":            {"text", "{body}", "whsec_" + encoded, tried, secret, tried, "read as whsec"},
		"text as hex":              {"hex", "{body}", hexed, tried, hexed, tried, "read as text"},
		"text that is no hex":      {"hex", "{body}", secret, tried, secret, tried, "read as text"},
		"pasted with a line break": {"text", "{body}", secret + "\n", tried, secret, tried, "without the blanks or the line break around it"},
		"set with a line break":    {"text", "{body}", secret, tried, secret + "\n", tried, "with a line break after it"},
		"the prefix is no part":    {"text", "{body}", "whsec_" + secret, tried, secret, tried, "without whsec_ in front"},
		"the time is signed":       {"text", "{body}", secret, tried, secret, "1767366245." + tried, "over {time}.{body}"},
		"the body is signed":       {"text", "{time}.{body}", secret, tried, secret, tried, "over {body}"},
		"id and time are signed":   {"text", "{time}.{body}", secret, tried, secret, "msg.1767366245." + tried, "over {id}.{time}.{body}"},
		"both are wrong":           {"text", "{body}", hexed, tried, secret, "1767366245." + tried, "read as hex: set signature.key to hex, over {time}.{body}"},
		"a line break got lost":    {"text", "{body}", secret, tried, secret, tried + "\n", "if the body ends with a line break"},
		"CR and LF got lost":       {"text", "{body}", secret, tried, secret, tried + "\r\n", "if the body ends with CR and LF"},
		"a line break was added":   {"text", "{body}", secret, tried + "\n", secret, tried, "is left out"},
		"the body was formatted":   {"text", "{body}", secret, spaced, secret, tried, "if the body is JSON without blanks"},
	} {
		r := request(test.body, "X-Signature", inHex(test.signer, test.message), "X-Time", "1767366245", "X-Id", "msg")
		settings := fmt.Sprintf(bare, test.key, test.signed)
		a := account(t, settings, test.secret)
		says, trial := dryRun(t, r, a, at)
		if !strings.Contains(says, test.want) || trial.OK() {
			t.Errorf("%s: it is not said that it fits %s:\n%s", name, test.want, says)
		}
		// The same where the settings say nothing of a time.
		if bare := account(t, `{"signature":{"header":"X-Signature","key":"`+test.key+`"},`+rest+`}`, test.secret); test.signed == "{body}" {
			if says, _ := dryRun(t, r, bare, at); !strings.Contains(says, test.want) {
				t.Errorf("%s, by bare settings: it is not said that it fits %s:\n%s", name, test.want, says)
			}
		}
	}
}

// The side of what is shown is that of the secret that signed.
func TestDryRun_testSecret(t *testing.T) {
	t.Parallel()
	a := account(t, `{"signature":{"header":"X-Signature"},`+rest+`}`, "another secret", secret)
	a.Secrets[1].Test, a.Secrets[1].Name = true, "sandbox"
	says, trial := dryRun(t, request(tried, "X-Signature", inHex(secret, tried)), a, at)
	if !strings.Contains(says, "signed by the secret sandbox, which is of the test mode") || !trial.Events[0].(platform.Paid).Test {
		t.Errorf("%s%+v", says, trial.Events)
	}
}
