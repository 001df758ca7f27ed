package rollout

import (
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Hurried returns options of a Controller that does n times as often what it does by itself, for tests that cannot
// have virtual time.
func Hurried(o Options, n int) Options {
	o.pace = defaultPace
	for _, every := range []*time.Duration{&o.pace.pulse, &o.pace.roll, &o.pace.refill, &o.pace.refillFromDisk} {
		*every /= time.Duration(n)
	}
	return o
}

// Asking returns options whose webhooks are asked by r.
func Asking(o Options, r http.RoundTripper) Options {
	o.Webhooks = r
	return o
}

// Reconcile brings a State that the store has lost together with the one that it has.
func Reconcile(ours, theirs *splitter.State, by By, seed Seed) (Changed, bool, error) {
	return reconcile(lostState{state: ours}, theirs, by, seed)
}

// SampleRatio is the test of whether users are shared as they should be.
var SampleRatio = sampleRatio

// SharesOf says what stable and canary have got.
var SharesOf = shareStatus

// DriftTexts says which members have drifted by what was listed, the last listing last.
func DriftTexts(split string, state *splitter.State, listed ...store.Pulse) []string {
	s := Split{stored: state}
	for _, p := range listed {
		s.lagging = laggards(s.lagging, p, split, state)
	}
	return s.driftTexts()
}
