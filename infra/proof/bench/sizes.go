package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"keypool/infra/proof/plot"
	"keypool/shared/upload"
)

// The sizes of key files, in keys: loaded into a generated table, and into
// MiniStack's. The largest are a part of their own, which takes many minutes.
var (
	emptySizes, storedSizes = []int{1_000, 10_000, 100_000, 1_000_000}, []int{1_000, 10_000, 50_000}
	emptyLarge, storedLarge = []int{10_000_000}, []int{1_000_000}
)

const (
	emptySeries  = "a table that answers at once"
	storedSeries = "MiniStack's table"
)

// smallFiles and largeFiles measure the rate and the memory of loading a file.
func smallFiles(ctx context.Context, b *bench) error {
	b.note("Files of any size", "From the start of the process to the finished report, by one process of the deployed binary, range after range.")
	return files(ctx, b, emptySizes, storedSizes)
}

func largeFiles(ctx context.Context, b *bench) error { return files(ctx, b, emptyLarge, storedLarge) }

func files(ctx context.Context, b *bench, empty, stored []int) error {
	for _, series := range []struct {
		name    string
		sizes   []int
		setting setting
	}{{emptySeries, empty, setting{workers: 1}}, {storedSeries, stored, setting{workers: 1, stored: true}}} {
		for _, size := range series.sizes {
			done, err := b.load(ctx, file{form: "KEY-%020d", at: time.Now().Truncate(time.Second), lines: size}, series.setting)
			if err != nil {
				return err
			}
			rate, peak := float64(size)/done.took.Seconds(), float64(done.peak)/(1<<20)
			b.fact(fmt.Sprintf("%s, %d keys a second", series.name, size), rate)
			b.fact(fmt.Sprintf("%s, %d MiB", series.name, size), peak)
			b.add(figure{
				Name: fmt.Sprintf("a file of %d keys, %s", size, series.name),
				Got:  fmt.Sprintf("%.0f keys a second, %.0f MiB at most", rate, peak),
			})
		}
	}
	return nil
}

// rangeWorkers measures how the rate of one file grows with the number of processes
// that load its ranges. The table has DynamoDB's latency.
func rangeWorkers(ctx context.Context, b *bench) error {
	f := file{form: "KEY-%0400d", at: time.Now().Truncate(time.Second)}
	perRange := int(upload.RangeSize / f.line())
	single := 0.0
	for workers := 1; workers <= 32; workers *= 2 {
		f.lines = perRange * workers
		done, err := b.load(ctx, f, setting{workers: workers, batchTakes: time.Duration(batch * float64(time.Second))})
		if err != nil {
			return err
		}
		rate := float64(f.lines) / done.took.Seconds()
		if workers == 1 {
			single = rate
		}
		b.fact(strconv.Itoa(workers), rate)
		b.add(figure{
			Name: fmt.Sprintf("ranges loaded by %d at once", workers),
			Got:  fmt.Sprintf("%.0f keys a second, %.1f times one", rate, rate/single),
		})
	}
	b.note("Ranges side by side", "Each range is loaded by a process of the deployed binary: 2 MiB, at a latency of 30 ms for a batch of 25 keys. The curve bends because all processes, the bucket and the table share the processors of this machine: a key takes some 40 us of one. A deployment runs four at once.")
	return nil
}

// plots draws the results, and returns links for the page.
func (b *bench) plots(measured map[string]record) (string, error) {
	facts := map[string]float64{}
	for _, part := range []string{"sizes", "large"} {
		for name, value := range measured[part].Facts {
			facts[name] = value
		}
	}
	curve := func(name string, sizes []int, of string) plot.Series {
		s := plot.Series{Name: name}
		for _, size := range sizes {
			if y, ok := facts[fmt.Sprintf("%s, %d %s", name, size, of)]; ok {
				s.Points = append(s.Points, plot.Point{X: float64(size), Y: y})
			}
		}
		return s
	}
	both := func(of string) []plot.Series {
		return []plot.Series{
			curve(emptySeries, append(emptySizes[:len(emptySizes):len(emptySizes)], emptyLarge...), of),
			curve(storedSeries, append(storedSizes[:len(storedSizes):len(storedSizes)], storedLarge...), of),
		}
	}
	bar := plot.Series{Name: "bar", Dashed: true}
	for _, p := range both("MiB")[0].Points {
		bar.Points = append(bar.Points, plot.Point{X: p.X, Y: 64})
	}
	workers, even := plot.Series{Name: "measured"}, plot.Series{Name: "in proportion", Dashed: true}
	for n := 1; n <= 32; n *= 2 {
		if rate, ok := measured["workers"].Facts[strconv.Itoa(n)]; ok {
			workers.Points = append(workers.Points, plot.Point{X: float64(n), Y: rate})
			even.Points = append(even.Points, plot.Point{X: float64(n), Y: float64(n) * measured["workers"].Facts["1"]})
		}
	}
	size := plot.Axis{Title: "keys in the file", Log: true}
	links := ""
	for _, drawn := range []struct {
		name  string
		chart plot.Chart
	}{
		{"ingest-rate", plot.Chart{Title: "How fast a key file is loaded", X: size, Y: plot.Axis{Title: "keys a second"}, Series: both("keys a second")}},
		{"ingest-memory", plot.Chart{Title: "What it takes of memory", X: size, Y: plot.Axis{Title: "MiB resident at most"}, Series: append(both("MiB"), bar)}},
		{"ingest-workers", plot.Chart{
			Title: "Ranges of one file loaded side by side", X: plot.Axis{Title: "processes", Log: true}, Y: plot.Axis{Title: "keys a second", Log: true},
			Series: []plot.Series{workers, even},
		}},
	} {
		drawn.chart.Series = slices.DeleteFunc(drawn.chart.Series, func(s plot.Series) bool { return len(s.Points) == 0 })
		if len(drawn.chart.Series) == 0 {
			continue // not measured yet
		}
		if err := drawn.chart.Write(filepath.Join(b.checkout, "infra/proof", drawn.name+".svg")); err != nil {
			return "", err
		}
		links += fmt.Sprintf("\n![%s](%s.svg)\n", drawn.chart.Title, drawn.name)
	}
	return links, nil
}
