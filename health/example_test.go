package health_test

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// Two proxies record what became of the canary's requests; their evidence is added and judged against the defaults.
func Example() {
	limits := health.DefaultLimits()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var canary, baseline health.Evidence
	for range 2 {
		green, blue := health.NewWindow(limits, nil), health.NewWindow(limits, nil)
		for i := range 100 {
			o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
			onBlue := health.Flight{Window: blue, Start: now.Add(-o.Total)}
			onBlue.Record(now, o)
			if i%4 == 0 {
				o = health.Outcome{Class: health.Failure, Cause: health.CauseTimeout, Total: 10 * time.Second}
			}
			onGreen := health.Flight{Window: green, Start: now.Add(-o.Total)}
			onGreen.Record(now, o)
		}
		canary = canary.Merge(green.Evidence(now, limits, nil))
		baseline = baseline.Merge(blue.Evidence(now, limits, nil))
	}
	v := health.JudgeLimits(limits, canary, baseline)
	fmt.Println(v.Result)
	fmt.Println(v.Reason)
	// Output:
	// fail
	// 25% of 200 requests failed (max_error_rate: 5%); the baseline's share is 0% of 200
}
