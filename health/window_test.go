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

// windowSum adds up the slices of the window.
func windowSum(e health.Evidence) health.Slice {
	var sum health.Evidence
	for _, s := range e.Slices {
		sum = sum.Merge(health.Evidence{Terms: e.Terms, Slices: []health.Slice{s}})
	}
	if len(sum.Slices) == 0 {
		return health.Slice{}
	}
	return sum.Slices[0]
}

func TestWhatAnOutcomeCountsAs(t *testing.T) {
	tally := func(n, over uint64) health.Tally { return health.Tally{N: n, Over: over} }
	for _, tt := range []struct {
		name string
		in   health.Outcome
		want health.Slice
	}{
		{"success", success(time.Second, 2*time.Second), health.Slice{Judged: 1, TTFT: tally(1, 0), Latency: tally(1, 0),
			Mean: health.Moments{N: 1, Sum: 2000, Squares: 4_000_000}}},
		{"slow start", success(3001*time.Millisecond, 4*time.Second), health.Slice{Judged: 1, TTFT: tally(1, 1), Latency: tally(1, 0),
			Mean: health.Moments{N: 1, Sum: 4000, Squares: 16_000_000}}},
		{"exactly at the limits", success(3*time.Second, 8*time.Second), health.Slice{Judged: 1, TTFT: tally(1, 0), Latency: tally(1, 0),
			Mean: health.Moments{N: 1, Sum: 8000, Squares: 64_000_000}}},
		{"slow end", success(time.Second, 9*time.Second), health.Slice{Judged: 1, TTFT: tally(1, 0), Latency: tally(1, 1),
			Mean: health.Moments{N: 1, Sum: 9000, Squares: 81_000_000}}},
		{"failure", failure(), health.Slice{Judged: 1, Failures: 1}},
		{"left early", left(2 * time.Second), health.Slice{}},
		{"left late", left(4 * time.Second), health.Slice{TTFT: tally(1, 1)}},
		{"left very late", left(30 * time.Second), health.Slice{TTFT: tally(1, 1), Latency: tally(1, 1),
			Mean: health.Moments{N: 1, Sum: 30_000, Squares: 900_000_000}}},
		{"left while it was answered", health.Outcome{Cause: health.CauseClientLeft, Answered: true, TTFB: time.Second, Total: 4 * time.Second},
			health.Slice{TTFT: tally(1, 0)}},
		{"throttled", health.Outcome{Cause: health.CauseThrottled, Answered: true, Total: time.Minute}, health.Slice{}},
		{"upgraded", health.Outcome{Class: health.Success, Answered: true, Upgraded: true, TTFB: time.Second, Total: 20 * time.Second},
			health.Slice{Judged: 1, TTFT: tally(1, 0)}},
		{"class out of range", health.Outcome{Class: 9}, health.Slice{}},
		{"cause out of range", health.Outcome{Class: health.Failure, Cause: 99}, health.Slice{}},
	} {
		w := health.NewWindow(strictLimits(), nil)
		record(w, epoch, tt.in)
		if diff := cmp.Diff(tt.want, windowSum(w.Evidence(epoch, strictLimits(), nil))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// A flight counts as what it would be if its client left now, and as running in the slice in which it began.
func TestWhatAFlightCountsAs(t *testing.T) {
	l := strictLimits()
	for _, tt := range []struct {
		name     string
		age      time.Duration
		answered time.Duration // zero: not
		upgraded bool
		want     health.Slice
	}{
		{"young", time.Second, 0, false, health.Slice{Running: 1}},
		{"unanswered too long", 4 * time.Second, 0, false, health.Slice{Running: 1, TTFT: health.Tally{N: 1, Over: 1}}},
		{"answered in time", 4 * time.Second, time.Second, false, health.Slice{Running: 1, TTFT: health.Tally{N: 1}}},
		{"answered late", 5 * time.Second, 4 * time.Second, false, health.Slice{Running: 1, TTFT: health.Tally{N: 1, Over: 1}}},
		{"streaming too long", 9 * time.Second, time.Second, false, health.Slice{Running: 1, TTFT: health.Tally{N: 1},
			Latency: health.Tally{N: 1, Over: 1}, Mean: health.Moments{N: 1, Sum: 9000, Squares: 81_000_000}}},
		{"upgraded", 9 * time.Second, time.Second, true, health.Slice{TTFT: health.Tally{N: 1}}},
		{"streaming for an hour", time.Hour, time.Second, false, health.Slice{}},
		{"unanswered for an hour", time.Hour, 0, false, health.Slice{TTFT: health.Tally{N: 1, Over: 1}, Latency: health.Tally{N: 1, Over: 1},
			Mean: health.Moments{N: 1, Sum: 3_600_000, Squares: 3_600_000 * 3_600_000}}},
		{"of the future", -time.Second, 0, false, health.Slice{}},
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
		e := w.Evidence(epoch, l, slices.Values([]*health.Flight{f, other}))
		if diff := cmp.Diff(tt.want, windowSum(e)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// A request over a limit is placed where it passed it, whether it is in flight or has ended.
func TestOverALimitIsPlacedWhereItWasPassed(t *testing.T) {
	l := strictLimits()
	w := health.NewWindow(l, nil)
	f := &health.Flight{Window: w, Start: epoch.Add(-13 * time.Second)}
	flying := w.Evidence(epoch, l, slices.Values([]*health.Flight{f}))
	if got := flying.Slices[10].TTFT.Over; got != 1 {
		t.Errorf("in flight for 13 s with max_ttft 3s: slice 10 has %d over, want 1", got)
	}
	record(w, epoch, left(13*time.Second))
	landed := w.Evidence(epoch, l, nil)
	flying.Slices[13].Running = 0
	if diff := cmp.Diff(flying.Slices[:11], landed.Slices); diff != "" {
		t.Errorf("landing changed the evidence (-flying +landed)\n%s", diff)
	}
}

func TestReadsExpire(t *testing.T) {
	for _, window := range []time.Duration{10 * time.Second, time.Minute, time.Hour} {
		l := strictLimits()
		l.Window = health.Duration(window)
		w := health.NewWindow(l, nil)
		record(w, epoch, success(time.Second, time.Second))
		width := max(time.Second, window/60)
		if got := windowSum(w.Evidence(epoch.Add(window-width), l, nil)).Judged; got != 1 {
			t.Errorf("window %s: %s later it holds %d, want 1", window, window-width, got)
		}
		e := w.Evidence(epoch.Add(window+time.Millisecond), l, nil)
		if got := windowSum(e).Judged; got != 0 || e.Counts.Of(health.Success) != 0 || e.TTFB.Count() != 0 {
			t.Errorf("window %s: after it, it holds %d, counts %v, want nothing", window, got, e.Counts)
		}
		if e := w.Evidence(epoch.Add(48*time.Hour), l, nil); e.Slices != nil || e.Fine != nil || e.Earlier != nil {
			t.Errorf("window %s: days later it holds %+v, want nothing", window, e)
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
		got := windowSum(w.Evidence(epoch.Add(now), l, nil))
		if got.Judged != judged || got.Failures != failures {
			t.Fatalf("after %s the window of %s holds %d with %d failures, want %d with %d", now, window, got.Judged, got.Failures, judged, failures)
		}
	})
}

// Fine and earlier slices hold what the window's own slices do, at other resolutions, and nothing twice.
func TestResolutionsAgree(t *testing.T) {
	l := strictLimits()
	l.Window = health.Duration(2 * time.Minute)
	w := health.NewWindow(l, nil)
	now := epoch
	for range 400 {
		now = now.Add(time.Second)
		record(w, now, failure())
	}
	e := w.Evidence(now, l, nil)
	count := func(slices []health.Slice) (n int) {
		for _, s := range slices {
			n += int(s.Judged)
		}
		return n
	}
	if got := count(e.Fine); got != 10 {
		t.Errorf("the last 10 s hold %d, want 10", got)
	}
	if got := count(e.Slices); got < 118 || got > 120 {
		t.Errorf("the window of 2 minutes holds %d, want 119 or so", got)
	}
	if got := count(e.Slices) + count(e.Earlier); got < 280 || got > 300 {
		t.Errorf("5 minutes hold %d, want nearly 300", got)
	}
}

// Other latency limits than the window was made for are counted from the histograms.
func TestEvidenceUnderOtherLimits(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	for range 10 {
		record(w, epoch, success(time.Second, 2*time.Second))
		record(w, epoch, success(4*time.Second, 20*time.Second))
	}
	l := strictLimits()
	l.Window = health.Duration(2 * time.Minute)
	got := windowSum(w.Evidence(epoch.Add(20*time.Second), l, nil))
	if want := (health.Tally{N: 20, Over: 10}); got.TTFT != want || got.Latency != want {
		t.Errorf("got %+v and %+v, want %+v", got.TTFT, got.Latency, want)
	}
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
	l := strictLimits()
	w := health.NewWindow(l, totals)
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
			e := w.Evidence(epoch.Add(time.Duration(n*150)*time.Millisecond), l, nil)
			if s := windowSum(e); s.Failures > s.Judged || s.TTFT.Over > s.TTFT.N {
				t.Errorf("a read in between contradicts itself: %+v", s)
			}
		}
	})
	wg.Wait()
	e := w.Evidence(epoch.Add(31*time.Second), l, nil)
	if got := windowSum(e).Judged; got != writers*each {
		t.Errorf("the window holds %d, want %d", got, writers*each)
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
