package rollout

import "time"

// Hurried returns options of a Controller that does n times as often what it does by itself, for tests that cannot
// have virtual time.
func Hurried(o Options, n int) Options {
	o.pace = defaultPace
	for _, every := range []*time.Duration{&o.pace.pulse, &o.pace.roll, &o.pace.refill, &o.pace.refillFromDisk} {
		*every /= time.Duration(n)
	}
	return o
}

// SampleRatio is the test of whether users are shared as they should be.
var SampleRatio = sampleRatio
