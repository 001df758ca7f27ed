// Package storetest is the one suite that every store passes: [Run] holds a store.Store to the contract in package
// store, against the real thing and never a mock. [StartRedis] runs a real redis-server that a test may kill, freeze
// and fill. Only tests import it.
package storetest
