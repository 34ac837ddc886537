package simulate

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/delivery"
	"keypool/shared/dynamo/dynamosim"
	"keypool/shared/order"
)

// A judge who never finds anything proves nothing: each rule is broken here once.

type item = map[string]types.AttributeValue

// of makes an item of names and values by turns: strings, numbers, and lists of
// keys, each an identity and a text.
func of(pairs ...any) item {
	made := item{}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch value := pairs[i+1].(type) {
		case string:
			made[name] = &types.AttributeValueMemberS{Value: value}
		case int:
			made[name] = &types.AttributeValueMemberN{Value: strconv.Itoa(value)}
		case [][2]string:
			list := &types.AttributeValueMemberL{}
			for _, k := range value {
				list.Value = append(list.Value, &types.AttributeValueMemberM{Value: of("id", k[0], "text", k[1])})
			}
			made[name] = list
		}
	}
	return made
}

// bench puts commits before a ledger.
type bench struct {
	ledger *ledger
	items  map[string]item
}

func newBench() *bench {
	w := newWorld(Plan{Seed: 1, Weather: Weather{Slow: time.Millisecond, Shards: 1}})
	return &bench{ledger: w.ledger, items: map[string]item{}}
}

// write commits items, by table and the names in their primary keys; one
// without attributes is deleted.
func (b *bench) write(who string, writes ...write) {
	b.ledger.looks(who)
	b.late(who, writes...)
}

