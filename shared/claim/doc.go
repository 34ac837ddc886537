// Package claim gives paid lines their keys: at once, in the one transaction
// that records the line, or later, oldest first, from the queue.
//
// What it promises: a line gets exactly the keys it paid for and a key goes to
// one line, whatever is delivered twice, at once, late or cut off in the middle.
// A line is waiting if and only if it stands in its pool's queue.
//
// # How a claim works
//
// Two round trips. The first reads three things side by side: the line (a repeat
// is answered with what is there), the front of the pool's queue (nearly always
// nothing), and a handful of available keys from a random place of an index. The
// second is one transaction: the line, if it does not exist, and each key, if
// it still stands where the index showed it. Whoever loses a race for a key asks
// which candidates remain, by one read that does not lag, and puts them in its
// place; whoever loses the race for the line returns the record that won.
//
// # Decisions
//
// Newcomers may pass waiting lines when nobody loses by it: when the queue is
// short and there are more keys than it misses, or while fill, which sees the
// whole of it, leaves a pass at its front. If everybody queued behind any queue,
// one false "empty" under load would grow into a queue that never drains, since
// a queue partition moves 250 lines a second and a pool can sell thousands.
//
// No ticket counter and no stock counter: an item that every order of a pool
// changes makes overlapping transactions conflict. Random places in the index
// cost nothing and collide about as often as two people reach for the same book.
//
// Each claim reads candidates of its own. A process could keep those it did not
// use for the next claim, since the transaction's condition tells a stale one: on
// DynamoDB that saves half a read unit, six cents in a million orders, and no time,
// since the reads go side by side; and in a pool of hundreds a second's old
// candidates are gone as often as not, which costs a transaction each. Nor can the
// transaction alone tell a repeat: it would be charged six units for what one
// answers, and hold keys meanwhile that others reach for.
//
// The keys a fill takes always go to the head of the queue, until it is
// complete. A large line at the head holds back small ones behind it; the
// merchant is told so. What would change our mind: merchants who would rather
// serve many small orders than one large one that paid first.
package claim
