package health_test

import (
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
