package ingest

import "runtime/debug"

// TuneMemory sets how this process collects garbage, for one that does nothing
// but ingest. A line lives as long as its batch: with so little alive, the usual
// rate of collecting takes a third of the time. The limit keeps the rest of a
// busy machine from letting the heap grow all the same.
func TuneMemory() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(32 << 20)
}
