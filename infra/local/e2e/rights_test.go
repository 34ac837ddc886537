//go:build deployment

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
)

// Each role does what it is there for, and nothing else: every action that we
// know of is tried on every thing of the deployment under a session of every
// role. Which of them must succeed and which be denied follows from the template
// alone, and not from what the emulator made of it.
func TestRoles(t *testing.T) { // not beside the others: a right too many would let it break what they need
	d := read(t)
	attempts := d.attempts(t)
	var allowed, denied int
	exercised := map[string]bool{}
	var mu sync.Mutex
	for _, role := range slices.Sorted(maps.Keys(d.roles)) {
		session := d.roles[role].assume(t)
		var calls errgroup.Group
		calls.SetLimit(8)
		for _, a := range attempts {
			calls.Go(func() error {
				by := d.roles[role].allows(a)
				answer, err := a.send(t.Context(), session)
				if err != nil {
					return fmt.Errorf("%s: %s on %s: %w", role, a.action, a.on, err)
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case len(by) > 0 && !answer.denied() && answer.reached(a):
					allowed++
					for _, right := range by {
						exercised[role+": "+right] = true
					}
				case len(by) > 0:
					t.Errorf("%s may do %s on %s, and got %s", role, a.action, a, answer)
				case answer.denied():
					denied++
				default:
					t.Errorf("%s may not do %s on %s, and got %s", role, a.action, a, answer)
				}
				return nil
			})
		}
		if err := calls.Wait(); err != nil {
			t.Error(err)
		}
	}

	indirect := 0
	for role, r := range d.roles {
		for right, statement := range r.rights() {
			switch {
			case statement.via() != "":
				indirect++ // of use to the service alone, on behalf of the function
			case !exercised[role+": "+right]:
				t.Errorf("%s: no call needs the right to %s; give it one in attempts, or take it away", role, right)
			}
		}
	}
	if allowed < 100 || denied < 1000 {
		t.Errorf("only %d calls were allowed and %d denied: this is not the deployment", allowed, denied)
	}
	canary.Figure("roles", len(d.roles))
	canary.Figure("calls allowed", allowed)
	canary.Figure("calls denied", denied)
	canary.Figure("rights exercised", len(exercised))
	canary.Figure("rights by way of a service", indirect)
}

// assume opens a session of a role. It trusts a service alone, for whose own calls
// the emulator takes the account's root; TestRights_rolesBelongToTheirService
// holds who is trusted, and the attempts below that no role assumes another.
func (g grants) assume(t *testing.T) aws.Credentials {
	t.Helper()
	session, err := sts.NewFromConfig(world.shop.AWS).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &g.arn, RoleSessionName: aws.String("rights")})
	if err != nil {
		t.Fatal(err)
	}
	c := session.Credentials
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

// grants are the statements of a role, as they stand in the template.
type grants struct {
	arn        string
	statements []grant
}

type grant struct {
	Effect    string
	Action    oneOrMany
	Resource  oneOrMany
	Condition map[string]map[string]oneOrMany
}

// allows returns the rights by which a role may make a call, none if it may not.
func (g grants) allows(a attempt) []string {
	var by []string
	for _, s := range g.statements {
		if !slices.Contains(s.Action, a.action) || !slices.ContainsFunc(s.Resource, func(pattern string) bool { return lambdatest.Matches(pattern, a.on) }) {
			continue
		}
		if s.holds(a.context) {
			by = append(by, s.right(a.action, a.context["dynamodb:LeadingKeys"]))
		}
	}
	return by
}

// rights are all that the statements give, an action and a kind of item at a time.
func (g grants) rights() map[string]grant {
	all := map[string]grant{}
	for _, s := range g.statements {
		for _, action := range s.Action {
			if begins := s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]; begins != nil {
				for _, key := range begins {
					all[s.right(action, oneOrMany{key})] = s
				}
				continue
			}
			all[s.right(action, nil)] = s
		}
	}
	return all
}

// right names what a statement gives.
func (s grant) right(action string, keys []string) string {
	right := action + " on " + strings.Join(s.Resource, ", ")
	for _, pattern := range s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] {
		if slices.ContainsFunc(keys, func(key string) bool { return lambdatest.Matches(pattern, key) }) {
			right += " for " + pattern
		}
	}
	if via := s.via(); via != "" {
		right += " by way of " + via
	}
	for key := range s.Condition["StringLike"] {
		right += " with " + key
	}
	return right
}

// via is the service on whose calls alone the statement holds.
func (s grant) via() string { return strings.Join(s.Condition["StringEquals"]["kms:ViaService"], ", ") }

// holds tells whether the conditions do. There are five operators in the
// template; another fails the test when the template is read.
func (s grant) holds(context map[string][]string) bool {
	for operator, keys := range s.Condition {
		for key, patterns := range keys {
			given := context[key]
			if operator == "Null" {
				if slices.Equal(patterns, oneOrMany{"false"}) != (len(given) > 0) {
					return false
				}
				continue
			}
			every := !slices.ContainsFunc(given, func(value string) bool {
				return !slices.ContainsFunc(patterns, func(pattern string) bool { return lambdatest.Matches(pattern, value) })
			})
			if !every || !strings.HasPrefix(operator, "ForAllValues:") && len(given) == 0 {
				return false
			}
		}
	}
	return true
}

// oneOrMany is a text, or several.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(o))
}

// A signed address is good for the one file that it names: who was given it for
// their own pool reaches no other merchant's folder by it.
func TestSignedAddress_isForOneFile(t *testing.T) {
	t.Parallel()
	m, other := newMerchant(t), newMerchant(t)
	content := newKeys(1)[0]
	var ticket struct{ URL string }
	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/pools/"+m.pool+"/uploads", map[string]any{"name": "own.txt", "size": len(content)}, &ticket); err != nil {
		t.Fatal(err)
	}
	put := func(url string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("If-None-Match", "*")
		answer, err := world.shop.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for name, url := range map[string]string{
		"another merchant's folder": strings.Replace(strings.Replace(ticket.URL, m.pool, other.pool, 1), "/"+m.Merchant+"/", "/"+other.Merchant+"/", 1),
		"another file":              strings.Replace(ticket.URL, "own.txt", "more.txt", 1),
		"the bucket's root":         strings.Replace(ticket.URL, "/uploads/"+m.Merchant+"/"+m.pool+"/", "/", 1),
	} {
		if url == ticket.URL {
			t.Fatalf("%s: nothing was changed in the address", name)
		}
		if status := put(url); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, status)
		}
	}
	if status := put(ticket.URL); status != http.StatusOK {
		t.Errorf("the file itself: %d", status)
	}
	m.loaded("own.txt")
}
