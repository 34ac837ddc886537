package inventory

import (
	"context"
	"sync"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Origin is where a key came from.
type Origin struct {
	Upload string // its id; empty: it is the code of a product, which somebody set
	File   string // its name
	Line   int    // in the file, from 1; 0: it cannot be told
}

// Origins tells where keys came from. It remembers the files of uploads that are finished,
// which never change, so that a look takes one round trip, and a second for a file that it has
// not met. It is safe for concurrent use.
type Origins struct {
	Keys    Records
	Uploads Uploads

	mu    sync.Mutex
	known map[string]file // by merchant and upload
}

// rememberedFiles is how many files are remembered: some hundred KiB.
const rememberedFiles = 500

// Of returns where those of a merchant's keys came from that are there.
func (o *Origins) Of(ctx context.Context, merchant string, ids []pool.KeyID) (map[pool.KeyID]Origin, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	records, err := o.Keys.KeyRecords(ctx, ids)
	if err != nil {
		return nil, err
	}
	var uploads []string
	for _, r := range records {
		uploads = append(uploads, r.Upload)
	}
	files, missing := o.remembered(merchant, uploads)
	if len(missing) > 0 {
		read, err := filesOf(ctx, o.Uploads, merchant, missing)
		if err != nil {
			return nil, err
		}
		o.remember(merchant, read, files)
	}
	origins := make(map[pool.KeyID]Origin, len(records))
	for _, r := range records {
		from := Origin{Upload: r.Upload, File: files[r.Upload].upload.File}
		from.Line, _ = files[r.Upload].upload.FileLine(files[r.Upload].ranges, r.Offset, r.Row)
		origins[r.ID] = from
	}
	return origins, nil
}

func (o *Origins) remembered(merchant string, uploads []string) (files map[string]file, missing []string) {
	files = map[string]file{}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range uploads {
		if known, ok := o.known[merchant+"#"+id]; ok {
			files[id] = known
		} else {
			missing = append(missing, id)
		}
	}
	return files, missing
}

func (o *Origins) remember(merchant string, read, files map[string]file) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || len(o.known) > rememberedFiles {
		o.known = map[string]file{}
	}
	for id, f := range read {
		files[id] = f
		if f.upload.State == upload.Finished {
			o.known[merchant+"#"+id] = f
		}
	}
}
