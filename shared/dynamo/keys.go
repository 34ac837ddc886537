package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/due"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Every key of every item is made here, and read here. The tables are shown in doc.go.

// The beginnings of partition keys. A function is granted only those it needs:
// see infra/deployment.
const (
	// of the catalog
	MerchantPrefix  = "merchant#" // the merchant itself; only function operator writes it as a whole: see OwnOfMerchant
	SettingsPrefix  = "settings#" // its pools, products, accounts and answers; function api writes them
	CountsPrefix    = "counts#"
	TokensPrefix    = "tokens#"     // its API tokens; only function operator makes one
	TokenUsesPrefix = "token-uses#" // when each was last used; function api writes it
	PeoplePrefix    = "people#"     // who works there; functions api and portal write it
	AddressesPrefix = "addresses#"  // who has a mail address, at whatever merchant; written with the person
	UploadsPrefix   = "uploads#"
	RangesPrefix    = "ranges#"
	TicketsPrefix   = "tickets#"
	UsagePrefix     = "usage#"
	ParkedPrefix    = "parked#"
	JobsPrefix      = "jobs#"
	AuditPrefix     = "audit#"   // who changed what; written once, by functions api, operator and deliver
	ReviewPrefix    = "review#"  // its rules of review and its brake; functions api and deliver write them
	SendersPrefix   = "senders#" // its own sender; functions api, sweep and deliver write it
	DomainsPrefix   = "domains#" // a domain that a merchant's mails come from

	// of orders
	OrderPrefix       = "order#"
	QueuePrefix       = "queue#"
	UnconnectedPrefix = "unconnected#"
	RefusedPrefix     = "refused#"
	RefusedOncePrefix = "refused-once#"
	NoticePrefix      = "notice#"
	AlertPrefix       = "alert#"
	HeldPrefix        = "held#"
	BuyerPrefix       = "buyer#"
	IdempotencyPrefix = "idempotency#"
	CorrectedPrefix   = "corrected#" // function api counts there how often addresses are corrected
)

// The beginnings of the partition keys of sessions.
const (
	SignInPrefix   = "sign-in#"
	SessionsPrefix = "sessions#"
	LimitsPrefix   = "limits#"
)

// TestKeys is what the primary keys of license keys have in front of their last part on the test
// side, whatever the merchant, and nowhere on the live side: names have no #.
const TestKeys = "*#test#"

// Sort keys, and the beginnings of those that end in #.
const (
	merchantSort = "merchant"
	poolSort     = "pool#"
	productSort  = "product#"
	accountSort  = "account#"
	rosterSort   = "roster"
	senderSort   = "sender"
	domainSort   = "domain"
	keepSort     = "retention"
	textsSort    = "texts"
	pagesSort    = "order-page"
	readingSort  = "reading#"
	personSort   = "person#"
	countSort    = "count#"
	callsSort    = "calls#"
	catchupSort  = "catchup#"
	soldSort     = "sold#"
	daySort      = "day#"
	exportsSort  = "exports"
	rulesSort    = "rules"
	brakeSort    = "brake"

	lineSort    = "line#"
	formerSort  = "former#"
	chunkSort   = "keys#"
	historySort = "history#"
	refundSort  = "refund#"
	orderSort   = "order"   // what is known of the order as a whole
	bypassSort  = "!bypass" // stands before every line of a queue, so that it is read with its front
	noticeSort  = "notice"
	refusedSort = "refused"
	alertSort   = "alert#"
	callSort    = "call"

	signInSort = "sign-in"
)

// Indexes.
const (
	availableIndex = "available" // of keys
	dueIndex       = "due"       // of orders and of catalog
	kindIndex      = "kind"      // of catalog
	listedIndex    = "listed"    // of orders: every line that was paid
	whoIndex       = "who"       // of orders: the lines of an address
	attentionIndex = "attention" // of orders: lines that somebody has to look at
	testIndex      = "test"      // of keys and of orders: rows of a merchant's test side
)

