package fleet

import (
	"fmt"
	"math"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Traffic is the requests that come to a fleet, evenly to all instances that are up.
type Traffic struct {
	// Rate is how many come in a second; less than one is fine.
	Rate float64
	// Users is among how many users they are drawn. Default 10,000.
	Users int
}

// Behaviour is how a variant answers.
type Behaviour struct {
	// Errors is which part of its requests fails.
	Errors float64
	// Latency is the median of how long its answers take.
	Latency time.Duration
}

// Well is how a variant behaves of which nothing else is said.
var Well = Behaviour{Errors: 0.002, Latency: 300 * time.Millisecond}

// spread is how far latencies lie apart, as the deviation of their logarithm.
const spread = 0.3

// Serve lets time pass with traffic on: whole seconds. Processes that have died meanwhile are let go of.
func (f *Fleet) Serve(d time.Duration) error {
	for ; d >= time.Second; d -= time.Second {
		if err := f.bury(); err != nil {
			return err
		}
		f.second()
	}
	return f.bury()
}

// second lets a second pass, with the requests that come in it.
func (f *Fleet) second() {
	up := f.Up()
	for f.due += f.Traffic.Rate; f.due >= 1; f.due-- {
		user := f.rng.IntN(max(f.users(), 1))
		f.next++
		if len(up) > 0 {
			f.ask(up[f.next%len(up)], user)
		}
	}
	<-time.After(time.Second)
}

func (f *Fleet) users() int {
	if f.Traffic.Users == 0 {
		return 10_000
	}
	return f.Traffic.Users
}

// ask lets a user's request come to an instance, which decides and counts it as a proxy does.
func (f *Fleet) ask(i *Instance, user int) {
	view, flights := i.View(), i.at.Split().Flights
	d := view.Table.Decide(splitter.Request{Key: fmt.Sprintf("user-%d", user)})
	if d.Variant < 0 {
		return
	}
	x := &health.Flight{Variant: f.opts.Definition.Variants[d.Variant].Name, Start: time.Now(), Cancel: func(error) {}}
	o := f.outcome(x.Variant)
	if !d.IsEvidence() {
		return
	}
	x.Arrive(view.Windows[d.Variant], hashOf(user))
	flights.Add(x)
	time.AfterFunc(o.Total, func() {
		x.Record(time.Now(), o)
		flights.Remove(x)
	})
}

// outcome draws what becomes of a request.
func (f *Fleet) outcome(variant string) health.Outcome {
	b, ok := f.Agents[variant]
	if !ok {
		b = Well
	}
	took := time.Duration(float64(b.Latency) * math.Exp(spread*f.rng.NormFloat64()))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: took / 2, Total: took}
	if f.rng.Float64() < b.Errors {
		o.Class, o.Cause = health.Failure, health.CauseStatus
	}
	return o
}

// hashOf is a user's keyed hash: as good as random (splitmix64), as who counts users takes it to be.
func hashOf(user int) uint64 {
	h := (uint64(user) + 1) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return (h ^ h>>31)
}
