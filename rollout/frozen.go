package rollout

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/switchback-proxy/switchback/splitter"
)

// frozenNotes tells where the file's policy and plan differ from those that a trial goes by.
func frozenNotes(def Definition, state *splitter.State, frozen Policy) []string {
	p, err := PlanOf(state)
	if err != nil {
		return []string{err.Error() + ": no step is taken"}
	}
	if p == nil {
		return policyNotes(def.Name, def.Policy, frozen)
	}
	notes := policyNotes(def.Name, def.Policy.lasting(p.Duration()), frozen)
	if planRuns(state) && !isSamePlan(*p, def.plan()) {
		notes = append(notes, "the file's plan differs from the one that this rollout began with, which counts; the file's counts from "+
			"the next rollout on")
	}
	return notes
}

// isSamePlan reports whether two plans are frozen alike.
func isSamePlan(a, b Plan) bool {
	first, err := encodePlan(a)
	second, wrong := encodePlan(b)
	return err == nil && wrong == nil && bytes.Equal(first, second)
}

// policyNotes tells where a policy differs from the one that a trial is judged by.
func policyNotes(split string, file, frozen Policy) []string {
	switch {
	case reflect.DeepEqual(file, frozen):
		return nil
	case frozen.Failback != nil && frozen.Judge == nil && file.Judge != nil:
		return []string{fmt.Sprintf("the file has a judge and this trial began without one, so that its limits alone count; "+
			"`split policy apply %s` takes the file's failback and judge", split)}
	}
	return []string{fmt.Sprintf("the file's failback or judge differs from what this trial began with, which counts; "+
		"`split policy apply %s` takes the file's", split)}
}
