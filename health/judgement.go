package health

import (
	"math"
	"time"
)

// The method's constants; docs/judge.md says where they come from.
const (
	maxNats  = 5  // what one block may add to the logarithm of evidence
	maxBurst = 30 // the greatest excursion that is remembered
	minBurst = 6  // the least

	pastHalf   = 5 * time.Minute // half-lives of what is remembered: the baseline's rate that bets start from,
	slowHalf   = time.Hour       // its quantiles, its mix of users and how its failures cluster,
	burstHalf  = 48 * time.Hour  // its bursts,
	recentHalf = time.Minute     // the rates that people are told,
	briefHalf  = 2 * time.Second // and the canary's of the last seconds

	minBlock    = 2 * time.Second
	maxBlock    = time.Minute
	quietAfter  = time.Minute      // without a request of the baseline, the canary is held against its past,
	quietLeast  = 10               // unless so many were not to be expected meanwhile,
	quietMost   = 10 * time.Minute // but not for longer
	retuneAfter = 30 * time.Minute // between two looks at the baseline's quantiles
	freshLeast  = 200              // requests of the baseline in the last minute that say more than those of five
	known       = 50               // requests of the baseline from which on its past is known
	hetZ        = 3                // standard deviations that the luck of who landed on the canary is given
	guess       = 0.05             // the canary's share that bursts are weighed by while there is no canary
)

// rate is a number of requests and of bad ones among them, decayed.
type rate struct{ N, K float64 }

func (r *rate) decay(f float64) { r.N *= f; r.K *= f }

func (r *rate) add(n, k float64) { r.N += n; r.K += k }

// share returns the rate; zero if nothing is known.
func (r rate) share() float64 {
	if r.N <= 0 {
		return 0
	}
	return r.K / r.N
}

// cautious returns the rate with a little doubt, which matters only for few requests.
func (r rate) cautious() float64 { return (r.K + 0.5) / (r.N + 20) }

// memory is what a judge remembers of one stream.
type memory struct {
	// Past and Slow are the baseline's rate, with half-lives of 5 min and 1 h.
	Past, Slow rate
	// Recent and Trial are both arms' rates, lately and since the trial began.
	Recent, Trial [NumArms]rate
	// Brief is the canary's rate of the last seconds, Probe both arms' since the last probe began.
	Brief rate
	Probe [NumArms]rate
	// Scatter and Expected are the sums of squares of what the baseline's groups failed beyond their expectation in each
	// block, and what they would be if requests failed independently.
	Scatter, Expected float64
	// Rise is how far each arm is above the baseline's past, in nats; Excursion is the baseline's, thinned to the canary's
	// number of requests, and Burst the greatest of those.
	Rise             [NumArms]float64
	Excursion, Burst float64
}

// groupRates are requests and failures by group of users, decayed; the baseline's with a half-life of 1 h.
type groupRates struct{ N, K [userGroups]float32 }

func (g *groupRates) note(cells *[userGroups]counts, left float64) {
	for i := range cells {
		g.N[i] = g.N[i]*float32(left) + float32(cells[i].n)
		g.K[i] = g.K[i]*float32(left) + float32(cells[i].k)
	}
}

// standing is all that a judge knows when a block has closed. It has a fixed size, and is stored as it is.
type standing struct {
	Epoch   uint64
	OnTrial bool
	Known   bool // any second was folded
	// Baseline is a hash of what stable was.
	Baseline uint64
	// Folded is the last second that is in a closed block of each age; Quiet is for how many seconds the baseline had
	// no request by then.
	Folded [NumAges]int64
	Quiet  [NumAges]int64
	// BeganAt is the first second of the trial that was folded, or since which it counts; CanaryAt is the last in which the
	// canary had a request.
	BeganAt, CanaryAt int64
	// Met says of each age whether the canary has had a request in this trial.
	Met [NumAges]bool
	// Started says of each stream whether what is spent at the start of a trial was.
	Started [numStreams]bool
	// Flow is the baseline's requests and the seconds that they took at each age, with a half-life of 5 min.
	Flow [NumAges]rate
	// Raises counts the raises that alpha was spent on.
	Raises uint32
	// Evidence is the detector: for each group of users that is left out (the last: none) and each bet.
	Evidence [userGroups + 1][numComponents]float32
	Streams  [numStreams]memory
	Groups   [numCompared]groupRates
	// Asking are the canary's requests and failures by group, with a half-life of 5 min.
	Asking groupRates
	// Times are the baseline's distributions of latency and time to first byte at each age that has them.
	Times [2][3][Buckets]float32
	// Quantile says what each time stream counts as slow.
	Quantile [4]quantile
	// ProbeAt is the second in which the last probe of the trial began; 0 if there was none.
	ProbeAt int64
	// Failed is how the trial before failed.
	Failed defeat
	// Shifts are the latest changes of weights, newest first.
	Shifts [8]shift
}

