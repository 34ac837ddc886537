// Package lifecycle changes lines after they were paid: returns, disputes, holds,
// replaced keys, mails sent again. Package claim gives a line its keys, this package
// does everything else, and both commit the same order.Change.
//
// # What it promises
//
// A return or a dispute that is known keeps the keys it concerns from leaving, whatever
// comes first: the payment, the return, or the mail. It is applied once, however often
// it is reported. A key that a customer may have seen is never sold again.
//
// # How
//
// A return of some units names its line: it is one change of that line, with the
// refund's id in the same transaction. If the line was not paid yet, the change stores an
// expected line, and the payment completes that.
//
// A return of a whole order, and a dispute, name no line. They are written to the order's
// own item first (order.Whole), and then applied to the lines that there are. Claims and
// mailers read that item. A line may be stored meanwhile by a claim that read the item
// too early, and this process may die: the sweep applies the item again until no such
// claim can be under way any more.
//
// Applying it checks in the line's own transaction that no more is known by then, and
// starts over from the lines if it is: an application with old knowledge would hold a
// line for a dispute that has ended, and nothing would ever release it.
//
// An act of a person may name the version of the line that they saw: see Act. It is compared
// with the line that the act reads, and the act's one conditional write holds only while
// that is so. A return of a whole order, and what drops its disputes, is decided by the write
// of the order's item, in one transaction with a look at its lines.
//
// A dispute may never end: its platform sends no event, or the webhook was lost. A person may
// drop it, which is written to the order's item as a report of the platform is, so that
// claims, mailers and the sweep learn of it in the same way. Those that hold the order at that
// moment are dropped, by their ids: one that opens later holds it again. We weighed lifting
// the hold from single lines; but the next application of the order's item would set it again,
// and a line that is paid later would be held.
//
// A change takes up to order.MaxKeys keys from a line, its newest first. If there are
// more, the line says so first (see order.Fulfillment.Surplus), is not mailed and stays
// due until further changes have taken them.
package lifecycle
