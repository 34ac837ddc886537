package shopify

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"keypool/shared/platform"
)

// maxPages bounds the pages of orders that one run reads; the next goes on from there.
const maxPages = 500

// longestWait is how long a run waits for the shop to take calls again.
const longestWait = 20 * time.Second

// Changed implements platform.Lister, by the time at which the shop last changed an order.
func (a Adapter) Changed(ctx context.Context, account platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		called, err := a.of(account)
		if err != nil {
			yield(platform.Purchase{}, err)
			return
		}
		find := fmt.Sprintf("updated_at:>='%s'", since.UTC().Format(time.RFC3339))
		var from any
		for range maxPages {
			found, err := called.query(ctx, ordersQuery, sizes(map[string]any{"find": find, "from": from, "orders": ordersAtOnce}))
			if err == nil && found.Find("/orders").Missing() {
				err = called.accessDenied()
			}
			if err != nil {
				yield(platform.Purchase{}, err)
				return
			}
			for _, node := range found.Find("/orders/nodes").List {
				p, err := called.whole(ctx, node)
				next, passed := platform.PassOver(err, timeOf(node.Find("/updatedAt")))
				switch {
				case passed:
				case err != nil:
					yield(platform.Purchase{}, err)
					return
				default:
					next = p.changed(called.settings)
				}
				if !yield(next, nil) {
					return
				}
			}
			if !isTrue(found.Find("/orders/pageInfo/hasNextPage")) {
				return
			}
			from = textOf(found.Find("/orders/pageInfo/endCursor"))
			if err := a.pause(ctx, found); err != nil {
				yield(platform.Purchase{}, fmt.Errorf("%s takes no more calls now: %w", called.host, platform.ErrTryAgain))
				return
			}
		}
		yield(platform.Purchase{}, errEndless)
	}
}

// pause waits until the shop gives as many points again as the last query asked for.
func (a Adapter) pause(ctx context.Context, last answer) error {
	if last.left >= last.asked || last.restored <= 0 {
		return nil
	}
	wait := time.Duration((last.asked - last.left) / last.restored * float64(time.Second))
	return a.Wait(ctx, min(wait, longestWait))
}

// changed returns an order as catch-up takes it.
func (p *purchase) changed(s settings) platform.Purchase {
	paid := p.paid(s)
	if paid != nil && len(paid.Lines) == 0 {
		paid = nil // of what ships alone
	}
	return platform.Purchase{ChangedAt: p.changedAt, Returned: p.returned(s), Disputed: p.disputed(), Paid: paid}
}

// topics are those that Keypool makes webhooks for. Without the first three orders are
// missed; an app that may not have the others does without.
var topics = []struct {
	name   string
	needed bool
}{
	{"ORDERS_PAID", true},
	{"REFUNDS_CREATE", true},
	{"ORDERS_CANCELLED", true},
	{"DISPUTES_CREATE", false},
	{"DISPUTES_UPDATE", false},
	{"ORDERS_RISK_ASSESSMENT_CHANGED", false},
}

const webhooksQuery = `query($from: String) {
  webhookSubscriptions(first: 100, after: $from) { pageInfo { hasNextPage endCursor } nodes { topic uri format } }
}`

const webhookMutation = `mutation($topic: WebhookSubscriptionTopic!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhook) { webhookSubscription { id } userErrors { field message } }
}`

// subscribed returns the topics that the app has webhooks of to an address.
func (a api) subscribed(ctx context.Context, address string) ([]string, error) {
	var there []string
	var from any
	for range maxMore {
		found, err := a.query(ctx, webhooksQuery, map[string]any{"from": from})
		if err != nil {
			return nil, err
		}
		list := found.Find("/webhookSubscriptions")
		if list.Missing() {
			return nil, a.accessDenied()
		}
		for _, node := range list.Find("/nodes").List {
			if platform.SameAddress(textOf(node.Find("/uri")), address) && textOf(node.Find("/format")) == "JSON" {
				there = append(there, textOf(node.Find("/topic")))
			}
		}
		if !isTrue(list.Find("/pageInfo/hasNextPage")) {
			break
		}
		from = textOf(list.Find("/pageInfo/endCursor"))
	}
	return there, nil
}

// Probe implements platform.Prober. Shopify shows an app its own webhooks alone: of those
// that were made by hand it tells nothing: their state is "", not known.
func (a Adapter) Probe(ctx context.Context, account platform.Account, address string) (platform.WebhookStatus, error) {
	called, err := a.of(account)
	if err != nil {
		return "", err
	}
	if called.settings.Webhooks == webhooksByHand {
		return "", nil
	}
	there, err := called.subscribed(ctx, address)
	if err != nil {
		return "", err
	}
	for _, topic := range topics {
		if topic.needed && !slices.Contains(there, topic.name) {
			return platform.WebhookMissing, nil
		}
	}
	return platform.WebhookActive, nil
}

// Subscribe implements platform.Subscriber.
func (a Adapter) Subscribe(ctx context.Context, account platform.Account, address string) error {
	called, err := a.of(account)
	if err != nil || called.settings.Webhooks == webhooksByHand {
		return err
	}
	there, err := called.subscribed(ctx, address)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		if slices.Contains(there, topic.name) {
			continue
		}
		found, err := called.query(ctx, webhookMutation, map[string]any{"topic": topic.name, "webhook": map[string]string{"uri": address, "format": "JSON"}})
		made := err == nil && !found.Find("/webhookSubscriptionCreate/webhookSubscription").Missing()
		switch {
		case made || passing(err) == nil && !topic.needed:
		case err != nil:
			return err
		default:
			return called.refused("makes no webhook of the topic " + topic.name + ": give the app the scopes and the protected customer data that the account's page lists, and install its new version")
		}
	}
	return nil
}
