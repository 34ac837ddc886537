// Package dynamo is the only package that speaks DynamoDB. It keeps Keypool's
// three tables, and decides which writes share a transaction and on which conditions.
//
// # The tables on one screen
//
// Times are numbers: milliseconds since 1970, UTC. <m> is a merchant's name, <side>
// is live or test; <order> and <line> are the halves of a LineID.
//
//	catalog   pk, sk                                     index due (due, dueAt), index kind (kind, pk)
//	  merchant#<m>          merchant                     kind=merchant; salt
//	  settings#<m>          pool#<pool>                  kind=pool; low stock, shards
//	  settings#<m>          product#<product>            pools, keys a line, texts; codes: by side, the key that is its code;
//	                                                     under an alias a copy of it, aliasOf=<product>
//	  settings#<m>          account#<account>            platform, origin, sealed secrets and credentials, settings;
//	                                                     kind=fetching if it has credentials
//	  settings#<m>          retention                    days after which customers are erased
//	  settings#<m>          texts                        the merchant's texts in the mails of all products, by language
//	  settings#<m>          order-page                   whether customers have order pages
//	  settings#<m>          roster                       the version of all accounts together
//	  settings#<m>          reading#<pool>#<question>    the answer to a question about a file of the pool
//	  counts#<m>            calls#<account>              its webhooks: last seen, not signed, the last 20
//	  counts#<m>            catchup#<account>            how far catch-up has come: watermark, last run, lease
//	  counts#<m>            sold#<yyyy-mm-dd>            keys sold that day on the live side; its limit, whether it was told
//	  review#<m>            rules                        which lines are put on hold; whether the brake sets itself
//	  audit#<m>             <time>-<random>              who changed which setting, or did what to an order, from where, and how; written once
//	  review#<m>            brake                        the brake: who set it last, and who took it off
//	  senders#<m>           sender                       the merchant's own address that mails come from: state, tokens of DKIM;
//	                                                     due while its domain is looked at
//	  domains#<domain>      domain                       the one merchant whose mails come from the domain; freeAt: until when,
//	                                                     of one that is not proven; givenUp: it is free
//	  counts#<m>            day#<yyyy-mm-dd>             calls of its tokens and notices to it that day
//	  counts#<m>            exports                      how many exports are running
//	  counts#<m>            count#<pool>#<side>          accepted, taken, revoked, withdrawn: shown counts;
//	                                                     sold<yyyymmdd>: keys that were taken that day;
//	                                                     shards: of a pool that was deleted
//	  tokens#<m>            <sha256>                     an API token: name, scopes or person, when it expires
//	  token-uses#<m>        <sha256>                     when it was last used, to the hour or so; up to when its calls are spent
//	  people#<m>            person#<id>                  who works there: name, address, role
//	  people#<m>            roster                       the version of all people together
//	  uploads#<m>           <upload>                     state, counts, first skipped lines; due until finished,
//	                                                     a rejected file until its reminder; withdrawal, withdrawnAt,
//	                                                     movedTo: pools that keys of it were moved to
//	  ranges#<m>#<upload>   <0000000>                    progress of one 2 MiB range, its fencingToken
//	  jobs#<m>              <job>                        long work that was asked for: kind, progress, fencingToken; due until it ends;
//	                                                     customer=<hash of the address> until then, of one that erases;
//	                                                     fileParts: how far the file of one that exports has come
//	  usage#<m>             <yyyy-mm-dd>                 what the merchant's files brought in a day
//	  tickets#<m>           <ticket>                     the object version that was put to an upload address
//	  parked#<m>#<pool>     <upload>                     an upload that waits for its pool
//
//	keys      pk                                         index available (shard, place) + text, upload; of test keys
//	                                                     index test (testOf, pk): testOf=<m>
//	  <m>#<side>#<hmac>                                  text, upload, offset, row, pool, state;
//	                                                     available: shard=<m>#<pool>#<side>#<0..S-1>, place=random
//	                                                     claimed, revoked, kept: line, soldAt (when its order came in);
//	                                                     shared: codeOf=<product>, current while it is its code;
//	                                                     withdrawn: withdrawnBy=<job> or block; blockedAt of a key that is
//	                                                     not to be sold any more: one that no upload brought has nothing else
//	                                                     but its state; history: a set of what happened to it before
//
//	orders    pk, sk                                     index due (due, dueAt), stream of new images; of lines
//	                                                     listed (listed, receivedAt), who (who, receivedAt), attention (attention, since);
//	                                                     of lines, orders as a whole, and rows of their own on the test side
//	                                                     test (testOf, pk): testOf=<m>
//	  order#<order>         line#<line>                  a fulfillment with up to 20 keys; mail=due is to be mailed;
//	                                                     listed=<m>#<side>#<0..7>, who=<m>#<side>#<hash of the address>,
//	                                                     attention=<m>#<side> if somebody has to look at it, since then
//	  order#<order>         former#<line>#<n>            the line under the nth former address of its customer: who, receivedAt
//	  order#<order>         keys#<line>#<00000>          a chunk of further keys; version of the line that wrote it
//	  order#<order>         history#<line>#<ms>#<what>#<mail or hash of why>  an event of the line
//	  order#<order>         refund#<line>#<sha256>       a refund of the line: that it is there is all it says
//	  order#<order>         order                        what is known of the order as a whole: returns, disputes,
//	                                                     who dropped those; due while a claim may not have seen it
//	  queue#<m>#<pool>#<side>         <ms>#<LineID>      a line that misses keys: missing
//	  queue#<m>#<pool>#<side>         !bypass            until when new lines may bypass the queue
//	  unconnected#<m>#<side>#<product>  <ms>#<LineID>    a line that no pool feeds
//	  held#<m>#<side>       <ms>#<LineID>                a line that a rule holds
//	  buyer#<m>#<side>#<hash>  <yyyy-mm-dd>              orders of an address in a day, where a rule limits them; deleted from expiresAt on
//	  corrected#<m>         <yyyy-mm-ddThh>              addresses that were corrected in an hour, each an attribute; deleted from expiresAt on
//	  corrected#<m>         <yyyy-mm-ddThh>#<order>      those of an order
//	  refused#<m>           <ms>#<sha256>                a signed webhook that was refused; deleted from expiresAt on
//	  refused-once#<m>#<sha256>  refused                 the same, by its order and mistake: a repeat changes nothing
//	  idempotency#<sha256>  call                         a call of an API with an Idempotency-Key: its answer; deleted from expiresAt on
//	  notice#<id>           notice                       a notice; mail=due is to be mailed; listed=<m>#notices if it is to a merchant
//	  alert#<m>#<pool>      alert#<side>                 stock alert: level, sequence, when told
//
// Items that still need work have due=due#<0..31>, a hash of the item's name, and
// dueAt, when the sweep looks at them. Settings have a version for optimistic
// locks, and writtenBy: a random word by which a writer knows its own write again.
//
// Every item has its schema version v. Readers of orders and keys accept every
// version there ever was, readers of the catalog the last two.
//
// # The files
//
// client.go reads DynamoDB's errors for every call; tx.go makes writes, alone or in
// a transaction; query.go makes reads; item.go encodes and decodes; keys.go has
// every primary key. The other files have one use case each, and only say what
// they read and write.
//
// # Errors
//
// Temporary failures are retry.ErrThrottled and retry.ErrChanged, whatever was
// asked for. A condition that does not hold is an answer: the methods return what
// it means, such as order.ExistsError, catalog.ErrConflict or job.ErrFenced.
//
// # Decisions
//
// Three tables, not one: each function is granted only what it needs, and a load
// of ten million keys never shows in the stream that mails are sent from.
//
// A merchant, its settings, its counts, its people, its tokens and their uses are six partitions,
// since IAM can limit a function to some partition keys and not to some sort keys: the
// API that merchants reach writes their settings, and cannot write a token, whose scopes are
// in it: it can only take one away. Of a merchant, whose salt and limits are in it, it can
// change what OwnOfMerchant names. An item of its own for that would cost each reader of a
// merchant a second read.
//
// A key is identified by a keyed hash of its text, so the table's own uniqueness
// is the duplicate check over every key ever uploaded. A second item per text
// would double the cost of a load and could disagree with the first.
//
// A claim touches no item that two orders share: a stock counter in the
// transaction makes every two overlapping orders conflict, and ends at 50 to 100
// orders a second a pool. What would change our mind: a store whose counters do
// not conflict.
package dynamo
