package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// outdatedFor is for how long after another member was last listed that declares the State's version, and after this one
// has started, a file that declares an older version changes nothing: long enough for a fleet to be restarted.
const outdatedFor = time.Minute

// isRedeclared reports whether a file declares another version of a variant than the State has.
func isRedeclared(s *splitter.State, def Definition, variant string) bool {
	declared := def.version(variant)
	return declared != "" && declared != s.Declared[variant]
}

// isOutdated reports whether a file declares a version of a variant that the State has left for the present one.
func isOutdated(s *splitter.State, def Definition, variant string) bool {
	return isRedeclared(s, def, variant) && slices.Contains(s.Superseded[variant], def.version(variant))
}

// isNewVersion reports whether a file declares a version of the canary that was not on trial before, as far as the State
// remembers.
func isNewVersion(s *splitter.State, def Definition) bool {
	return isRedeclared(s, def, s.Canary) && !isOutdated(s, def, s.Canary)
}

// redeclared lists the variants of which a file declares another version than the State has, in the file's order.
func redeclared(s *splitter.State, def Definition) (variants []string) {
	for _, v := range def.Variants {
		if isRedeclared(s, def, v.Name) {
			variants = append(variants, v.Name)
		}
	}
	return variants
}

// Redeclare notes the versions that a file declares. If the canary's is another one than before, that begins a new epoch: a
// failback of the old version is no verdict on the new one, and evidence of the old one is none on the new one. Stable gets
// back what it keeps while a new version is watched. A rollout begins again with the file's plan, and stays paused if it
// was; a retired canary is back. It returns false, and no change, if no version is another one, or while a drill is on.
func Redeclare(prev *splitter.State, def Definition, by By, seed Seed) (Changed, bool, error) {
	variants := redeclared(prev, def)
	if len(variants) == 0 || prev.Drill != nil {
		return Changed{}, false, nil
	}
	says := make([]string, len(variants))
	for i, v := range variants {
		says[i] = fmt.Sprintf("%s declares version %q, before %q", v, def.version(v), cmp.Or(prev.Declared[v], "none"))
	}
	by.Reason = strings.Join(says, "; ")
	n := next(prev, KindVersion, by, seed)
	if slices.Contains(variants, prev.Canary) {
		if err := tryAgain(n, prev, def, seed); err != nil {
			return Changed{}, false, err
		}
	}
	declare(n, def)
	c, err := tell(prev, n)
	return c, err == nil, err
}

// tryAgain begins a trial of the canary's new version in n.
func tryAgain(n, prev *splitter.State, def Definition, seed Seed) error {
	n.Retired = without(n.Retired, n.Canary)
	ranges := repaid(prev)
	want := splitter.WeightsOf(ranges)
	if planRuns(prev) {
		first := min(planAfter(prev, def).Step(1).Weight, want[n.Canary])
		want[n.Stable] += want[n.Canary] - first
		want[n.Canary] = first
	}
	if err := place(n, ranges, nil, def.Policy, want, seed.Now); err != nil {
		return err
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return err
	}
	return planAgain(n, prev, def, seed.Now)
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

// declare notes in n what a file declares, and what that supersedes. What the file says nothing of is kept, as far as the
// variant is one of the file's or has a role.
func declare(n *splitter.State, def Definition) {
	for variant, version := range def.declared() {
		was := n.Declared[variant]
		if was == version {
			continue
		}
		if n.Declared == nil {
			n.Declared = map[string]string{}
		}
		n.Declared[variant] = version
		supersede(n, variant, was, version)
	}
	isGone := func(variant string) bool { return !def.has(variant) && variant != n.Stable && variant != n.Canary }
	maps.DeleteFunc(n.Declared, func(variant, _ string) bool { return isGone(variant) })
	maps.DeleteFunc(n.Superseded, func(variant string, _ []string) bool { return isGone(variant) })
}

// supersede notes in n that a variant declares another version than it did.
func supersede(n *splitter.State, variant, was, is string) {
	versions := without(n.Superseded[variant], is)
	if was != "" {
		versions = append(versions, was)
	}
	if len(versions) == 0 {
		delete(n.Superseded, variant)
		return
	}
	if n.Superseded == nil {
		n.Superseded = map[string][]string{}
	}
	n.Superseded[variant] = versions[max(0, len(versions)-splitter.KeptVersions):]
}

// settleVersion writes the versions that the file in force declares, if they are not the State's.
func (c *Controller) settleVersion(ctx context.Context, s *Split) error {
	s.mu.Lock()
	state := s.stored
	def, inForce := s.inForce()
	s.mu.Unlock()
	if !inForce || len(redeclared(state, def)) == 0 {
		return nil
	}
	return c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		return Redeclare(prev, c.settled(ctx, s, prev), By{Actor: selfActor, Via: "config"}, c.seed())
	})
}

// settled is what the newest file in force says, but for versions that are outdated: of these it has the State's as long as
// another member declares that, and for [outdatedFor] after. So one proxy that starts with an old file, or that a command
// comes to, changes nobody's versions, and who wants an older version again loads it everywhere.
func (c *Controller) settled(ctx context.Context, s *Split, state *splitter.State) Definition {
	def := s.Definition()
	def.Variants = slices.Clone(def.Variants)
	for i, v := range def.Variants {
		if isOutdated(state, def, v.Name) && c.isOverruled(ctx, s, state, v) {
			def.Variants[i].Version = state.Declared[v.Name]
		}
	}
	return def
}

// isOverruled reports whether another member declares the State's version of a variant, or may have lately. Who was listed
// some seconds ago may have loaded another file since: the fleet is asked again before that is denied, and while it cannot be
// asked that is not denied.
func (c *Controller) isOverruled(ctx context.Context, s *Split, state *splitter.State, file Variant) bool {
	by := c.declarers(rollOf(c.called.Load()), state, file.Name)
	s.mu.Lock()
	last := s.overruled[file.Name]
	s.mu.Unlock()
	if len(by) == 0 {
		if time.Since(c.started) < outdatedFor || time.Since(last) < outdatedFor {
			return true
		}
		p, err := c.roll(ctx)
		if err != nil {
			return true
		}
		if by = c.declarers(p, state, file.Name); len(by) == 0 {
			return false
		}
	}
	if last.IsZero() {
		s.log.Warn("this file declares an outdated version; it changes nothing while others declare the state's",
			zap.String("variant", file.Name), zap.String("file", file.Version), zap.String("state", state.Declared[file.Name]),
			zap.Strings("declared_by", named(by)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overruled[file.Name] = time.Now()
	return true
}

// declarers names the other listed members that may serve and declare the State's version of a variant. Earlier runs of this
// instance are none.
func (c *Controller) declarers(p store.Pulse, state *splitter.State, variant string) (names []string) {
	self := store.Member{Beat: store.Beat{MemberID: c.id, Started: c.started}}
	for _, m := range p.Members {
		if m.MemberID != c.id && !m.IsBefore(self) && mayServe(p, m, state.Split) &&
			m.Files[state.Split].Declared[variant] == state.Declared[variant] {
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
