package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/dynamo"
	"keypool/shared/settings"
)

// person adds a person, and returns a token that stands for the person.
func (w *world) person(merchant, id string, role access.Role) (bearer string) {
	w.Helper()
	people := &settings.People{Store: w.store, Now: w.now}
	who := access.Person{Merchant: merchant, ID: id, Name: id, Address: id + "@example.com", Role: role}
	if _, _, err := people.Put(w.Context(), who, access.Operator(), settings.Condition{}); err != nil {
		w.Fatal(err)
	}
	_, bearer, err := (&settings.Tokens{Store: w.store, Now: w.now}).Create(w.Context(), settings.NewToken{Merchant: merchant, Name: "test", Person: id, By: access.Operator()})
	if err != nil {
		w.Fatal(err)
	}
	return bearer
}

// Every cell of the table of roles and operations is tried: who may gets past the door, who
// may not is told so and changes nothing.
func TestEveryOperation_ofEachRole(t *testing.T) {
	t.Parallel()
	w := open(t)
	newOwner(w)
	bearers := map[access.Role]string{}
	for _, role := range access.Roles {
		bearers[role] = w.person(ownersName, string(role), role)
	}
	calls := document.Calls(t)
	before, refused := w.dump(), 0
	for _, c := range calls {
		for role, bearer := range bearers {
			if role.May(c.Operation) {
				continue
			}
			refused++
			got := w.shop(bearer, c.Method, c.Path, c.Body, "if-match", "*")
			if got.StatusCode != http.StatusForbidden || !strings.Contains(got.Body, "not for the role "+string(role)) {
				t.Errorf("%s by the role %s: %d, want 403\n%s", c.Operation, role, got.StatusCode, got.Body)
			}
		}
	}
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a refused role changed something:\n%s", diff)
	}
	allowed := 0
	for _, c := range calls {
		if slices.Contains([]string{"delete-person", "revoke-token"}, c.Operation) {
			continue // below: they could take a caller away
		}
		for role, bearer := range bearers {
			if !role.May(c.Operation) {
				continue
			}
			allowed++
			body := c.Body
			if role == access.Support && strings.HasPrefix(c.Operation, "resend-order") {
				body = "{}" // the example corrects the address
			}
			if got := w.shop(bearer, c.Method, c.Path, body, "if-match", "*"); got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s by the role %s: %d\n%s", c.Operation, role, got.StatusCode, got.Body)
			}
		}
	}
	for _, path := range []string{"/v1/people/support", "/v1/tokens/" + sampleTokens.Items[0].ID} {
		if got := w.shop(bearers[access.Owner], "DELETE", path, nil, "if-match", "*"); got.StatusCode >= 500 || got.StatusCode == http.StatusForbidden {
			t.Errorf("DELETE %s by an owner: %d", path, got.StatusCode)
		}
	}
	canary.Figure("API calls by people whose role does not allow them", refused)
	if allowed < len(calls) {
		t.Errorf("only %d calls were allowed", allowed)
	}
}

// What the roles are for, in words of their own: the table cannot be widened unnoticed.
func TestRoles_areWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	for operation, needed := range access.Needs {
		if !access.Owner.May(operation) {
			t.Errorf("an owner may not %s", operation)
		}
		if alone := needed == access.Secrets || needed == access.People; access.Manager.May(operation) == alone {
			t.Errorf("%s, which needs %s, by a manager: %v", operation, needed, !alone)
		}
	}
	for _, c := range document.Calls(t) {
		if access.Read.May(c.Operation) && c.Method != http.MethodGet && c.Operation != "find-keys" && c.Operation != "preview-mail" {
			t.Errorf("who only reads may %s", c.Operation)
		}
		if access.Stock.May(c.Operation) && (strings.Contains(c.Operation, "order") || strings.Contains(c.Operation, "find") || strings.Contains(c.Operation, "export")) {
			t.Errorf("who brings keys may %s", c.Operation)
		}
	}
	if role := access.Role("nobody"); role.May("get-pool") || access.Owner.May("no-operation") {
		t.Error("a role or an operation that there is not is allowed")
	}
}

