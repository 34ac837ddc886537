package simulate

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// A checker that never finds anything proves nothing: each rule is broken here once.

type item = map[string]types.AttributeValue

// attributes makes an item of alternating names and values: strings, numbers, and lists of
// keys, each an ID and a text.
func attributes(pairs ...any) item {
	made := item{}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch value := pairs[i+1].(type) {
		case string:
			made[name] = &types.AttributeValueMemberS{Value: value}
		case *types.AttributeValueMemberL:
			made[name] = value
		case item:
			made[name] = &types.AttributeValueMemberM{Value: value}
		case bool:
			made[name] = &types.AttributeValueMemberBOOL{Value: value}
		case int:
			made[name] = &types.AttributeValueMemberN{Value: strconv.Itoa(value)}
		case []string:
			list := &types.AttributeValueMemberL{}
			for _, text := range value {
				list.Value = append(list.Value, &types.AttributeValueMemberS{Value: text})
			}
			made[name] = list
		case [][2]string:
			list := &types.AttributeValueMemberL{}
			for _, k := range value {
				list.Value = append(list.Value, &types.AttributeValueMemberM{Value: attributes("id", k[0], "text", k[1])})
			}
			made[name] = list
		}
	}
	return made
}

// fixture sends commits to a ledger.
type fixture struct {
	ledger *ledger
	items  map[string]item
}

func newFixture() *fixture {
	w := newWorld(Plan{Seed: 1, Conditions: Conditions{Latency: time.Millisecond, Shards: 1}})
	return &fixture{ledger: w.ledger, items: map[string]item{}}
}

// write commits items, each by its table and primary key. An item without attributes is
// deleted.
func (b *fixture) write(who string, writes ...write) {
	b.ledger.noteRead(who)
	b.writeLate(who, writes...)
}

// writeLate commits items as decided by an earlier read of the queue.
func (b *fixture) writeLate(who string, writes ...write) {
	c := dynamosim.Commit{Caller: who}
	for _, w := range writes {
		name := w.table + " " + w.pk + " " + w.sk
		key := attributes("pk", w.pk)
		if w.sk != "" {
			key["sk"] = attributes("sk", w.sk)["sk"]
		}
		change := dynamosim.Change{Table: w.table, Key: key, Before: b.items[name]}
		if w.set != nil {
			change.After = w.set
		}
		b.items[name] = change.After
		c.Changes = append(c.Changes, change)
	}
	time.Sleep(time.Millisecond)
	b.ledger.observe(c)
}

type write struct {
	table, pk, sk string
	set           item
}

const (
	idA = order.LineID("aaaaaaaaaaaaaaaaaaaaaaAAAAAAAAAAAAAAAAAAAAAA")
	idB = order.LineID("bbbbbbbbbbbbbbbbbbbbbbBBBBBBBBBBBBBBBBBBBBBB")
)

// textOf returns the text of the key that is named by a letter.
func textOf(id string) string { return keyText(0, int(id[0])) }

// disputeLine claims line A, at version 1, which is held at version 2 for a dispute d of its
// order: that is in a state by now.
func (b *fixture) disputeLine(state string) {
	b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
	b.write("x", whole(1, "disputes", attributes("d", "open")))
	b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"dispute:d"}), placeItem(idA, 0))
	if state != "open" {
		b.write("x", whole(1, "disputes", attributes("d", state)))
	}
}

// dropsDisputes has somebody drop disputes of the order of line A, which they saw at a version;
// 0: they did not.
func (b *fixture) dropsDisputes(version int, disputes ...string) (done func()) {
	d := &decision{verdict: "release", order: idA.OrderHalf(), versions: map[order.LineID]int{}}
	if version > 0 {
		d.versions[idA] = version
	}
	saw, done := b.ledger.drops(d)
	known := order.Whole{Disputes: map[string]order.Dispute{"other": order.DisputeWon}}
	for _, id := range disputes {
		known.Disputes[id] = order.DisputeOpen
	}
	saw(known)
	return done
}

func keyItem(id, state, line string) write {
	set := attributes("pk", "nova#live#"+id, "text", textOf(id), "pool", "elden", "state", state)
	switch state {
	case "available":
		set["shard"] = attributes("x", "nova#elden#live#0")["x"]
	case "claimed", "revoked", "kept":
		set["line"] = attributes("x", line)["x"]
	}
	return write{"keys", "nova#live#" + id, "", set}
}

func lineItem(id order.LineID, version, wanted int, keys ...string) write {
	var held [][2]string
	for _, k := range keys {
		held = append(held, [2]string{"nova#live#" + k, textOf(k)})
	}
	set := attributes("merchant", "nova", "side", "live", "pool", "elden", "product", "game", "quantity", wanted,
		"version", version, "wanted", wanted, "allocated", len(keys), "receivedAt", at(id), "keys", held)
	return write{"orders", "order#" + id.OrderHalf(), "line#" + id.LineHalf(), set}
}

// chunkOf is a chunk of a line.
func chunkOf(id order.LineID, keys ...string) write {
	w := lineItem(id, 0, 0, keys...)
	return write{"orders", w.pk, "keys#" + id.LineHalf() + "#00001", item{"keys": w.set["keys"]}}
}

// with returns a write with other or further attributes.
func with(w write, pairs ...any) write {
	w.set = maps.Clone(w.set)
	maps.Copy(w.set, attributes(pairs...))
	return w
}

// without returns a write without an attribute.
func without(w write, name string) write {
	w.set = maps.Clone(w.set)
	delete(w.set, name)
	return w
}

// reason is an entry of the history of line A or B.
func reason(id order.LineID, what, code string) write {
	return write{"orders", "order#" + id.OrderHalf(), "history#" + id.LineHalf() + "#0#" + what + "#" + code, attributes("what", what, "code", code)}
}

// refund is a refund of a line that was reported, of so many units, of which it was to
// become so of its keys.
func (b *fixture) refund(id order.LineID, units int, to string) write {
	b.ledger.expectReturn(id, "r", units, to)
	return refundItem(id, "r")
}

func refundItem(id order.LineID, refund string) write {
	return write{"orders", "order#" + id.OrderHalf(), "refund#" + id.LineHalf() + "#" + refund, attributes("id", refund)}
}

// whole is what is known of the order of line A: attributes, and returns by their ids.
func whole(version int, pairs ...any) write {
	return write{"orders", "order#" + idA.OrderHalf(), "order", with(write{set: attributes("version", version)}, pairs...).set}
}

// returnsOf are returns of everything, as what is known of an order has them.
func returnsOf(ids ...string) *types.AttributeValueMemberL {
	list := &types.AttributeValueMemberL{}
	for _, id := range ids {
		list.Value = append(list.Value, &types.AttributeValueMemberM{Value: attributes("id", id)})
	}
	return list
}

// failureOf is a refund that failed before it was told of.
func failureOf(id string) *types.AttributeValueMemberL {
	return &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: attributes("id", id, "failedAt", 1)}}}
}

// back is a line whose units are returned.
func back(w write, units int, all bool) write {
	w = with(w, "returnedUnits", units, "returned", units)
	if all {
		w.set["returnedAll"] = &types.AttributeValueMemberBOOL{Value: true}
	}
	return w
}

func noticeItem(id string) write {
	return write{"orders", "notice#" + id, "notice", attributes("mail", "due")}
}

// reportItem is a notice that tells of an upload.
func reportItem(upload string) write {
	return with(noticeItem("nova#upload-report#2026-11-23T12:00"), "facts", attributes("uploads", []string{upload}))
}

func uploadItem(state string, pairs ...any) write {
	return with(write{"catalog", "uploads#nova", "u", attributes("state", state, "name", "uploads/nova/elden/f", "pool", "elden", "lines", 3)}, pairs...)
}

// sending is line A while a mailer has a lease of its mail, until so long from now.
func sending(version, number int, by string, ends time.Duration) write {
	return with(lineItem(idA, version, 1, "k"), "mail", "sending", "mailKind", "keys", "mailNumber", number,
		"leaseBy", by, "leaseEndsAt", int(time.Now().Add(ends).UnixMilli()))
}

// bypass lets new lines bypass the queue for so long.
func bypass(until time.Duration) write {
	return write{"orders", "queue#nova#elden#live", "!bypass", attributes("until", int(time.Now().Add(until).UnixMilli()))}
}

