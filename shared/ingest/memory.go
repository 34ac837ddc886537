package ingest

import (
	"runtime"
	"runtime/debug"
)

// TuneMemory sets the garbage collector, the memory limit and the number of
// processors for a process that only ingests.
//
// A line lives as long as its batch. With so little alive, the usual rate of
// collecting takes a third of the time. The limit keeps the heap small on a busy
// machine too: ingest promises to need no more than 64 MiB at any file size.
//
// A worker does one thing after the other. With a second processor, the goroutines
// of a connection wake a thread whenever they hand something over: a fifth of the
// time.
func TuneMemory() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(32 << 20)
	runtime.GOMAXPROCS(1)
}
