package rollout

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/switchback-proxy/switchback/splitter"
)

// spread is how one kill ends requests: all at once, or as many a second as this proxy's share of its rate. It is used by
// cutDue alone.
type spread struct {
	kill    splitter.Kill
	limiter *rate.Limiter
	waiting bool // it may end no more this turn, and there are more
	ended   int  // since it was last told of
}

// turnPause is the shortest time between two turns.
const turnPause = 100 * time.Millisecond

// newSpread begins the ending of requests by a kill that has come to that, on one of crew proxies.
func newSpread(k splitter.Kill, crew int) *spread {
	limit, burst := shareOf(k.Rate, crew)
	return &spread{kill: k, limiter: rate.NewLimiter(limit, burst)}
}

// turn begins a turn. The crew may have changed since the last.
func (sp *spread) turn(crew int) {
	sp.waiting = false
	if limit, burst := shareOf(sp.kill.Rate, crew); sp.limiter.Limit() != limit {
		sp.limiter.SetLimit(limit)
		sp.limiter.SetBurst(burst)
	}
}

// shareOf returns how many requests a second one of crew proxies may end, and how many at once: what two turns are good
// for, as one may be late. Rounding down keeps the crew within the rate, but for the 1 a second that everybody may end.
func shareOf(r splitter.Rate, crew int) (limit rate.Limit, burst int) {
	if r == 0 {
		return rate.Inf, 0
	}
	share := max(int(r)/crew, 1)
	turns := int(time.Second / (2 * turnPause))
	return rate.Limit(share), (share + turns - 1) / turns
}

// pause is how long to wait for the next turn. A little is added, so that no rounding makes a turn of one that ends
// nothing.
func (sp *spread) pause() time.Duration {
	return max(turnPause, time.Duration(float64(time.Second)/float64(sp.limiter.Limit()))+time.Millisecond)
}
