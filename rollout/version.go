package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// outdatedFor is for how long after another member was last listed that declares the State's version a file that declares
// what came before it changes nothing: long enough for a proxy to be restarted.
const outdatedFor = time.Minute

// isRedeclared reports whether a file declares another version of the canary than its last trial was of.
func isRedeclared(s *splitter.State, def Definition) bool {
	declared := def.declared()[s.Canary]
	return s.Canary != "" && declared != "" && declared != s.Declared[s.Canary]
}

// isNewVersion reports whether a file declares a version of the canary that was not on trial before, as far as the State
// remembers.
func isNewVersion(s *splitter.State, def Definition) bool {
	return isRedeclared(s, def) && !isOutdated(s, def)
}

// isOutdated reports whether a file declares a version of the canary that the State has left for the present one.
func isOutdated(s *splitter.State, def Definition) bool {
	return isRedeclared(s, def) && slices.Contains(s.Superseded[s.Canary], def.declared()[s.Canary])
}

// Redeclare begins a new epoch when the file declares another version of the canary: a failback of the old version is
// no verdict on the new one, and evidence of the old one is none on the new one. Stable gets back what it keeps while a
// new version is watched. A rollout begins again with the file's plan, and stays paused if it was; a retired canary is
// back. It returns false, and no change, if the version is the same or not declared.
func Redeclare(prev *splitter.State, def Definition, by By, seed Seed) (Changed, bool, error) {
	if !isRedeclared(prev, def) {
		return Changed{}, false, nil
	}
	before, version := cmp.Or(prev.Declared[prev.Canary], "none"), def.declared()[prev.Canary]
	by.Reason = fmt.Sprintf("%s declares version %q, before %q", prev.Canary, version, before)
	n, ranges := next(prev, KindVersion, by, seed), repaid(prev)
	n.Retired = without(n.Retired, n.Canary)
	unsupersede(n, n.Canary, version)
	want := splitter.WeightsOf(ranges)
	if planRuns(prev) {
		first := min(planAfter(prev, def).Step(1).Weight, want[n.Canary])
		want[n.Stable] += want[n.Canary] - first
		want[n.Canary] = first
	}
	if err := place(n, ranges, nil, def.Policy, want, seed.Now); err != nil {
		return Changed{}, false, err
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, false, err
	}
	if err := planAgain(n, prev, def, seed.Now); err != nil {
		return Changed{}, false, err
	}
	c, err := tell(prev, n)
	return c, err == nil, err
}

// planAgain lets a new version's trial in n go by the file's plan if the one before it went by one.
func planAgain(n, prev *splitter.State, def Definition, now time.Time) error {
	if !planRuns(prev) {
		return nil
	}
	n.Progress.Paused = prev.Progress.Paused
	return planAfter(prev, def).freeze(n, def.Policy, now)
}

// planAfter is the plan of a new version's trial: the file's, but where stable is retired there is nobody to go back to.
func planAfter(prev *splitter.State, def Definition) Plan {
	if slices.Contains(prev.Retired, prev.Stable) {
		return def.plan().atOnce()
	}
	return def.plan()
}

// declare notes in n what a file declares as an epoch begins, and what that supersedes. Of a variant that an outdated file
// has an older version of, the State's is kept, so that it does not matter which instance makes a change.
func declare(n *splitter.State, def Definition) {
	before := n.Declared
	n.Declared = def.declared()
	for variant, version := range n.Declared {
		switch was := before[variant]; {
		case was == "" || was == version:
		case slices.Contains(n.Superseded[variant], version):
			n.Declared[variant] = was
		default:
			supersede(n, variant, was)
		}
	}
}

// supersede notes in n that a variant has declared a version, and does not any more.
func supersede(n *splitter.State, variant, version string) {
	if n.Superseded == nil {
		n.Superseded = map[string][]string{}
	}
	versions := append(n.Superseded[variant], version)
	n.Superseded[variant] = versions[max(0, len(versions)-splitter.KeptVersions):]
}

// unsupersede lets a version of a variant be one that can be declared.
func unsupersede(n *splitter.State, variant, version string) {
	if left := without(n.Superseded[variant], version); len(left) > 0 {
		n.Superseded[variant] = left
	} else {
		delete(n.Superseded, variant)
	}
}

