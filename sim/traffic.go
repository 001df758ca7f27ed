package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// behaviour is how a variant answers at some moment.
type behaviour struct {
	errorRate float64 // share of requests that end in a failing status
	hangs     bool    // accepts and never answers
}

// healthy is an agent as it should be: one request in a hundred fails.
var healthy = behaviour{errorRate: 0.01}

// The answers of a healthy agent: time to the first payload byte about 0.4 s (p95 1.3 s), then a stream of about 1.2 s
// (p95 3.8 s), both lognormal; together a mean of 2 s and a p95 of 4.7 s.
const (
	typicalTTFB   = 400 * time.Millisecond
	typicalStream = 1200 * time.Millisecond
	spread        = 0.7
	clientsGiveUp = 30 * time.Second
)

// request is one request from its arrival to its end.
type request struct {
	health.Flight
	answers time.Duration // when it is answered; after ends if never
	ends    time.Duration
	outcome health.Outcome
	home    *instance
	seat    int // index in home's open requests
}

// draw decides what becomes of a request that arrives at start.
func (r *request) draw(rng *rand.Rand, b behaviour, start time.Duration) {
	ttfb := lognormal(rng, typicalTTFB)
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: ttfb}
	switch {
	case b.hangs:
		o = health.Outcome{Class: health.Excluded, Cause: health.CauseLeft, Total: clientsGiveUp}
	case rng.Float64() < b.errorRate:
		o.Class, o.Cause, o.Total = health.Failure, health.CauseStatus, ttfb
	default:
		o.Total = min(ttfb+lognormal(rng, typicalStream), clientsGiveUp)
	}
	r.outcome = o
	r.ends = start + o.Total
	r.answers = r.ends + 1
	if o.Answered {
		r.answers = start + ttfb
	}
}

func lognormal(rng *rand.Rand, median time.Duration) time.Duration {
	return time.Duration(float64(median) * math.Exp(spread*rng.NormFloat64()))
}
