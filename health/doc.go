// Package health turns outcomes into verdicts: is this canary, by what its requests came to, worse than stable?
//
//	outcome → ledger → cohort → second → judge → verdict
//
// A [Window] takes the outcomes of one variant in one epoch on one instance. It notes each request in one word, and
// [Window.Mature] tells, second by second, what those that arrived together had come to at fixed ages. Such a [Second] is
// added to other instances', and a [Judge] folds the sums: it compares the canary with the concurrent baseline, and holds it
// against absolute [Limits]. What hits both alike is not the canary's fault. No data is inconclusive, never failure.
//
// [Window.Evidence] is what people look at: the last minute or so, which is added up over instances too and which
// [Summarize] puts into a few numbers. No verdict rests on it.
//
// The package is pure. It has no clock of its own (every method takes now), no goroutine and no network, and it knows
// neither HTTP nor splits: whoever serves requests says what became of each in an [Outcome], and package rollout says
// what follows from a verdict. It is no metrics library: its histograms exist to be merged, are coarse, and forget; what
// must be kept since the process began is in [Totals].
package health