// settleVersion begins a new epoch if the file that was loaded declares another version of the canary. It is done once for
// each load, so that proxies with an older and a newer file do not take turns; and a file that is outdated changes nothing
// while another member may still serve the State's version, so that one proxy that starts with it throws nobody's rollout
// back.
func (c *Controller) settleVersion(ctx context.Context, s *Split) error {
	s.mu.Lock()
	redeclare := s.redeclare
	def, inForce := s.inForce()
	s.redeclare = false
	s.mu.Unlock()
	if !redeclare || !inForce {
		return nil
	}
	waits := false
	err := c.untilSwapped(ctx, s, func(prev *splitter.State) (_ Changed, _ bool, err error) {
		if waits, err = c.isOverruled(ctx, s, prev, def); waits || err != nil {
			return Changed{}, false, err
		}
		return Redeclare(prev, def, By{Actor: selfActor, Via: "config"}, c.seed())
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waits {
		s.overruled = time.Time{}
	}
	if waits || err != nil && !errors.Is(err, store.ErrNewerSchema) { // which a retry would not change
		s.redeclare = true
	}
	return err
}

// isOverruled reports whether a file is outdated, and another member declares the State's version or did lately.
func (c *Controller) isOverruled(ctx context.Context, s *Split, state *splitter.State, def Definition) (bool, error) {
	if !isOutdated(state, def) {
		return false, nil
	}
	s.mu.Lock()
	overruled := s.overruled
	s.mu.Unlock()
	p := rollOf(c.called.Load())
	if overruled.IsZero() { // what was listed before the file was loaded may be as old as that
		var err error
		if p, err = c.roll(ctx); err != nil {
			return false, err
		}
	}
	by := c.declarers(p, state)
	if len(by) == 0 {
		return !overruled.IsZero() && time.Since(overruled) < outdatedFor, nil
	}
	if overruled.IsZero() {
		s.log.Warn("this file declares an outdated version of the canary; it changes nothing while others declare the state's",
			zap.String("canary", state.Canary), zap.String("file", def.declared()[state.Canary]),
			zap.String("state", state.Declared[state.Canary]), zap.Strings("declared_by", named(by)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overruled = time.Now()
	return true, nil
}

// declarers names the other listed members that may serve and declare the State's version of the canary. Earlier runs of
// this instance are none.
func (c *Controller) declarers(p store.Pulse, state *splitter.State) (names []string) {
	self := store.Member{Beat: store.Beat{MemberID: c.id, Started: c.started}}
	for _, m := range p.Members {
		if m.MemberID != c.id && !m.IsBefore(self) && mayServe(p, m, state.Split) &&
			m.Files[state.Split].Declared[state.Canary] == state.Declared[state.Canary] {
			names = append(names, m.Name)
		}
	}
	return names
}

// replacedText says of a State's canary that it was stable until the latest promotion, and is not known to be another build by
// now; empty if it is another.
func replacedText(s *splitter.State) string {
	if len(s.Promotions) == 0 || s.Promotions[0].Variant != s.Stable || s.Promotions[0].Before != s.Canary {
		return ""
	}
	p, version := s.Promotions[0], s.Declared[s.Canary]
	switch {
	case version == "":
		return fmt.Sprintf("%s was stable until %s replaced it at %s; it declares no `version` by which a new build could be told",
			s.Canary, s.Stable, clockTime(p.At))
	case version == p.BeforeVersion:
		return fmt.Sprintf("%s was stable until %s replaced it at %s, and declares version %q as then; `rollback` goes back at once",
			s.Canary, s.Stable, clockTime(p.At), version)
	}
	return ""
}

// otherVersion says of a member that its file declares another version of the canary than the State; empty if it does not,
// or either declares none.
func otherVersion(m store.Member, state *splitter.State) string {
	file, declared := m.Files[state.Split].Declared[state.Canary], state.Declared[state.Canary]
	if file == "" || declared == "" || file == declared {
		return ""
	}
	return fmt.Sprintf("%s declares version %q of %s and not %q", m.Name, file, state.Canary, declared)
}

// mixed says that of each living member, a sentence each.
func mixed(p store.Pulse, state *splitter.State) (list []string) {
	for _, m := range p.Members {
		if _, runs := m.Applied[state.Split]; !runs || !isAlive(p, m) {
			continue
		}
		if text := otherVersion(m, state); text != "" {
			list = append(list, text)
		}
	}
	return named(list)
}