// Values of the attribute kind, by which the catalog's items are listed.
const (
	merchantKind = "merchant"
	poolKind     = "pool"
	fetchingKind = "fetching" // accounts with credentials of their platform's API
)

// primaryKey is the primary key of an item; those of keys have no sort key. The
// structs of items embed it.
type primaryKey struct {
	PK string `dynamodbav:"pk"`
	SK string `dynamodbav:"sk"`
}

func (k primaryKey) attrs() attrs {
	if k.SK == "" {
		return attrs{"pk": text(k.PK)}
	}
	return attrs{"pk": text(k.PK), "sk": text(k.SK)}
}

// keyOf returns the primary key of an item.
func keyOf(item attrs) primaryKey {
	return primaryKey{stringOf(item["pk"]), stringOf(item["sk"])}
}

// Keys of the catalog.

func merchantKey(merchant string) primaryKey {
	return primaryKey{MerchantPrefix + merchant, merchantSort}
}

func poolKey(merchant, name string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, poolSort + name}
}

func productKey(merchant, id string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, productSort + id}
}

func accountKey(merchant, name string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, accountSort + name}
}

// rosterKey is the place of the version of a merchant's roster of accounts.
func rosterKey(merchant string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, rosterSort}
}

// retentionKey is the place of how long a merchant keeps what is known of customers.
func retentionKey(merchant string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, keepSort}
}

// textsKey is the place of a merchant's texts in the mails of all products.
func textsKey(merchant string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, textsSort}
}

// orderPagesKey is the place of a merchant's settings of order pages.
func orderPagesKey(merchant string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, pagesSort}
}

// readingKey is the place of the answer to a question about files of a pool.
func readingKey(merchant, pool, question string) primaryKey {
	return primaryKey{SettingsPrefix + merchant, readingSort + pool + "#" + question}
}

func countKey(p pool.ID) primaryKey {
	return primaryKey{CountsPrefix + p.Merchant, countSort + p.Pool + "#" + string(p.Side)}
}

func callsKey(merchant, account string) primaryKey {
	return primaryKey{CountsPrefix + merchant, callsSort + account}
}

func catchupKey(merchant, account string) primaryKey {
	return primaryKey{CountsPrefix + merchant, catchupSort + account}
}

// dayKey is the place of what a merchant has called, and was mailed, in a day.
func dayKey(merchant string, day time.Time) primaryKey {
	return primaryKey{CountsPrefix + merchant, daySort + day.UTC().Format(time.DateOnly)}
}

// soldKey is the place of what a merchant has sold in a day.
func soldKey(merchant string, day time.Time) primaryKey {
	return primaryKey{CountsPrefix + merchant, soldSort + day.UTC().Format(time.DateOnly)}
}

// exportsKey is the place of how many exports of a merchant are running.
func exportsKey(merchant string) primaryKey { return primaryKey{CountsPrefix + merchant, exportsSort} }

func reviewPK(merchant string) string { return ReviewPrefix + merchant }

func rulesKey(merchant string) primaryKey { return primaryKey{reviewPK(merchant), rulesSort} }

func brakeKey(merchant string) primaryKey { return primaryKey{reviewPK(merchant), brakeSort} }

func senderKey(merchant string) primaryKey { return primaryKey{SendersPrefix + merchant, senderSort} }

// sender says whether the item is a merchant's sender.
func (k primaryKey) sender() bool {
	return k.SK == senderSort && strings.HasPrefix(k.PK, SendersPrefix)
}

func domainKey(domain string) primaryKey { return primaryKey{DomainsPrefix + domain, domainSort} }

// merchant returns the merchant that an item of merchant#, settings#, counts# or senders#
// belongs to.
func (k primaryKey) merchant() string {
	_, merchant, _ := strings.Cut(k.PK, "#")
	return merchant
}

// after returns the rest of the sort key: the name of a pool, product or account.
func (k primaryKey) after(sort string) string { return strings.TrimPrefix(k.SK, sort) }

