package health_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
)

// stretch is a time of steady traffic: every second n requests, of which bad fail.
type stretch struct {
	from, to int // ages in seconds, from ≥ age > to
	n, bad   uint64
}

// during returns evidence under the strict limits with the traffic of some stretches.
func during(stretches ...stretch) health.Evidence {
	e := health.Evidence{Terms: health.Terms{
		Window: health.Duration(time.Minute), MaxTTFT: health.Duration(3 * time.Second), MaxLatency: health.Duration(8 * time.Second)}}
	e.Slices = make([]health.Slice, 60)
	e.Earlier = make([]health.Slice, 30)
	for _, s := range stretches {
		for age := s.to; age < s.from; age++ {
			slice := &e.Slices[min(age, 59)]
			if age >= 60 {
				slice = &e.Earlier[age/10]
			}
			slice.Judged += s.n
			slice.Failures += s.bad
			slice.TTFT.N += s.n
			slice.Latency.N += s.n
			slice.Mean.N += s.n
			slice.Mean.Sum += s.n * 1000
			slice.Mean.Squares += s.n * 1_000_000
		}
	}
	return e
}

func TestJudgeErrorRate(t *testing.T) {
	for _, tt := range []struct {
		name             string
		canary, baseline health.Evidence
		want             health.Verdict // Reason is a part of it, Checks are left out
	}{
		{"no evidence at all", health.Evidence{}, health.Evidence{},
			health.Verdict{NoBaseline: true, Reason: "no requests in 1m"}},
		{"a quiet canary", during(), during(stretch{60, 0, 10, 0}),
			health.Verdict{Reason: "no requests in 1m"}},
		{"too few", during(stretch{19, 0, 1, 1}), during(stretch{60, 0, 10, 0}),
			health.Verdict{Reason: "19 requests judged in 1m, 20 are needed"}},
		{"healthy", during(stretch{60, 0, 1, 0}), during(stretch{60, 0, 10, 0}),
			health.Verdict{Result: health.Pass, Reason: "0% of 60 requests failed (max_error_rate: 5%)"}},
		{"over the limit, but that could be chance", during(stretch{60, 10, 1, 0}, stretch{10, 4, 1, 1}, stretch{4, 0, 1, 0}), during(stretch{60, 0, 10, 0}),
			health.Verdict{Result: health.Pass, Reason: "10% of 60 requests failed"}},
		{"failing", during(stretch{60, 12, 1, 0}, stretch{12, 0, 1, 1}), during(stretch{60, 0, 10, 0}),
			health.Verdict{Result: health.Fail, Reason: "20% of 60 requests failed (max_error_rate: 5%); the baseline's share is 0% of 600"}},
		{"failing without a baseline", during(stretch{60, 0, 1, 1}), during(),
			health.Verdict{Result: health.Fail, NoBaseline: true, Reason: "no baseline traffic: a shared outage cannot be told apart"}},
		{"both fail", during(stretch{60, 0, 10, 5}), during(stretch{60, 0, 10, 5}),
			health.Verdict{SharedCause: true, Reason: "a shared cause, holding"}},
		{"the baseline began to fail a moment ago", during(stretch{60, 0, 10, 5}), during(stretch{60, 2, 100, 0}, stretch{2, 0, 100, 90}),
			health.Verdict{SharedCause: true, Reason: "a shared cause, holding"}},
		{"the baseline failed early in the window", during(stretch{60, 0, 10, 5}), during(stretch{60, 55, 10, 10}, stretch{55, 0, 10, 0}),
			health.Verdict{SharedCause: true, Reason: "a shared cause, holding"}},
		{"the baseline failed before the canary's onset, and little", during(stretch{60, 20, 10, 0}, stretch{20, 0, 10, 5}), during(stretch{60, 59, 10, 10}, stretch{59, 0, 10, 0}),
			health.Verdict{Result: health.Fail, Reason: "the baseline's share is 1.67% of 600"}},
		{"onset 5 s ago, a baseline that has not been asked since", during(stretch{60, 5, 10, 0}, stretch{5, 0, 20, 20}), during(stretch{60, 5, 1, 0}),
			health.Verdict{Waiting: true, Reason: "the baseline had only 0 requests since that began 5s ago"}},
		{"onset 15 s ago, and still nothing from a sparse baseline", during(stretch{60, 15, 10, 0}, stretch{15, 0, 10, 10}), during(stretch{60, 55, 1, 0}, stretch{20, 15, 1, 0}),
			health.Verdict{Waiting: true, Reason: "the baseline had only 0 requests since that began 15s ago"}},
		{"given everything 5 s ago, failing since", during(stretch{60, 5, 10, 0}, stretch{5, 0, 100, 50}), during(stretch{60, 5, 90, 0}),
			health.Verdict{Waiting: true, Reason: "only 0 requests since that began 5s ago"}},
		{"given everything 11 s ago, failing since", during(stretch{60, 11, 10, 0}, stretch{11, 0, 100, 50}), during(stretch{60, 11, 90, 0}),
			health.Verdict{Result: health.Fail, NoBaseline: true, Reason: "no baseline traffic"}},
		{"onset 15 s ago, all fails, one success of the baseline", during(stretch{60, 15, 10, 0}, stretch{15, 0, 10, 10}), during(stretch{60, 15, 1, 0}, stretch{9, 8, 1, 0}),
			health.Verdict{Result: health.Fail, Reason: "the baseline's share is 0% of 46"}},
		{"onset 15 s ago, half fails, three successes of the baseline", during(stretch{60, 15, 10, 0}, stretch{15, 0, 10, 5}), during(stretch{60, 15, 1, 0}, stretch{9, 6, 1, 0}),
			health.Verdict{Waiting: true, Reason: "only 3 requests"}},
		{"onset 15 s ago, half fails, 14 successes of the baseline", during(stretch{60, 15, 10, 0}, stretch{15, 0, 10, 5}), during(stretch{60, 1, 1, 0}),
			health.Verdict{Result: health.Fail, Reason: "the baseline's share is 0% of 59"}},
		{"two requests of the baseline, both failing", during(stretch{60, 15, 10, 0}, stretch{15, 0, 10, 10}), during(stretch{60, 15, 1, 0}, stretch{9, 7, 1, 1}),
			health.Verdict{SharedCause: true, Reason: "a shared cause, holding"}},
		{"half fails for 4 minutes, sparse baseline failed in the first", during(stretch{240, 0, 10, 5}), during(stretch{240, 230, 1, 1}, stretch{20, 16, 1, 0}),
			health.Verdict{SharedCause: true, Reason: "a shared cause, holding"}},
		{"half fails for 4 minutes, the baseline is sparse and well", during(stretch{240, 0, 10, 5}), during(stretch{240, 236, 1, 0}, stretch{20, 16, 1, 0}),
			health.Verdict{Waiting: true, Reason: "only 8 requests since that began 4m ago"}},
		{"half fails for 5 minutes, patience is over", during(stretch{300, 0, 10, 5}), during(stretch{240, 236, 1, 0}, stretch{20, 16, 1, 0}),
			health.Verdict{Result: health.Fail, Reason: "the baseline's share is 0% of 4"}},
		{"a shared outage, then nobody asks", during(stretch{40, 12, 10, 5}), during(stretch{40, 12, 20, 10}),
			health.Verdict{SharedCause: true, NoBaseline: true, Reason: "a shared cause, holding"}},
		{"an old shared outage excuses no new trouble", during(stretch{240, 120, 10, 9}, stretch{120, 20, 10, 0}, stretch{20, 0, 10, 5}),
			during(stretch{240, 120, 10, 9}, stretch{120, 0, 10, 0}),
			health.Verdict{Result: health.Fail, Reason: "the baseline's share is 0% of 600"}},
	} {
		got := health.JudgeLimits(strictLimits(), tt.canary, tt.baseline)
		if !strings.Contains(got.Reason, tt.want.Reason) {
			t.Errorf("%s: the reason is %q, want %q in it", tt.name, got.Reason, tt.want.Reason)
		}
		got.Checks, got.Reason, tt.want.Reason = nil, "", ""
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// What still runs gets the benefit of the doubt: the first outcomes of slow streams are the quick failures.
func TestJudgeGivesRunningRequestsTheBenefitOfTheDoubt(t *testing.T) {
	canary, baseline := during(stretch{30, 0, 1, 1}), during(stretch{60, 0, 10, 0})
	if got := health.JudgeLimits(strictLimits(), canary, baseline); got.Result != health.Fail {
		t.Errorf("30 failures and nothing else: %s, want fail", got.Result)
	}
	for i := range 30 {
		canary.Slices[i].Running = 60
	}
	if got := health.JudgeLimits(strictLimits(), canary, baseline); got.Result == health.Fail {
		t.Errorf("30 failures beside 1800 requests that run well: %s, want no failure", got.Reason)
	}
}

func TestJudgeLatency(t *testing.T) {
	healthy := during(stretch{60, 0, 1, 0})
	slow := func(change func(s *health.Slice)) health.Evidence {
		e := during(stretch{60, 0, 1, 0})
		for i := range 20 {
			change(&e.Slices[i])
		}
		return e
	}
	late := slow(func(s *health.Slice) { s.TTFT.Over = 1 })
	long := slow(func(s *health.Slice) { s.Latency.Over = 1 })
	mean := slow(func(s *health.Slice) { s.Mean = health.Moments{N: 1, Sum: 30_000, Squares: 900_000_000} })
	noisy := during(stretch{60, 0, 1, 0})
	noisy.Slices[0].Mean = health.Moments{N: 1, Sum: 600_000, Squares: 600_000 * 600_000}
	for _, tt := range []struct {
		name             string
		canary, baseline health.Evidence
		want             health.Result
		broken, reason   string
	}{
		{"late first byte", late, healthy, health.Fail, "max_ttft p95", "33.33% of 60 requests took longer than 3s (max_ttft p95: 5% may)"},
		{"late in both", late, late, health.Inconclusive, "max_ttft p95", "shared cause"},
		{"long", long, healthy, health.Fail, "max_latency p95", "took longer than 8s"},
		{"late canary beside a long baseline", late, long, health.Fail, "max_ttft p95", "max_ttft p95"},
		{"mean", mean, healthy, health.Fail, "max_mean_latency", "the mean latency of 60 requests is 10.7s (max_mean_latency: 5s); the baseline's is 1s of 60"},
		{"mean in both", mean, mean, health.Inconclusive, "max_mean_latency", "shared cause"},
		{"a mean that one request spoils", noisy, healthy, health.Pass, "", "no limit is broken"},
	} {
		got := health.JudgeLimits(strictLimits(), tt.canary, tt.baseline)
		var broken []string
		for _, c := range got.Checks {
			if c.Broken {
				broken = append(broken, c.Limit)
			}
		}
		if got.Result != tt.want || strings.Join(broken, " ") != tt.broken || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %s, broken %q, because %q; want %s, %q, %q", tt.name, got.Result, broken, got.Reason, tt.want, tt.broken, tt.reason)
		}
	}
}

// Requests that are only in flight break a limit on the first byte, although nothing was judged yet.
func TestJudgeHangingCanary(t *testing.T) {
	canary := during()
	for i := range 20 {
		canary.Slices[i].TTFT = health.Tally{N: 1, Over: 1}
	}
	got := health.JudgeLimits(strictLimits(), canary, during(stretch{60, 0, 10, 0}))
	if got.Result != health.Fail {
		t.Errorf("20 requests without an answer: %s (%s), want fail", got.Result, got.Reason)
	}
}

func TestJudgeNeedsMinRequests(t *testing.T) {
	l := strictLimits()
	l.MinRequests = 61
	if got := health.JudgeLimits(l, during(stretch{60, 0, 1, 1}), during(stretch{60, 0, 10, 0})); got.Result != health.Inconclusive || got.Checks[0].Broken {
		t.Errorf("60 failures with min_requests 61: %+v, want inconclusive", got)
	}
}

func TestJudgeRefusesOtherTerms(t *testing.T) {
	for _, pair := range [][2]health.Evidence{{during(stretch{60, 0, 1, 1}), {}}, {{}, during(stretch{60, 0, 1, 1})}} {
		got := health.JudgeLimits(health.DefaultLimits(), pair[0], pair[1])
		if got.Result != health.Inconclusive || !strings.Contains(got.Reason, "other limits") {
			t.Errorf("got %s because %q, want inconclusive because of other limits", got.Result, got.Reason)
		}
	}
}

// A window of an hour has slices of a minute; the onset is still known to the second.
func TestJudgeLongWindow(t *testing.T) {
	l := health.DefaultLimits()
	l.Window = health.Duration(time.Hour)
	canary, baseline := health.NewWindow(l, nil), health.NewWindow(l, nil)
	now := epoch
	for i := range 1200 {
		now = now.Add(time.Second)
		record(baseline, now, success(time.Second, time.Second))
		if i < 1195 {
			record(canary, now, success(time.Second, time.Second))
			continue
		}
		for range 100 {
			record(canary, now, failure())
		}
	}
	got := health.JudgeLimits(l, canary.Evidence(now, l, nil), baseline.Evidence(now, l, nil))
	if !got.Waiting || !strings.Contains(got.Reason, "only 5 requests since that began 5s ago") {
		t.Errorf("5 s after the onset: %+v, want waiting", got)
	}
	for range 15 {
		now = now.Add(time.Second)
		record(baseline, now, success(time.Second, time.Second))
	}
	if got := health.JudgeLimits(l, canary.Evidence(now, l, nil), baseline.Evidence(now, l, nil)); got.Result != health.Fail {
		t.Errorf("20 s after the onset: %+v, want fail", got)
	}
}

func TestVerdictJSON(t *testing.T) {
	want := health.JudgeLimits(strictLimits(), during(stretch{60, 0, 10, 5}), during(stretch{60, 0, 10, 0}))
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"result":"fail"`, `"limit":"max_error_rate","threshold":0.05,"observed":0.5,"n":600,"k":300,"broken":true`, `"max":"3s"`} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("%s: want %s in it", doc, part)
		}
	}
	var got health.Verdict
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Clients that give up before anything came are judged by themselves, and not by the error rate.
func TestClientsThatGiveUp(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	limits := health.Limits{Window: health.Duration(time.Minute), MinRequests: 20, MaxErrorRate: 0.05, MaxLeft: 0.2}
	arm := func(left, answered int) health.Evidence {
		w := health.NewWindow(limits, nil)
		for i := range left + answered {
			o := health.Outcome{Class: health.Success, Answered: true, Total: time.Second}
			if i < left {
				o = health.Outcome{Class: health.Excluded, Cause: health.CauseLeft, Total: 30 * time.Second}
			}
			record(w, now.Add(-20*time.Second), o)
		}
		return w.Evidence(now, limits, nil)
	}
	for name, tt := range map[string]struct {
		canary, baseline health.Evidence
		want             health.Result
		says             string
	}{
		"a canary that hangs":     {arm(40, 0), arm(0, 400), health.Fail, "100% of 40 requests were given up before the first byte (max_left: 20%)"},
		"hangs now and then":      {arm(30, 30), arm(3, 400), health.Fail, "50% of 60 requests were given up before the first byte"},
		"clients that browse":     {arm(10, 90), arm(40, 360), health.Pass, "10% of 100 requests were given up"},
		"both hang":               {arm(40, 0), arm(200, 200), health.Inconclusive, "shared cause"},
		"too few to say anything": {arm(10, 0), arm(0, 400), health.Inconclusive, "20 are needed"},
	} {
		if v := health.JudgeLimits(limits, tt.canary, tt.baseline); v.Result != tt.want || !strings.Contains(v.Reason, tt.says) {
			t.Errorf("%s: got %v, %q; want %v with %q", name, v.Result, v.Reason, tt.want, tt.says)
		}
	}
}
