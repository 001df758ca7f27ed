package control_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// plan is what the fleet's rollout goes by.
func plan() rollout.Plan {
	p := rollout.DefaultPlan()
	p.Gates = []rollout.Gate{{Approval: true, Before: 25_000}}
	p.Window = &rollout.Window{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 9 * 60, To: 17 * 60, Zone: "Europe/Berlin"}
	return p
}

// planned makes a status show a rollout at 10 % that goes by a plan.
func (f *fleet) planned(s *rollout.Status) {
	s.State = f.state.Clone()
	s.State.Progress.Step, s.State.Progress.Reached, s.State.Progress.Approved = 3, noon.Add(-10*time.Hour), 3
	s.State.Changed = splitter.Change{Kind: rollout.KindStep, Actor: "switchback", At: noon.Add(-10 * time.Hour), Reason: "step 3 of 6"}
	s.State.Promotions = []splitter.Promotion{{Variant: "blue", Version: "v7", Before: "azure", At: noon.Add(-100 * time.Hour)}}
	s.Plan = &rollout.PlanStatus{
		Plan: plan(), Step: 3, Weight: 10_000, Next: 25_000, Reached: noon.Add(-10 * time.Hour),
		Tally: rollout.Tally{Epoch: 3, Step: 3, Baked: 35_520, Requests: 213, Baseline: 1900, Users: 61},
		Waits: []rollout.Wait{
			{For: rollout.WaitMinimum, Text: "213 of 500 requests of green"},
			{For: rollout.WaitBake, Text: "9h52m of 24h at 10%"},
			{For: rollout.WaitApproval, Text: "somebody must approve step 4 (25%)"},
		},
		Due:      noon.Add(21*time.Hour + 8*time.Minute),
		Warnings: []string{"at the present rate 10% sees 320 requests in 24h, and 500 are asked for"},
	}
	s.Shares = []rollout.ShareStatus{
		{Variant: "blue", Weight: 90_000, Requests: 1900, Users: 540, RequestShare: 0.8992, UserShare: 0.8985},
		{Variant: "green", Weight: 10_000, Requests: 213, Users: 61, RequestShare: 0.1008, UserShare: 0.1015},
	}
	s.DrilledAt = noon.Add(-48 * time.Hour)
	s.Verdict = &health.Verdict{Result: health.Pass, Reason: "green is no worse than blue: 213 requests", Threshold: 100}
}

// vexed makes a planned status show what can be wrong with a plan.
func (f *fleet) vexed(s *rollout.Status) {
	f.planned(s)
	s.State.Progress.Paused = &splitter.Pause{Actor: "bob", Reason: "on call\x1b[2J changes", At: noon.Add(-time.Hour)}
	s.State.Retired = []string{"azure", "red"}
	s.State.Drill = &splitter.Drill{ID: "d1", Variant: "green", Users: []string{"5f1c", "9a0e"}, Until: noon.Add(time.Minute)}
	s.Plan.Waits = append([]rollout.Wait{{For: rollout.WaitResume, Text: "paused by bob: on call changes"}}, s.Plan.Waits...)
	s.ShareWarning = "green has 4.1% of the users and should have 10%: chance does this once in 10000000"
	s.Drift = []string{"proxy-2 decides by revision 11-dead, 2m0s old"}
	s.DrilledAt = time.Time{}
}

