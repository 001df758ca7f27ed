package rollout

import (
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Pause stops a plan where it is until somebody resumes it; the canary is judged all the same. It returns false, and no
// change, if it is paused already.
func Pause(prev *splitter.State, by By, seed Seed) (Changed, bool, error) {
	if _, err := mustRun(prev); err != nil || prev.Progress.Paused != nil {
		return Changed{}, false, err
	}
	n := next(prev, KindPaused, by, seed)
	hold(n, by, seed)
	c, err := tell(prev, n)
	return c, err == nil, err
}

// PausePlan pauses a plan that says so of a failing verdict, instead of a failback. It returns false, and no change, if the
// plan says otherwise or is paused already, or the verdict does not fail.
func PausePlan(prev *splitter.State, v health.Verdict, by By, seed Seed) (Changed, bool, error) {
	p, err := runningPlan(prev)
	if err != nil || p == nil || v.Result != health.Fail || p.OnFail != OnFailPause || prev.Progress.Paused != nil {
		return Changed{}, false, err
	}
	by.Reason = v.Reason
	n := next(prev, KindPaused, by, seed)
	hold(n, by, seed)
	n.Progress.Paused.Failed = true
	c, err := tellWhy(prev, n, Grounds{Verdict: v, Exposed: exposure(prev)})
	return c, err == nil, err
}

// Resume lets a paused plan go on from the step that it is at. A canary that was given less than that of the first step
// meanwhile is given as much. If it had failed, or does now by the verdict v, and the plan does not fail it back, whoever
// resumes says that it is repaired: it is judged anew, and the step's time and evidence begin anew. It returns false, and no
// change, if the plan is not paused.
func Resume(prev *splitter.State, v health.Verdict, by By, seed Seed) (Changed, bool, error) {
	p, err := mustRun(prev)
	if err != nil || prev.Progress.Paused == nil {
		return Changed{}, false, err
	}
	n := next(prev, KindResumed, by, seed)
	n.Progress.Paused = nil
	if p.OnFail == OnFailPause && (prev.Progress.Paused.Failed || v.Result == health.Fail) {
		n.Progress.JudgedSince = seed.Now
	}
	if prev.Progress.Step == 1 {
		if err := raiseCanary(n, prev, prev.RunningTrickle(), frozenPolicy(prev), p.Step(1).Weight, seed.Now); err != nil {
			return Changed{}, false, err
		}
	}
	c, err := tell(prev, n)
	return c, err == nil, err
}

// hold pauses the plan of n, if one runs that is not paused.
func hold(n *splitter.State, by By, seed Seed) {
	if planRuns(n) && n.Progress.Paused == nil {
		n.Progress.Paused = &splitter.Pause{Actor: by.Actor, Reason: by.Reason, At: seed.Now}
	}
}
