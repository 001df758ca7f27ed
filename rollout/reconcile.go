package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// Reconcile brings a State that the store once had, and has no more, together with the one that it has: a failover that
// lost acknowledged writes, an older dump, two halves that both went on. It returns false, and no change, if the store's
// State comes from ours. The result is at the greater revision + 1 and descends from both.
//
// Kills of both hold, but for those that either lists as lifted. Everything else is taken whole from one of the two: from
// the one that was made in knowledge of what the other says, if there is one; otherwise, as nobody has decided between
// them, from the one that gives its canary the lower share.
func Reconcile(ours, theirs *splitter.State, by By, seed Seed) (Changed, bool, error) {
	if theirs.Descends(ours.Version) {
		return Changed{}, false, nil
	}
	base, other, forked := choose(ours, theirs)
	n := base.Clone()
	n.Version = splitter.Version{Revision: max(ours.Revision, theirs.Revision) + 1, ID: seed.ID}
	n.Parent = theirs.ID
	n.Lineage, n.Placed = splitter.Heritage(ours, theirs), base.LastPlaced()
	n.Kills, n.Revived = mergeKills(ours, theirs)
	if forked {
		n.Placed = n.Version
		n.Epoch = mergeEpochs(base, other)
		n.Cooldown = laterCooldown(base.Cooldown, other.Cooldown)
	}
	by.Reason = fmt.Sprintf("the store had lost revision %d (%s); %s", ours.Revision, ours.ID, reconciledBy(base, ours, forked))
	n.Changed = splitter.Change{Kind: KindReconcile, Actor: by.Actor, Via: by.Via, At: seed.Now, Reason: by.Reason}
	ch, err := tell(theirs, n)
	ch.Event.Kills = newKills(theirs, n)
	return ch, err == nil, err
}

// reconciledBy says in words whose weights were taken.
func reconciledBy(base, ours *splitter.State, forked bool) string {
	switch {
	case forked:
		return fmt.Sprintf("of two that did not know of each other, the lower canary share holds: revision %d's", base.Revision)
	case base == ours:
		return "it holds again"
	default:
		return "the present weights were set later"
	}
}

// choose returns which of two States holds in all but kills, and whether neither was made in knowledge of the other.
func choose(ours, theirs *splitter.State) (base, other *splitter.State, forked bool) {
	switch {
	case theirs.Descends(ours.LastPlaced()):
		return theirs, ours, false
	case ours.Descends(theirs.LastPlaced()):
		return ours, theirs, false
	case compareCaution(ours, theirs) < 0:
		return ours, theirs, true
	default:
		return theirs, ours, true
	}
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
	if a.Epoch == b.Epoch && a.Salt == b.Salt && a.Stable == b.Stable && a.Canary == b.Canary && maps.Equal(a.Declared, b.Declared) {
		return a.Epoch
	}
	return max(a.Epoch, b.Epoch) + 1
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
		if !hasKill(before, k.ID) {
			kills = append(kills, k)
		}
	}
	return kills
}
