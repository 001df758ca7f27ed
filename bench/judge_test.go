package main

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

func TestReportOfScenario(t *testing.T) {
	soon := scenario{what: "bad", bar: 8 * time.Second}
	calm := scenario{what: "calm", wrong: finding.decided}
	outage := scenario{what: "outage", wrong: finding.untold}
	back := func(seconds int) finding {
		return finding{failedBack: true, took: time.Duration(seconds) * time.Second, why: "30 of 40 failed", users: seconds}
	}
	told := func(seconds int) finding { return finding{shared: time.Duration(seconds) * time.Second} }
	passed := finding{verdict: health.Verdict{Result: health.Pass, Reason: "keeps up"}}
	unknown := finding{verdict: health.Verdict{Reason: "no request of the canary yet"}}
	tests := []struct {
		name     string
		scenario scenario
		found    []finding
		ok       bool
		want     string // in what was measured or noted
	}{
		{"in time", soon, []finding{back(6), back(7), back(20)}, true, "median 7.0 s (6.0 to 20.0 s); 7 users saw a failure (6 to 20)"},
		{"too late", soon, []finding{back(6), back(9), back(10)}, false, "median 9.0 s"},
		{"not at all", soon, []finding{back(6), back(7), {took: maxAwaited}}, false, "not failed back within 3m0s"},
		{"for nothing", soon, []finding{back(0)}, false, "failed back before it was bad: 30 of 40 failed"},
		{"held", calm, []finding{unknown, unknown}, true, "no request of the canary yet\n0 failbacks, inconclusive"},
		{"failed back", calm, []finding{unknown, back(5)}, false, "failed back: 30 of 40 failed"},
		{"decided", calm, []finding{passed}, false, "the verdict is pass: keeps up"},
		{"told", outage, []finding{told(9), told(12)}, true, "called shared within 12.0 s"},
		{"told late", outage, []finding{told(9), told(31)}, false, "status says only after 31 s that the cause is shared"},
		{"untold", outage, []finding{told(9), passed}, false, "status says nothing of a shared cause; it says: keeps up"},
	}
	for _, tt := range tests {
		r := tt.scenario.report(tt.found, quick)
		if text := strings.Join(append(r.Notes, r.Measured), "\n"); r.OK != tt.ok || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got ok %t and %q, want %t and %q", tt.name, r.OK, text, tt.ok, tt.want)
		}
	}
}