// replaceAndGiveBack mails keys k and l of line A, replaces l by m, and gives m back before
// that is mailed.
func (b *fixture) replaceAndGiveBack() {
	b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""), keyItem("m", "available", ""))
	b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 2, "k", "l"))
	b.mail(1, textOf("k")+" "+textOf("l"))
	b.write("deliver", lineItem(idA, 2, 2, "k", "l"))
	time.Sleep(time.Second)
	b.write("x", keyItem("l", "revoked", string(idA)), keyItem("m", "claimed", string(idA)),
		with(lineItem(idA, 3, 2, "k", "m"), "replaced", []string{"nova#live#l"}), reason(idA, "replaced", ""))
	time.Sleep(time.Second)
	b.write("x", keyItem("m", "available", ""), back(lineItem(idA, 4, 2, "k"), 1, false), b.refund(idA, 1, "restock"))
}

// stock makes so many keys available.
func (b *fixture) stock(n int) {
	var keys []write
	for i := range n {
		keys = append(keys, keyItem(fmt.Sprint("s", i), "available", ""))
	}
	b.write("ingest", keys...)
}

// sellKey claims key k for line A.
func (b *fixture) sellKey() {
	b.write("ingest", keyItem("k", "available", ""))
	b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
}

// at returns when a line was received: A before B.
func at(id order.LineID) int { return 1_000 + int(id[0]) }

func placeItem(id order.LineID, missing int) write {
	w := write{"orders", "queue#nova#elden#live", "0000000001" + strconv.Itoa(at(id))[1:] + "#" + string(id), nil}
	if missing > 0 {
		w.set = attributes("missing", missing)
	}
	return w
}

