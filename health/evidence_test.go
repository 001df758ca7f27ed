package health_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
)

// evidences draws what a window of some random life holds.
func evidences(l health.Limits) *rapid.Generator[health.Evidence] {
	outcomes := rapid.Custom(func(t *rapid.T) health.Outcome {
		return health.Outcome{
			Class:    health.Class(rapid.IntRange(0, 2).Draw(t, "class")),
			Cause:    health.Cause(rapid.IntRange(0, 10).Draw(t, "cause")),
			Answered: rapid.Bool().Draw(t, "answered"),
			Upgraded: rapid.Bool().Draw(t, "upgraded"),
			TTFB:     time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ttfb")) * time.Millisecond,
			Total:    time.Duration(rapid.IntRange(0, 100_000).Draw(t, "total")) * time.Millisecond,
			Retries:  rapid.IntRange(0, 3).Draw(t, "retries"),
			User:     rapid.Uint64Range(0, 20).Draw(t, "user") << 32,
		}
	})
	return rapid.Custom(func(t *rapid.T) health.Evidence {
		w := health.NewWindow(l, nil)
		now := epoch
		for _, o := range rapid.SliceOfN(outcomes, 0, 30).Draw(t, "outcomes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 15_000).Draw(t, "gap")) * time.Millisecond)
			o.Surplus = !w.Arrive(now, o.User)
			record(w, now, o)
		}
		return w.Evidence(now, nil)
	})
}

func TestMergeIsAddition(t *testing.T) {
	l := strictLimits()
	l.Window = health.Duration(2 * time.Minute)
	any := evidences(l)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := any.Draw(t, "a"), any.Draw(t, "b"), any.Draw(t, "c")
		if diff := cmp.Diff(a.Merge(b), b.Merge(a)); diff != "" {
			t.Fatalf("a+b is not b+a:\n%s", diff)
		}
		if diff := cmp.Diff(a.Merge(b).Merge(c), a.Merge(b.Merge(c))); diff != "" {
			t.Fatalf("(a+b)+c is not a+(b+c):\n%s", diff)
		}
		if diff := cmp.Diff(a, a.Merge(health.Evidence{})); diff != "" {
			t.Fatalf("a+0 is not a:\n%s", diff)
		}
		if diff := cmp.Diff(a, (health.Evidence{}).Merge(a)); diff != "" {
			t.Fatalf("0+a is not a:\n%s", diff)
		}
		if got, want := a.Merge(b).TTFB.Count(), a.TTFB.Count()+b.TTFB.Count(); got != want {
			t.Fatalf("the sum has %d times to the first byte, want %d", got, want)
		}
	})
}

func TestMergeChangesNeither(t *testing.T) {
	w := health.NewWindow(strictLimits(), nil)
	record(w, epoch, failure())
	a, b := w.Evidence(epoch, nil), w.Evidence(epoch, nil)
	a.Merge(b)
	if want := (shown{judged: 1, failures: 1}); shownIn(a) != want || shownIn(b) != want {
		t.Errorf("merging left %+v and %+v, want %+v in both", shownIn(a), shownIn(b), want)
	}
}

func TestMergeLeavesOutOtherWindows(t *testing.T) {
	longer := strictLimits()
	longer.Window *= 2
	a, b := health.NewWindow(strictLimits(), nil), health.NewWindow(longer, nil)
	record(a, epoch, failure())
	record(b, epoch, failure())
	e := a.Evidence(epoch, nil)
	if diff := cmp.Diff(e, e.Merge(b.Evidence(epoch, nil))); diff != "" {
		t.Errorf("evidence of another window was added:\n%s", diff)
	}
}

