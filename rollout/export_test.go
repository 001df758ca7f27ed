package rollout

import (
	"net/http"
	"time"
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
	o.asks = r
	return o
}
