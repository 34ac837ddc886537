package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keypool/infra/proof/figures"
	"keypool/infra/proof/results"
)

// The orders, pools and products of the large shop whose lists are measured: see
// functions/portal/figures_test.go, which has the small one.
const largeOrders, largePools, largeProducts = 1_000_000, 200, 2_000

// measuredBy runs tests that keep figures, on the model of DynamoDB, and returns their folder.
func (b *bench) measuredBy(ctx context.Context, pkg, tests string, env ...string) (folder string, err error) {
	folder, err = os.MkdirTemp("", "keypool-figures-")
	if err != nil {
		return "", err
	}
	b.closers = append(b.closers, func() { os.RemoveAll(folder) })
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=30m", "-run", tests, pkg)
	cmd.Dir = b.checkout
	cmd.Env = append(os.Environ(), append(env, figures.Folder+"="+folder, "DYNAMODB_ENDPOINT=")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test %s -run %s: %w\n%s", pkg, tests, err, out)
	}
	return folder, nil
}

// pages measures the pages of the portal and those of orders.
func pages(ctx context.Context, b *bench) error {
	folder, err := b.measuredBy(ctx, "./functions/portal", "^TestFigures_pages$")
	if err != nil {
		return err
	}
	var all []figures.Page
	if err := figures.Read(folder, "pages", &all); err != nil {
		return err
	}
	assets := map[string]int{}
	if err := figures.Read(folder, "assets", &assets); err != nil {
		return err
	}
	most := func(of func(figures.Page) int) figures.Page {
		return slices.MaxFunc(all, func(a, b figures.Page) int { return of(a) - of(b) })
	}
	trips, size, zipped := most(func(p figures.Page) int { return p.Trips }), most(func(p figures.Page) int { return p.Bytes }), most(func(p figures.Page) int { return p.Zipped })
	b.add(figure{
		Name: fmt.Sprintf("round trips of a page of the portal, beside its session's, the most of %d", len(all)), Bar: "<= 2",
		Got: fmt.Sprint(trips.Trips), Met: trips.Trips <= 2,
	})
	b.add(figure{Name: "the largest one", Bar: "<= 60 KB", Got: fmt.Sprintf("%s (`%s`)", kb(size.Bytes), size.Name), Met: size.Bytes <= 60<<10})
	b.add(figure{Name: "the largest one, compressed", Bar: "<= 14 KB", Got: fmt.Sprintf("%s (`%s`)", kb(zipped.Zipped), zipped.Name), Met: zipped.Zipped <= 14<<10})
	many := slices.IndexFunc(all, func(p figures.Page) bool { return p.Name == figures.HundredLines })
	if many < 0 {
		return fmt.Errorf("nobody looked at an order of a hundred lines")
	}
	b.add(figure{
		Name: "the page of an order of 100 lines", Bar: "<= 60 KB",
		Got: fmt.Sprintf("%s, compressed %s", kb(all[many].Bytes), kb(all[many].Zipped)), Met: all[many].Bytes <= 60<<10,
	})
	loaded := assets["style"] + assets["script"]
	b.add(figure{
		Name: "style and script of the portal, compressed", Bar: "<= 20 KB",
		Got: fmt.Sprintf("%s and %s; where keys are added %s more", kb(assets["style"]), kb(assets["script"]), kb(assets["add keys"]+assets["judge"])), Met: loaded <= 20<<10,
	})
	var list []string
	slices.SortFunc(all, func(a, b figures.Page) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range all {
		list = append(list, fmt.Sprintf("`%s` %d, %s, %s", p.Name, p.Trips, kb(p.Bytes), kb(p.Zipped)))
	}
	b.note("Pages", "Of each page that somebody finds by links, in a shop with orders in every state and names as long as they may be: the round trips to the store beside the session's, the HTML, and that compressed by gzip. "+strings.Join(list, "; ")+".")

	folder, err = b.measuredBy(ctx, "./functions/orderpage", "^TestFigures$")
	if err != nil {
		return err
	}
	var order []figures.Page
	if err := figures.Read(folder, "order-page", &order); err != nil {
		return err
	}
	look := slices.IndexFunc(order, func(p figures.Page) bool { return p.Name == "a look" })
	if look < 0 {
		return fmt.Errorf("nobody looked at an order's page")
	}
	largest := slices.MaxFunc(order, func(a, b figures.Page) int { return a.Bytes - b.Bytes })
	b.add(figure{Name: "round trips of an order's page", Bar: "<= 2", Got: fmt.Sprint(order[look].Trips), Met: order[look].Trips <= 2})
	b.add(figure{
		Name: "an order's page, in one request", Bar: "<= 20 KB",
		Got: fmt.Sprintf("%s, compressed %s", kb(largest.Bytes), kb(largest.Zipped)), Met: largest.Bytes <= 20<<10,
	})
	list = nil
	for _, p := range order {
		list = append(list, fmt.Sprintf("%s %d, %s", p.Name, p.Trips, kb(p.Bytes)))
	}
	b.note("An order's page", "Round trips and HTML with style and script in it, without keys and with two: "+strings.Join(list, "; ")+".")
	return openPage(ctx, b)
}

// openPage measures how soon an open page of the portal shows what came to its order.
func openPage(ctx context.Context, b *bench) error {
	folder, err := b.measuredBy(ctx, "./infra/local/e2e", "^TestPortal_orderAsThingsAre$", "GOFLAGS=-tags=deployment")
	if err != nil {
		return err
	}
	var times figures.Times
	if err := figures.Read(folder, "open-page", &times); err != nil {
		return err
	}
	b.add(figure{Name: "an order's open page as things are, after a webhook", Bar: "<= 2 s", Got: times.String(), Met: times.Median() <= 2*time.Second})
	b.note("An open page", "In Chromium, on a one-machine deployment, nobody touching it: from the answer to a webhook, and from the moment when keys were taken, to the page of the portal that shows it. It asks each second; who leaves it open for five minutes without a change or a touch has it ask each five seconds.")
	return nil
}

// lists counts what the lists and the searches of the portal read of a small shop and a large one.
func lists(ctx context.Context, b *bench) error {
	folder, err := b.measuredBy(ctx, "./functions/portal", "^TestFigures_lists$", fmt.Sprintf("KEYPOOL_ORDERS=%d", largeOrders), "GOGC=50")
	if err != nil {
		return err
	}
	var all []figures.List
	if err := figures.Read(folder, "lists", &all); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b figures.List) int { return strings.Compare(a.Name, b.Name) })
	more, most := 0, figures.List{}
	var list []string
	for _, l := range all {
		if l.Calls[1] > l.Calls[0] {
			more++
		}
		if l.Units[1]-l.Units[0] > most.Units[1]-most.Units[0] {
			most = l
		}
		list = append(list, fmt.Sprintf("%s %.0f and %.0f, %.1f and %.1f", l.Name, l.Calls[0], l.Calls[1], l.Units[0], l.Units[1]))
	}
	b.add(figure{
		Name: fmt.Sprintf("lists and searches that make more calls with %s orders, %d pools and %s products", results.Grouped(largeOrders), largePools, results.Grouped(largeProducts)), Bar: "none",
		Got: fmt.Sprintf("%d of %d", more, len(all)), Met: more == 0 && len(all) > 15,
	})
	b.add(figure{
		Name: "the most read units that one takes more", Bar: "<= 10",
		Got: fmt.Sprintf("%.1f", most.Units[1]-most.Units[0]), Met: most.Units[1]-most.Units[0] <= 10,
	})
	b.note("Lists of the portal", "On the model of DynamoDB, those of a shop of 2,000 orders, 60 pools and 120 products beside the large one's: calls, then read units. What is read more are the names of 200 pools, to choose from. A filter that few orders pass looks through so many of them and no more, then offers to go on. "+strings.Join(list, "; ")+".")
	return nil
}

// judging measures how long the browser's judge of key files takes for a million keys.
func judging(ctx context.Context, b *bench) error {
	script := filepath.Join(b.checkout, "infra/proof/bench/judge.mjs")
	cmd := exec.CommandContext(ctx, "node", script, filepath.Join(b.checkout, "functions/portal/assets/judge.js"))
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("judge a million keys: %w\n%s", err, problems.String())
	}
	var lines int
	var seconds, size float64
	if _, err := fmt.Sscan(string(out), &lines, &seconds, &size); err != nil || lines != 1_000_000 {
		return fmt.Errorf("the judge says %q", out)
	}
	b.add(figure{Name: "a file of a million keys, judged in the browser", Bar: "<= 2 s", Got: fmt.Sprintf("%.2f s (%.0f MB)", seconds, size/1e6), Met: seconds <= 2})
	b.note("Judged in the browser", "The worker of the page that adds keys, by Node, whose engine is Chromium's: a file of a million keys of 17 letters, in pieces of 64 KiB as a browser reads them; the median of five.")
	return nil
}

// kb is a number of bytes in words.
func kb(n int) string { return fmt.Sprintf("%.1f KB", float64(n)/1024) }
