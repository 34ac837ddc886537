package faults

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/due"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// recover ends the storm: no call fails any more, and the queues and the sweep finish
// the interrupted work, hour by hour, until nothing is left to do.
func (s *storm) recover(ctx context.Context) {
	s.faults.Stop()
	for _, table := range []string{s.tables.Catalog, s.tables.Keys, s.tables.Orders} {
		s.faults.Unfreeze(table)
	}
	s.queue.reliable, s.ses.reliable = true, true
	s.halfway.Do(s.connect)
	var left []string
	for range 30 {
		for _, p := range s.ledger.orders {
			if !p.answered {
				s.report(ctx, p)
			}
		}
		s.settleActs(ctx)
		_, err := s.sweeper.Sweep(ctx, s.clock.now().Add(time.Hour))
		s.noError(err)
		s.noError(s.checker.Check(ctx))
		for m, ok := s.queue.take(); ok; m, ok = s.queue.take() {
			s.handle(ctx, m)
		}
		s.mailWhatIsDue(ctx)
		if left = s.unfinished(); len(left) == 0 {
			return
		}
		s.clock.advance(61 * time.Minute)
	}
	s.t.Errorf("stuck, a day after the last fault:\n%s", strings.Join(left, "\n"))
}

func (s *storm) mailWhatIsDue(ctx context.Context) {
	var mails []outbox.Item
	for partition := range due.Partitions {
		s.noError(s.direct.Due(ctx, partition, s.clock.now().Add(24*time.Hour), func(item due.Item) bool {
			if item.Line != nil {
				mails = append(mails, outbox.LineItem(string(item.Line.ID)))
			} else if item.Notice != nil {
				mails = append(mails, outbox.NoticeItem(item.Notice.ID))
			}
			return true
		}))
	}
	for _, err := range s.mailItems(ctx, mails...) {
		s.noError(err)
	}
}

// unfinished lists the work that is left: mails, files, orders without an answer, and
// lines that wait although keys are available.
func (s *storm) unfinished() []string {
	var left []string
	for _, p := range s.ledger.orders {
		if !p.answered {
			left = append(left, fmt.Sprintf("order %s has no answer", p.line.Order))
		}
	}
	for _, item := range dynamotest.Items(s.t, s.tables.Catalog, "uploads#") {
		if item["state"] != string(upload.Finished) {
			left = append(left, fmt.Sprintf("upload %s is %s, %v of %v ranges done", item["sk"], item["state"], item["done"], item["ranges"]))
		}
	}
	waiting, available := map[string]int{}, map[string]int{} // by pool side
	for _, item := range dynamotest.Items(s.t, s.tables.Orders, "") {
		pk := item["pk"].(string)
		if state := item["mail"]; state == "due" || state == "sending" {
			left = append(left, fmt.Sprintf("the mail of %s %s is %s", pk, item["sk"], state))
		}
		if side, ok := strings.CutPrefix(pk, "queue#"); ok && item["sk"] != "!bypass" {
			waiting[side]++
		}
		if strings.HasPrefix(pk, "unconnected#") {
			left = append(left, fmt.Sprintf("a line stands in %s, whose product is connected", pk))
		}
	}
	for _, item := range dynamotest.Items(s.t, s.tables.Keys, "") {
		if shard, ok := item["shard"].(string); ok {
			available[shard[:strings.LastIndexByte(shard, '#')]]++
		}
	}
	for side, lines := range waiting {
		if keys := available[side]; keys > 0 {
			left = append(left, fmt.Sprintf("%d lines wait beside %d keys of %s", lines, keys, side))
		}
	}
	sort.Strings(left)
	return left
}

// refill drops as many keys as are missing.
func (s *storm) refill(ctx context.Context) {
	missing := map[pool.ID]int{}
	for _, name := range pools {
		for _, side := range []pool.Side{pool.Live, pool.Test} {
			p := pool.ID{Merchant: merchant, Pool: name, Side: side}
			keys, _, err := s.direct.Missing(ctx, p, 1<<20)
			s.noError(err)
			missing[p] = keys
		}
	}
	for p, keys := range missing {
		if keys == 0 {
			continue
		}
		var lines []string
		for range keys {
			key := fmt.Sprintf("%s%s-%06d", keyPrefix, p.Side, len(s.ledger.texts))
			s.ledger.texts = append(s.ledger.texts, text{side: p.Side, key: key})
			lines = append(lines, key)
		}
		name := "uploads/" + merchant + "/" + p.Pool + "/"
		if p.Side == pool.Test {
			name += "test/"
		}
		s.handle(ctx, message{body: s.bucket.Put(name+"refill.txt", []byte(strings.Join(lines, "\n")))})
	}
}

