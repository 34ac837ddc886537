package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Lines are found by three indexes, which hold primary keys only. The writes that change a
// line put it there and take it away, so that none is forgotten. A partition takes 1,000
// write units a second: that is why every line of a side stands in one of several, and those
// of one address, or those that somebody has to look at, do not. The lines of an order stand
// together.

// listedShards is how many partitions the lines of a side stand in. They may only become
// more.
const listedShards = 8

func listedName(merchant string, side pool.Side, shard int) string {
	return merchant + "#" + string(side) + "#" + strconv.Itoa(shard)
}

// listedPartition is the partition in which a line is listed; one that was not paid yet is
// not.
func listedPartition(f order.Fulfillment) string {
	if f.Expected {
		return ""
	}
	return listedName(f.Merchant, f.Side, hashOfName(f.ID.OrderHalf(), listedShards))
}

// whoPartition is the partition of the lines of a customer's address; "" for a line without
// one.
func whoPartition(f order.Fulfillment) string {
	if f.CustomerHash == "" {
		return ""
	}
	return whoName(f.Merchant, f.Side, f.CustomerHash)
}

func whoName(merchant string, side pool.Side, hash string) string {
	return merchant + "#" + string(side) + "#" + hash
}

// hashOf returns the hash of a customer's address from its partition.
func hashOf(who string) string { return who[strings.LastIndexByte(who, '#')+1:] }

// attentionPlace is the place of a line among those that somebody has to look at; "" if
// nobody has to.
func attentionPlace(f order.Fulfillment) (partition string, since int64) {
	at, needed := f.Attention()
	if !needed {
		return "", 0
	}
	return attentionName(f.Merchant, f.Side), millis(at)
}

func attentionName(merchant string, side pool.Side) string { return merchant + "#" + string(side) }

// finding is the index by which a search finds lines.
type finding struct {
	index, by, then string
	partitions      []string
}

func findingOf(q order.Search) finding {
	switch {
	case q.CustomerHash != "":
		return finding{whoIndex, "who", "receivedAt", []string{whoName(q.Merchant, q.Side, q.CustomerHash)}}
	case q.Attention:
		return finding{attentionIndex, "attention", "since", []string{attentionName(q.Merchant, q.Side)}}
	}
	f := finding{index: listedIndex, by: "listed", then: "receivedAt"}
	for shard := range listedShards {
		f.partitions = append(f.partitions, listedName(q.Merchant, q.Side, shard))
	}
	return f
}

// Places returns the places of up to limit lines that a search finds, in its order, after one
// that the search returned: the zero Place to begin with. By an address each line is found
// once, by the one that it has or by a former one.
//
// Every partition is read at once, up to limit entries of it, so it is one round trip however
// many lines there are. Within a partition DynamoDB says which of two lines of one moment
// comes first.
func (s *Store) Places(ctx context.Context, q order.Search, after order.Place, limit int) ([]order.Place, error) {
	by := findingOf(q)
	places := make([][]order.Place, len(by.partitions))
	reading, ctx := errgroup.WithContext(ctx)
	for n := range by.partitions {
		reading.Go(func() error {
			read, any := by.query(q, after, n)
			if !any {
				return nil
			}
			read.table, read.limit = s.tables.Orders, limit
			entries, err := s.items(ctx, read)
			for _, entry := range entries {
				place := order.Place{At: at(numberOf(entry[by.then])), Partition: n}
				var ok bool
				if place.Line, ok = keyOf(entry).line(); !ok {
					place.Line, place.Former, ok = keyOf(entry).former()
				}
				if ok {
					places[n] = append(places[n], place)
				}
			}
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, wrap(err, "look for lines of %s", q.Merchant)
	}
	all := slices.Concat(places...)
	slices.SortStableFunc(all, func(a, b order.Place) int {
		if q.OldestFirst {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Partition, b.Partition))
		}
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Partition, b.Partition))
	})
	return all[:min(limit, len(all))], nil
}

// query returns the query of partition n for what comes after a place, false if nothing can.
func (f finding) query(q order.Search, after order.Place, n int) (query, bool) {
	read := query{index: f.index, backwards: !q.OldestFirst, where: f.by + " = :partition AND " + f.then + " BETWEEN :from AND :until"}
	from, until := millis(q.From), millis(q.Until)-1
	if begun := after.Line != ""; begun {
		last, same := millis(after.At), n == after.Partition
		passed := int64(0)
		if n < after.Partition { // all of that moment have been seen
			passed = 1
		}
		if q.OldestFirst {
			same = same && last >= from
			from = max(from, last+passed)
		} else {
			same = same && last <= until
			until = min(until, last-passed)
		}
		if same {
			read.afterEntry = lineKey(after.Line).attrs()
			if after.Former > 0 {
				read.afterEntry = formerKey(after.Line, after.Former).attrs()
			}
			read.afterEntry[f.by], read.afterEntry[f.then] = text(f.partitions[n]), number(last)
		}
	}
	read.values = attrs{":partition": text(f.partitions[n]), ":from": number(from), ":until": number(until)}
	return read, from <= until
}

// LinesByID returns the lines of these names, each with its first keys only, as they stand:
// consistent reads, side by side. A line that is not there is left out.
func (s *Store) LinesByID(ctx context.Context, ids []order.LineID) (map[order.LineID]order.Fulfillment, error) {
	batches := slices.Collect(slices.Chunk(ids, batchGetKeys))
	items := make([][]attrs, len(batches))
	reading, ctx := errgroup.WithContext(ctx)
	for n, batch := range batches {
		reading.Go(func() error {
			keys := make([]attrs, len(batch))
			for i, id := range batch {
				keys[i] = lineKey(id).attrs()
			}
			var err error
			items[n], err = s.batchGet(ctx, retry.Throttling, s.tables.Orders, keys)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, fmt.Errorf("read %d lines: %w", len(ids), err)
	}
	lines := make(map[order.LineID]order.Fulfillment, len(ids))
	for _, item := range slices.Concat(items...) {
		line, err := decodeFulfillment(item)
		if err != nil {
			return nil, err
		}
		lines[line.ID] = line
	}
	return lines, nil
}
