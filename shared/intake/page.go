package intake

import (
	"context"
	"log/slog"
	"sync"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// findPage looks for the page of an order that is being paid, beside the claims of its lines,
// if the account's answers name it. What it returns waits for the page's address, which is ""
// where there is none. One that cannot be looked for now is left out of the answer: the order is
// stored, and its customer gets the mail.
func (in *Intake) findPage(ctx context.Context, from platform.Account, lines []order.Fulfillment) (address func() string) {
	if !from.AnswersPage || in.Pages == nil || len(lines) == 0 {
		return func() string { return "" }
	}
	var found string
	var looking sync.WaitGroup
	looking.Go(func() {
		page, opens, err := in.Pages.LinkOfPaid(ctx, in.PublicURL, lines)
		switch {
		case err != nil:
			slog.WarnContext(ctx, "order.page_not_found", "merchant", from.Merchant, "account", from.Name, "error", err)
		case opens:
			found = page
		}
	})
	return func() string {
		looking.Wait()
		return found
	}
}

// namePage names the page of an order in the results of its lines that are stored.
func namePage(results []platform.Result, address string) {
	for i := range results {
		if results[i].Outcome == platform.Accepted {
			results[i].OrderPage = address
		}
	}
}