// audit reads the tables whole and compares them with the ledger.
func (s *storm) audit(filled bool) {
	s.t.Helper()
	books := dynamotest.Audit(s.t, s.tables)
	s.auditKeys(books)
	s.auditLines(books, filled)
	s.auditMails(books)
}

// auditKeys checks that the table holds each key of each file once and no other key,
// and that the counts of the uploads agree.
func (s *storm) auditKeys(books dynamotest.Books) {
	sure, maybe, there := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, text := range s.ledger.texts {
		maybe[text.key] = true
		if !text.gone {
			sure[text.key] = true
		}
	}
	stored := map[string]int{} // by upload
	for _, item := range dynamotest.Items(s.t, s.tables.Keys, "") {
		text := item["text"].(string)
		if there[text] {
			s.t.Errorf("a key is in the table twice: %s", text)
		}
		if there[text] = true; !maybe[text] {
			s.t.Errorf("a key is in the table and was in no file: %s", text)
		}
		stored[item["upload"].(string)]++
	}
	for text := range sure {
		if !there[text] {
			s.t.Errorf("a key is lost: %s", text)
		}
	}
	for _, item := range dynamotest.Items(s.t, s.tables.Catalog, "uploads#") {
		counts, _ := item["counts"].(map[string]any)
		accepted, _ := counts[string(upload.Accepted)].(float64)
		switch n := stored[item["sk"].(string)]; {
		case item["cause"] == string(upload.Gone) && n >= int(accepted):
		case n != int(accepted):
			s.t.Errorf("upload %s says that %v keys were accepted, and brought %d", item["sk"], accepted, n)
		}
		delete(stored, item["sk"].(string))
	}
	for upload, n := range stored {
		s.t.Errorf("%d keys name upload %s, which has no record", n, upload)
	}
	if sum := books.Available + books.Claimed + books.Revoked + books.Kept + books.Withdrawn; sum != books.Keys || len(there) != books.Keys {
		s.t.Errorf("%d keys: %d available, %d claimed, %d revoked, %d kept, %d withdrawn", books.Keys, books.Available, books.Claimed, books.Revoked, books.Kept, books.Withdrawn)
	}
}

// auditLines checks that each paid order has one line, that the line has its keys or
// waits for them, less those of units that were given back, and that it holds the keys of
// every answer, or gave them back.
func (s *storm) auditLines(books dynamotest.Books, filled bool) {
	if len(books.Lines) != len(s.ledger.orders) {
		s.t.Errorf("%d lines were paid and %d are stored", len(s.ledger.orders), len(books.Lines))
	}
	gaveBack := s.gaveBack()
	for _, p := range s.ledger.orders {
		line, ok := books.Lines[string(p.line.ID)]
		if !ok {
			s.t.Errorf("order %s is lost", p.line.Order)
			continue
		}
		due := s.due(p, s.paidAfter(p))
		if line.All != (due == 0) {
			s.t.Errorf("order %s is due %d keys, and is given back: %v", p.line.Order, due, line.All)
		}
		if line.All && line.Wanted == 0 && line.Allocated == 0 {
			continue // given back before a pool fed its product
		}
		if line.Wanted != p.wanted || line.Wanted-line.Returned != due || line.Allocated > due || filled && line.Allocated != due {
			s.t.Errorf("order %s paid for %d keys and is due %d after refunds %v, a return: %v, disputes %v: its line wants %d, of which %d were returned, and holds %d",
				p.line.Order, p.wanted, due, p.refunds, p.returned, p.disputed, line.Wanted, line.Returned, line.Allocated)
		}
		if line.OnHold {
			s.t.Errorf("order %s is on hold, though its disputes have ended and it was released", p.line.Order)
		}
		var held []string
		for _, key := range line.Keys {
			held = append(held, key.Text)
		}
		for _, answer := range p.answers {
			for _, key := range answer {
				// A key that a refund restocked is for sale, or another line's by now.
				if !slices.Contains(held, key) && gaveBack[key] != string(p.line.ID) && !p.restocks {
					s.t.Errorf("order %s was answered with a key that its line does not hold and did not give back", p.line.Order)
				}
			}
		}
	}
}