func TestLedger_noticesWhatBreaksThePromise(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(b *fixture)
		problem string // "" if all is well
	}{
		"a key is sold": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
			}, "",
		},
		"a key is sold twice": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "was sold to line " + string(idA) + " and is now",
		},
		"a line holds a key that does not know of it": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", lineItem(idA, 1, 1, "k"))
			}, "which is not sold to it",
		},
		"a line gets more than it paid for": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 1, "k", "l"))
			}, "holds 2 keys and paid for 1",
		},
		"a key is deleted": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("x", write{"keys", "nova#live#k", "", nil})
			}, "was deleted",
		},
		"a key comes back from where it was put": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("x", keyItem("k", "withdrawn", ""))
				b.write("x", keyItem("k", "available", ""))
			}, "came back",
		},
		"a line waits outside its queue": {
			func(b *fixture) { b.write("claim", lineItem(idA, 1, 1)) }, "stands in its queue: false",
		},
		"a line is served and stays in its queue": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"))
			}, "stands in its queue: true",
		},
		"a queue says otherwise than the line": {
			func(b *fixture) { b.write("claim", lineItem(idA, 1, 2), placeItem(idA, 1)) }, "its queue says 1",
		},
		"a line skips a version": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", lineItem(idA, 3, 1))
			}, "went from version 1 to 3",
		},
		"the second in the queue is served first": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("claim", lineItem(idB, 1, 1), placeItem(idB, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idB)), lineItem(idB, 2, 1, "k"), placeItem(idB, 0))
			}, "was served before line " + string(idA),
		},
		"the second is served when the first came after fill looked": {
			func(b *fixture) {
				b.write("claim", lineItem(idB, 1, 1), placeItem(idB, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.ledger.noteRead("fill")
				time.Sleep(time.Millisecond)
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.writeLate("fill", keyItem("k", "claimed", string(idB)), lineItem(idB, 2, 1, "k"), placeItem(idB, 0))
			}, "",
		},
		"a newcomer takes the key that a waiting line would get": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "lines that waited before it miss 1",
		},
		"a key reads otherwise": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("x", with(keyItem("k", "available", ""), "text", "other"))
			}, "has another text now",
		},
		"a key is half taken": {
			func(b *fixture) { b.write("ingest", with(keyItem("k", "available", ""), "line", string(idA))) }, "is available, in shard",
		},
		"a key stands in another pool's shard": {
			func(b *fixture) {
				b.write("ingest", with(keyItem("k", "available", ""), "shard", "nova#ring#live#0"))
			}, "of nova#elden#live stands in shard nova#ring#live#0",
		},
		"a line is deleted": {
			func(b *fixture) {
				b.sellKey()
				gone := lineItem(idA, 2, 1)
				gone.set = nil
				b.write("x", gone)
			}, "was deleted",
		},
		"a line is paid otherwise": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", with(lineItem(idA, 2, 1, "k"), "product", "dlc"))
			}, "was paid as 1 x game and is now 1 x dlc",
		},
		"a line is due more than its rule says": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 2), "product", "pack"), placeItem(idA, 2))
			}, "paid for 2 x pack and is due 2 keys",
		},
		"a chunk is empty": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", lineItem(idA, 2, 1, "k"), chunkOf(idA))
			}, "a chunk of line " + string(idA) + " is empty",
		},
		"a chunk is written over": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 1, 1), "allocated", 1), chunkOf(idA, "k"))
				b.write("x", keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 1), "allocated", 1), chunkOf(idA, "l"))
			}, "does not hold key " + textOf("k") + " any more and did not give it back",
		},
		"a key in a chunk is replaced": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 1, 1), "allocated", 1), chunkOf(idA, "k"))
				b.write("x", keyItem("k", "revoked", string(idA)), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 1), "allocated", 1, "replaced", []string{"nova#live#k"}), chunkOf(idA, "l"), reason(idA, "replaced", ""))
			}, "",
		},
		"a line gives its key back, which is sold again": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "available", ""), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 1, "restock"))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "",
		},
		"a key is given back and its line holds it still": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "revoked", string(idA)), with(lineItem(idA, 2, 1, "k"), "returned", 1))
			}, "which is not sold to it",
		},
		"a key is given back and its line does not know": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "available", ""))
			}, "was taken from line " + string(idA) + ", which was not changed with it",
		},
		"a line forgets its key": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", with(lineItem(idA, 2, 1), "returned", 1))
			}, "does not hold key " + textOf("k") + " any more and did not give it back",
		},
		"a restocked key still names its line": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", with(keyItem("k", "available", ""), "line", string(idA)), with(lineItem(idA, 2, 1), "returned", 1))
			}, "and is now available, of line " + string(idA),
		},
		"a revoked key comes back": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "revoked", string(idA)), with(lineItem(idA, 2, 1), "returned", 1))
				b.write("x", keyItem("k", "available", ""))
			}, "was revoked and came back",
		},
		"a line gets more keys than are replaced": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""), keyItem("m", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 1, 2, "k"), "returned", 1))
				b.write("x", keyItem("k", "revoked", string(idA)), keyItem("l", "claimed", string(idA)), keyItem("m", "claimed", string(idA)), with(lineItem(idA, 2, 2, "l", "m"), "returned", 1))
			}, "did not wait, and got 2 keys",
		},
		"a mailed key is available again": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.write("x", keyItem("k", "available", ""), with(lineItem(idA, 2, 1), "returned", 1))
			}, "was mailed and is available again",
		},
		"a key with the text of a mailed one is available again": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.write("ingest", keyItem("k2", "available", ""))
				b.write("claim", keyItem("k2", "claimed", string(idB)), lineItem(idB, 1, 1, "k2"))
				b.write("x", keyItem("k2", "available", ""), back(lineItem(idB, 2, 1), 1, true), b.refund(idB, 1, "restock"))
			}, "",
		},
		"a key is mailed that is available again": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.noteLease(outbox.LineItem(string(idA)), 1, "keys")
				b.write("x", keyItem("k", "available", ""), with(lineItem(idA, 2, 1), "returned", 1))
				b.ledger.noteAccepted(noProcess, outbox.LineItem(string(idA)), 1, mail.Message{Text: textOf("k"), HTML: textOf("k")})
			}, "which is available again",
		},
		"a replaced key is mailed though the first mail is marked": {
			func(b *fixture) {
				b.write("ingest", keyItem("l", "available", ""))
				b.sellKey()
				b.mail(1, textOf("k"))
				b.write("deliver", lineItem(idA, 2, 1, "k"))
				b.write("x", keyItem("k", "revoked", string(idA)), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 3, 1, "l"), "replaced", []string{"nova#live#k"}), reason(idA, "replaced", ""))
				b.mail(2, textOf("l"))
			}, "",
		},
		"a line is returned for no reason": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "revoked", string(idA)), back(lineItem(idA, 2, 1), 1, true))
			}, "by what was reported it is 0, all: false",
		},
		"a refund returns more units than it says": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", back(lineItem(idA, 2, 3), 2, false), placeItem(idA, 1), b.refund(idA, 1, ""))
			}, "2 units of line " + string(idA) + " are returned, all: false; by what was reported it is 1",
		},
		"a refund is made up": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", back(lineItem(idA, 2, 3), 2, false), placeItem(idA, 1), refundItem(idA, "r"))
			}, "has refund r, which nobody reported",
		},
		"a refund is applied twice": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), b.refund(idA, 1, ""))
				b.write("x", back(lineItem(idA, 3, 3), 2, false), placeItem(idA, 1), b.refund(idA, 1, ""))
			}, "refund r of line " + string(idA) + " was applied twice",
		},
		"a return is forgotten": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), b.refund(idA, 1, ""))
				b.write("x", lineItem(idA, 3, 3), placeItem(idA, 3))
			}, "0 units of line " + string(idA) + " are returned, all: false; by what was reported it is 1",
		},
		"units are returned and their keys are due still": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", with(back(lineItem(idA, 2, 3), 1, false), "returned", 0), placeItem(idA, 3), b.refund(idA, 1, ""))
			}, "and 0 keys are not due any more, not 1",
		},
		"an amount is taken for units of an order of two lines": {
			func(b *fixture) {
				b.ledger.reported.paid[idA.OrderHalf()] = payOrder{order: "7", currency: "EUR", lines: []paidLine{{"1", "game", 3}, {"2", "game", 1}}}
				b.ledger.expectAmount(idA.OrderHalf(), "r", 1000, "EUR")
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), refundItem(idA, "r"))
			}, "an amount of order 7, 10.00 EUR of 2 lines in EUR, was taken for units",
		},
		"a refund takes units that is known to have failed": {
			func(b *fixture) {
				b.ledger.expectReturn(idA, "r", 1, "")
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.write("x", whole(1, "returns", failureOf("r")))
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), refundItem(idA, "r"))
			}, "has refund r, which had failed",
		},
		"it is forgotten that a refund failed": {
			func(b *fixture) {
				b.write("x", whole(1, "returns", failureOf("r")))
				b.write("x", whole(2, "returns", returnsOf("r")))
			}, "it is forgotten that refund r of order " + idA.OrderHalf() + " failed",
		},
		"amounts that are too little return an order": {
			func(b *fixture) {
				b.ledger.reported.paid[idA.OrderHalf()] = payOrder{order: "7", currency: "EUR", lines: []paidLine{{"1", "game", 3}}}
				b.ledger.expectAmount(idA.OrderHalf(), "r", 2999, "EUR")
				b.write("x", whole(1, "returns", returnsOf("r and all before")))
			}, "order 7 cost 30.00 EUR, and is returned whole by amounts of 0.00 EUR",
		},
		"a line is cancelled that has its keys": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "available", ""), back(lineItem(idA, 2, 1), 1, true), reason(idA, "cancelled", ""))
			}, "was cancelled and did not wait",
		},
		"a line is returned with its order, which it was paid after": {
			func(b *fixture) {
				b.write("x", whole(1, "returns", returnsOf("r")))
				b.write("claim", with(lineItem(idA, 1, 1), "paidAfter", []string{"r"}, "holds", []string{"paid after a return"}))
				b.write("x", with(back(lineItem(idA, 2, 1), 1, true), "paidAfter", []string{"r"}, "holds", []string{"paid after a return"}), reason(idA, "order-returned", "r"))
			}, "was returned with its order, which was not since it was paid",
		},
		"a line that was paid after a return is not held": {
			func(b *fixture) {
				b.write("x", whole(1, "returns", returnsOf("r")))
				b.write("claim", with(lineItem(idA, 1, 1), "paidAfter", []string{"r"}), placeItem(idA, 1))
			}, "was paid after its order was returned, and is not held",
		},
		"a line says that it was paid after a return that never was": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "paidAfter", []string{"r"}, "holds", []string{"paid after a return"}))
			}, "was paid after return r, which nobody reported",
		},
		"a line forgets which returns it was paid after": {
			func(b *fixture) {
				b.write("x", whole(1, "returns", returnsOf("r")))
				b.write("claim", with(lineItem(idA, 1, 1), "paidAfter", []string{"r"}, "holds", []string{"paid after a return"}))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"paid after a return"}))
			}, "forgot that it was paid after return r",
		},
		"a line is held for a dispute that has ended": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", whole(1, "disputes", attributes("d", "won")))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"dispute:d"}), placeItem(idA, 0))
			}, "is held for dispute d, which is \"won\"",
		},
		"a line is released while its dispute is open": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", whole(1, "disputes", attributes("d", "open")))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"dispute:d"}), placeItem(idA, 0))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", ""))
			}, "is not held any more for dispute d, which is open",
		},
		"a dispute is dropped by nobody": {
			func(b *fixture) {
				b.disputeLine("open")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
			}, "dispute d of order " + idA.OrderHalf() + " was dropped by nobody who saw it",
		},
		"a dispute is dropped that was opened later": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(0, "d")
				b.write("x", whole(2, "disputes", attributes("d", "open", "e", "open")))
				b.write("x", whole(3, "disputes", attributes("d", "dropped", "e", "dropped")))
			}, "dispute e of order " + idA.OrderHalf() + " was dropped by nobody who saw it",
		},
		"a dispute is dropped of a line that has changed": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(1, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
			}, "dispute d of order " + idA.OrderHalf() + " was dropped by nobody who saw it",
		},
		"a dispute is dropped that another saw long ago": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(0, "d")()
				time.Sleep(2 * lateCall)
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
			}, "dispute d of order " + idA.OrderHalf() + " was dropped by nobody who saw it",
		},
		"a person drops a dispute": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", "dispute:d: "+droppedWhy))
				b.write("x", whole(3, "disputes", attributes("d", "won")))
			}, "",
		},
		"a dispute was dropped, and the words of it are forgotten when its line is released": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped"), "drops", attributes("d", attributes("by", "ada"))))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", "dispute:d"))
			}, "",
		},
		"a person drops a dispute, and lifts what else holds its line": {
			func(b *fixture) {
				b.disputeLine("open")
				b.write("x", with(lineItem(idA, 3, 1), "holds", []string{"by hand", "dispute:d"}), reason(idA, "held", ""))
				b.dropsDisputes(3, "d")
				b.write("x", with(lineItem(idA, 4, 1), "holds", []string{"dispute:d"}), reason(idA, "released", ""))
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
			}, "",
		},
		"who drops a dispute lifts what somebody else held meanwhile": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", with(lineItem(idA, 3, 1), "holds", []string{"by hand", "dispute:d"}), reason(idA, "held", ""))
				b.write("x", with(lineItem(idA, 4, 1), "holds", []string{"dispute:d"}), reason(idA, "released", ""))
			}, "is not held any more (by hand), and nobody released it",
		},
		"a line goes on being held for a dispute that was dropped": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
				b.ledger.w.checkOrders()
			}, "is held for dispute d: true, which is dropped",
		},
		"a dispute that was dropped is opened again": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
				b.write("x", whole(3, "disputes", attributes("d", "open")))
			}, "dispute d of order " + idA.OrderHalf() + " was \"dropped\" and is \"open\"",
		},
		"a dispute that was won is dropped": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "won")))
				b.write("x", whole(3, "disputes", attributes("d", "dropped")))
			}, "dispute d of order " + idA.OrderHalf() + " was \"won\" and is \"dropped\"",
		},
		"a dispute is forgotten": {
			func(b *fixture) {
				b.disputeLine("open")
				b.write("x", whole(2))
			}, "dispute d of order " + idA.OrderHalf() + " is forgotten",
		},
		"a history says that the platform ended a dispute that a person dropped": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "dropped")))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", "dispute:d"))
			}, "is not held any more (dispute:d), which is dropped, and its history does not tell",
		},
		"a history says that a person dropped a dispute that was won": {
			func(b *fixture) {
				b.disputeLine("open")
				b.dropsDisputes(2, "d")
				b.write("x", whole(2, "disputes", attributes("d", "won")))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", "dispute:d: "+droppedWhy))
			}, "is not held any more (dispute:d), which is won, and its history does not tell",
		},
		"a person is told that a dispute is dropped, which is open": {
			func(b *fixture) {
				b.disputeLine("open")
				b.ledger.dropAnswered(&decision{order: idA.OrderHalf(), disputes: []string{"d"}}, nil)
			}, "it was answered that dispute d of order " + idA.OrderHalf() + " is dropped, which is open",
		},
		"a person is told that a line is held for a dispute that they dropped": {
			func(b *fixture) {
				b.disputeLine("won")
				b.ledger.dropAnswered(&decision{order: idA.OrderHalf(), disputes: []string{"d"}}, []order.Fulfillment{{ID: idA, Holds: []order.Hold{"dispute:d"}}})
			}, "it was answered that dispute d is dropped, and that line " + string(idA) + " is held for it",
		},
		"a line is held by nobody": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand"}), placeItem(idA, 0))
			}, "is held (by hand) for no reason",
		},
		"a line is released by nobody": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand"}), placeItem(idA, 0), reason(idA, "held", ""))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1))
			}, "is not held any more (by hand) for no reason",
		},
		"a line's history tells that it was released, and nobody did": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand"}), placeItem(idA, 0), reason(idA, "held", ""))
				b.write("x", lineItem(idA, 3, 1), placeItem(idA, 1), reason(idA, "released", ""))
			}, "is not held any more (by hand), and nobody released it",
		},
		"a returned key is for sale that was to be revoked": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "available", ""), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "revoke"))
			}, "is available; it was to become one of [revoke]",
		},
		"a refund takes units again that a person had returned": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.ledger.expectByPerson(idA, "r")
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), b.refund(idA, 1, ""))
				b.ledger.expectReturn(idA, "s", 1, "")
				b.write("x", back(lineItem(idA, 3, 3), 2, false), placeItem(idA, 1), refundItem(idA, "s"), reason(idA, "refund-matched", "s"))
			}, "by what was reported it is 1",
		},
		"a refund of units that a person had returned is not told of": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 3), placeItem(idA, 3))
				b.ledger.expectByPerson(idA, "r")
				b.write("x", back(lineItem(idA, 2, 3), 1, false), placeItem(idA, 2), b.refund(idA, 1, ""))
				b.ledger.expectReturn(idA, "s", 1, "")
				b.write("x", back(lineItem(idA, 3, 3), 1, false), placeItem(idA, 2), refundItem(idA, "s"))
			}, "does not tell that refund s is of units that a person had returned",
		},
		"a returned key becomes what an earlier return said": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 2, "k", "l"))
				b.write("x", keyItem("l", "kept", string(idA)), back(lineItem(idA, 2, 2, "k"), 1, false), b.refund(idA, 1, "keep"))
				b.ledger.expectReturn(idA, "s", 1, "")
				b.write("x", keyItem("k", "kept", string(idA)), back(lineItem(idA, 3, 2), 2, true), refundItem(idA, "s"))
			}, "is kept; it was to become one of [revoke]",
		},
		"a further change takes keys as a later return said": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 2, "k", "l"))
				b.write("x", back(lineItem(idA, 2, 2, "k", "l"), 1, false), b.refund(idA, 1, "keep"))
				b.ledger.expectReturn(idA, "s", 1, "")
				b.write("x", keyItem("l", "revoked", string(idA)), back(lineItem(idA, 3, 2, "k"), 2, true), refundItem(idA, "s"))
			}, "is revoked; it was to become one of [keep]",
		},
		"a returned key is for sale again though it was blocked": {
			func(b *fixture) {
				b.sellKey()
				b.write("api", with(keyItem("k", "claimed", string(idA)), "blockedAt", 1))
				b.write("x", with(keyItem("k", "available", ""), "blockedAt", 1), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "restock"))
			}, "is available; it was to become one of [restock]",
		},
		"a key that was blocked is for sale": {
			func(b *fixture) { b.write("ingest", with(keyItem("k", "available", ""), "blockedAt", 1)) }, "is blocked and for sale",
		},
		"a block is taken off": {
			func(b *fixture) {
				b.write("api", with(keyItem("k", "withdrawn", ""), "blockedAt", 1))
				b.write("x", keyItem("k", "withdrawn", ""))
			}, "was blocked, and is not any more",
		},
		"a key is moved that a line has": {
			func(b *fixture) {
				b.sellKey()
				b.write("job", with(keyItem("k", "claimed", string(idA)), "pool", "ring"))
			}, "was claimed and is claimed, and was moved",
		},
		"a key of a withdrawn upload is moved": {
			func(b *fixture) {
				b.write("ingest", with(keyItem("k", "available", ""), "upload", "u"))
				b.write("api", uploadItem("finished", "withdrawal", "job"))
				b.write("job", with(keyItem("k", "available", ""), "upload", "u", "pool", "ring", "shard", "nova#ring#live#0"))
			}, "was moved, and its upload is withdrawn",
		},
		"a returned key is for sale again though its upload was withdrawn": {
			func(b *fixture) {
				b.sellKey()
				b.write("api", uploadItem("finished", "withdrawal", "job"))
				b.write("x", with(keyItem("k", "available", ""), "upload", "u"), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "restock"))
			}, "is available; it was to become one of [restock]",
		},
		"a returned key is for sale again though a page showed it": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.expectShown(idA.OrderHalf())
				b.write("page", with(lineItem(idA, 2, 1, "k"), "shownAt", 1), reason(idA, "keys-shown", ""))
				b.write("x", keyItem("k", "available", ""), with(back(lineItem(idA, 3, 1), 1, true), "shownAt", 1), b.refund(idA, 0, "restock"))
			}, "is available; it was to become one of [restock]",
		},
		"keys are shown that nobody asked for": {
			func(b *fixture) {
				b.sellKey()
				b.write("page", with(lineItem(idA, 2, 1, "k"), "shownAt", 1), reason(idA, "keys-shown", ""))
			}, "are shown, and nobody asked",
		},
		"keys are shown, and nothing tells": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.expectShown(idA.OrderHalf())
				b.write("page", with(lineItem(idA, 2, 1, "k"), "shownAt", 1))
			}, "are shown, and its history does not tell",
		},
		"it is forgotten that keys were shown": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.expectShown(idA.OrderHalf())
				b.write("page", with(lineItem(idA, 2, 1, "k"), "shownAt", 1), reason(idA, "keys-shown", ""))
				b.write("x", lineItem(idA, 3, 1, "k"))
			}, "forgot that its keys were shown",
		},
		"a returned key is lost that was to be for sale": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", keyItem("k", "revoked", string(idA)), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "restock"))
			}, "is revoked; it was to become one of [restock]",
		},
		"a returned key becomes what the settings never said": {
			func(b *fixture) {
				b.write("x", write{"catalog", "merchant#nova", "merchant", attributes("returnedKeys", "keep")})
				b.write("x", write{"catalog", "settings#nova", "product#game", attributes("pool", "elden")})
				b.sellKey()
				b.write("x", keyItem("k", "revoked", string(idA)), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, ""))
			}, "is revoked; it was to become one of [keep]",
		},
		"a returned key becomes what the settings said a moment ago": {
			func(b *fixture) {
				b.write("x", write{"catalog", "merchant#nova", "merchant", attributes("returnedKeys", "keep")})
				b.write("x", write{"catalog", "settings#nova", "product#game", attributes("pool", "elden")})
				b.sellKey()
				b.write("x", write{"catalog", "settings#nova", "product#game", attributes("pool", "elden", "returnedKeys", "revoke")})
				b.write("x", keyItem("k", "kept", string(idA)), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, ""))
			}, "",
		},
		"a replaced key is for sale": {
			func(b *fixture) {
				b.write("ingest", keyItem("l", "available", ""))
				b.sellKey()
				b.write("x", keyItem("k", "available", ""), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 1, "l"), "replaced", []string{"nova#live#k"}), reason(idA, "replaced", ""))
			}, "was replaced, and is available",
		},
		"a key that a mailer had is available again": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.noteLease(outbox.LineItem(string(idA)), 1, "keys")
				b.write("x", keyItem("k", "available", ""), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "restock"))
			}, "was a mailer's and is available again",
		},
		"keys leave that were on hold when their mail was leased": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", with(lineItem(idA, 2, 1, "k"), "holds", []string{"by hand"}), reason(idA, "held", ""))
				b.mail(1, textOf("k"))
			}, "which was on hold when its mail was leased",
		},
		"keys leave that are about to be taken back": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 2, "k", "l"))
				b.write("x", back(lineItem(idA, 2, 2, "k", "l"), 1, false), b.refund(idA, 1, ""))
				b.mail(1, textOf("k")+" "+textOf("l"))
			}, "which held keys that it had given back when its mail was leased",
		},
		"a line without an address is held until one is told": {
			func(b *fixture) {
				b.ledger.reported.paid[idA.OrderHalf()] = payOrder{customer: "ada"}
				b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}))
				b.write("claim", with(lineItem(idA, 2, 1), "who", "acme#live#h"), placeItem(idA, 1), reason(idA, "address-added", ""))
			}, "",
		},
		"a line without an address is not held": {
			func(b *fixture) {
				b.ledger.reported.paid[idA.OrderHalf()] = payOrder{customer: "ada"}
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
			}, "has no address that keys could be sent to, and is not held",
		},
		"a line with an address is held for want of one": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}, "who", "acme#live#h"))
			}, "is held (no address) for no reason",
		},
		"a line without an address is released": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}))
				b.write("x", lineItem(idA, 2, 1), placeItem(idA, 1), reason(idA, "released", ""))
			}, "and nobody told one",
		},
		"a line forgets its address": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "who", "acme#live#h"), placeItem(idA, 1))
				b.write("x", lineItem(idA, 2, 1), placeItem(idA, 1))
			}, "forgot its address",
		},
		"keys are mailed again as a person asked": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.write("deliver", lineItem(idA, 2, 1, "k"))
				b.write("x", with(lineItem(idA, 3, 1, "k"), "mail", "due"), reason(idA, "resent", ""))
				b.mail(2, textOf("k"))
			}, "",
		},
		"keys are mailed twice as a person asked once": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.write("deliver", lineItem(idA, 2, 1, "k"))
				b.write("x", with(lineItem(idA, 3, 1, "k"), "mail", "due"), reason(idA, "resent", ""))
				b.mail(2, textOf("k"))
				b.write("deliver", lineItem(idA, 4, 1, "k"))
				b.mail(3, textOf("k"))
			}, "the first was marked as sent",
		},
		"keys are mailed again since one was replaced, and the new one given back": {
			func(b *fixture) { b.replaceAndGiveBack(); b.mail(2, textOf("k")) }, "",
		},
		"keys are mailed twice after one was replaced, and the new one given back": {
			func(b *fixture) {
				b.replaceAndGiveBack()
				b.mail(2, textOf("k"))
				b.write("deliver", back(lineItem(idA, 5, 2, "k"), 1, false))
				time.Sleep(time.Second)
				b.mail(3, textOf("k"))
			}, "the first was marked as sent",
		},
		"a person asks for a mail, and none is due": {
			func(b *fixture) {
				b.sellKey()
				b.write("x", lineItem(idA, 2, 1, "k"), reason(idA, "resent", ""))
			}, "are to be sent again, and its mail is \"\"",
		},
		"an amount is forgotten": {
			func(b *fixture) {
				amounts := returnsOf("r")
				amounts.Value[0].(*types.AttributeValueMemberM).Value["amount"] = attributes("x", "5.00")["x"]
				b.write("x", whole(1, "returns", amounts))
				b.write("x", whole(2))
			}, "the amount r of order " + idA.OrderHalf() + " is forgotten",
		},
		"a refund was answered and is not stored": {
			func(b *fixture) { b.sellKey(); b.ledger.returnAnswered(idA, "r") }, "refund r of line " + string(idA) + " was answered, and is not stored",
		},
		"a dispute was answered and is not stored": {
			func(b *fixture) { b.ledger.reportAnswered(reportOrder{kind: "open", order: "7", id: "d"}, pool.Live) }, "it was answered that order 7 is open (d), and that is not stored",
		},
		"a history loses an entry": {
			func(b *fixture) {
				gone := reason(idA, "held", "")
				b.write("x", gone)
				gone.set = nil
				b.write("x", gone)
			}, "an entry of the history of line " + string(idA) + " was deleted",
		},
		"a place names nobody": {
			func(b *fixture) { b.write("claim", placeItem(idA, 1)) }, "which does not exist",
		},
		"a line says that it holds more": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 1, 2, "k"), "allocated", 2))
			}, "says it holds 2 keys and holds 1",
		},
		"a line holds another text than its key's": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 1, 1, "k"), "keys", [][2]string{{"nova#live#k", "other"}}))
			}, "with another text",
		},
		"a line holds a key of another pool": {
			func(b *fixture) {
				b.write("ingest", with(keyItem("k", "available", ""), "pool", "ring", "shard", "nova#ring#live#0"))
				b.write("claim", with(keyItem("k", "claimed", string(idA)), "pool", "ring"), lineItem(idA, 1, 1, "k"))
			}, "of nova#ring#live",
		},
		"a line stands in two queues": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				moved := placeItem(idA, 1)
				moved.pk = "queue#nova#ring#live"
				b.write("x", with(lineItem(idA, 2, 1), "pool", "ring"), moved)
			}, "stands in two queues",
		},
		"a line under review is given a key": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"review"}))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 2, 1, "k"), "holds", []string{"review"}))
			}, "did not wait, and got 1 keys",
		},
		"a line that was given back is given a key": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 1), "returned", 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idA)), with(lineItem(idA, 2, 1, "k"), "returned", 1))
			}, "did not wait, and got 1 keys",
		},
		"a line that was given back in part gets all": {
			func(b *fixture) {
				b.write("claim", with(lineItem(idA, 1, 2), "returned", 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 2, "k", "l"), "returned", 1), placeItem(idA, 0))
			}, "missed 1 keys and got 2",
		},
		"a bypass is allowed where there are many keys": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.stock(1002)
				b.write("fill", bypass(5*time.Second))
			}, "",
		},
		"a bypass is allowed where there are few keys": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.stock(1001)
				b.write("fill", bypass(5*time.Second))
			}, "where 1001 keys were to be seen and lines miss 1",
		},
		"a bypass is allowed for long": {
			func(b *fixture) {
				b.stock(1002)
				b.write("fill", bypass(time.Minute))
			}, "lasts until",
		},
		"a newcomer takes the last key by a bypass": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.ledger.bypasses["queue#nova#elden#live"] = time.Now().Add(time.Second)
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "",
		},
		"a newcomer takes the last key by a bypass that has expired": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.ledger.bypasses["queue#nova#elden#live"] = time.Now()
				time.Sleep(time.Second)
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "lines that waited before it miss 1",
		},
		"a newcomer takes the last key by a bypass that it cannot have seen": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.ledger.noteRead("claim")
				b.ledger.bypasses["queue#nova#elden#live"] = time.Now().Add(time.Second)
				b.writeLate("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "lines that waited before it miss 1",
		},
		"a newcomer bypasses the queue while there are many keys": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""), keyItem("m", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "",
		},
		"a newcomer that was given back in part bypasses the queue by what is left of it": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""), keyItem("m", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idB)), back(lineItem(idB, 1, 3, "k"), 2, false), b.refund(idB, 2, ""))
			}, "",
		},
		"a mail is sent again though the first is marked": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, textOf("k"))
				b.write("deliver", lineItem(idA, 2, 1, "k"))
				b.mail(2, textOf("k"))
			}, "the first was marked as sent",
		},
		"a mail is sent again since nobody knows of the first": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, textOf("k"))
				b.ledger.noteAnswerLost(outbox.LineItem(string(idA)))
				b.mail(2, textOf("k"))
			}, "",
		},
		"a mail is sent again though its sender was answered": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.mail(2, textOf("k"))
			}, "who sent the first was answered and lived",
		},
		"a mail is sent again since its sender could not mark it": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.ledger.noteNotMarked(noProcess, outbox.LineItem(string(idA)))
				b.mail(2, textOf("k"))
			}, "",
		},
		"the same mail is sent twice": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k"))
				b.ledger.noteAnswerLost(outbox.LineItem(string(idA)))
				b.mail(1, textOf("k"))
			}, "mail 1 of line " + string(idA) + " went out twice",
		},
		"a mail is sent without a lease": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.noteAccepted(noProcess, outbox.LineItem(string(idA)), 1, mail.Message{})
			}, "nobody had leased it",
		},
		"a mail shows another line's key beside its own": {
			func(b *fixture) {
				b.sellKey()
				b.mail(1, textOf("k")+" "+textOf("l"))
			}, "shows keys",
		},
		"a delay mail shows a key": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.noteLease(outbox.LineItem(string(idA)), 1, "delay")
				b.ledger.noteAccepted(noProcess, outbox.LineItem(string(idA)), 1, mail.Message{HTML: textOf("k")})
			}, "shows keys",
		},
		"an attachment lacks a key": {
			func(b *fixture) {
				b.sellKey()
				b.ledger.noteLease(outbox.LineItem(string(idA)), 1, "keys")
				b.ledger.noteAccepted(noProcess, outbox.LineItem(string(idA)), 1, mail.Message{Text: textOf("k"), HTML: textOf("k"), Attached: []mail.Attachment{{}}})
			}, "shows keys []",
		},
		"a mail is leased after a lease has lapsed": {
			func(b *fixture) {
				b.sellKey()
				b.write("deliver", sending(2, 1, "one", time.Minute))
				time.Sleep(time.Minute)
				b.write("deliver", sending(3, 2, "another", time.Minute))
			}, "",
		},
		"a mail is leased while another mailer has it": {
			func(b *fixture) {
				b.sellKey()
				b.write("deliver", sending(2, 1, "one", time.Minute))
				b.write("deliver", sending(3, 2, "another", time.Minute))
			}, "was leased while mail 1 was another mailer's",
		},
		"a line is written anew while a mailer has its mail": {
			func(b *fixture) {
				b.sellKey()
				b.write("deliver", sending(2, 1, "one", time.Minute))
				b.write("fill", without(sending(3, 1, "one", time.Minute), "leaseBy"))
			}, "",
		},
		"a mail keeps its number after a lease has lapsed": {
			func(b *fixture) {
				b.sellKey()
				b.write("deliver", sending(2, 1, "one", time.Minute))
				time.Sleep(time.Minute)
				b.write("deliver", sending(3, 1, "another", time.Minute))
			}, "mail 1 of line " + string(idA) + " was leased while mail 1",
		},
		"a mail is set due while a mailer has it": {
			func(b *fixture) {
				b.sellKey()
				b.write("deliver", sending(2, 1, "one", time.Minute))
				b.write("sweep", with(sending(3, 1, "one", time.Minute), "mail", "due"))
			}, "was set due while it was a mailer's",
		},
		"a mail is about nothing": {
			func(b *fixture) {
				if _, err := b.ledger.w.ses.Send(context.Background(), mail.Message{}); err == nil {
					panic("it was sent")
				}
			}, "names no line and no notice",
		},
		"an order is answered with another": {
			func(b *fixture) {
				another := order.Fulfillment{Product: "dlc", Quantity: 1}
				if err := b.ledger.w.answers.noteClaim(paidLine{product: "game", quantity: 1}, idA, time.Now(), another, "", nil); err != nil {
					panic(err)
				}
			}, "of 1 x game was answered with 1 x dlc",
		},
		"a notice is deleted": {
			func(b *fixture) {
				b.write("x", noticeItem("n"))
				b.write("x", write{"orders", "notice#n", "notice", nil})
			}, "notice n was deleted",
		},
		"a mail lacks a key": {
			func(b *fixture) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, "your key follows")
			}, "shows keys []",
		},
		"a low stock has no notice": {
			func(b *fixture) {
				b.write("stock", write{"orders", "alert#nova#elden", "alert#live", attributes("level", "low", "sequence", 1)})
			}, "its notice was written with it: false",
		},
		"an alert has a notice at no level": {
			func(b *fixture) {
				b.write("stock", write{"orders", "alert#nova#elden", "alert#live", attributes("sequence", 1)}, noticeItem("nova#empty#elden#live#1"))
			}, "has a notice at no level",
		},
		"a low stock has the notice of another pool": {
			func(b *fixture) {
				b.write("stock", write{"orders", "alert#nova#elden", "alert#live", attributes("level", "low", "sequence", 1)}, noticeItem("nova#low-stock#ring#live#1"))
			}, "its notice was written with it: false",
		},
		"a queue's place has no time": {
			func(b *fixture) {
				b.write("fill", write{"orders", "alert#nova#elden", "alert#live", attributes("level", "backordered", "sequence", 1)}, noticeItem("nova#empty#elden#live#1"))
				odd := placeItem(idA, 1)
				odd.sk = "soon#" + string(idA)
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1), odd)
				b.write("x", placeItem(idA, 0))
			}, "holds a place of \"soon\"",
		},
		"an empty pool has a second notice, of lines that came later": {
			func(b *fixture) {
				b.ledger.decides(decision{verdict: "release", line: idA})
				for n, served := range []bool{true, false} {
					b.write("claim", lineItem(idA, 1+2*n, 1), placeItem(idA, 1), reason(idA, "released", ""))
					b.write("fill", write{"orders", "alert#nova#elden", "alert#live", attributes("level", "backordered", "sequence", n+1, "toldAt", 1_000+n)},
						noticeItem("nova#empty#elden#live#"+strconv.Itoa(n+1)))
					if served {
						b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand"}), placeItem(idA, 0), reason(idA, "held", ""))
					}
				}
			}, "",
		},
		"an empty pool has two notices": {
			func(b *fixture) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				for n := 1; n <= 2; n++ {
					b.ledger.noteRead("fill")
					b.write("fill", write{"orders", "alert#nova#elden", "alert#live", attributes("level", "backordered", "sequence", n, "toldAt", 2_000+n)},
						noticeItem("nova#empty#elden#live#"+strconv.Itoa(n)))
				}
			}, "has two notices at level backordered",
		},
		"an order is told as paid again, and was not": {
			func(b *fixture) {
				b.ledger.reported.variants[idA.OrderHalf()] = []payOrder{{order: "7"}}
				b.write("webhook", noticeItem("nova#paid-again#"+idA.OrderHalf()+"#r"))
			}, "tells of an order that was not paid again",
		},
		"a finished upload is counted again": {
			func(b *fixture) {
				b.write("ingest", uploadItem("finished"), reportItem("u"))
				b.write("ingest", uploadItem("finished", "lines", 6))
			}, "changed after it was finished",
		},
		"an upload is finished without a notice": {
			func(b *fixture) { b.write("ingest", uploadItem("finished")) }, "was finished without a report",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture()
				test.happens(b)
				b.says(t, test.problem)
			})
		})
	}
}

