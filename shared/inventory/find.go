// Package inventory holds the use cases of keys that are in pools or were sold from them:
// what became of a key, and the jobs that change many.
//
// A key's text comes in and is hashed at once, with the merchant's salt. No result, error
// or log holds it.
//
// # Decisions
//
// A block is done in the call: a thousand keys on both sides are twenty reads and some thousand
// small writes, side by side, which take seconds. It is a mark on the key's own item, whatever
// the key's state: the item of a text that nobody has uploaded is there for the mark alone, and
// the insert of the key meets it as it meets every duplicate. A list beside the keys would have
// to be asked at each insert, and at each return.
//
// A job finds an upload's keys by looking at all keys for sale of its pool, and of those that
// keys of it were moved to, and not by the file: that is deleted after a week, and an index by
// upload would cost a write for each of ten million keys. A look at a million keys costs some
// five cents.
//
// An export reads keys for sale from the index, and sold ones by the merchant's orders: an index of
// sold keys would cost each sale a write. So a key that an order gave back is in no export, since
// its order does not name it any more. Each key is read itself besides, which tells whether it came
// back meanwhile, and where it stood in its file: that is a read unit a key, some fifteen cents a
// million. A scan of the table of keys would find all, and read those of every merchant.
//
// A file is written by parts of several MiB, and not by the SDK's manager: another worker goes on
// with it. A part's number counts the parts and the workers, so that an earlier worker cannot
// overwrite a part. What is too short for a part when the time is out goes into an object of its
// own, since S3 takes no short part but the last.
//
// Keys stand in a table as they are. A sign before one that reads like a formula would protect who
// opens the table with a spreadsheet, and give customers a key that does not work. JSON Lines has
// no such trouble, and the document says so.
//
// A job counts its keys in the transactions that change them, which hold only while its
// worker has not been taken over: its count is right wherever it is cut off. That is one more
// write for 25 keys.
package inventory

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// MaxFound is how many keys are looked for in one call.
const MaxFound = 20

// Finder finds what became of keys: in two round trips, once it knows the merchant.
type Finder struct {
	Merchants Merchants // may be cached: the salt of one never changes
	Keys      Records
	Lines     Lines
	Uploads   Uploads
}

// Merchants reads a merchant, false if there is none of that name.
type Merchants interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
}

// Records returns what is known of those of the keys that are stored, in any order.
type Records interface {
	KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error)
}

// Lines reads a line of an order, false if there is none.
type Lines interface {
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)
}

// Uploads reads an upload, and its ranges that were ever taken, in order.
type Uploads interface {
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
	Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error)
}

// Found is a key that was found.
type Found struct {
	Text int // which of the texts it is, from 0
	pool.Record

	File     upload.Upload // that brought it; without an ID if its record is not there
	FileLine int           // from 1; 0: it cannot be told

	// Sold is the line that holds the key, or held it last. History tells of the lines
	// before; it begins with the upload and ends with the key's state.
	Sold *order.Fulfillment
}

// Find returns the keys that have one of the texts, on either side, in the order of the
// texts. Its error is pool.ErrUnknownKey if there is none.
func (f *Finder) Find(ctx context.Context, merchant string, texts []string) ([]Found, error) {
	m, err := known(ctx, f.Merchants, merchant)
	if err != nil {
		return nil, err
	}
	wanted := map[pool.KeyID][]int{} // texts, which may be the same
	var ids []pool.KeyID
	for i, text := range texts {
		for _, side := range pool.Sides {
			id := pool.Identify(m.Salt, merchant, side, pool.TrimKey(text))
			if wanted[id] == nil {
				ids = append(ids, id)
			}
			wanted[id] = append(wanted[id], i)
		}
	}
	records, err := f.Keys.KeyRecords(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, pool.ErrUnknownKey
	}
	asked := make(map[pool.KeyID]int, len(ids))
	for i, id := range ids {
		asked[id] = i
	}
	slices.SortFunc(records, func(a, b pool.Record) int { return asked[a.ID] - asked[b.ID] })
	var files map[string]file
	var lines map[order.LineID]order.Fulfillment
	var reading errgroup.Group
	reading.Go(func() (err error) { files, err = f.files(ctx, merchant, records); return err })
	reading.Go(func() (err error) { lines, err = f.lines(ctx, records); return err })
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	var found []Found
	for _, r := range records {
		key := Found{Record: r, File: files[r.Upload].upload}
		key.FileLine, _ = key.File.FileLine(files[r.Upload].ranges, r.Offset, r.Row)
		if line, ok := lines[order.LineID(r.Line)]; ok {
			key.Sold = &line
		}
		key.History = key.events()
		for _, i := range wanted[r.ID] {
			key.Text = i
			found = append(found, key)
		}
	}
	slices.SortStableFunc(found, func(a, b Found) int { return a.Text - b.Text })
	return found, nil
}

