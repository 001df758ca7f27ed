package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// Scenario is a rollout to be lived through. Times are since the canary got its share; before that they are negative.
type Scenario struct {
	// Seed decides about everything that is random.
	Seed uint64
	// Instances is how many proxies count what arrives, each for itself; 0 is 1.
	Instances int
	// Rate is how many requests a second arrive at the whole fleet, Share the canary's part of them, 0 … 1.
	Rate, Share float64
	// Steps are the raises of the canary's share, in order.
	Steps []Step
	// Behaves says how an arm, health.Baseline or health.Canary, answers what arrives at a moment.
	Behaves func(arm int, at time.Duration) Behaviour
	// Silent says when the canary gets no requests, though it has a share; nil: never.
	Silent func(at time.Duration) bool
	// Script is one user's, with further requests to the canary; nil: there is none.
	Script *Script
	// Retries is how many times in a row a failed request is sent again in vain, on average.
	Retries float64

	// Settings are the judge's; nil: the defaults. Its limits are always the defaults.
	Settings *health.Settings
	// Warmup is how long the baseline is alone before.
	Warmup time.Duration
	// Length is when the rollout ends, if it was not failed back.
	Length time.Duration
	// Turns is from when on the canary's trouble is looked for in [Life.FirstBad].
	Turns time.Duration
	// Seal is how long it takes at least and at most until a second is folded; zeros are 1 s.
	Seal [2]time.Duration
	// Tick is how many seconds are folded as one, where many hours are lived through; 0 is 1 s.
	Tick time.Duration
	// Watch, unless nil, sees every second that was folded, and the judge's latest verdict. It must not keep them.
	Watch func(at time.Duration, sum *health.Second, v *health.Verdict)
	// GoesOn lets the rollout go on after its failback, as if nothing had happened.
	GoesOn bool
}

// Step is a raise of the canary's share.
type Step struct {
	At    time.Duration
	Share float64
}

// Script is one user who sends requests that fail, whoever answers them.
type Script struct {
	From, To time.Duration
	Rate     float64 // requests a second
}

// Behaviour is how a variant answers at some moment. The zero value is an agent that never fails.
type Behaviour struct {
	// Errors is the share of requests that fail, before their answer begins.
	Errors float64
	// Hangs means that it accepts and never answers.
	Hangs bool
	// Slower is by what all times are multiplied; 0 is 1.
	Slower float64
	// Streams is how long an answer typically goes on after it began; 0 is 1.2 s.
	Streams time.Duration
	// CutAt is the age at which what is still in progress breaks off; 0: never.
	CutAt time.Duration
}

// Healthy is an agent as it should be: one request in a hundred fails.
var Healthy = Behaviour{Errors: 0.01}

// The answers of a healthy agent: time to the first payload byte about 0.4 s (p95 1.3 s), then a stream of about 1.2 s
// (p95 3.8 s), both lognormal; together a mean of 2 s and a p95 of 4.7 s.
const (
	typicalTTFB   = 400 * time.Millisecond
	typicalStream = 1200 * time.Millisecond
	lengthSpread  = 0.7
	clientsGiveUp = 30 * time.Second // while no answer begins
)

// fate is how a request ends.
type fate uint8

const (
	succeeds fate = iota
	fails
	isLeft // its client goes away before the answer begins
)

// request is one request, with all that will become of it. Times are ages.
type request struct {
	fate     fate
	arm      uint8
	group    uint8
	instance uint8
	answers  time.Duration
	ends     time.Duration
}

// draw decides what becomes of a request.
func (r *request) draw(rng *rand.Rand, b Behaviour) {
	slower := max(b.Slower, 1)
	r.answers = lognormal(rng, typicalTTFB, slower)
	switch {
	case b.Hangs, r.answers > clientsGiveUp:
		r.fate, r.ends = isLeft, clientsGiveUp
	case rng.Float64() < b.Errors:
		r.fate, r.ends = fails, r.answers
	default:
		stream := typicalStream
		if b.Streams > 0 {
			stream = b.Streams
		}
		r.fate, r.ends = succeeds, r.answers+lognormal(rng, stream, slower)
		if b.CutAt > 0 && r.ends > b.CutAt {
			r.fate, r.ends = fails, b.CutAt
		}
	}
}

func lognormal(rng *rand.Rand, median time.Duration, slower float64) time.Duration {
	return time.Duration(float64(median) * slower * math.Exp(lengthSpread*rng.NormFloat64()))
}

// failedBy reports whether the request had failed at an age.
func (r *request) failedBy(age time.Duration) bool { return r.fate == fails && r.ends <= age }

// waited is how long the request had taken to a moment of its life, or waited for it, at an age.
func (r *request) waited(until, age time.Duration) time.Duration { return min(until, r.ends, age) }
