// Package storetest is the one suite that every store passes: [Run] holds a store.Store to the contract in package
// store, [RunInbox] its break-glass inbox, against the real thing and never a mock. [StartRedis] runs a real redis-server
// that a test may kill, freeze, fill and so on; [Faults] names the ways in which one fails a fleet. [StartCluster] and
// [StartSentinel] run several. Only tests import it.
package storetest
