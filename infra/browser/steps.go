package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/page"
)

// journey is what the tabs of a test do, one step after the other. Each step leaves a picture of
// what the window shows then in the journey's folder, such as 07-press-save.jpg: each page that
// is reached, each form as it is when it is sent, each state that is waited for.
type journey struct {
	folder string

	mu    sync.Mutex
	steps int
}

var journeys struct {
	sync.Mutex
	of map[string]*journey
}

// journeyOf returns the journey of a test, in a folder without what an earlier run left there.
func journeyOf(name string) (*journey, error) {
	journeys.Lock()
	defer journeys.Unlock()
	if j := journeys.of[name]; j != nil {
		return j, nil
	}
	j := &journey{folder: filepath.Join(checkout(), ".local/browser", name)}
	if err := os.MkdirAll(j.folder, 0o755); err != nil {
		return nil, err
	}
	left, err := os.ReadDir(j.folder)
	if err != nil {
		return nil, err
	}
	for _, file := range left {
		if !file.IsDir() { // else it is the folder of a test within this one
			if err := os.Remove(filepath.Join(j.folder, file.Name())); err != nil {
				return nil, err
			}
		}
	}
	if journeys.of == nil {
		journeys.of = map[string]*journey{}
	}
	journeys.of[name] = j
	return j, nil
}

var unnamed = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// next returns the path of the next step's picture, without its ending.
func (j *journey) next(did string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps++
	name := []rune(strings.ToLower(strings.Trim(unnamed.ReplaceAllString(did, "-"), "-")))
	return filepath.Join(j.folder, fmt.Sprintf("%02d-%s", j.steps, strings.Trim(string(name[:min(len(name), 60)]), "-")))
}

// did notes what was done since the last picture.
func (b *Tab) did(what string) { b.done = append(b.done, what) }

// act notes what is about to be done on the page. If the page is new, and nothing has been done
// on it, its picture is taken first.
func (b *Tab) act(what string) {
	b.Helper()
	if b.arrived {
		b.step()
	}
	b.did(what)
}

// reached notes that another page is there.
func (b *Tab) reached(how string) {
	b.done, b.arrived = []string{how}, true
}

// step takes the picture of a step, if anything was done since the last one.
func (b *Tab) step() {
	b.Helper()
	if len(b.done) == 0 {
		return
	}
	path := b.journey.next(strings.Join(b.done, " ")) + ".jpg"
	b.done, b.arrived = nil, false
	b.capture(path, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatJpeg, Quality: &enough})
}

// enough is the quality of a picture in which all can be read.
var enough = int64(80)
