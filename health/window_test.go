package health_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
)

func success(ttfb, total time.Duration) health.Outcome {
	return health.Outcome{Class: health.Success, Answered: true, TTFB: ttfb, Total: total}
}

func failure() health.Outcome {
	return health.Outcome{Class: health.Failure, Cause: health.CauseStatus, Answered: true, Total: time.Second}
}

func left(total time.Duration) health.Outcome {
	return health.Outcome{Class: health.Excluded, Cause: health.CauseClientLeft, Total: total}
}

// shown is what evidence holds, in numbers that tests compare.
type shown struct{ judged, failures, ttfb, latency, ms uint64 }

func shownIn(e health.Evidence) shown {
	failures := e.Counts.Of(health.Failure)
	return shown{e.Counts.Of(health.Success) + failures, failures, e.TTFB.Count(), e.Latency.Count(), e.LatencySum}
}

func TestWhatAnOutcomeIsShownAs(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   health.Outcome
		want shown
	}{
		{"success", success(time.Second, 2*time.Second), shown{1, 0, 1, 1, 2000}},
		{"slow", success(3001*time.Millisecond, 9*time.Second), shown{1, 0, 1, 1, 9000}},
		{"failure", failure(), shown{1, 1, 0, 0, 0}},
		{"left early", left(2 * time.Second), shown{}},
		{"left late", left(4 * time.Second), shown{ttfb: 1}},
		{"left very late", left(30 * time.Second), shown{0, 0, 1, 1, 30_000}},
		{"left while it was answered", health.Outcome{Cause: health.CauseClientLeft, Answered: true, TTFB: time.Second, Total: 4 * time.Second},
			shown{ttfb: 1}},
		{"throttled", health.Outcome{Cause: health.CauseThrottled, Answered: true, Total: time.Minute}, shown{}},
		{"upgraded", health.Outcome{Class: health.Success, Answered: true, Upgraded: true, TTFB: time.Second, Total: 20 * time.Second},
			shown{judged: 1, ttfb: 1}},
		{"class out of range", health.Outcome{Class: 9}, shown{}},
		{"cause out of range", health.Outcome{Class: health.Failure, Cause: 99}, shown{}},
	} {
		w := health.NewWindow(strictLimits(), nil)
		record(w, epoch, tt.in)
		if got := shownIn(w.Evidence(epoch, nil)); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A flight is shown as what it would be if its client left now.
func TestWhatAFlightIsShownAs(t *testing.T) {
	l := strictLimits()
	for _, tt := range []struct {
		name     string
		age      time.Duration
		answered time.Duration // zero: not
		upgraded bool
		want     shown
	}{
		{"young", time.Second, 0, false, shown{}},
		{"unanswered too long", 4 * time.Second, 0, false, shown{ttfb: 1}},
		{"answered in time", 4 * time.Second, time.Second, false, shown{ttfb: 1}},
		{"answered late", 5 * time.Second, 4 * time.Second, false, shown{ttfb: 1}},
		{"streaming longer than the mean may be", 6 * time.Second, time.Second, false, shown{ttfb: 1, latency: 1, ms: 6000}},
		{"upgraded", 9 * time.Second, time.Second, true, shown{ttfb: 1}},
		{"streaming for an hour", time.Hour, time.Second, false, shown{}},
		{"unanswered for an hour", time.Hour, 0, false, shown{ttfb: 1, latency: 1, ms: 3_600_000}},
		{"of the future", -time.Second, 0, false, shown{}},
	} {
		w := health.NewWindow(l, nil)
		f := &health.Flight{Window: w, Start: epoch.Add(-tt.age)}
		if tt.answered > 0 {
			f.Answer(f.Start.Add(tt.answered))
		}
		if tt.upgraded {
			f.Upgrade()
		}
		other := &health.Flight{Window: health.NewWindow(l, nil), Start: f.Start}
		if got := shownIn(w.Evidence(epoch, slices.Values([]*health.Flight{f, other}))); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A request that has passed a limit is shown from then on for as long as the window is, whether it is in flight or has
// ended, and not once more when it ends.
func TestOverALimitIsShownOnce(t *testing.T) {
	l := strictLimits()
	for _, tt := range []struct {
		age  time.Duration
		want uint64
	}{{5 * time.Second, 0}, {6 * time.Second, 1}, {64 * time.Second, 1}, {66 * time.Second, 0}} {
		w := health.NewWindow(l, nil)
		f := &health.Flight{Window: w, Start: epoch.Add(-tt.age)}
		f.Answer(f.Start)
		flying := w.Evidence(epoch, slices.Values([]*health.Flight{f}))
		f.Record(epoch, success(0, tt.age))
		landed := w.Evidence(epoch, nil)
		if flying.Latency.Count() != tt.want || tt.age > 5*time.Second && landed.Latency.Count() != tt.want {
			t.Errorf("after %s with a limit of 5s: shown %d times in flight and %d when it has landed, want %d",
				tt.age, flying.Latency.Count(), landed.Latency.Count(), tt.want)
		}
	}
}

func TestReadsExpire(t *testing.T) {
	for _, window := range []time.Duration{10 * time.Second, time.Minute, time.Hour} {
		l := strictLimits()
		l.Window = health.Duration(window)
		w := health.NewWindow(l, nil)
		record(w, epoch, success(time.Second, time.Second))
		width := max(time.Second, window/60)
		if got := shownIn(w.Evidence(epoch.Add(window-width), nil)); got != (shown{1, 0, 1, 1, 1000}) {
			t.Errorf("window %s: %s later it holds %+v, want the request", window, window-width, got)
		}
		for _, later := range []time.Duration{window + time.Millisecond, 48 * time.Hour} {
			if got := w.Evidence(epoch.Add(later), nil); !cmp.Equal(got, health.Evidence{Window: l.Window}) {
				t.Errorf("window %s: %s later it holds %+v, want nothing", window, later, got)
			}
		}
	}
}

// Windows agree with a list of outcomes that is filtered by age, whatever the order and the gaps.
func TestWindowAgainstNaiveModel(t *testing.T) {
	type entry struct {
		at      time.Duration
		failure bool
	}
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.SampledFrom([]int{10, 60, 90, 600}).Draw(t, "window")) * time.Second
		l := health.DefaultLimits()
		l.Window = health.Duration(window)
		width := max(time.Second, window/60)
		w := health.NewWindow(l, nil)
		record(w, epoch, failure()) // fixes where slices begin
		all := []entry{{0, true}}
		now := time.Duration(0)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 20_000).Draw(t, "gap")) * time.Millisecond
			e := entry{now, rapid.Bool().Draw(t, "failure")}
			o := success(time.Millisecond, time.Millisecond)
			if e.failure {
				o = failure()
			}
			record(w, epoch.Add(now), o)
			all = append(all, e)
		}
		now += time.Duration(rapid.IntRange(0, 90_000).Draw(t, "pause")) * time.Millisecond
		var judged, failures uint64
		for _, e := range all {
			if age := int((now / width) - (e.at / width)); age < int(window/width) {
				judged++
				if e.failure {
					failures++
				}
			}
		}
		got := shownIn(w.Evidence(epoch.Add(now), nil))
		if got.judged != judged || got.failures != failures {
			t.Fatalf("after %s the window of %s holds %d with %d failures, want %d with %d", now, window, got.judged, got.failures, judged, failures)
		}
	})
}

