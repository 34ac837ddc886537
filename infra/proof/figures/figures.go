// Package figures carries what tests measure to the page of results: a test keeps its figures,
// and `make bench` runs it and reads them.
package figures

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Folder is the environment variable that names the folder of figures. Tests run without it too,
// and hold their bars.
const Folder = "KEYPOOL_FIGURES"

// Page is what a page of the portal, or an order's, takes. Its name is an address with names in
// braces.
type Page struct {
	Name          string
	Trips         int // round trips to the store, without those for the session
	Bytes, Zipped int // of its HTML
}

// HundredLines is the name of the Page of an order of a hundred lines.
const HundredLines = "/portal/orders/{order}, of a hundred lines"

// List is what a list, or a search, reads of a small shop and of a large one.
type List struct {
	Name         string
	Calls, Units [2]float64
}

// Times are how long something took, the shortest first.
type Times []time.Duration

// Median is the middle one.
func (t Times) Median() time.Duration { return (t[(len(t)-1)/2] + t[len(t)/2]) / 2 }

// String is the median, and from what to what they are.
func (t Times) String() string {
	return fmt.Sprintf("%.1f s, the median of %d from %.1f s to %.1f s", t.Median().Seconds(), len(t), t[0].Seconds(), t[len(t)-1].Seconds())
}

// Keep keeps what a test measured under a name.
func Keep(t testing.TB, name string, measured any) {
	t.Helper()
	folder := os.Getenv(Folder)
	if folder == "" {
		return
	}
	content, err := json.Marshal(measured)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".json"), content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Read reads what a test kept.
func Read(folder, name string, measured any) error {
	content, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(content, measured)
}

// Zipped returns how many bytes a text takes compressed.
func Zipped(text string) int {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write([]byte(text))
	z.Close()
	return out.Len()
}
