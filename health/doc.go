// Package health turns outcomes into verdicts: is this variant, by the numbers of the last minute, fit to be served?
//
//	outcome → window → evidence → verdict
//
// A [Window] gathers the outcomes of one variant in one epoch. [Window.Evidence] is what it holds at one moment,
// together with the requests in flight: a value that is sent to other instances and added to theirs. [JudgeLimits] compares
// the sum with absolute [Limits], and with the baseline's evidence, which can veto: what hits both variants alike is
// not the canary's fault. No data is inconclusive, never failure.
//
// The package is pure. It has no clock of its own (every method takes now), no goroutine and no network, and it knows
// neither HTTP nor splits: whoever serves requests says what became of each in an [Outcome], and package rollout says
// what follows from a verdict. It is no metrics library: its histograms exist to be judged and merged, are coarse, and
// forget; what must be kept since the process began is in [Totals].
package health