// TestWorld_noticesWhatWasLeftUndone breaks each rule of the end once.
func TestWorld_noticesWhatWasLeftUndone(t *testing.T) {
	file := "uploads/nova/elden/f"
	dropped := func(b *fixture, lines ...string) {
		u := dropFile{file: "f", pool: "elden", side: pool.Live, lines: lines}
		b.ledger.w.answers.noteFile(u, b.ledger.w.bucket.put(file, nil))
	}
	finished := func(b *fixture, accepted, outcomes int) {
		b.write("ingest", uploadItem("finished", "counts", item{
			"accepted": attributes("n", accepted)["n"], "same-file": attributes("n", outcomes-accepted)["n"],
		}), reportItem("u"))
	}
	answered := func(b *fixture, c claimAnswer) {
		c.id, c.answered = idA, time.Now()
		b.ledger.w.answers.claims = append(b.ledger.w.answers.claims, c)
	}
	line := paidLine{product: "game", quantity: 1}
	lines, files, mails, alerts, settled := (*world).checkLines, (*world).checkFiles, (*world).checkMails, (*world).checkAlerts, (*world).checkSettled
	shown := func(w *world) { w.checkShown("at the end", false) }
	elden := pool.ID{Merchant: merchant, Pool: "elden", Side: pool.Live}
	left := func(w *world) { w.ledger.problems, _ = w.ledger.unfinished() }

	for name, test := range map[string]struct {
		happens func(b *fixture)
		check   func(*world)
		problem string // "" if all is well
	}{
		"a line was answered with its key":          {func(b *fixture) { b.sellKey(); answered(b, claimAnswer{line: line, keys: []string{"nova#live#k"}}) }, lines, ""},
		"an answered line is not there":             {func(b *fixture) { answered(b, claimAnswer{line: line}) }, lines, "was answered and is not there"},
		"a line is there otherwise":                 {func(b *fixture) { b.sellKey(); answered(b, claimAnswer{line: paidLine{product: "dlc", quantity: 1}}) }, lines, "was answered as changed: false"},
		"a line was called changed and is the same": {func(b *fixture) { b.sellKey(); answered(b, claimAnswer{line: line, changed: true}) }, lines, "was answered as changed: true"},
		"a merchant has no notice of an answer":     {func(b *fixture) { b.sellKey(); answered(b, claimAnswer{line: line, notice: "n"}) }, lines, "there is no notice n"},
		"a line lost a key that it was answered":    {func(b *fixture) { b.sellKey(); answered(b, claimAnswer{line: line, keys: []string{"l"}}) }, lines, "was answered with key l"},

		"a file was read": {func(b *fixture) {
			dropped(b, textOf("k"), "", textOf("k"))
			b.ledger.w.bucket.objects[file] = object{done: true}
			b.write("ingest", keyItem("k", "available", ""))
			finished(b, 1, 2)
		}, files, ""},
		"a file is not known": {func(b *fixture) { dropped(b) }, files, "is not known"},
		"a file is two uploads": {func(b *fixture) {
			again := uploadItem("loading")
			again.sk = "v"
			b.write("ingest", uploadItem("loading"), again)
		}, files, "is two uploads"},
		"a report leaves a line out":                {func(b *fixture) { dropped(b, textOf("k"), textOf("l")); finished(b, 0, 1) }, files, "has 2 lines that are not blank; its report tells of 1"},
		"a report tells of a key that is not there": {func(b *fixture) { dropped(b, textOf("k")); finished(b, 1, 1) }, files, "1 accepted keys, 0 are in the table"},
		"a key comes from nowhere":                  {func(b *fixture) { b.write("x", keyItem("k", "available", "")) }, files, "is in no file for the live side"},
		"a key of a file is lost":                   {func(b *fixture) { dropped(b, textOf("k")); finished(b, 0, 1) }, files, "of a file for the live side is not in the table"},
		"a live key of a file stands on the test side": {func(b *fixture) {
			dropped(b, textOf("k"))
			test := keyItem("k", "available", "")
			test.pk = "nova#test#k"
			b.write("ingest", with(test, "shard", "nova#elden#test#0"))
			finished(b, 1, 1)
		}, files, "is in no file for the test side"},
		"a file that was read is never to expire": {func(b *fixture) { dropped(b); finished(b, 0, 0) }, files, "was read and is not marked as done"},

		"a line's keys were mailed": {func(b *fixture) { b.sellKey(); b.mail(1, textOf("k")) }, mails, ""},
		"a line's replaced key was not mailed": {func(b *fixture) {
			b.write("ingest", keyItem("l", "available", ""))
			b.sellKey()
			b.mail(1, textOf("k"))
			b.write("x", keyItem("k", "revoked", string(idA)), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 1, "l"), "replaced", []string{"nova#live#k"}), reason(idA, "replaced", ""))
		}, mails, "which was never mailed"},
		"a line gave back a key that it was answered": {func(b *fixture) {
			b.sellKey()
			answered(b, claimAnswer{line: line, keys: []string{"nova#live#k"}})
			b.write("x", keyItem("k", "revoked", string(idA)), back(lineItem(idA, 2, 1), 1, true), b.refund(idA, 0, "revoke"))
		}, lines, ""},
		"a line's mail never left": {func(b *fixture) { b.sellKey() }, mails, "has its keys and no mail went out"},
		"a line's delay mail was refused, and its keys were not mailed": {func(b *fixture) {
			b.sellKey()
			b.ledger.noteLease(outbox.LineItem(string(idA)), 1, "delay")
			b.ledger.noteRefused(outbox.LineItem(string(idA)), 1)
		}, mails, "has its keys and no mail went out"},
		"a line given back in part was not mailed": {func(b *fixture) {
			b.write("ingest", keyItem("k", "available", ""))
			b.write("claim", keyItem("k", "claimed", string(idA)), back(lineItem(idA, 1, 2, "k"), 1, false), b.refund(idA, 1, ""))
		}, mails, "has its keys and no mail went out"},
		"keys were mailed of a line that waits": {func(b *fixture) {
			b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
			b.mail(1, "")
		}, mails, "waits and its keys were mailed"},
		"keys were to be sent again, and were not": {func(b *fixture) {
			b.sellKey()
			b.mail(1, textOf("k"))
			time.Sleep(time.Millisecond)
			b.write("x", with(lineItem(idA, 2, 1, "k"), "mail", "due"), reason(idA, "resent", ""))
		}, mails, "were to be sent again, and were not"},
		"an amount did nothing": {func(b *fixture) {
			p := payOrder{order: "7", side: pool.Live, currency: "EUR", lines: []paidLine{{"1", "game", 1}}}
			id := p.lineID("1")
			b.ledger.reported.paid[id.OrderHalf()] = p
			b.ledger.expectAmount(id.OrderHalf(), "r", 333, "EUR")
			amounts := returnsOf("r")
			amounts.Value[0].(*types.AttributeValueMemberM).Value["amount"] = attributes("x", "3.33")["x"]
			known := whole(1, "returns", amounts)
			known.pk = "order#" + id.OrderHalf()
			b.write("x", known)
			b.write("claim", lineItem(id, 1, 1), write{"orders", "queue#nova#elden#live", fmt.Sprintf("%013d#%s", at(id), id), attributes("missing", 1)})
			b.ledger.reportAnswered(reportOrder{kind: amountBack, order: "7", id: "r"}, pool.Live)
		}, (*world).checkOrders, "an amount of order 7 was given back (r), and "},
		"an order is not found that no webhook told of": {func(b *fixture) {
			b.ledger.w.api.notePaid(payOrder{order: "7", side: pool.Live, lines: []paidLine{{"1", "game", 1}}})
		}, (*world).checkFound, "line 1 of order 7 was paid, and is not known"},
		"a refund is not found that no webhook told of": {func(b *fixture) {
			reportOrder{kind: orderReturned, order: "7", side: pool.Live, id: "r", unheard: true}.do(b.ledger.w)
		}, (*world).checkFound, "it was answered that order 7 is returned (r), and that is not stored"},
		"a former address was never told": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"by hand"}), reason(idA, "held", ""))
			b.write("x", noticeItem("nova#keys-elsewhere#"+idA.OrderHalf()+"#1"))
		}, mails, "keys-elsewhere#" + idA.OrderHalf() + "#1 was never mailed"},
		"a former address was erased before it was told": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"by hand"}), reason(idA, "held", ""))
			b.write("x", noticeItem("nova#keys-elsewhere#"+idA.OrderHalf()+"#1"))
			b.ledger.reported.forced[idA] = true
			b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand", noAddress}, "erasedAt", 1), reason(idA, "erased", ""))
		}, mails, ""},
		"a notice never left": {func(b *fixture) { b.write("x", noticeItem("n")) }, mails, "notice n was never mailed"},

		"an empty pool has no notice": {func(b *fixture) { b.ledger.catalog.pools["elden"] = true }, alerts, `has 0 keys and is "empty"`},
		"an empty pool has the notice of a low one": {func(b *fixture) {
			b.ledger.catalog.pools["elden"] = true
			b.ledger.alerts["alert#nova#eldenalert#live"] = &alert{level: "low", sequence: 1}
		}, alerts, `the last says that it is "low"`},
		"a pool with few keys has no notice": {func(b *fixture) { b.ledger.catalog.pools["elden"] = true; b.stock(lowStock - 1) }, alerts, `is "low"`},
		"a pool with backorders has the notice of an empty one": {func(b *fixture) {
			b.ledger.catalog.pools["elden"] = true
			b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
			b.ledger.alerts["alert#nova#eldenalert#live"] = &alert{level: "empty", sequence: 1}
		}, alerts, `is "backordered"`},
		"a pool with keys needs no notice": {func(b *fixture) { b.ledger.catalog.pools["elden"] = true; b.stock(lowStock) }, alerts, ""},

		"a count is wrong after the night": {func(b *fixture) {
			if err := b.ledger.w.setUp(); err != nil {
				panic(err)
			}
			if err := b.ledger.w.store.Settle(context.Background(), elden, catalog.Look{}, catalog.Settlement{Taken: -7, Until: time.Now(), Day: "2000-01-01"}); err != nil {
				panic(err)
			}
		}, settled, "nova#elden#live counts 7 keys and has 0"},
		"nothing is shown of a key that was sold": {func(b *fixture) {
			if err := b.ledger.w.setUp(); err != nil {
				panic(err)
			}
			b.sellKey()
		}, shown, "shows {available:0 claimed:0 revoked:0 withdrawn:0}, 0 keys; it has {available:0 claimed:1 revoked:0 withdrawn:0} of 1"},
		"a key is shown in another state": {func(b *fixture) {
			b.write("ingest", keyItem("k", "available", ""))
		}, func(w *world) { w.ledger.checkStock("", catalog.Stock{Pool: elden, Withdrawn: 1}, false) }, "shows {available:0 claimed:0 revoked:0 withdrawn:1}, 1 keys"},
		"each key is shown": {func(b *fixture) {
			b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
		}, func(w *world) { w.ledger.checkStock("", catalog.Stock{Pool: elden, Available: 2}, false) }, ""},

		"a key beyond 1,000 is not counted yet": {func(b *fixture) {
			b.stock(1001)
			b.sellKey()
		}, func(w *world) { w.ledger.checkStock("", catalog.Stock{Pool: elden, Available: 1002}, true) }, ""},
		"a key beyond 1,000 is not counted at night": {func(b *fixture) {
			b.stock(1001)
			b.sellKey()
		}, func(w *world) { w.ledger.checkStock("", catalog.Stock{Pool: elden, Available: 1002}, false) }, "has {available:1001 claimed:1"},
		"a key beyond 1,000 is counted twice": {func(b *fixture) {
			b.stock(1003)
			b.sellKey()
		}, func(w *world) {
			w.ledger.checkStock("", catalog.Stock{Pool: elden, Available: 1002, Claimed: 2}, true)
		}, "has {available:1003 claimed:1"},

		"nothing is left to do": {func(b *fixture) { b.sellKey() }, left, ""},
		"a mail is left":        {func(b *fixture) { b.sellKey(); b.write("x", with(lineItem(idA, 2, 1, "k"), "mail", "due")) }, left, "is due"},
		"a notice is left":      {func(b *fixture) { b.write("x", with(noticeItem("n"), "dueAt", 1)) }, left, "notice#n notice is still to be mailed"},
		"an upload is left":     {func(b *fixture) { b.write("ingest", uploadItem("loading")) }, left, "is still being loaded"},
		"a parked file is left": {func(b *fixture) { b.write("ingest", uploadItem("parked")); b.ledger.catalog.pools["elden"] = true }, left, "waits for its pool elden, which is there"},
		"a line is left beside keys": {func(b *fixture) {
			b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
			b.stock(1)
		}, left, "1 lines of nova#elden#live wait beside 1 keys"},
		"a line is left unconnected": {func(b *fixture) {
			place := placeItem(idA, 1)
			place.pk = "unconnected#nova#live#game"
			b.write("claim", without(with(lineItem(idA, 1, 1), "wanted", 0), "pool"), place)
			b.ledger.catalog.pools["ring"], b.ledger.catalog.defaultPool = true, "ring"
		}, left, "waits to be connected, and there is a pool for it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture()
				b.ledger.w.reliable.Store(true)
				test.happens(b)
				if len(b.ledger.problems) > 0 {
					t.Fatalf("before the end the ledger says %q", b.ledger.problems)
				}
				test.check(b.ledger.w)
				b.says(t, test.problem)
			})
		})
	}
}

