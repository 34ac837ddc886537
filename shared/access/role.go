package access

import (
	"slices"
	"time"
)

// Role is what a person may do at a merchant.
type Role string

// The roles.
const (
	Owner   Role = "owner"   // everything
	Manager Role = "manager" // everything but people, secrets and tokens
	Support Role = "support" // find orders, re-send, hold
	Stock   Role = "stock"   // keys in, nothing out
	Read    Role = "read"    // look at what is set up and sold
)

// Roles lists every role.
var Roles = []Role{Owner, Manager, Support, Stock, Read}

// roleMeans says what a person of each role may do.
var roleMeans = map[Role]string{
	Owner:   "everything",
	Manager: "all but people, secrets and tokens",
	Support: "find orders, send their mails again, put them on hold",
	Stock:   "bring keys, and see what became of the files",
	Read:    "look at settings and orders",
}

// Meaning says what a person of the role may do, as pages, documents and mails tell it.
func (r Role) Meaning() string { return roleMeans[r] }

// RoleNames returns the names of roles.
func RoleNames(roles []Role) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return names
}

// ownersAlone are the scopes of operations that are for owners alone.
var ownersAlone = []Scope{Secrets, People}

// besides is the table of the operations that are also for other roles than owner and
// manager, by the operation's ID. Most are not.
var besides = map[string][]Role{
	"get-order":     {Support, Read},
	"list-orders":   {Support, Read},
	"list-held":     {Support, Read},
	"list-refusals": {Support, Read},
	"find-keys":     {Support, Read},
	"get-brake":     {Support, Read},

	"hold-order":            {Support},
	"hold-order-by-query":   {Support},
	"resend-order":          {Support},
	"resend-order-by-query": {Support},

	"create-upload": {Stock},
	"add-keys":      {Stock},
	"load-upload":   {Stock},
	"list-uploads":  {Stock, Read},
	"get-upload":    {Stock, Read},
	"list-readings": {Stock, Read},
	"list-pools":    {Stock, Read},
	"get-pool":      {Stock, Read},

	"list-products":  {Read},
	"get-product":    {Read},
	"get-code":       {Read},
	"get-sender":     {Read},
	"get-texts":      {Read},
	"list-tags":      {Read},
	"preview-mail":   {Read},
	"get-order-page": {Read},
	"get-shop":       {Read},
	"get-retention":  {Read},
	"get-review":     {Read},
	"get-catalog":    {Read},
	"get-account":    {Read},
	"list-platforms": {Read},
	"list-jobs":      {Read},
	"get-job":        {Read},
}

// May reports whether the role may do an operation. One that Needs leaves out is nobody's.
func (r Role) May(operation string) bool {
	needed, known := Needs[operation]
	switch {
	case !known:
		return false
	case r == Owner:
		return true
	case slices.Contains(ownersAlone, needed):
		return false
	}
	return r == Manager || slices.Contains(besides[operation], r)
}

// MayCorrectAddress returns a *DeniedError if the principal's mails go to the address that
// paid alone: whoever looks after orders must not be able to lead keys away.
func (p Principal) MayCorrectAddress() error {
	if p.Role == Support {
		return &DeniedError{Needs: OrdersWrite, Role: p.Role}
	}
	return nil
}

// RolesFor returns the roles that may do an operation.
func RolesFor(operation string) []Role {
	return slices.DeleteFunc(slices.Clone(Roles), func(r Role) bool { return !r.May(operation) })
}

// Person is somebody who works at a merchant.
type Person struct {
	Merchant string
	ID       string // the merchant's own name for the person
	Version  int
	Name     string
	Address  string // of mail
	Role     Role
	AddedAt  time.Time
}

// since reports whether what was given to the person at that time, such as a session or a token,
// is theirs still: it ends when they are removed, and does not come back with somebody who is
// added by the same ID.
func (p Person) since(given time.Time) bool { return !given.Before(p.AddedAt) }