// late commits what was decided on by an earlier look.
func (b *bench) late(who string, writes ...write) {
	c := dynamosim.Commit{Caller: who}
	for _, w := range writes {
		name := w.table + " " + w.pk + " " + w.sk
		key := of("pk", w.pk)
		if w.sk != "" {
			key["sk"] = of("sk", w.sk)["sk"]
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

// textOf is the text of the key that is called by a letter.
func textOf(id string) string { return keyText(0, int(id[0])) }

func keyItem(id, state, line string) write {
	set := of("pk", "nova#live#"+id, "text", textOf(id), "pool", "elden", "state", state)
	switch state {
	case "available":
		set["shard"] = of("x", "nova#elden#live#0")["x"]
	case "claimed":
		set["line"] = of("x", line)["x"]
	}
	return write{"keys", "nova#live#" + id, "", set}
}

func lineItem(id order.LineID, version, wanted int, keys ...string) write {
	var held [][2]string
	for _, k := range keys {
		held = append(held, [2]string{"nova#live#" + k, textOf(k)})
	}
	set := of("merchant", "nova", "side", "live", "pool", "elden", "product", "game", "quantity", wanted,
		"version", version, "wanted", wanted, "held", len(keys), "receivedAt", at(id), "keys", held)
	return write{"orders", "order#" + id.Order(), "line#" + id.InOrder(), set}
}

// at is when a line was received: a before b.
func at(id order.LineID) int { return 1_000 + int(id[0]) }

func placeItem(id order.LineID, missing int) write {
	w := write{"orders", "queue#nova#elden#live", "0000000001" + strconv.Itoa(at(id))[1:] + "#" + string(id), nil}
	if missing > 0 {
		w.set = of("missing", missing)
	}
	return w
}

func TestLedger_noticesWhatBreaksThePromise(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(b *bench)
		problem string // "" if all is well
	}{
		"a key is sold": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
			}, "",
		},
		"a key is sold twice": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "was sold to line " + string(idA) + " and is now",
		},
		"a line holds a key that does not know of it": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", lineItem(idA, 1, 1, "k"))
			}, "which is not sold to it",
		},
		"a line gets more than it paid for": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), keyItem("l", "claimed", string(idA)), lineItem(idA, 1, 1, "k", "l"))
			}, "holds 2 keys and paid for 1",
		},
		"a key is deleted": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("x", write{"keys", "nova#live#k", "", nil})
			}, "was deleted",
		},
		"a key comes back from where it was put": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("x", keyItem("k", "withdrawn", ""))
				b.write("x", keyItem("k", "available", ""))
			}, "came back",
		},
		"a line waits outside its queue": {
			func(b *bench) { b.write("claim", lineItem(idA, 1, 1)) }, "stands in its queue: false",
		},
		"a line is served and stays in its queue": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"))
			}, "stands in its queue: true",
		},
		"a queue says otherwise than the line": {
			func(b *bench) { b.write("claim", lineItem(idA, 1, 2), placeItem(idA, 1)) }, "its queue says 1",
		},
		"a line skips a version": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("x", lineItem(idA, 3, 1))
			}, "went from version 1 to 3",
		},
		"the second in the queue is served first": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("claim", lineItem(idB, 1, 1), placeItem(idB, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("fill", keyItem("k", "claimed", string(idB)), lineItem(idB, 2, 1, "k"), placeItem(idB, 0))
			}, "was served before line " + string(idA),
		},
		"the second is served when the first came after fill looked": {
			func(b *bench) {
				b.write("claim", lineItem(idB, 1, 1), placeItem(idB, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.ledger.looks("fill")
				time.Sleep(time.Millisecond)
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.late("fill", keyItem("k", "claimed", string(idB)), lineItem(idB, 2, 1, "k"), placeItem(idB, 0))
			}, "",
		},
		"a newcomer takes the key that a waiting line would get": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "lines that waited before it miss 1",
		},
		"a newcomer passes while keys abound": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				b.write("ingest", keyItem("k", "available", ""), keyItem("l", "available", ""), keyItem("m", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idB)), lineItem(idB, 1, 1, "k"))
			}, "",
		},
		"a mail is sent again though the first is marked": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, textOf("k"))
				b.write("deliver", lineItem(idA, 2, 1, "k"))
				b.mail(2, textOf("k"))
			}, "the first was marked as sent",
		},
		"a mail is sent again since nobody knows of the first": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, textOf("k"))
				b.ledger.unknown(delivery.Item{Line: idA})
				b.mail(2, textOf("k"))
			}, "",
		},
		"a mail lacks a key": {
			func(b *bench) {
				b.write("ingest", keyItem("k", "available", ""))
				b.write("claim", keyItem("k", "claimed", string(idA)), lineItem(idA, 1, 1, "k"))
				b.mail(1, "your key follows")
			}, "shows keys []",
		},
		"an edge is not told": {
			func(b *bench) {
				b.write("stock", write{"orders", "alert#nova#elden", "alert#live", of("level", "low", "edge", 1)})
			}, "its notice was written with it: false",
		},
		"an edge is told twice": {
			func(b *bench) {
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				for edge := 1; edge <= 2; edge++ {
					b.write("fill", write{"orders", "alert#nova#elden", "alert#live", of("level", "owing", "edge", edge, "toldAt", 2_000+edge)},
						write{"orders", "notice#nova#empty#elden#live#" + strconv.Itoa(edge), "notice", of("mail", "due")})
				}
			}, "told twice of what is owing",
		},
		"a finished upload is counted again": {
			func(b *bench) {
				b.write("ingest", write{"catalog", "uploads#nova", "u", of("state", "finished", "name", "f", "lines", 3)},
					write{"orders", "notice#nova#upload-report#u", "notice", of("mail", "due")})
				b.write("ingest", write{"catalog", "uploads#nova", "u", of("state", "finished", "name", "f", "lines", 6)})
			}, "changed after it was finished",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				test.happens(b)
				all := strings.Join(b.ledger.broken, "\n")
				if (test.problem == "") != (all == "") || !strings.Contains(all, test.problem) {
					t.Errorf("the ledger says %q, want %q", all, test.problem)
				}
			})
		})
	}
}

// mail lets the mail service take a mail about the keys of line A.
func (b *bench) mail(number int, text string) {
	line := delivery.Item{Line: idA}
	b.ledger.leased[leased{line, number}] = "keys"
	b.ledger.mailed(nobody, line, number, delivery.Mail{Text: text, HTML: text})
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
		"answered before it was made":     {0, time.Second, 1, true}, // it makes the line itself
		"answered with what it never was": {0, 30 * time.Second, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				w := b.ledger.w
				b.write("ingest", keyItem("k", "available", ""))
				time.Sleep(5 * time.Second)
				b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1))
				time.Sleep(15 * time.Second)
				b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"), placeItem(idA, 0))
				w.answers.claims = []claimed{
					{id: idA, asked: w.began.Add(4 * time.Second)}, // cut off
					{id: idA, asked: w.began.Add(test.asked), answered: w.began.Add(test.answered), version: test.version, held: test.version - 1},
				}
				if problem := w.linear(); (problem == "") != test.linear {
					t.Errorf("it says %q, want linear: %v", problem, test.linear)
				}
			})
		})
	}
}
