package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// lostState is a State that the store had and has lost.
type lostState struct {
	state *splitter.State
	// fromDisk says that this process has only found it on this machine's disk. It may have been outdated before it was
	// lost: where neither knew of the other, and they are about different trials, what the store has counts.
	fromDisk bool
}

// reconcile brings a State that the store once had, and has no more, together with the one that it has: a failover that
// lost acknowledged writes, an older dump, two halves that both went on. It returns false, and no change, if the store's
// State comes from ours. The result is at the greater revision + 1 and descends from both.
//
// Kills of both hold, but for those that either lists as lifted. Everything else is taken whole from one of the two: from
// the one that was made in knowledge of what the other says, if there is one; from the one that somebody decided on, if
// the other is a file's first weights; otherwise from the one that gives its canary the lower share. In that last case a
// plan that runs is paused: what the other decided, a pause perhaps, is lost.
func reconcile(lost lostState, theirs *splitter.State, by By, seed Seed) (Changed, bool, error) {
	ours := lost.state
	if theirs.Descends(ours.Version) {
		return Changed{}, false, nil
	}
	base, why := lost.choose(theirs)
	n := base.Clone()
	n.Version = splitter.Version{Revision: max(ours.Revision, theirs.Revision) + 1, ID: seed.ID}
	n.Parent, n.Began = theirs.ID, theirs.Began
	n.Lineage, n.Placed = splitter.Heritage(ours, theirs), base.LastPlaced()
	n.Kills, n.Revived = mergeKills(ours, theirs)
	if why != knew {
		n.Epoch = mergeEpochs(ours, theirs)
		n.Cooldown = laterCooldown(ours.Cooldown, theirs.Cooldown)
	}
	rebind(n, base)
	if why == cautious || why == stored {
		hold(n, By{Actor: by.Actor, Reason: "two histories of the split were brought together"}, seed)
	}
	mergeSuspicion(n, ours, theirs)
	mergeDrills(n, ours, theirs)
	if why == cautious || why == stored {
		n.Placed = splitter.Sorted(slices.Concat(ours.LastPlaced(), theirs.LastPlaced()))
	}
	by.Reason = fmt.Sprintf("the store had lost revision %d (%s); the weights of revision %d hold, %s", ours.Revision, ours.ID,
		base.Revision, why)
	n.Changed = splitter.Change{Kind: KindReconcile, Actor: by.Actor, Via: by.Via, At: seed.Now, Reason: by.Reason}
	n.Remember(ours, theirs)
	ch, err := tellOnly(theirs, n)
	ch.Event.Kills = newKills(theirs, n)
	return ch, err == nil, err
}

// choice is why one of two States holds in all but kills; it ends a sentence for people.
type choice string

const (
	knew     choice = "set in knowledge of the others"
	decided  choice = "as the others are a file's first"
	stored   choice = "as the others were found on a disk only"
	cautious choice = "the lower canary share of two that did not know of each other"
)

// choose returns which of two States holds in all but kills.
func (l lostState) choose(theirs *splitter.State) (*splitter.State, choice) {
	ours := l.state
	switch {
	case theirs.Knows(ours):
		return theirs, knew
	case ours.Knows(theirs):
		return ours, knew
	case isDecided(ours) && !isDecided(theirs):
		return ours, decided
	case isDecided(theirs) && !isDecided(ours):
		return theirs, decided
	case l.fromDisk && !isOneTrial(ours, theirs):
		return theirs, stored
	case compareCaution(ours, theirs) < 0:
		return ours, firstIfUndecided(ours)
	default:
		return theirs, firstIfUndecided(theirs)
	}
}

// isDecided reports whether anybody has changed what a file's first weights made of the split.
func isDecided(s *splitter.State) bool {
	return slices.ContainsFunc(s.LastPlaced(), func(v splitter.Version) bool { return v.Revision > 1 })
}

// firstIfUndecided keeps two files' first weights, brought together, from counting as decided on.
func firstIfUndecided(base *splitter.State) choice {
	if isDecided(base) {
		return cautious
	}
	return decided
}

// compareCaution orders States of a forked history by which is to hold: one in use before a tombstone, the lower canary
// share, a failback, the later revision; then by id, so that every instance decides alike.
func compareCaution(a, b *splitter.State) int {
	rank := func(isLast bool) int {
		if isLast {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(rank(!a.Forgotten.IsZero()), rank(!b.Forgotten.IsZero())),
		cmp.Compare(a.Weights()[a.Canary], b.Weights()[b.Canary]),
		cmp.Compare(rank(a.Progress.Phase != splitter.PhaseFailedBack), rank(b.Progress.Phase != splitter.PhaseFailedBack)),
		cmp.Compare(b.Revision, a.Revision),
		cmp.Compare(a.ID, b.ID),
	)
}

// mergeEpochs returns the epoch after a fork: a new one, unless both histories are about the same trial.
func mergeEpochs(a, b *splitter.State) uint64 {
	if isOneTrial(a, b) {
		return a.Epoch
	}
	return max(a.Epoch, b.Epoch) + 1
}

// rebind lets a trickle and a probe that run in was go on in n, which may have another epoch.
func rebind(n, was *splitter.State) {
	if was.RunningTrickle() != nil {
		n.Trickle.Epoch = n.Epoch
	}
	if was.RunningProbe() != nil {
		n.Probe.Epoch = n.Epoch
	}
}

// isOneTrial reports whether two States are about the same trial of the same canary.
func isOneTrial(a, b *splitter.State) bool {
	return a.Epoch == b.Epoch && a.Salt == b.Salt && a.Stable == b.Stable && a.Canary == b.Canary && a.Declared[a.Canary] == b.Declared[a.Canary]
}

// laterCooldown returns the cooldown that lasts longer.
func laterCooldown(a, b splitter.Cooldown) splitter.Cooldown {
	if b.Until.After(a.Until) {
		return b
	}
	return a
}

// mergeKills returns the kills of both States, without those that either lists as lifted, and all that were lifted.
func mergeKills(a, b *splitter.State) ([]splitter.Kill, []splitter.Revival) {
	revived := slices.Clone(b.Revived)
	for _, r := range a.Revived {
		if !isRevived(b, r.ID) {
			revived = append(revived, r)
		}
	}
	both := append(slices.Clone(b.Kills), unwritten(a.Kills, b)...)
	kills := slices.DeleteFunc(both, func(k splitter.Kill) bool { return isRevived(a, k.ID) })
	return kills, revived
}

// newKills returns the kills that a State has and the one before has not.
func newKills(before, after *splitter.State) []splitter.Kill {
	var kills []splitter.Kill
	for _, k := range after.Kills {
		if !hasKill(before.Kills, k.ID) {
			kills = append(kills, k)
		}
	}
	return kills
}