// shift is a change of weights.
type shift struct {
	Set    bool
	Second int64
	// Raised is true for a raise that alpha is spent on; Paid says of each age whether it was.
	Raised bool
	Paid   [NumAges]bool
}

// quantile is a time of the baseline's: a request is slow whose bucket is From or a later one; of the canary, one more.
type quantile struct {
	From  uint8
	Age   Age
	Known bool
	// At is the second after which it was looked at. A block that was open then goes on without it, also for whoever folds
	// it again after a takeover.
	At int64
}

// halved returns what is left of something with a half-life after d.
func halved(d time.Duration, half time.Duration) float64 {
	return math.Exp2(-d.Seconds() / half.Seconds())
}

// spread returns how much the failures of the baseline cluster: 1 is not at all.
func (m *memory) spread() float64 {
	phi := (m.Scatter + 30) / (m.Expected + 30)
	if phi <= 1.3 {
		return 1
	}
	return phi
}

// start returns the baseline's rate that bets start from: that of the last minute, if enough is known of it.
func (m *memory) start() float64 {
	if m.Recent[Baseline].N >= freshLeast {
		return m.Recent[Baseline].cautious()
	}
	return m.Past.cautious()
}

// noteScatter adds a block of the baseline to what is known of its clusters.
func (m *memory) noteScatter(cells *[userGroups]counts, n, k float64) {
	if n < 2 {
		return
	}
	p := k / n
	for _, c := range cells {
		if c.n == 0 {
			continue
		}
		ng := float64(c.n)
		off := float64(c.k) - ng*p
		m.Scatter += off * off
		m.Expected += ng * p * (1 - p) * (n - ng) / (n - 1)
	}
}

// luck returns the standard deviation of the canary's rate over which users landed on it: the excess variance of the
// baseline's groups, scaled to the canary's smaller number of users. It is zero while chance explains the groups. The
// group that is furthest off is left out: on the canary one user cannot do anything alone, and on the baseline one user
// whose requests all fail would hide every regression.
func (g *groupRates) luck(n0, n1 float64) float64 {
	if n1 <= 0 {
		return 0
	}
	_, _, _, oddest := g.excess(-1)
	x, variance, m, _ := g.excess(oddest)
	if x <= 0 {
		return 0
	}
	return math.Sqrt(x * variance * n0 / (m * n1))
}

// excess returns by how much the groups' rates vary more than chance explains, what chance explains, the number of groups,
// and the one that is furthest off; a group may be left out. It is zero if there is nothing to compare.
func (g *groupRates) excess(without int) (x, variance, m float64, oddest int) {
	var n, k float64
	counts := func(i int) bool { return i != without && g.N[i] > 0.5 }
	for i := range g.N {
		if counts(i) {
			n, k, m = n+float64(g.N[i]), k+float64(g.K[i]), m+1
		}
	}
	if m < 2 || k <= 0 || k >= n {
		return 0, 0, m, -1
	}
	p := k / n
	var chi, most float64
	for i := range g.N {
		if !counts(i) {
			continue
		}
		ng := float64(g.N[i])
		off := float64(g.K[i]) - ng*p
		part := off * off / (ng * p * (1 - p))
		if part > most {
			most, oddest = part, i
		}
		chi += part
		variance += p * (1 - p) / ng / m
	}
	return chi/(m-1) - (1 + hetZ*math.Sqrt(2/(m-1))), variance, m, oddest
}