func TestEvidenceJSONRoundTrip(t *testing.T) {
	for _, window := range []time.Duration{time.Minute, 5 * time.Minute} {
		l := strictLimits()
		l.Window = health.Duration(window)
		rapid.Check(t, func(t *rapid.T) {
			want := evidences(l).Draw(t, "evidence")
			doc, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got health.Evidence
			if err := json.Unmarshal(doc, &got); err != nil {
				t.Fatalf("%s: %v", doc, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestEvidenceJSONRefusesNonsense(t *testing.T) {
	for _, in := range []string{
		`null,`, `[]`, `{"window":"5s"}`, `{"window":"2h"}`, `{"window":60}`,
		`{"window":"60s","latency_sum":5}`, `{"window":"60s","latency":[3,1],"latency_sum":18446744073709551615}`,
		`{"window":"60s","latency":[3,1],"latency_sum":-1}`, `{"window":"60s","latency":[3]}`,
		`{"window":"60s","retries":18446744073709551615}`, `{"window":"60s","counts":{"failure":{"dial":18446744073709551615}}}`,
		`{"window":"60s","users":{"seen":"AAAA"}}`, `{"window":"60s","users":[]}`, `{"window":"60s","counts":[]}`,
		`{"pad":"` + strings.Repeat("x", 1<<16) + `"}`,
	} {
		var e health.Evidence
		if err := json.Unmarshal([]byte(in), &e); err == nil {
			t.Errorf("%.80s was accepted, want an error", in)
		}
	}
	var e health.Evidence
	newer := `{"window":"1m","counts":{"failure":{"gremlins":1,"dial":3},"odd":{}},"moods":[1]}`
	if err := json.Unmarshal([]byte(newer), &e); err != nil || e.Counts.Of(health.Failure) != 3 {
		t.Errorf("what a newer release adds: %+v, %v, want it ignored", e, err)
	}
}

func FuzzEvidenceJSON(f *testing.F) {
	w := health.NewWindow(strictLimits(), nil)
	record(w, epoch, success(time.Second, 2*time.Second))
	record(w, epoch, failure())
	for _, users := range []uint64{0, 3, 200} {
		for user := range users {
			o := failure()
			o.User = (user + 1) * 0x9e3779b97f4a7c15
			o.Surplus = !w.Arrive(epoch, o.User)
			record(w, epoch, o)
		}
		doc, err := json.Marshal(w.Evidence(epoch, nil))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte(`{"window":"60s","counts":{"failure":{"dial":3}},"ttfb":[3,4],"latency":[3,4],"latency_sum":9}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var e health.Evidence
		if err := json.Unmarshal(in, &e); err != nil {
			return
		}
		health.Summarize(e.Merge(e))
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		var again health.Evidence
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("a round trip changed it:\n%s", diff)
		}
	})
}

func TestSummarize(t *testing.T) {
	w := health.NewWindow(strictLimits(), nil)
	for range 9 {
		record(w, epoch, success(time.Second, 2*time.Second))
	}
	record(w, epoch, failure())
	record(w, epoch, left(time.Second))
	record(w, epoch, health.Outcome{Cause: health.CauseThrottled, Retries: 2})
	got := health.Summarize(w.Evidence(epoch, nil))
	second := got.TTFB.P50
	want := health.Summary{
		Requests: 10, Failures: 1, ErrorRate: 0.1, Retries: 2,
		Causes:      map[health.Cause]uint64{health.CauseStatus: 1},
		Excluded:    map[health.Cause]uint64{health.CauseClientLeft: 1, health.CauseThrottled: 1},
		TTFB:        health.Quantiles{P50: second, P95: second, P99: second},
		Latency:     health.Quantiles{P50: got.Latency.P50, P95: got.Latency.P50, P99: got.Latency.P50},
		MeanLatency: health.Duration(2 * time.Second),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if off := (time.Duration(second) - time.Second).Abs(); off > 50*time.Millisecond {
		t.Errorf("the median of one second is %s, off by more than 5 %%", second)
	}
	doc, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(doc), `"excluded":{"client_left":1,"throttled":1}`) {
		t.Errorf("as JSON: %s, %v", doc, err)
	}
}