// gaveBack returns the line of each key that a line gave back, and that is not for sale
// again, by the key's text.
func (s *storm) gaveBack() map[string]string {
	lines := map[string]string{}
	for _, item := range dynamotest.Items(s.t, s.tables.Keys, "") {
		text := item["text"].(string)
		if state := item["state"]; state == "revoked" || state == "kept" {
			lines[text] = item["line"].(string)
		}
	}
	return lines
}

// paidAfter returns the returns that came before the line was paid, as it says.
func (s *storm) paidAfter(p *paid) []string {
	line, _, err := s.direct.Fulfillment(context.Background(), p.line.ID)
	s.noError(err)
	return line.PaidAfter
}

// auditMails checks that SES accepted no mail of a number twice, and that a line's
// keys were mailed together and once; again only where SES's answer to the first mail
// was lost.
func (s *storm) auditMails(books dynamotest.Books) {
	type numbered struct {
		outbox.Item
		number int
	}
	taken := map[numbered]bool{}
	mailed, confirmed := map[string]int{}, map[string]int{} // of lines, with keys
	gaveBack, changed, again := s.gaveBack(), map[string]bool{}, map[string]int{}
	shownBy := map[string]map[string]bool{} // the keys that a line's mails show
	for _, p := range s.ledger.orders {
		again[string(p.line.ID)] = p.again
		changed[string(p.line.ID)] = p.again > 0 || len(p.refunds) > 0 || p.returned || p.disputed[2]
	}
	for _, l := range s.ses.accepted {
		name := numbered{l.Item, l.number}
		if taken[name] {
			s.t.Errorf("mail %d of %s was sent twice", l.number, l.ID)
		}
		taken[name] = true
		if len(l.keys) == 0 {
			continue
		}
		line := books.Lines[l.ID]
		shown := map[string]bool{}
		for _, key := range l.keys {
			shown[key] = true
			if shownBy[l.ID] == nil {
				shownBy[l.ID] = map[string]bool{}
			}
			shownBy[l.ID][key] = true
		}
		held := 0
		for _, key := range line.Keys {
			if shown[key.Text] {
				held++
				delete(shown, key.Text)
			}
		}
		// A key that was mailed is its line's for ever, also after it was given back.
		for key := range shown {
			if gaveBack[key] != l.ID {
				s.t.Errorf("mail %d of order %s shows a key that its line neither holds nor gave back, or that is for sale again", l.number, line.Order)
			}
		}
		if !changed[l.ID] && (held != len(line.Keys) || len(shown) > 0) {
			s.t.Errorf("mail %d of order %s held %d keys, its line holds %d, and they are not the same", l.number, line.Order, len(l.keys), len(line.Keys))
		}
		if mailed[l.ID]++; !l.answerLost {
			confirmed[l.ID]++
		}
	}
	for id, line := range books.Lines {
		due := line.Wanted - line.Returned
		for _, key := range line.Keys {
			if line.Allocated == due && mailed[id] > 0 && line.Mail != "failed" && !shownBy[id][key.Text] {
				s.t.Errorf("order %s holds a key that was never mailed: %q", line.Order, line.Mail)
			}
		}
		switch n := mailed[id]; {
		case confirmed[id] > 1+again[id]:
			s.t.Errorf("order %s was mailed %d times, and the answers to %d mails arrived", line.Order, n, confirmed[id])
		case line.Allocated < due && n > 0:
			s.t.Errorf("order %s waits and was mailed keys", line.Order)
		case due > 0 && line.Allocated == due && n == 0 && line.Mail != "failed":
			s.t.Errorf("order %s has its keys and was never mailed: %q", line.Order, line.Mail)
		case n > 1:
			s.tally.add("lines mailed again", 1)
		}
	}
}
