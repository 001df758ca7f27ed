// Package redis shares States with a fleet through Redis 6.2 or later, or what speaks its protocol: a single server, one
// behind Sentinel, or a Cluster. All keys begin with switchback: and can be read by people:
//
//	switchback:{<fleet>}:state:<split>    hash: revision, id, schema, doc (the State as JSON)
//	switchback:{<fleet>}:events:<split>   stream, the audit log: field event (JSON)
//	switchback:{<fleet>}:members          hash: name/boot → microseconds seen, beat (JSON)
//	switchback:{<fleet>}:secret           string
//	switchback:{<fleet>}:changes          channel of announcements
//	switchback:{<fleet>/<split>}:evidence:<epoch>  hash: name/boot → microseconds seen, frame
//
// Control keys of one fleet share a hash tag, so that a script can touch them together in a Cluster. A user needs
// ~switchback:* and &switchback:*.
//
// Every change is one script: compare, write, log, announce. What people may rely on is the State's hash; the channel
// only makes it faster, as a subscriber may miss messages. Time is the server's.
//
// For a single proxy, store/embedded needs no server.
package redis