func TestRecordAllocatesOncePerSlice(t *testing.T) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := success(time.Second, 2*time.Second)
	record(w, epoch, o)
	if got := testing.AllocsPerRun(1000, func() { record(w, epoch, o) }); got != 0 {
		t.Errorf("Record allocates %g times, want 0", got)
	}
	now := epoch
	if got := testing.AllocsPerRun(1000, func() {
		now = now.Add(10 * time.Millisecond)
		record(w, now, o)
	}); got != 0 {
		t.Errorf("with a new slice in a hundred, Record allocates %g times, want 0 on average", got)
	}
}

// No outcome is lost or counted twice while slices turn over under many goroutines and a reader.
func TestWindowUnderConcurrency(t *testing.T) {
	const writers, each = 8, 3000
	totals := new(health.Totals)
	w := health.NewWindow(strictLimits(), totals)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for n := range each {
				now := epoch.Add(time.Duration(n*10+i) * time.Millisecond) // 30 s in all
				record(w, now, success(time.Millisecond, 2*time.Millisecond))
			}
		})
	}
	wg.Go(func() {
		for n := range 200 {
			e := w.Evidence(epoch.Add(time.Duration(n*150)*time.Millisecond), nil)
			if got := shownIn(e); got.ms > 0 && got.latency == 0 {
				t.Errorf("a read in between contradicts itself: %+v", got)
			}
		}
	})
	wg.Wait()
	const n = writers * each
	if got, want := shownIn(w.Evidence(epoch.Add(31*time.Second), nil)), (shown{n, 0, n, n, 2 * n}); got != want {
		t.Errorf("the window holds %+v, want %+v", got, want)
	}
	s := totals.Snapshot()
	if got := s.Counts.Of(health.Success); got != writers*each || s.Latency.Count() != got {
		t.Errorf("the totals hold %d (%d latencies), want %d", got, s.Latency.Count(), writers*each)
	}
}

func TestTotals(t *testing.T) {
	totals := new(health.Totals)
	for range 2 { // epochs come and go
		w := health.NewWindow(health.DefaultLimits(), totals)
		o := success(time.Second, 3*time.Second)
		o.Retries = 2
		record(w, epoch, o)
		record(w, epoch, failure())
		record(w, epoch, left(time.Minute))
	}
	s := totals.Snapshot()
	var want health.Counts
	want[health.Success][health.CauseNone] = 2
	want[health.Failure][health.CauseStatus] = 2
	want[health.Excluded][health.CauseClientLeft] = 2
	if diff := cmp.Diff(want, s.Counts); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
	if s.Retries != 4 || s.TTFBSum != 2*time.Second || s.LatencySum != 6*time.Second || s.TTFB.Count() != 2 || s.Latency.Count() != 2 {
		t.Errorf("got %d retries, sums %s and %s of %d and %d, want 4, 2s and 6s of 2 and 2",
			s.Retries, s.TTFBSum, s.LatencySum, s.TTFB.Count(), s.Latency.Count())
	}
}