// failing makes a status show a rollout that was paused at its last step, as its canary fails.
func (f *fleet) failing(s *rollout.Status) {
	f.watching(s)
	why := "60.8% of the canary's requests fail lately, and 0% of stable's"
	s.State.Ranges = []splitter.Range{{From: 0, To: 95_000, Variant: "green"}, {From: 95_000, To: 100_000, Variant: "blue"}}
	s.State.Progress.Paused = &splitter.Pause{Actor: "switchback", Reason: why, At: noon.Add(-time.Minute), Failed: true}
	s.State.Changed = splitter.Change{Kind: rollout.KindPaused, Actor: "switchback", Via: "judge", At: noon.Add(-time.Minute), Reason: why}
	s.Variants[0].Weight, s.Variants[1].Weight = 5_000, 95_000
	s.Shares = nil
	s.Verdict = &health.Verdict{Result: health.Fail, Reason: why, Evidence: 134, Threshold: 100, Toward: 1}
	s.Plan.Plan.OnFail = rollout.OnFailPause
	s.Plan.Waits = []rollout.Wait{{For: rollout.WaitHealth, Text: "green fails: " + why},
		{For: rollout.WaitResume, Text: "paused by switchback: " + why}}
	s.Plan.Exposed = &rollout.Exposure{Canary: "green", Share: 95_000, Stable: "blue"}
}

// recovering is failing once the verdict does not fail any more.
func (f *fleet) recovering(s *rollout.Status) {
	f.failing(s)
	s.Verdict.Result, s.Plan.Waits = health.Inconclusive, s.Plan.Waits[1:]
}

// killedWhilePaused is failing after somebody has killed the canary.
func (f *fleet) killedWhilePaused(s *rollout.Status) {
	f.failing(s)
	s.State.Kills = []splitter.Kill{{ID: "k1", Variant: "green", Reason: "it fails", Actor: "alice", Via: "local", At: noon}}
	s.Variants[1].Killed, s.Plan.Exposed = true, nil
}

// watching makes a status show a canary that has everything and is watched before it is promoted.
func (f *fleet) watching(s *rollout.Status) {
	f.planned(s)
	s.State.Ranges = []splitter.Range{{From: 0, To: 100_000, Variant: "green"}}
	s.State.Progress.Step = 6
	s.Plan.Step, s.Plan.Weight, s.Plan.Next = 6, splitter.Full, 0
	s.Plan.Tally = rollout.Tally{Epoch: 3, Step: 6, Baked: 48 * 3600, Requests: 52_011, Users: 9_120}
	s.Plan.Waits, s.Plan.Warnings, s.Plan.Due = nil, nil, noon
}

// finish makes a status show how a rollout has ended.
func (f *fleet) finish(s *rollout.Status) {
	s.State = f.state.Clone()
	s.State.Progress = splitter.Progress{Phase: splitter.PhaseIdle, Since: noon, Why: "green is stable", Ended: f.ended}
	s.Verdict = nil
	if f.ended == splitter.EndAborted {
		s.State.Progress.Why = "aborted by alice: slow: see the dashboard"
		s.State.Ranges = []splitter.Range{{From: 0, To: 100_000, Variant: "blue"}}
		return
	}
	s.State.Stable, s.State.Canary = "green", "blue"
	s.State.Ranges = []splitter.Range{{From: 0, To: 100_000, Variant: "green"}}
	s.State.Promotions = []splitter.Promotion{{Variant: "green", Version: "v8", Before: "blue", BeforeVersion: "v7", At: noon}}
}

// rehearsed makes a status show a split whose latest drill failed.
func (f *fleet) rehearsed(s *rollout.Status) {
	f.finish(s)
	s.DrilledAt = noon.Add(-48 * time.Hour)
	s.State.Drilled = splitter.Drilled{At: s.DrilledAt, By: "alice"}
	s.State.DrillFailed = splitter.FailedDrill{At: noon.Add(-time.Minute), By: "bob", Step: "canary answers",
		Why: "test user 1: status 500\x1b[2J"}
}

func (f *fleet) StartRollout(_ context.Context, split string, r rollout.StartRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindStarted, r, by)
}

func (f *fleet) PauseRollout(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindPaused, "pause", by)
}

func (f *fleet) ResumeRollout(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindResumed, "resume", by)
}

func (f *fleet) ApproveStep(_ context.Context, split string, r rollout.StepRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindApproved, r, by)
}

func (f *fleet) PromoteNow(_ context.Context, split string, r rollout.PromoteRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindStep, r, by)
}

func (f *fleet) AbortRollout(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindAborted, "abort", by)
}