// says fails the test unless the ledger has such a problem; none at all for "".
func (b *fixture) says(t *testing.T, problem string) {
	t.Helper()
	all := strings.Join(b.ledger.problems, "\n")
	if (problem == "") != (all == "") || !strings.Contains(all, problem) {
		t.Errorf("the ledger says %q, want %q", all, problem)
	}
}

// mail lets the mail service take a mail about the keys of line A.
func (b *fixture) mail(number int, text string) {
	line := outbox.LineItem(string(idA))
	b.ledger.noteLease(line, number, "keys")
	b.ledger.noteAccepted(noProcess, line, number, mail.Message{Text: text, HTML: text})
}

func TestLinear_refusesAnswersOutOfTheirTime(t *testing.T) {
	for name, test := range map[string]struct {
		asked, answered time.Duration
		version         int
		linear          bool
	}{
		"answered as it was made":         {0, 10 * time.Second, 1, true},
		"answered as it was later":        {0, 30 * time.Second, 2, true},
		"answered as it was before":       {25 * time.Second, 30 * time.Second, 1, false},
		"answered as it was not yet":      {0, 10 * time.Second, 2, false},
		"answered before it was made":     {0, time.Second, 1, false},
		"answered with what it never was": {0, 30 * time.Second, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture()
				w := b.ledger.w
				b.write("ingest", keyItem("k", "available", ""))
				time.Sleep(5 * time.Second)
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				time.Sleep(15 * time.Second)
				b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"), placeItem(idA, 0))
				w.answers.claims = []claimAnswer{
					{id: idA, asked: w.began.Add(4 * time.Second)}, // cut off
					{id: idA, asked: w.began.Add(test.asked), answered: w.began.Add(test.answered), version: test.version, held: test.version - 1},
				}
				if problem := w.checkLinearizable(); (problem == "") != test.linear {
					t.Errorf("it says %q, want linear: %v", problem, test.linear)
				}
			})
		})
	}
}

