package main

import (
	"math"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// ten is a moment that many ticks of ten seconds after the start.
func ten(ticks int) time.Duration { return time.Duration(ticks) * 10 * time.Second }

func TestLastHour(t *testing.T) {
	for _, test := range []struct {
		what  string
		bad   int // the tick from which on all fail
		until int
		want  float64 // hours
	}{
		{"healthy", 1000, 720, math.Inf(1)},
		{"too few requests", 0, 18, math.Inf(1)},
		{"bad from the start", 0, 19, ten(19).Hours()},
		{"bad after an hour", 360, 720, ten(378).Hours()}, // 19 of 360 are over 5 %
		{"bad after two hours", 720, 1080, ten(738).Hours()},
	} {
		r := lastHour{at: math.Inf(1)}
		for tick := range test.until + 1 {
			sum := health.Rate{N: 1}
			if tick >= test.bad {
				sum.K = 1
			}
			r.look(ten(tick), sum)
		}
		if r.at != test.want {
			t.Errorf("%s: fails back after %g h, want %g", test.what, r.at, test.want)
		}
	}
}

func TestPeeked(t *testing.T) {
	r := peeked{at: math.Inf(1)}
	for tick := range 12 {
		r.look(ten(tick), health.Rate{N: 100, K: 1}, health.Rate{N: 10})
	}
	if !math.IsInf(r.at, 1) {
		t.Errorf("a canary without failures is failed back after %g h", r.at)
	}
	for tick := 12; tick < 24; tick++ {
		r.look(ten(tick), health.Rate{N: 100, K: 1}, health.Rate{N: 10, K: 5})
	}
	if want := ten(17).Hours(); r.at != want { // at the next full minute
		t.Errorf("a bad canary is failed back after %g h, want %g", r.at, want)
	}
}

func TestSteps(t *testing.T) {
	points := steps([]float64{0.5, 23, math.Inf(1), math.Inf(1)})
	for _, want := range []point{{0, 0}, {0.5, 25}, {12, 25}, {23, 50}, {24, 50}} {
		if got := points[int(want.x*12)]; got != want {
			t.Errorf("after %g h it is %v, want %v", want.x, got, want)
		}
	}
}
