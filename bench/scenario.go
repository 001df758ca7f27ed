package main

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// scenario is what befalls a canary that is given 5 % of the users, and what must become of it.
type scenario struct {
	name string // for scale.scenarios
	what string
	// befall lets it happen: before the canary has any users, or if it is well at first, after a time in which nothing
	// happens. It may be nil.
	befall func(*trial)
	well   bool
	// script has one user of the canary ask again and again for what fails.
	script bool
	// avoided has only users ask who are placed on stable.
	avoided bool
	// bar is how long after its first bad answer a canary must be failed back, as the median of several; zero if it must not
	// be at all.
	bar time.Duration
	// wrong says what is wrong with a trial in which the canary was not failed back, and must not be; it may be nil.
	wrong func(finding) string
}

// fromTheStart are canaries that are bad when they are first given users.
var fromTheStart = []scenario{{
	name:   "errors-100",
	what:   "canary fails always from the start: first bad answer -> failback",
	befall: canaryFails(100),
	bar:    8 * time.Second,
}, {
	name:   "errors-30",
	what:   "canary fails 30 % from the start: first bad answer -> failback",
	befall: canaryFails(30),
	bar:    16 * time.Second,
}, {
	name:   "hang",
	what:   fmt.Sprintf("canary hangs, users give up after %s: first hung request -> failback", clientsGiveUp),
	befall: func(t *trial) { t.green.hang() },
	bar:    90 * time.Second,
}}

// later are those of whose trials something is to be told only after a time.
var later = []scenario{{
	name:   "later-100",
	what:   "canary turns 100 % errors: first bad answer -> failback",
	well:   true,
	befall: canaryFails(100),
	bar:    14 * time.Second,
}, {
	name:   "later-30",
	what:   "canary turns 30 % errors: first bad answer -> failback",
	well:   true,
	befall: canaryFails(30),
	bar:    26 * time.Second,
}, {
	name:   "shared-100",
	what:   "both variants turn 100 % errors",
	well:   true,
	befall: bothFail(100),
	wrong:  finding.untold,
}, {
	name:   "shared-60",
	what:   "both variants turn 60 % errors",
	well:   true,
	befall: bothFail(60),
	wrong:  finding.untold,
}, {
	name:   "script",
	what:   "one user's script fails on the canary once a second",
	script: true,
}, {
	name:    "nobody",
	what:    "nobody who asks is placed on the canary",
	avoided: true,
	wrong:   finding.decided,
}}

// canaryFails lets the canary fail so many of a hundred requests.
func canaryFails(share int64) func(*trial) { return func(t *trial) { t.green.fail(share) } }

// bothFail lets both variants fail, as where a provider is down that they share.
func bothFail(share int64) func(*trial) {
	return func(t *trial) {
		t.blue.fail(share)
		t.green.fail(share)
	}
}

// maxShared is how long after both variants begin to fail status must say so.
const maxShared = 30 * time.Second

// untold says that the status was late to say that the cause is shared.
func (f finding) untold() string {
	switch {
	case f.shared == 0:
		return "status says nothing of a shared cause; it says: " + f.verdict.Reason
	case f.shared > maxShared:
		return fmt.Sprintf("status says only after %.0f s that the cause is shared", f.shared.Seconds())
	}
	return ""
}

// decided says that the verdict is one, where nothing is known.
func (f finding) decided() string {
	if f.verdict.Result == health.Inconclusive && f.verdict.Reason != "" {
		return ""
	}
	return fmt.Sprintf("the verdict is %s: %s", f.verdict.Result, f.verdict.Reason)
}
