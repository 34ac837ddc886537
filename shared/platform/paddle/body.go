package paddle

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// node is a part of a body, or of an answer of the API.
type node struct{ payload.Value }

// parse reads a body or an answer. Its error is a *platform.FieldError.
func parse(body []byte) (node, error) {
	v, err := payload.Parse(body)
	var wrong *payload.SyntaxError
	switch {
	case errors.As(err, &wrong):
		return node{}, &platform.FieldError{Problem: wrong.Problem + ", as Paddle sends it"}
	case err != nil:
		return node{}, err
	}
	return node{v}, nil
}

func (n node) at(p payload.Pointer) node { return node{n.Find(p)} }

// text returns a text, or the digits of a number; "" for anything else.
func (n node) text(p payload.Pointer) string {
	text, _ := n.Find(p).ID()
	return text
}

// custom returns a value of the custom data of an entity, which are the merchant's own.
func (n node) custom(name string) string {
	text, _ := n.Find("/custom_data").Members[name].ID()
	return text
}

// id returns the id of an entity of a kind: "txn_", "adj_". It returns "" for anything else.
func (n node) id(p payload.Pointer, kind string) string {
	text := n.Find(p).Text
	if n.Find(p).Kind != '"' || !isID(text, kind) {
		return ""
	}
	return text
}

// isID says whether a text can be the id of an entity of a kind. It stands in paths and
// queries then.
func isID(text, kind string) bool {
	rest, ok := strings.CutPrefix(text, kind)
	return ok && rest != "" && len(text) <= 64 && strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// amount returns an amount in the lowest unit of its currency, which is a text: "11998".
func (n node) amount(p payload.Pointer) (int64, bool) {
	amount, err := strconv.ParseInt(n.text(p), 10, 64)
	const most = 1 << 53 // sums of them stay within an int64
	return amount, err == nil && amount > -most && amount < most
}

// time returns a time, zero if there is none.
func (n node) time(p payload.Pointer) time.Time {
	at, _ := payload.ParseTime(n.text(p))
	return at
}

func (n node) list(p payload.Pointer) []node {
	values := n.Find(p).List
	list := make([]node, len(values))
	for i, v := range values {
		list[i] = node{v}
	}
	return list
}

// missing returns the mistake in a member of an entity.
func missing(field, order string) error {
	return &platform.FieldError{Field: within + field, Problem: "is not there as Paddle documents it", Order: order}
}

// within is where the entity of an event stands in the body.
const within = "data."
