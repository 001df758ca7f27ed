// Package sim measures the judge. It runs fleets of proxies in virtual time, each with its own windows, fed by random
// traffic; merges their evidence each second as instances do; and judges and fails back by the same code that serves.
// A simulated hour takes well under a second, so that claims like "at most one false failback in a hundred hours" are
// measured, not argued.
//
// [Run] measures the bars of automatic failback and prints them as a table. The same seed gives the same numbers. The
// package says nothing about sockets, stores or HTTP: it is no load generator and no substitute for end-to-end tests.
package sim