func tokenKey(merchant, hash string) primaryKey { return primaryKey{TokensPrefix + merchant, hash} }

func tokenUseKey(merchant, hash string) primaryKey {
	return primaryKey{TokenUsesPrefix + merchant, hash}
}

func personKey(merchant, id string) primaryKey {
	return primaryKey{PeoplePrefix + merchant, personSort + id}
}

// addressKey is the place that says that a person has an address, whatever the case of its
// letters.
func addressKey(address string, of access.Whom) primaryKey {
	return primaryKey{AddressesPrefix + access.HashName(strings.ToLower(address)), of.Merchant + "#" + of.Person}
}

// peopleRosterKey is the place of the version of a merchant's people together.
func peopleRosterKey(merchant string) primaryKey {
	return primaryKey{PeoplePrefix + merchant, rosterSort}
}

func entryKey(merchant, id string) primaryKey { return primaryKey{AuditPrefix + merchant, id} }

func uploadKey(merchant, id string) primaryKey { return primaryKey{UploadsPrefix + merchant, id} }

// upload returns the merchant and the id of an upload.
func (k primaryKey) upload() (merchant, id string) {
	return strings.TrimPrefix(k.PK, UploadsPrefix), k.SK
}

func rangeKey(merchant, upload string, n int) primaryKey {
	return primaryKey{rangesPK(merchant, upload), fmt.Sprintf("%07d", n)}
}

func rangesPK(merchant, upload string) string { return RangesPrefix + merchant + "#" + upload }

// rangeNumber returns the number of an upload's range.
func (k primaryKey) rangeNumber() (int, error) { return strconv.Atoi(k.SK) }

func jobKey(merchant, id string) primaryKey { return primaryKey{JobsPrefix + merchant, id} }

// job returns the merchant and the id of a job, false if the item is none.
func (k primaryKey) job() (merchant, id string, ok bool) {
	merchant, ok = strings.CutPrefix(k.PK, JobsPrefix)
	return merchant, k.SK, ok
}

func usageKey(merchant string, day time.Time) primaryKey {
	return primaryKey{UsagePrefix + merchant, day.UTC().Format(time.DateOnly)}
}

func ticketKey(merchant, ticket string) primaryKey {
	return primaryKey{TicketsPrefix + merchant, ticket}
}

func parkedKey(p pool.ID, upload string) primaryKey {
	return primaryKey{parkedPK(p.Merchant, p.Pool), upload}
}

func parkedPK(merchant, pool string) string { return ParkedPrefix + merchant + "#" + pool }

// Keys of orders.

func orderPK(id string) string { return OrderPrefix + id }

func lineKey(id order.LineID) primaryKey {
	return primaryKey{orderPK(id.OrderHalf()), lineSort + id.LineHalf()}
}

// line returns the line of a fulfillment, false if the item is none.
func (k primaryKey) line() (order.LineID, bool) {
	first, ok1 := strings.CutPrefix(k.PK, OrderPrefix)
	second, ok2 := strings.CutPrefix(k.SK, lineSort)
	id := order.LineID(first + second)
	return id, ok1 && ok2 && id.Valid()
}

// formerKey is the place of a line's customer under a former address, the nth from 1.
func formerKey(id order.LineID, n int) primaryKey {
	return primaryKey{orderPK(id.OrderHalf()), formerSK(id) + strconv.Itoa(n)}
}

// formerSK is the beginning of the sort keys of a line's former addresses.
func formerSK(id order.LineID) string { return formerSort + id.LineHalf() + "#" }

// former returns the line that the item names under a former address, and which one that is;
// false if the item is none.
func (k primaryKey) former() (id order.LineID, n int, ok bool) {
	half, rest, _ := strings.Cut(strings.TrimPrefix(k.SK, formerSort), "#")
	n, err := strconv.Atoi(rest)
	id = order.LineID(strings.TrimPrefix(k.PK, OrderPrefix) + half)
	return id, n, strings.HasPrefix(k.SK, formerSort) && err == nil && id.Valid()
}

