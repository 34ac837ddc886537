// Package standard is Keypool's own scheme, for shops and platforms that can send
// what Keypool documents: an order.paid event in JSON, signed as the Standard
// Webhooks specification says.
//
// # Connect a shop in five minutes
//
//  1. Make the account, with a token of the scopes secrets and settings. The answer shows
//     its secret, this once, and its address, webhook_path, below the address of Keypool's
//     API:
//
//     PUT /v1/accounts/my-shop
//     {}
//
//  2. When an order is paid, the shop sends the event that the API's document describes
//     under webhooks to that address. Any library of Standard Webhooks
//     (https://www.standardwebhooks.com) signs it, with the secret as it was shown.
//
//  3. Name your products in Keypool as the shop does: PUT /v1/products/{product}.
//
//  4. Send an order with "test": true: it gets a test key, and the answer says so.
//
// To rotate the secret, make the same call again, with the header If-Match: *. The secret
// before stays good for 24 hours, or as keep_previous_hours says. With keep_secret true only
// other settings change.
//
// A secret of your own is taken as senders show it: whsec_ and 16 to 64 bytes in base64, with
// or without the padding, the prefix, or v1, before it. The key is the decoded bytes.
//
// # The order's page, in the answer
//
// Where customers have a page of their order, its link is in their mails. A shop that shows it
// right after the payment has it in the answer, too: with "settings": {"order_page_in_answer":
// true} of the account, the answer to a paid order has order_page, the first time and each time
// the order is sent again. It is left out where the order has no page: none of its products has
// one, its link was revoked, or has ended. Whoever has the link can see the keys.
//
// # What it is not for
//
// The specification says how a webhook is signed, and not what stands in it. Keypool reads the
// body that its document describes. Polar and Dodo Payments sign this way and send bodies of
// their own: their webhooks are not read here, though Polar calls its event order.paid as well.
// Where such a body holds the customer's address and the product, an account of the platform
// generic reads it, and verifies a key that is the secret's text, as Polar's was before
// September 2026.
package standard
