package health

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/verdicts.golden")

// sceneTrial is the trial of a scene, with its terms changed.
func sceneTrial(change func(t *Trial)) Trial {
	t := trial(1)
	change(&t)
	return t
}

// limited is a trial under one limit, with or without a comparison.
func limited(l Limits, compared bool) Trial {
	return sceneTrial(func(t *Trial) {
		l.MinRequests = DefaultLimits().MinRequests
		t.Limits = &l
		if !compared {
			t.Settings = nil
		}
	})
}

// What people read at three in the morning.
func TestVerdictTexts(t *testing.T) {
	good, canary := healthy(20), healthy(2)
	change := func(d doing, f func(d *doing)) doing {
		f(&d)
		return d
	}
	bad := withFails(canary, 1)
	slowTTFB := change(canary, func(d *doing) { d.ttfb *= 10 })
	slow := change(canary, func(d *doing) { d.took *= 2 })
	long, breaking := healthy(20), healthy(2)
	long.took, breaking.took, breaking.breaks = time.Minute, time.Minute, 0.5
	leaving := change(canary, func(d *doing) { d.leaves = 0.3 })
	script := change(canary, func(d *doing) { d.oneRPS, d.oneBad = 1, 1 })
	alone := change(doing{}, func(d *doing) { *d = canary; d.rps, d.oneRPS, d.oneBad = 0.01, 1, 0 })
	aloneBad := change(alone, func(d *doing) { d.oneBad = 1 })
	down, canaryDown := withFails(good, 1), bad
	slowAll, slowCanary := good, canary
	slowAll.took, slowCanary.took = 15*time.Second, 15*time.Second

	off := func(l Limits) Trial { return limited(l, false) }
	quantile := func(d time.Duration) *QuantileLimit { return &QuantileLimit{Quantile: 0.95, Max: Duration(d)} }
	type phase struct {
		d                time.Duration
		baseline, canary doing
	}
	var doc strings.Builder
	for _, scene := range []struct {
		name   string
		terms  Trial
		phases []phase
	}{
		{"between trials", Trial{}, nil},
		{"pass", trial(1), []phase{{10 * time.Minute, good, canary}}},
		{"pass by limits alone", off(DefaultLimits()), []phase{{10 * time.Minute, good, canary}}},
		{"nothing is judged", Trial{Epoch: 1}, []phase{{10 * time.Minute, good, canary}}},
		{"mounting", trial(1), []phase{{60 * time.Second, good, withFails(canary, 0.03)}}},
		{"no canary yet", trial(1), []phase{{5 * time.Minute, good, doing{}}}},
		{"the first request", trial(1), []phase{{8 * time.Second, good, withFails(healthy(0.3), 0)}}},
		{"too few requests", trial(1), []phase{{8 * time.Second, good, canary}}},
		{"idle for an hour", trial(1), []phase{{time.Minute, good, canary}, {time.Hour, good, doing{}}}},
		{"no baseline", trial(1), []phase{{2 * time.Minute, doing{}, canary}}},
		{"errors", trial(1), []phase{{time.Minute, good, withFails(canary, 0.5)}}},
		{"errors, without a baseline", trial(1), []phase{{2 * time.Minute, doing{}, canary}, {time.Minute, doing{}, bad}}},
		{"aborted", trial(1), []phase{{4 * time.Minute, long, breaking}}},
		{"latency", trial(1), []phase{{3 * time.Minute, good, slow}}},
		{"first byte", trial(1), []phase{{time.Minute, good, slowTTFB}}},
		{"clients leave", trial(1), []phase{{time.Minute, good, leaving}}},
		{"max_error_rate", off(DefaultLimits()), []phase{{5 * time.Minute, good, withFails(canary, 0.3)}}},
		{"max_latency", off(Limits{MaxLatency: quantile(2 * time.Second)}), []phase{{5 * time.Minute, healthyWithin(good), slow}}},
		{"max_ttft", off(Limits{MaxTTFT: quantile(time.Second)}), []phase{{5 * time.Minute, good, slowTTFB}}},
		{"max_mean_latency", off(Limits{MaxMeanLatency: Duration(5 * time.Second)}),
			[]phase{{5 * time.Minute, good, change(slow, func(d *doing) { d.took *= 4 })}}},
		{"max_left", off(Limits{MaxLeft: 0.05}), []phase{{10 * time.Minute, good, leaving}}},
		{"shared: errors", trial(1), []phase{{5 * time.Minute, good, canary}, {2 * time.Minute, down, canaryDown}}},
		{"shared: latency", trial(1), []phase{{5 * time.Minute, good, canary}, {5 * time.Minute, slowAll, slowCanary}}},
		{"shared: a limit", off(DefaultLimits()), []phase{{5 * time.Minute, withFails(good, 0.3), withFails(canary, 0.3)}}},
		{"one user's script", trial(1), []phase{{5 * time.Minute, good, script}}},
		{"one user makes nearly all", trial(1), []phase{{10 * time.Minute, good, alone}}},
		{"one user makes nearly all, and fails", trial(1), []phase{{10 * time.Minute, good, aloneBad}}},
		{"one user fails, failback", sceneTrial(func(t *Trial) { t.Settings.FewUsers = FewUsersFailback }),
			[]phase{{time.Minute, good, aloneBad}}},
		{"stable burst before", trial(1), []phase{{10 * time.Minute, canary, canary}, {2 * time.Minute, withFails(canary, 0.8), canary},
			{time.Hour, canary, canary}, {10 * time.Minute, canary, withFails(canary, 0.1)}}},
		{"one user makes all, failback", sceneTrial(func(t *Trial) { t.Settings.FewUsers = FewUsersFailback }),
			[]phase{{10 * time.Minute, good, alone}}},
		{"blue/green with a trickle", trial(1), []phase{{10 * time.Minute, healthy(1), healthy(19)}}},
		{"blue/green with a trickle, bad", trial(1), []phase{{time.Minute, healthy(1), withFails(healthy(19), 0.2)}}},
	} {
		baseline := good
		if len(scene.phases) > 0 && scene.phases[0].baseline.rps > 0 {
			baseline = scene.phases[0].baseline
		}
		p := warmed(1, scene.terms, 5*time.Minute, baseline)
		if scene.terms.Epoch > 0 {
			p.judge.Begin(scene.terms)
		}
		for _, ph := range scene.phases {
			if _, ok := p.until(ph.d, ph.baseline, ph.canary, failed); ok {
				break
			}
		}
		v := p.judge.Verdict()
		fmt.Fprintf(&doc, "%s\n    %s: %s\n", scene.name, v.Result, v.Reason)
	}
	const golden = "testdata/verdicts.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), doc.String()); diff != "" {
		t.Errorf("verdicts differ from %s (-want +got); -update rewrites it\n%s", golden, diff)
	}
}

// healthyWithin is an arm that answers within a second.
func healthyWithin(d doing) doing {
	d.took = 500 * time.Millisecond
	return d
}
