// Package splitter answers one question: which variant serves this key?
//
//	key → bucket (0 ≤ bucket < 100 000) → decision (variant, reason)
//
// It also holds the words that the rest of the project shares about a split: the [State], one immutable document
// that says who gets what, and the pure arithmetic that changes the ranges of buckets in it, moving as few users as
// possible. It is pure: no clock, no network, no logging, no HTTP. Whoever wants to change a State uses package
// rollout; whoever wants to keep one uses package store.
package splitter