// However many calls nobody saw an answer to, it is decided whether an answer came out of
// its time.
func TestLinear_callsWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture()
		w := b.ledger.w
		b.write("ingest", keyItem("k", "available", ""))
		time.Sleep(5 * time.Second)
		b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
		time.Sleep(15 * time.Second)
		b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"), placeItem(idA, 0))
		time.Sleep(time.Minute)
		for i := range 60 {
			w.answers.claims = append(w.answers.claims, claimAnswer{id: idA, asked: w.began.Add(time.Duration(i) * time.Second)})
		}
		if problem := w.checkLinearizable(); problem != "" {
			t.Error(problem)
		}
		w.answers.claims = append(w.answers.claims, claimAnswer{
			id: idA, asked: w.began.Add(25 * time.Second), answered: w.began.Add(time.Minute), version: 1, held: 0,
		})
		if problem := w.checkLinearizable(); !strings.HasSuffix(problem, "are not a linearizable history") {
			t.Errorf("an answer out of its time: %q", problem)
		}
	})
}

// renews is line B, which delivers the keys of line A's order.
func renews(version int) write {
	w := without(with(lineItem(idB, version, 0), "parent", "1", "quantity", 1), "pool")
	w.set["keysOfParent"] = &types.AttributeValueMemberBOOL{Value: true}
	return w
}

