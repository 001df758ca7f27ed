// Package redis shares States with a fleet through Redis 6.2 or later, or what speaks its protocol: a single server, one
// behind Sentinel, or a Cluster. All keys begin with switchback: and can be read by people:
//
//	switchback:{<fleet>}:state:<split>    hash: revision, id, schema, doc (the State as JSON)
//	switchback:{<fleet>}:events:<split>   stream, the audit log: field event (JSON)
//	switchback:{<fleet>}:outbox           stream of all splits' events: field event (JSON); its consumer groups are those who
//	                                      are told of events, their consumers the members that have claimed some
//	switchback:{<fleet>}:noted:<split>:<id>   string that expires: an event of that id was recorded
//	switchback:{<fleet>}:kill:<split>     string, the break-glass inbox: an order that a person wrote with SET
//	switchback:{<fleet>}:splits           set: the names of all splits that have a State
//	switchback:{<fleet>}:members          hash: name/boot → what it last reported (JSON)
//	switchback:{<fleet>}:seen             hash: name/boot → when it last reported, in microseconds since 1970
//	switchback:{<fleet>}:secret           string
//	switchback:{<fleet>}:changes          channel of announcements
//	switchback:{<fleet>/<split>}:evidence:<epoch>:<second>  hash that expires: name/boot → frame; once sealed also sealed
//	                                      (JSON, who was missing) and late (how many frames came since)
//	switchback:{<fleet>/<split>}:judge    hash that expires: version, epoch, folded (a second), doc, summary, late; and the
//	                                      lease on the evidence: holder, until (microseconds since 1970), term (epoch)
//	switchback:{<fleet>/<split>}:windows:<epoch>   hash that expires: name/boot → microseconds since 1970, window
//	switchback:{<fleet>/<split>}:pin:<hash>        string that expires: a conversation's epoch and variant
//
// Control keys of one fleet share a hash tag, so that a script can touch them together in a Cluster. A user needs
// ~switchback:* &switchback:* +@read +@write +@scripting +@pubsub +@connection +time; in a Cluster +cluster|slots too.
// With +info and +config|get the store finds out whether the server keeps what it is given, and warns if not.
//
// Every change is one script: compare, write, log, put the event into the outbox, announce, empty the inbox if that is what
// the change carries out. To record an event that changes no State is one, and to claim some from the outbox another. Every
// heartbeat is one script too, and at rest an instance makes no other round trip, but for a ping of a subscription that
// has been silent for long and a look at the server's settings every few minutes. What people may rely on is the State's
// hash; the channel only makes it faster, as a subscriber may miss messages. Time is the server's.
//
// A key that holds what it should not, or what only a newer release understands, is told of and costs no more than what it
// stands for: one split, one order, one member. A change whose answer is lost is tried again, and in a Cluster the client
// library does so too; the store follows each try, so that it claims neither success nor failure that it does not know of.
//
// For a single proxy, store/embedded needs no server.
package redis