// The table that people read.
func TestRoles_tableIsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Who may do what\n\nThe operations of the merchants' API by the roles of people, and the scope that a token needs. Written by `make documents` from `shared/access`;\n`TestEveryOperation_ofEachRole` and `TestEveryOperation_needsItsScope` try every cell.\n\n")
	b.WriteString("| operation | scope |")
	for _, role := range access.Roles {
		fmt.Fprintf(&b, " %s |", role)
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":---:|", len(access.Roles)) + "\n")
	for _, operation := range slices.Sorted(maps.Keys(access.Needs)) {
		fmt.Fprintf(&b, "| `%s` | `%s` |", operation, access.Needs[operation])
		for _, role := range access.Roles {
			mark := ""
			if role.May(operation) {
				mark = "yes"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	resttest.IsFile(t, "roles.md", []byte(b.String()))
}

func TestPeople(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	put := func(id string, p Person, headers ...string) resttest.Response {
		t.Helper()
		return w.shop(bearer, "PUT", "/v1/people/"+id, p, headers...)
	}
	ada := Person{Name: "Ada Byron", Email: "ada@acme.example", Role: "owner"}
	first := put("ada", ada).Want(201)
	put("ada", ada).Want(200)
	put("grace", Person{Name: "Grace Hopper", Email: "grace@acme.example", Role: "support"}).Want(201)
	put("grace", Person{Name: "Grace Hopper", Email: "grace@acme.example", Role: "manager"}).Want(428)
	put("grace", Person{Name: "Grace Hopper", Email: "ADA@acme.example", Role: "manager"}, "if-match", "*").Want(422)
	if got := put("x", Person{Name: "", Email: "no", Role: "king"}).Want(422).Locations(); !slices.Equal(sorted(got), []string{"body.email", "body.name", "body.role"}) {
		t.Errorf("mistakes at %q", got)
	}

	// The last owner stays.
	demoted := ada
	demoted.Role = "manager"
	if got := put("ada", demoted, "if-match", first.ETag()).Want(409); !strings.Contains(got.Body, "last owner") {
		t.Error(got.Body)
	}
	w.shop(bearer, "DELETE", "/v1/people/ada", nil, "if-match", "*").Want(409)
	put("grace", Person{Name: "Grace Hopper", Email: "grace@acme.example", Role: "owner"}, "if-match", "*").Want(200)
	put("ada", demoted, "if-match", `"9"`).Want(412)
	put("ada", demoted, "if-match", first.ETag()).Want(200)
	w.shop(bearer, "DELETE", "/v1/people/grace", nil, "if-match", "*").Want(409)
	w.shop(bearer, "DELETE", "/v1/people/ada", nil).Want(428)
	w.shop(bearer, "DELETE", "/v1/people/ada", nil, "if-match", "*").Want(204)
	w.shop(bearer, "DELETE", "/v1/people/ada", nil, "if-match", "*").Want(404)
	var list PersonList
	w.shop(bearer, "GET", "/v1/people", nil).Want(200).Into(&list)
	if diff := gocmp.Diff([]Person{{ID: "grace", Name: "Grace Hopper", Email: "grace@acme.example", Role: "owner", AddedAt: noon}}, list.Items); diff != "" {
		t.Error(diff)
	}

	// The merchant is told, and the trail says who did what.
	told := fmt.Sprint(dynamotest.Items(t, w.tables.Orders, dynamo.NoticePrefix))
	for _, says := range []string{"changed-person", "Ada Byron", "role owner", "Grace Hopper", "role support"} {
		if !strings.Contains(told, says) {
			t.Errorf("no notice says %q", says)
		}
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	var changes []string
	for _, e := range trail.Items {
		if e.Thing == "person" {
			changes = append(changes, e.Change+" "+e.Name)
		}
	}
	if diff := gocmp.Diff([]string{"added ada", "added grace", "changed ada", "changed grace", "removed ada"}, sorted(changes)); diff != "" {
		t.Error(diff)
	}
}

// Two owners remove each other at once: one stays.
func TestPeople_ownersRaceAndOneStays(t *testing.T) {
	t.Parallel()
	for range 10 {
		w := open(t)
		bearer := w.merchant("acme")
		w.person("acme", "ada", access.Owner)
		w.person("acme", "grace", access.Owner)
		var all sync.WaitGroup
		statuses := make([]int, 2)
		for i, id := range []string{"ada", "grace"} {
			all.Go(func() {
				statuses[i] = w.shop(bearer, "DELETE", "/v1/people/"+id, nil, "if-match", "*").StatusCode
			})
		}
		all.Wait()
		slices.Sort(statuses)
		var list PersonList
		w.shop(bearer, "GET", "/v1/people", nil).Want(200).Into(&list)
		if !slices.Equal(statuses, []int{204, 409}) || len(list.Items) != 1 {
			t.Fatalf("answered %v, and %d are left", statuses, len(list.Items))
		}
	}
}

// A token that stands for a person has the role of the moment, and ends with the person.
func TestPeople_tokenFollowsItsPerson(t *testing.T) {
	t.Parallel()
	w := open(t)
	owner := w.merchant("acme")
	w.person("acme", "boss", access.Owner)
	bearer := w.person("acme", "ada", access.Manager)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.advance(time.Second)
	w.shop(owner, "PUT", "/v1/people/ada", Person{Name: "Ada", Email: "ada@example.com", Role: "read"}, "if-match", "*").Want(200)
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(200)
	w.shop(bearer, "DELETE", "/v1/pools/elden", nil, "if-match", "*").Want(403)
	var trail AuditList
	w.shop(owner, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	i := slices.IndexFunc(trail.Items, func(e AuditEntry) bool { return e.Thing == "pool" })
	if by := trail.Items[i].By; !strings.HasPrefix(by, `ada (ada), by the token "test" (`) {
		t.Errorf("the trail says %q", by)
	}
	w.shop(owner, "DELETE", "/v1/people/ada", nil, "if-match", "*").Want(204)
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(401)
	// Whoever is added by the id again may be somebody else: the former token is not theirs.
	w.advance(time.Second)
	again := w.person("acme", "ada", access.Owner)
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(401)
	w.shop(again, "GET", "/v1/pools/elden", nil).Want(200)
}