// lend mails keys to line B, which renews line A.
func (b *fixture) lend(texts string) {
	b.lease(idB, 1)
	b.ledger.noteAccepted(noProcess, outbox.LineItem(string(idB)), 1, mail.Message{Text: texts, HTML: texts})
}

func (b *fixture) lease(id order.LineID, number int) {
	time.Sleep(time.Millisecond)
	b.ledger.noteLease(outbox.LineItem(string(id)), number, "keys")
}

func TestLedger_noticesWhatARenewalMustNotGet(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(b *fixture)
		problem string // "" if all is well
	}{
		"the keys of its parent":                 {func(b *fixture) { b.sellKey(); b.mail(1, textOf("k")); b.lend(textOf("k")) }, ""},
		"a key of its parent that no mailer had": {func(b *fixture) { b.sellKey(); b.lend(textOf("k")) }, "whose own mailer never had any"},
		"another key":                            {func(b *fixture) { b.sellKey(); b.mail(1, textOf("k")); b.lend(textOf("l")) }, "which its parent did not have to give"},
		"none":                                   {func(b *fixture) { b.sellKey(); b.mail(1, textOf("k")); b.lend("your key") }, "which its parent did not have to give"},
		"the key of a parent on hold": {func(b *fixture) {
			b.sellKey()
			b.mail(1, textOf("k"))
			b.write("x", with(lineItem(idA, 2, 1, "k"), "holds", []string{"by hand"}), reason(idA, "held", ""))
			b.lend(textOf("k"))
		}, "which its parent did not have to give"},
		"the key of a parent whose order is in dispute": {func(b *fixture) {
			b.sellKey()
			b.mail(1, textOf("k"))
			b.write("x", whole(1, "disputes", attributes("d", "open")))
			b.lend(textOf("k"))
		}, "whose order is in dispute (d)"},
		"a key that was set aside before": {func(b *fixture) {
			b.write("ingest", keyItem("l", "available", ""))
			b.sellKey()
			b.mail(1, textOf("k"))
			b.write("x", keyItem("k", "revoked", string(idA)), keyItem("l", "claimed", string(idA)), with(lineItem(idA, 2, 1, "l"), "replaced", []string{"nova#live#k"}), reason(idA, "replaced", ""))
			b.lend(textOf("k"))
		}, "which its parent did not have to give"},
		"the key of another customer": {func(b *fixture) {
			b.sellKey()
			b.mail(1, textOf("k"))
			b.ledger.reported.paid[idA.OrderHalf()] = payOrder{customer: "ada"}
			b.ledger.reported.paid[idB.OrderHalf()] = payOrder{customer: "bob"}
			b.lend(textOf("k"))
		}, "which its parent did not have to give"},
		"keys of its own": {func(b *fixture) {
			b.write("ingest", keyItem("m", "available", ""))
			b.write("x", keyItem("m", "claimed", string(idB)), with(renews(2), "keys", [][2]string{{"nova#live#m", textOf("m")}}, "allocated", 1, "wanted", 1, "pool", "elden"))
		}, "delivers the keys of its parent, and holds 1 of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture()
				b.write("claim", renews(1))
				b.ledger.lines[idB].parent = idA.OrderHalf() // as if A's order had the number 1
				test.happens(b)
				b.says(t, test.problem)
			})
		})
	}
}
