package ses

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
)

// answers are SES's answers by method and path, each a status and a body; a code of an error
// stands before its body.
type answers map[string]struct {
	status int
	code   string
	body   string
}

// openIdentities returns Identities whose SES gives these answers, and the requests it got.
func openIdentities(t *testing.T, by answers) (*Identities, *[]string) {
	t.Helper()
	requests := &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call := r.Method + " " + r.URL.Path
		*requests = append(*requests, strings.TrimSpace(call+" "+string(body)))
		answer, ok := by[call]
		if !ok {
			answer.status, answer.body = 200, "{}"
		}
		if answer.code != "" {
			w.Header().Set("X-Amzn-ErrorType", answer.code)
		}
		w.WriteHeader(answer.status)
		io.WriteString(w, answer.body)
	}))
	t.Cleanup(server.Close)
	return OpenIdentities(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: aws.String(server.URL),
	}, "keypool-mail"), requests
}

const (
	identities = "/v2/email/identities"
	nova       = identities + "/nova.example"
)

// A domain is claimed with the deployment's tag, and given the domain of the envelope's
// sender. One that is there already is given that alone, and one of somebody else's is left.
func TestIdentities_claim(t *testing.T) {
	create := "POST " + identities + ` {"EmailIdentity":"nova.example","Tags":[{"Key":"keypool","Value":"keypool-mail"}]}`
	mailFrom := "PUT " + nova + `/mail-from {"BehaviorOnMxFailure":"USE_DEFAULT_VALUE","MailFromDomain":"keys-1.nova.example"}`
	for name, c := range map[string]struct {
		by    answers
		calls []string
		taken bool
		fails bool
	}{
		"new":             {nil, []string{create, mailFrom}, false, false},
		"there already":   {answers{"POST " + identities: {400, "AlreadyExistsException", "{}"}}, []string{create, mailFrom}, false, false},
		"somebody else's": {answers{"POST " + identities: {400, "AlreadyExistsException", "{}"}, "PUT " + nova + "/mail-from": {403, "AccessDeniedException", "{}"}}, []string{create, mailFrom}, true, true},
		"no right":        {answers{"POST " + identities: {403, "AccessDeniedException", "{}"}}, []string{create}, false, true},
		"not valid":       {answers{"POST " + identities: {400, "BadRequestException", `{"message":"nova.example"}`}}, []string{create}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := openIdentities(t, c.by)
			err := client.Claim(t.Context(), "nova.example", "keys-1.nova.example")
			if errors.Is(err, catalog.ErrTaken) != c.taken || (err != nil) != c.fails {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "nova") {
				t.Errorf("the error quotes SES: %v", err)
			}
			if !slices.EqualFunc(*requests, c.calls, sameJSON) {
				t.Errorf("asked for %q, want %q", *requests, c.calls)
			}
		})
	}
}

// sameJSON says whether two calls are the same, whatever the order of members.
func sameJSON(a, b string) bool {
	parse := func(call string) (line string, body map[string]any) {
		i := strings.IndexByte(call+"{", '{')
		_ = json.Unmarshal([]byte(call[i:]), &body)
		return strings.TrimSpace(call[:i]), body
	}
	lineA, bodyA := parse(a)
	lineB, bodyB := parse(b)
	return lineA == lineB && cmp.Equal(bodyA, bodyB)
}

// A look reads whether SES found the records, each by itself.
func TestIdentities_look(t *testing.T) {
	verified := catalog.Identity{Sends: true, Tokens: []string{"t1"}, Zone: "dkim.eu-north-9.amazonses.com", MailFrom: "keys-1.nova.example", Found: true}
	with := func(change func(*catalog.Identity)) catalog.Identity { i := verified; change(&i); return i }
	answer := func(sends bool, dkim, mailFrom string) string {
		raw, _ := json.Marshal(map[string]any{
			"VerifiedForSendingStatus": sends,
			"DkimAttributes":           map[string]any{"Status": dkim, "Tokens": []string{"t1"}, "SigningHostedZone": verified.Zone},
			"MailFromAttributes":       map[string]any{"MailFromDomain": verified.MailFrom, "MailFromDomainStatus": mailFrom},
		})
		return string(raw)
	}
	for name, c := range map[string]struct {
		status     int
		code, body string
		want       catalog.Identity
		known      bool
		fails      bool
	}{
		"all found":                   {200, "", answer(true, "SUCCESS", "SUCCESS"), verified, true, false},
		"none yet":                    {200, "", answer(false, "PENDING", "PENDING"), with(func(i *catalog.Identity) { i.Sends, i.Found = false, false }), true, false},
		"verified by other means":     {200, "", answer(true, "PENDING", "SUCCESS"), with(func(i *catalog.Identity) { i.Sends = false }), true, false},
		"given up":                    {200, "", answer(false, "FAILED", "FAILED"), with(func(i *catalog.Identity) { i.Sends, i.Found, i.Lost = false, false, true }), true, false},
		"an answer that says nothing": {200, "", "{}", catalog.Identity{Zone: "dkim.amazonses.com"}, true, false},
		"gone":                        {404, "NotFoundException", "{}", catalog.Identity{}, false, false},
		"somebody else's by now":      {403, "AccessDeniedException", "{}", catalog.Identity{}, false, false},
		"too many requests":           {400, "BadRequestException", "{}", catalog.Identity{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := openIdentities(t, answers{"GET " + nova: {c.status, c.code, c.body}})
			got, known, err := client.Look(t.Context(), "nova.example")
			if known != c.known || (err != nil) != c.fails {
				t.Errorf("known %v, %v", known, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A domain that is gone is free.
func TestIdentities_free(t *testing.T) {
	for code, fails := range map[string]bool{"NotFoundException": false, "ConcurrentModificationException": true} {
		client, _ := openIdentities(t, answers{"DELETE " + nova: {404, code, "{}"}})
		if err := client.Free(t.Context(), "nova.example"); (err != nil) != fails {
			t.Errorf("%s: %v", code, err)
		}
	}
}
