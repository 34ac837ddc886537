// Package ingest brings key files into pools.
//
// It promises: every line of a file is in its report, once: as accepted, as a
// duplicate with the place of the known text, or as rejected with the reason. A key
// is in the table once, however often its file or its message is delivered and
// wherever a worker dies, and the counts are exact.
//
// # How a file is read
//
// There is one path. The bucket's event makes the upload's record. The file is cut
// into ranges of 2 MiB, each with a message on a queue; the first range is loaded at
// once, so that a small file is done in one call. A worker inserts the lines of its
// range 25 at a time and saves its progress now and then. The worker that ends the
// last range writes the report.
//
// What a file looks like is judged once, by its first 64 KiB, before anything of it is
// loaded. One that reads like something else than keys is held: its merchant says how to
// read it, or drops another. See inspect for where the lines are drawn. The answer
// stands in the upload's record, since ranges are loaded by other workers, and is
// remembered for the pool.
//
// A .csv file is one range, and is parsed from its beginning whenever it is resumed:
// whether a line end is inside quotes depends on everything before.
//
// # Why it can be cut off anywhere
//
// A key's identity is a hash of its text, so the table itself refuses a text twice.
// Each key holds the upload and the offset that brought it. A line that is tried
// again finds a key that names this very line, and counts as accepted, as it did
// before the worker died. So nothing has to be written before an insert, nor undone
// after it.
//
// A range is a part of a job, see package job. Of two workers on one range the later
// one wins, by its fencing token, and the other stops; the keys that it inserted are
// found again. Rejected lines go to the reports bucket before the progress that
// counts them, under a name that holds the token, so that the lines of a fenced
// worker never end up in a report.
//
// # An upload that is withdrawn
//
// A worker looks every second whether its upload was withdrawn. From then on it stores keys
// that are not for sale, and the end of their range counts them as accepted and withdrawn: so
// the file is read to its end, its report is whole, and every count adds up. The job that
// withdraws (package inventory) takes what was stored before.
//
// # The two sides of a pool
//
// A key's identity includes its side, live or test, so one text may stand on both: a
// merchant may try a file on the test side and then put it on sale. The opposite way
// is a leak: a test order would mail a key that is still on sale. So each line of a
// test file, which are few and small, is stored in a transaction that holds only while
// its text does not stand on the live side; one that does is a duplicate. Live files are
// not held against the test side: that would cost as much for each of ten million keys, and
// would reject what the merchant most likely means.
//
// # Decisions
//
// Keys are inserted without a look first: a text is rarely a duplicate, and a look
// before each insert doubles the cost and still races.
//
// A worker has one batch in flight, and ingest yields to checkout: a throttled
// statement halves the worker's rate. Four workers load some 8,000 keys a second, a
// million in two minutes. A merchant who cannot wait that long would change our mind.
//
// A file that is no text of keys (see binary.go) is rejected whole: the few lines of
// a picture or a spreadsheet that look like text must not be sold.
package ingest