func chunkKey(id order.LineID, n int) primaryKey {
	return primaryKey{orderPK(id.OrderHalf()), fmt.Sprintf("%s%05d", chunksSK(id), n)}
}

// chunkNumber returns the number of a chunk of the line.
func (k primaryKey) chunkNumber(id order.LineID) (int, error) {
	return strconv.Atoi(strings.TrimPrefix(k.SK, chunksSK(id)))
}

// chunksSK is the beginning of the sort keys of a line's chunks.
func chunksSK(id order.LineID) string { return chunkSort + id.LineHalf() + "#" }

func historyKey(h order.History) primaryKey {
	if h.Mail == 0 && h.Code != "" { // two holds at one moment are two entries
		sum := sha256.Sum256([]byte(h.Code))
		return primaryKey{orderPK(h.Line.OrderHalf()), fmt.Sprintf("%s%013d#%s#%s", historySK(h.Line), millis(h.At), h.Event, base64.RawURLEncoding.EncodeToString(sum[:6]))}
	}
	return primaryKey{orderPK(h.Line.OrderHalf()), fmt.Sprintf("%s%013d#%s#%d", historySK(h.Line), millis(h.At), h.Event, h.Mail)}
}

// historySK is the beginning of the sort keys of a line's history.
func historySK(id order.LineID) string { return historySort + id.LineHalf() + "#" }

// ofLine returns the line that an entry of a history is of.
func (k primaryKey) ofLine() order.LineID {
	line, _, _ := strings.Cut(strings.TrimPrefix(k.SK, historySort), "#")
	return order.LineID(strings.TrimPrefix(k.PK, OrderPrefix) + line)
}

// refundKey is the place of a refund of a line, by the platform's id of the refund.
func refundKey(id order.LineID, refund string) primaryKey {
	sum := sha256.Sum256([]byte(refund))
	return primaryKey{orderPK(id.OrderHalf()), refundSort + id.LineHalf() + "#" + base64.RawURLEncoding.EncodeToString(sum[:16])}
}

// wholeKey is the place of what is known of an order as a whole.
func wholeKey(orderID string) primaryKey { return primaryKey{orderPK(orderID), orderSort} }

// whole returns the id of the order that the item tells of, false if it is none of those.
func (k primaryKey) whole() (orderID string, ok bool) {
	orderID, ok = strings.CutPrefix(k.PK, OrderPrefix)
	return orderID, ok && k.SK == orderSort
}

func queuePK(p pool.ID) string {
	return QueuePrefix + p.Merchant + "#" + p.Pool + "#" + string(p.Side)
}

func unconnectedPK(merchant string, side pool.Side, product string) string {
	return UnconnectedPrefix + merchant + "#" + string(side) + "#" + product
}

// queueKey returns the place of a line in the queue of its pool, or of its product
// while no pool feeds that; false if the line does not wait.
func queueKey(f order.Fulfillment) (primaryKey, bool) {
	var k primaryKey
	switch f.State() {
	case order.Waiting:
		k.PK = queuePK(f.PoolID())
	case order.Unconnected:
		k.PK = unconnectedPK(f.Merchant, f.Side, f.ConnectedBy())
	default:
		return k, false
	}
	k.SK = fmt.Sprintf("%013d#%s", millis(f.ReceivedAt), f.ID)
	return k, true
}

func heldPK(merchant string, side pool.Side) string {
	return HeldPrefix + merchant + "#" + string(side)
}

// heldKey returns the place of a line among those that a rule holds; false if none does.
func heldKey(f order.Fulfillment) (primaryKey, bool) {
	if !f.HeldByRule() {
		return primaryKey{}, false
	}
	return primaryKey{heldPK(f.Merchant, f.Side), fmt.Sprintf("%013d#%s", millis(f.ReceivedAt), f.ID)}, true
}

// buyerKey is the place of the orders of one address in a day.
func buyerKey(f order.Fulfillment) primaryKey {
	return primaryKey{BuyerPrefix + f.Merchant + "#" + string(f.Side) + "#" + f.CustomerHash, f.ReceivedAt.UTC().Format(time.DateOnly)}
}

