package health_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

func TestFlightAnswersOnce(t *testing.T) {
	f := &health.Flight{Start: epoch}
	if d, ok := f.Answered(); ok || d != 0 {
		t.Errorf("before the answer: %s, %t, want 0s, false", d, ok)
	}
	f.Answer(epoch)
	f.Answer(epoch.Add(time.Second))
	if d, ok := f.Answered(); !ok || d != 0 {
		t.Errorf("answered at once, then again: %s, %t, want 0s, true", d, ok)
	}
	if f.Upgraded() {
		t.Error("upgraded before Upgrade")
	}
	if f.Upgrade(); !f.Upgraded() {
		t.Error("not upgraded after Upgrade")
	}
}

func TestFlightsHoldWhatWasAdded(t *testing.T) {
	var flights health.Flights
	if n := flights.Len(); n != 0 {
		t.Errorf("a fresh set holds %d, want 0", n)
	}
	all := make([]health.Flight, 5000)
	flights.Remove(&all[0])
	for i := range all {
		flights.Add(&all[i])
	}
	for i := 0; i < len(all); i += 2 {
		flights.Remove(&all[i])
		flights.Remove(&all[i])
	}
	seen := map[*health.Flight]int{}
	for f := range flights.All() {
		seen[f]++
	}
	for i := range all {
		if want := i % 2; seen[&all[i]] != want {
			t.Fatalf("flight %d was seen %d times, want %d", i, seen[&all[i]], want)
		}
	}
	for range flights.All() {
		break
	}
	if got, want := flights.Len(), len(all)/2; got != want {
		t.Errorf("the set holds %d, want %d", got, want)
	}
}

// Rounds that each go on where the last one stopped see everybody once, before they see anybody twice.
func TestFlightsGoOnFromAPlace(t *testing.T) {
	var flights health.Flights
	for place := range flights.AllFrom(7) {
		t.Fatalf("an empty set has a flight before place %d", place)
	}
	all := make([]health.Flight, 1000)
	for i := range all {
		flights.Add(&all[i])
	}
	seen := map[*health.Flight]int{}
	next := 1_000_003 // beyond the end
	for round := range 100 {
		n := 0
		for place, f := range flights.AllFrom(next) {
			if seen[f]++; seen[f] > 1 {
				t.Fatalf("a flight was seen twice in round %d", round)
			}
			if n++; n == 10 {
				next = place
				break
			}
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d flights were seen, want %d", len(seen), len(all))
	}
	clear(seen)
	for _, f := range flights.AllFrom(next) {
		seen[f]++
	}
	if len(seen) != len(all) {
		t.Errorf("a whole round saw %d flights, want %d", len(seen), len(all))
	}
}

func TestFlightEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	f := &health.Flight{Cancel: cancel}
	if f.Ended() {
		t.Error("ended before End")
	}
	f.End(io.EOF)
	if cause := context.Cause(ctx); !f.Ended() || !errors.Is(cause, io.EOF) {
		t.Errorf("after End: %t, canceled with %v, want its cause", f.Ended(), cause)
	}
}

// Many goroutines add and remove while others look; who stays throughout is seen exactly once in every look.
func TestFlightsUnderConcurrency(t *testing.T) {
	var flights health.Flights
	staying := map[*health.Flight]bool{}
	for range 100 {
		f := &health.Flight{Start: epoch}
		staying[f] = true
		flights.Add(f)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				batch := make([]health.Flight, 20)
				for i := range batch {
					batch[i].Start = epoch
					flights.Add(&batch[i])
				}
				for i := range batch {
					batch[i].Answer(epoch.Add(time.Second))
					flights.Remove(&batch[i])
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 100 {
				seen := map[*health.Flight]int{}
				for f := range flights.All() {
					f.Answered()
					seen[f]++
				}
				for f := range staying {
					if seen[f] != 1 {
						t.Errorf("a flight that stays was seen %d times, want once", seen[f])
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := flights.Len(), len(staying); got != want {
		t.Errorf("after all have left, %d remain, want %d", got, want)
	}
}

func TestFlightsTakeNoMemoryOnceGrown(t *testing.T) {
	var flights health.Flights
	open := make([]health.Flight, 300)
	for i := range open {
		flights.Add(&open[i])
	}
	f := new(health.Flight)
	if got := testing.AllocsPerRun(1000, func() { flights.Add(f); flights.Remove(f) }); got >= 1 {
		t.Errorf("adding and removing allocates %g times, want 0", got)
	}
}

// Who sends a request does not wait for an answer until it is sent, or until there is one.
func TestFlightWaits(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name               string
		uploaded, answered time.Duration // after the start; -1: never; uploaded 0: there is no body
		ttfb, total        time.Duration // at 10 s
		ok                 bool
	}{
		{"no body, no answer", 0, -1, 0, 10 * s, true},
		{"no body", 0, 2 * s, 2 * s, 10 * s, true},
		{"still being sent", -1, -1, 0, 0, false},
		{"sent", 7 * s, -1, 0, 3 * s, true},
		{"sent and answered", 7 * s, 8 * s, s, 3 * s, true},
		{"answered at once when it was sent", 7 * s, 7 * s, 0, 3 * s, true},
		{"answered before it was sent", 7 * s, 2 * s, 2 * s, 10 * s, true},
		{"answered while it is sent", -1, 2 * s, 2 * s, 10 * s, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &health.Flight{Start: epoch}
			if tt.uploaded != 0 {
				f.Upload()
			}
			if tt.uploaded > 0 {
				f.Uploaded(epoch.Add(tt.uploaded))
				f.Uploaded(epoch.Add(9 * s))
			}
			if tt.answered >= 0 {
				f.Answer(epoch.Add(tt.answered))
			}
			ttfb, total, ok := f.Waited(epoch.Add(10 * s))
			if ttfb != tt.ttfb || total != tt.total || ok != tt.ok {
				t.Errorf("waited %s, %s, %t, want %s, %s, %t", ttfb, total, ok, tt.ttfb, tt.total, tt.ok)
			}
		})
	}
}

// A request that is still being sent says nothing of the agent's speed.
func TestFlightInUploadIsNoLatency(t *testing.T) {
	l := health.DefaultLimits()
	l.MaxTTFT = &health.QuantileLimit{Quantile: 0.95, Max: health.Duration(time.Second)}
	w := health.NewWindow(l, nil)
	sending, sent := &health.Flight{Window: w, Start: epoch}, &health.Flight{Window: w, Start: epoch}
	sending.Upload()
	sent.Upload()
	sent.Uploaded(epoch.Add(8 * time.Second))
	e := w.Evidence(epoch.Add(10*time.Second), func(yield func(*health.Flight) bool) { _ = yield(sending) && yield(sent) })
	if got, want := e.TTFB.Count(), uint64(1); got != want {
		t.Errorf("%d requests are shown to wait for too long, want %d", got, want)
	}
}

// Tokens are counted whatever the request counts as.
func TestTotalsCountTokens(t *testing.T) {
	var totals health.Totals
	totals.Record(health.Outcome{Class: health.Failure, Cause: health.CauseProtocol, TokensIn: 7, TokensOut: 2})
	totals.Record(health.Outcome{Class: health.Success, TokensIn: 3})
	if s := totals.Snapshot(); s.TokensIn != 10 || s.TokensOut != 2 {
		t.Errorf("counted %d tokens in, %d out, want 10, 2", s.TokensIn, s.TokensOut)
	}
}
