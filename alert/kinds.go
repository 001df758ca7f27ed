package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

// kindTest is the kind of what is sent to try a target; no event has it.
const kindTest = "test"

// kind is what is known of a kind of event.
type kind struct {
	severity Severity
	// what says in a few words what happened.
	what string
}

var kinds = map[string]kind{
	rollout.KindFailback:     {Critical, "the canary failed, everybody is back on the trusted version"},
	rollout.KindFailbackHeld: {Critical, "the canary fails, and is not failed back"},
	rollout.KindKill:         {Critical, "a kill switch is on"},
	rollout.KindStoreLost:    {Critical, "the store is away, requests go on by the last state known"},

	rollout.KindStoreBack:    {Warning, "the store is back"},
	rollout.KindRevive:       {Warning, "a kill switch is off"},
	rollout.KindSuspected:    {Warning, "the cause of the failback seems to be shared by both versions"},
	rollout.KindProbe:        {Warning, "some users are lent to the trusted version, to see whether it is any better"},
	rollout.KindPaused:       {Warning, "the rollout is paused"},
	rollout.KindAborted:      {Warning, "the rollout was given up"},
	rollout.KindRolledBack:   {Warning, "the promotion was taken back"},
	rollout.KindSwitchedBack: {Warning, "everybody was switched back"},
	rollout.KindWaiting:      {Warning, "the rollout waits"},
	rollout.KindNoTraffic:    {Warning, "the canary gets no traffic, the rollout is held"},
	rollout.KindDrift:        {Warning, "an instance decides by an old state or file"},
	rollout.KindShare:        {Warning, "the traffic is not shared as the weights say"},
	rollout.KindReconcile:    {Warning, "two histories were brought together"},
	rollout.KindRestored:     {Warning, "the state was written back to the store"},
	rollout.KindForget:       {Warning, "the split was given up"},

	rollout.KindCreated:    {Info, "the split is new"},
	rollout.KindWeights:    {Info, "the weights changed"},
	rollout.KindRename:     {Info, "a variant has another name"},
	rollout.KindAdopt:      {Info, "the state follows the file"},
	rollout.KindPolicy:     {Info, "the policy changed"},
	rollout.KindVersion:    {Info, "another version is declared"},
	rollout.KindImport:     {Info, "a state was imported"},
	rollout.KindTrickle:    {Info, "stable keeps less beside the canary"},
	rollout.KindProbeEnded: {Info, "lent users are back"},
	rollout.KindStarted:    {Info, "a rollout began"},
	rollout.KindStep:       {Info, "the rollout took a step"},
	rollout.KindPromoted:   {Info, "the canary is the trusted version now"},
	rollout.KindResumed:    {Info, "the rollout goes on"},
	rollout.KindApproved:   {Info, "a step was approved"},
	rollout.KindRetried:    {Info, "the rollout began again"},
	rollout.KindSwitched:   {Info, "everybody was switched to the other version"},
	rollout.KindRetired:    {Info, "a variant was retired"},
	rollout.KindDrill:      {Info, "a rehearsal of a failback"},
	rollout.KindDrilled:    {Info, "a failback was rehearsed"},
}

// Kinds returns the kinds of event that there are, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// whatHappened says in a few words what an event tells.
func whatHappened(ev store.Event) string {
	switch {
	case ev.Kind == kindTest:
		return "this is a test"
	case rollout.DrillFailed(ev):
		return "a rehearsal of a failback failed"
	}
	if e, exposed := rollout.ExposureOf(ev); exposed {
		return fmt.Sprintf("the rollout is paused, %s fails and still has %s of the users", e.Canary, e.Share)
	}
	return cmp.Or(kinds[ev.Kind].what, ev.Kind)
}
