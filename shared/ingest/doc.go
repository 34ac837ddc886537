// Package ingest brings key files into pools.
//
// What it promises: every line of a file is told about in its report, once: as
// accepted, or as a duplicate and where the text stands, or as refused and why.
// A key is in the table once, however often its file or its message is
// delivered and wherever a worker dies, and the counts are exact.
//
// # How a file is read
//
// There is one path. The bucket's event makes the upload's record; the file is
// cut into ranges of 2 MiB, each of which is a message on a queue, except that
// the first is loaded on the spot, so that a small file is done in one call. A
// worker inserts its range's lines 25 at a time and now and then saves how far
// it came. Whoever ends the last range writes the report.
//
// # Why it can be cut off anywhere
//
// A key's identity is a hash of its text, so the table itself refuses a text
// twice; and each key remembers the upload and the offset that brought it. A
// line that is tried again finds a key that names this very line, and counts as
// accepted, as it did before the worker died. So nothing has to be written
// before an insert, nor undone after it.
//
// A worker that takes a range starts a new turn on it. Saving is conditional on
// the turn: of two workers on one range the later one wins, the other stops.
// What it inserted is found again. Refused lines go to the reports bucket before
// the progress that counts them, under a name that holds the turn, so that an
// overtaken worker's lines never end up in a report.
//
// # What "other side" means
//
// A key's identity includes its side, live or test, so one text may stand on
// both: a merchant may try a file on the test side and then put it on sale. The
// opposite way is a leak: a test order would mail out a key that is still on
// sale. So test files, which are few and small, are looked up on the live side
// first, and what stands there is a duplicate. Live files are not looked up on
// the test side: that would cost a read for each of ten million keys, to refuse
// what the merchant most likely means.
//
// # Decisions
//
// The table is asked by inserting, not by looking first: a text is rarely a
// duplicate, and a look before each insert doubles the cost and still races.
//
// A worker has one batch in flight and ingest yields to checkout: a statement
// that the table puts off halves the worker's rate. Four workers load some
// 8,000 keys a second, a million in two minutes. What would change our mind: a
// merchant who cannot wait that long.
//
// A file that is no text of keys (see binary.go) is refused whole: the few lines
// of a picture or a spreadsheet that look like text must not be sold.
package ingest