// correctionsKey is the place of the corrections of addresses in an hour: of an order, or of
// all of the merchant's where it is "".
func correctionsKey(merchant string, at time.Time, orderID string) primaryKey {
	k := primaryKey{CorrectedPrefix + merchant, at.UTC().Format("2006-01-02T15")}
	if orderID != "" {
		k.SK += "#" + orderID
	}
	return k
}

// queued returns the line that has a place in a queue, and when it was received.
func (k primaryKey) queued() (order.LineID, time.Time, error) {
	ms, id, ok := strings.Cut(k.SK, "#")
	received, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || !order.LineID(id).Valid() {
		return "", time.Time{}, fmt.Errorf("%s %s is not a place in a queue", k.PK, k.SK)
	}
	return order.LineID(id), at(received), nil
}

func bypassKey(p pool.ID) primaryKey { return primaryKey{queuePK(p), bypassSort} }

func refusedPK(merchant string) string { return RefusedPrefix + merchant }

// refusalKey is the place of a refusal among those of a merchant, by its time.
func refusalKey(merchant string, at time.Time, name string) primaryKey {
	return primaryKey{refusedPK(merchant), fmt.Sprintf("%013d#%s", millis(at), name)}
}

// refusalNameKey is the key by which a repeat of a refused webhook is known.
func refusalNameKey(merchant, name string) primaryKey {
	return primaryKey{RefusedOncePrefix + merchant + "#" + name, refusedSort}
}

func idempotentCallKey(id string) primaryKey {
	return primaryKey{IdempotencyPrefix + id, callSort}
}

func noticeKey(id string) primaryKey { return primaryKey{NoticePrefix + id, noticeSort} }

// notice returns the id of a notice, false if the item is none.
func (k primaryKey) notice() (id string, ok bool) {
	id, ok = strings.CutPrefix(k.PK, NoticePrefix)
	return id, ok && k.SK == noticeSort
}

func alertKey(p pool.ID) primaryKey {
	return primaryKey{AlertPrefix + p.Merchant + "#" + p.Pool, alertSort + string(p.Side)}
}

// Keys of keys.

// licenseKey returns the primary key of a key's item.
func licenseKey(id pool.KeyID) primaryKey { return primaryKey{PK: string(id)} }

// side returns the side that a license key is of.
func (k primaryKey) side() pool.Side {
	_, rest, _ := strings.Cut(k.PK, "#")
	side, _, _ := strings.Cut(rest, "#")
	return pool.Side(side)
}

// licenseMerchant returns the merchant that a license key is of.
func (k primaryKey) licenseMerchant() string {
	merchant, _, _ := strings.Cut(k.PK, "#")
	return merchant
}

// shardName is the partition of the index of available keys that has shard n of a pool side.
func shardName(p pool.ID, n int) string {
	return p.Merchant + "#" + p.Pool + "#" + string(p.Side) + "#" + strconv.Itoa(n)
}

// The index of what is due.

// duePartition returns the partition of the index of what is due that the named item stands in.
func duePartition(name string) string {
	return dueName(hashOfName(name, due.Partitions))
}

// hashOfName returns a number below n that a name always has.
func hashOfName(name string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() % uint32(n))
}

func dueName(partition int) string { return "due#" + strconv.Itoa(partition) }

// Keys of sessions.

func signInKey(hash string) primaryKey { return primaryKey{SignInPrefix + hash, signInSort} }

// sessionKey is the key of a session of a person's. A person's ID is a name: it holds no #.
func sessionKey(of access.Whom, hash string) primaryKey {
	return primaryKey{SessionsPrefix + of.Merchant + "#" + of.Person, hash}
}

func limitKey(what, hash string, begins time.Time) primaryKey {
	return primaryKey{LimitsPrefix + what + "#" + hash, strconv.FormatInt(begins.Unix(), 10)}
}
