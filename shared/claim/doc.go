// Package claim allocates keys to paid lines: at once, in the one transaction that
// stores the line, or later, oldest line first, from a queue.
//
// It promises: a line gets exactly the keys it paid for, and a key goes to one line,
// whatever is delivered twice, at once, late or cut off in the middle. A line is
// waiting if and only if it stands in its pool's queue.
//
// # How a claim works
//
// A claim takes two round trips. The first makes three reads at once: the line (a
// repeat is answered with the stored record), the front of the pool's queue (nearly
// always empty), and a few available keys from a random place of an index. The second
// is one transaction: it stores the line if there is none, and allocates each key if
// that is still where the index showed it.
//
// Two claims may race. The claim that loses the race for a key reads which candidates
// remain, by one read that does not lag, and tries with those. The claim that loses
// the race for the line returns the record of the winner. If no keys are left, the line
// is stored waiting.
//
// What comes with a repeat (an address, a corrected one, a late verdict on the order's risk)
// is a change of the stored line, under its version. An order that a person fulfils by hand
// is claimed line by line, as any other; what would be refused is found before the first.
//
// # A code for everybody
//
// A line of a product with a code takes no key: its record gets the code, and the code's item
// stays as it is. In the place of candidates the claim reads that item, which says whether it
// is the product's code at this moment, and not blocked. It has no queue: a line that cannot
// be given a code waits unconnected, until one is set.
//
// # Decisions
//
// The claim's transaction does not check the item of a code that it gives. It was read after
// the order came, so the code was the product's at some time since; whoever changes or blocks a code
// knows of each order that comes after the answer. A check would be an item that all orders of
// the product share, and DynamoDB refuses one of two transactions that name an item at the same
// time: what ends a stock counter at 50 to 100 orders a second would end this.
//
// New lines may bypass waiting lines when no waiting line loses by it: when the queue
// is short and there are more keys than it misses, or for the five seconds that fill,
// which reads the whole queue, allows it. If every new line queued behind any queue,
// one false "empty" under load would grow into a queue that never drains: a queue
// partition moves 250 lines a second, and a pool can sell thousands.
//
// There is no ticket counter and no stock counter. An item that every order of a pool
// changes makes concurrent transactions conflict. Random places in the index cost
// nothing and rarely collide.
//
// Each claim reads candidates of its own. A process could keep the unused ones for
// its next claim, since the transaction's condition finds a stale one. On DynamoDB that
// saves half a read unit, six cents in a million orders, and no time, since the reads
// are concurrent. In a pool of hundreds of keys, a second's old candidates are taken as
// often as not, which costs a transaction each. Nor can the transaction alone find a
// repeat: it would cost six units where a read costs one, and lock keys that other
// claims need.
//
// Fill gives all keys to the first line of the queue until that is complete. A large
// line holds back the small ones behind it, and the merchant is told so. Merchants who
// would rather serve many small orders than one large order that was paid first would
// change our mind.
package claim
