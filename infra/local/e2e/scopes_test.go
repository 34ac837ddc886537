//go:build deployment

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
)

// A token of one scope is walked over the whole document: what the document says it may do
// gets past the door, and everything else is refused with the scope that it lacks.
func TestTokenOfOneScope(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	made, err := world.shop.AddToken(t.Context(), m.Merchant, shop.NewToken{Name: "one scope", Scopes: []string{"orders:read"}})
	if err != nil {
		t.Fatal(err)
	}
	world.canaries.Add(canary.Token, made.Text)
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
		}
	}
	if err := json.Unmarshal(do(t, shop.Request{Method: "GET", Path: "/openapi.json"}).Body, &document); err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": {"Bearer " + made.Text}, "Content-Type": {"application/json"}, "If-Match": {"*"}}
	may, mayNot := 0, 0
	for template, methods := range document.Paths {
		for method, op := range methods {
			path := strings.NewReplacer("{", "", "}", "").Replace(template) // each thing by its own name, which there is not
			answer := do(t, shop.Request{Method: strings.ToUpper(method), Path: path, Header: header, Body: []byte("{}")})
			scope := op.Security[0]["merchant"][0]
			refused := answer.Status == http.StatusForbidden && strings.Contains(string(answer.Body), "the scope "+scope+".")
			switch {
			case answer.Status == http.StatusUnauthorized || answer.Status >= 500:
				t.Errorf("%s: %d %s", op.OperationID, answer.Status, answer.Body)
			case scope == "orders:read":
				may++
				if answer.Status == http.StatusForbidden {
					t.Errorf("%s is refused: %s", op.OperationID, answer.Body)
				}
			default:
				mayNot++
				if !refused {
					t.Errorf("%s, which needs %s: %d %s", op.OperationID, scope, answer.Status, answer.Body)
				}
			}
		}
	}
	if may < 5 || mayNot < 50 {
		t.Errorf("%d operations are open to it, and %d closed", may, mayNot)
	}
}
