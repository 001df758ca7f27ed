// Package embedded keeps States on this machine's disk: the default store, which needs nothing else.
//
//	<folder>/lock                held by the one process that has the store open
//	<folder>/states/<split>.json the State and the event that made it, replaced atomically and synced
//	<folder>/events/<split>.jsonl the audit log, one event a line, the newest last
//	<folder>/groups/<group>.json  what a group of the outbox has acknowledged, replaced atomically and synced
//	<folder>/judges/<split>.json  what the split's judge knows, replaced atomically and not synced
//	<folder>/secret              the generated secret
//
// The State's file is what counts. The event is written with it and then appended to the log; after a crash between
// the two, Open completes the log. The logs are the outbox as well: each event has a cursor, by which those of all
// splits are in one order, and a group's file says how far it has come. Who has claimed what is in memory: what was not
// acknowledged before a restart is claimed again. On a disk that cannot be written to the store works in memory and says
// so in its Description.
//
// It knows one process only. Two proxies that must agree use package redis, in store/redis.
package embedded
