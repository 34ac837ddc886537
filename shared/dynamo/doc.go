// Package dynamo is the only package that speaks DynamoDB. It keeps Keypool's
// three tables; what is written in one transaction, and on what condition, is
// decided here and nowhere else.
//
// # The tables on one screen
//
// Every item carries its schema version v; a reader accepts v and v-1. Times are
// numbers: milliseconds since 1970, UTC. <m> is a merchant's name, <side> is
// live or test; <order> and <line> are the halves of a LineID.
//
//	catalog   pk, sk                                     index due (due, dueAt), index kind (kind, pk)
//	  merchant#<m>          merchant                     kind=merchant; salt
//	  merchant#<m>          pool#<pool>                  kind=pool
//	  merchant#<m>          product#<product>
//	  merchant#<m>          account#<account>            platform, origin, sealed secrets
//	  merchant#<m>          count#<pool>#<side>          accepted, taken: shown counts, put right nightly
//	  token#<sha256>        token                        whose API token this is
//	  uploads#<m>           <upload>                     counts, first refused lines; due while unfinished
//	  ranges#<m>#<upload>   <0000000>                    progress of one 2 MiB range
//	  parked#<m>#<pool>     <upload>                     key files that wait for their pool
//
//	keys      pk                                         index available (shard, place) + text, upload
//	  <m>#<side>#<hmac>                                  text, upload, offset, pool, state;
//	                                                     available: shard=<m>#<pool>#<side>#<0..S-1>, place=random
//	                                                     claimed: line, soldAt (its order came in)
//
//	orders    pk, sk                                     index due (due, dueAt), stream of new images
//	  order#<order>         line#<line>                  the fulfillment, with up to 20 keys; mail=due is mailed
//	  order#<order>         keys#<line>#<00000>          further keys, one item a take
//	  order#<order>         history#<line>#<ms>#<what>#<mail> what happened to it
//	  queue#<m>#<pool>#<side>         <ms>#<LineID>      a line that misses keys: missing
//	  queue#<m>#<pool>#<side>         !pass              newcomers may pass the queue until then
//	  unconnected#<m>#<side>#<product> <ms>#<LineID>     a line that no pool feeds
//	  refused#<m>           <account>#<order>#<field>    a signed webhook that could not be taken
//	  notice#<id>           notice                       a notice; mail=due is mailed
//	  alert#<m>#<pool>      alert#<side>                 stock alert: level, edge, when told
//
// due is due#<0..31>, a hash of the item's name, and stands on whatever still
// needs work, with dueAt: when the sweep looks at it.
//
// # Decisions
//
// Three tables, not one: each function is granted only what it needs, and a load
// of ten million keys never shows in the stream that mails are sent from.
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
