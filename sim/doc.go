// Package sim measures the judge. It lives through rollouts in virtual time: random requests arrive at a fleet of
// instances, each counts them by their ages as cohorts, the sum of each second is sealed a little later and folded by
// one [health.Judge], the same code that serves. A simulated hour takes a fraction of a second, so that claims like "at
// most one false failback in a hundred rollouts" are measured, not argued.
//
// [Run] measures the bars of automatic failback and prints them as a table; sim/plots draws what docs/judge.md shows. The
// same seed gives the same numbers. The package says nothing about sockets, stores or HTTP: it is no load generator and
// no substitute for end-to-end tests. Its cohorts are counted from what it knows of its requests, not by the ledger that
// counts real ones.
package sim