// known returns a merchant, whose salt all hashes need.
func known(ctx context.Context, merchants Merchants, name string) (catalog.Merchant, error) {
	m, ok, err := merchants.Merchant(ctx, name)
	if err == nil && !ok {
		err = fmt.Errorf("merchant %s is not known", name)
	}
	return m, err
}

// file is an upload with its ranges.
type file struct {
	upload upload.Upload
	ranges []upload.Range
}

// files returns the uploads that brought the keys.
func (f *Finder) files(ctx context.Context, merchant string, records []pool.Record) (map[string]file, error) {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.Upload)
	}
	return filesOf(ctx, f.Uploads, merchant, ids)
}

// filesOf returns the uploads of these ids that are there.
func filesOf(ctx context.Context, uploads Uploads, merchant string, ids []string) (map[string]file, error) {
	return readEach(ctx, ids, func(ctx context.Context, id string) (file, bool, error) {
		var read file
		var there bool
		var reading errgroup.Group
		reading.Go(func() (err error) { read.upload, there, err = uploads.Upload(ctx, merchant, id); return err })
		reading.Go(func() (err error) {
			read.ranges, err = uploads.Ranges(ctx, upload.Upload{Merchant: merchant, ID: id})
			return err
		})
		err := reading.Wait()
		return read, there && err == nil, err
	})
}

// lines returns the lines that hold the keys, or held them last.
func (f *Finder) lines(ctx context.Context, records []pool.Record) (map[order.LineID]order.Fulfillment, error) {
	var ids []order.LineID
	for _, r := range records {
		ids = append(ids, order.LineID(r.Line))
	}
	return readEach(ctx, ids, f.Lines.Fulfillment)
}

// readEach reads the things of these ids side by side, each once. Those that are not there
// are left out, and so is an empty id.
func readEach[ID ~string, T any](ctx context.Context, ids []ID, read func(context.Context, ID) (T, bool, error)) (map[ID]T, error) {
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id ID) bool { return id == "" })
	type one struct {
		thing T
		there bool
	}
	all := make([]one, len(ids))
	var reads errgroup.Group
	reads.SetLimit(len(pool.Sides) * MaxFound)
	for i, id := range ids {
		reads.Go(func() (err error) {
			all[i].thing, all[i].there, err = read(ctx, id)
			return err
		})
	}
	err := reads.Wait()
	things := make(map[ID]T, len(ids))
	for i, id := range ids {
		if all[i].there {
			things[id] = all[i].thing
		}
	}
	return things, err
}

// events returns what happened to the key, oldest first: its upload, what its item tells, and
// its last sale.
func (k Found) events() []pool.KeyEvent {
	events := slices.Clone(k.History)
	if k.File.ID != "" {
		events = append(events, pool.KeyEvent{At: k.File.ReceivedAt, What: pool.KeyUploaded})
	}
	if k.Line != "" {
		events = append(events, pool.KeyEvent{At: k.SoldAt, What: pool.KeySold, About: k.Line})
	}
	pool.SortEvents(events)
	return events
}