func (f *fleet) RollBack(_ context.Context, split string, r rollout.RollbackRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindRolledBack, r, by)
}

func (f *fleet) RetryRollout(_ context.Context, split string, r rollout.RetryRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindRetried, r, by)
}

func (f *fleet) SwitchTo(_ context.Context, split string, r rollout.SwitchRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindSwitched, r, by)
}

func (f *fleet) SwitchBack(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindSwitchedBack, "switch back", by)
}

func (f *fleet) Retire(_ context.Context, split string, r rollout.RetireRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, rollout.KindRetired, r, by)
}

// Drill fails if there is anybody who never applies anything.
func (f *fleet) Drill(_ context.Context, split string, r rollout.DrillRequest, by rollout.By) (rollout.DrillReport, error) {
	result, err := f.changed(split, rollout.KindDrilled, r, by)
	if err != nil {
		return rollout.DrillReport{}, err
	}
	report := rollout.DrillReport{Passed: len(f.missing) == 0, Took: 61_400 * time.Microsecond, Event: result.Event}
	report.Event.Revision, report.Event.To = 0, nil
	report.Steps = []rollout.DrillStep{
		{Name: "start", Text: "2 of 2 instances send the test users to green", OK: true, Took: 14 * time.Millisecond},
		{Name: "canary serves", Text: "2 test users were served by green", OK: true, Took: 21 * time.Millisecond},
		{Name: "failback", Text: "2 of 2 instances have taken it back", OK: true, Took: 12 * time.Millisecond},
	}
	if !report.Passed {
		report.Steps[2] = rollout.DrillStep{Name: "failback", Text: "proxy-2 has not taken it back", Took: 2 * time.Second}
	}
	return report, nil
}

func (f *fleet) Preflight(_ context.Context, split string) (rollout.PreflightReport, error) {
	if _, err := f.StatusHere(split); err != nil {
		return rollout.PreflightReport{}, err
	}
	items := []rollout.PreflightItem{
		{Name: "plan", Result: rollout.PreflightOK, Text: "6 steps, 7 days at least"},
		{Name: "drill", Result: rollout.PreflightWarning, Text: "no drill has passed yet"},
	}
	if f.trouble {
		items = append(items, rollout.PreflightItem{Name: "upstreams", Result: rollout.PreflightMiss, Text: "green: localhost:2: connection refused"})
	}
	return rollout.PreflightReport{Items: items}, f.err
}

func (f *fleet) Why(split string) ([]string, error) {
	if _, err := f.StatusHere(split); err != nil {
		return nil, err
	}
	return []string{"green has 10% since 2026-11-22 02:00 UTC, step 3 of 6.", "It waits for 287 more requests of green."}, f.err
}

func (f *fleet) TargetStatus() []rollout.TargetStatus {
	if !f.trouble {
		return nil
	}
	return []rollout.TargetStatus{
		{Name: "slack", Sent: 12},
		{Name: "pager", Sent: 3, Failed: 7, Dropped: 1, LastError: "POST https://pager.example: 502 Bad Gateway", FailingSince: noon},
	}
}

// EventsAfter returns those of f.log that follow the cursor, which is a number.
func (f *fleet) EventsAfter(_ context.Context, split, cursor string, limit int) ([]store.Event, error) {
	if _, err := f.StatusHere(split); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	after := 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", store.ErrCursor, cursor)
		}
		after = n
	}
	after = min(after, len(f.log))
	return slices.Clone(f.log[after:min(after+limit, len(f.log))]), nil
}

// happen adds events of some kinds to the log.
func (f *fleet) happen(kinds ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kind := range kinds {
		n := strconv.Itoa(len(f.log) + 1)
		f.log = append(f.log, store.Event{ID: "e" + n, Split: "assistant", Epoch: 3, Cursor: n,
			Change: splitter.Change{Kind: kind, Actor: "switchback", At: noon.Add(time.Duration(len(f.log)) * time.Minute), Reason: "a <reason>"}})
	}
}

// trouble makes the next calls return err.
func (f *fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}
