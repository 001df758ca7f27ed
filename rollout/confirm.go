package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// confirmFirst and confirmLast bound the pause between two looks at who has applied a change.
	confirmFirst = 5 * time.Millisecond
	confirmLast  = 50 * time.Millisecond
	// silentFor is how long a member that fell silent is waited for: it may still serve.
	silentFor = 10 * time.Minute
)

// Confirm waits until every member that runs the split has applied v or a later State, or ctx ends; then it says who
// has not. Members silent for up to ten minutes count: they may still serve.
func (c *Controller) Confirm(ctx context.Context, split string, v splitter.Version) (Confirmation, error) {
	start := time.Now()
	conf := Confirmation{Version: v}
	s, err := c.find(split)
	if err != nil {
		return conf, err
	}
	var last error
	answered := false
	for pause := confirmFirst; ; pause = min(2*pause, confirmLast) {
		p, err := c.beat(ctx, c.all(), true)
		if err == nil {
			answered = true
			conf.Applied, conf.Missing = whoApplied(p, split, s.chain(v))
			if len(conf.Missing) == 0 {
				conf.Took = time.Since(start)
				return conf, nil
			}
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			conf.Took = time.Since(start)
			if !answered {
				return conf, unanswered(cmp.Or(last, err))
			}
			return conf, nil
		case <-time.After(pause):
		}
	}
}

// chain returns what counts as having applied v: v itself and every State known to come from it. A greater revision
// alone does not count: it may be of a history that knows nothing of v.
func (s *Split) chain(v splitter.Version) func(splitter.Version) bool {
	state := s.storedState()
	if state == nil || !state.Descends(v) {
		return func(has splitter.Version) bool { return has == v }
	}
	later := since(state, v)
	return func(has splitter.Version) bool {
		return has == v || has == state.Version || slices.Contains(later, has)
	}
}

// since returns the versions between v and a State that comes from it; none if histories were brought together on the
// way, as then not all of them come from v.
func since(state *splitter.State, v splitter.Version) []splitter.Version {
	var later []splitter.Version
	for i, o := range state.Lineage {
		if i > 0 && o.Revision == state.Lineage[i-1].Revision && o.Revision >= v.Revision {
			return nil
		}
		if o.Revision > v.Revision {
			later = append(later, o)
		}
	}
	return later
}

// whoApplied sorts the members that run the split into those that have applied a change and those that have not. Several
// of one name are told apart by their boots.
func whoApplied(p store.Pulse, split string, counts func(splitter.Version) bool) (applied, missing []string) {
	waited := slices.DeleteFunc(slices.Clone(p.Members), func(m store.Member) bool { return !mayServe(p, m, split) })
	for _, m := range waited {
		name := m.Name
		if hasNamesake(waited, m) {
			name = m.MemberID.String()
		}
		if counts(m.Applied[split]) {
			applied = append(applied, name)
		} else {
			missing = append(missing, name)
		}
	}
	return applied, missing
}

// mayServe reports whether a member runs the split and is not known to be gone.
func mayServe(p store.Pulse, m store.Member, split string) bool {
	_, runs := m.Applied[split]
	return runs && p.Now.Sub(m.Seen) <= silentFor && !m.IsReplaced(p.Members, p.Now)
}

func hasNamesake(members []store.Member, m store.Member) bool {
	return slices.ContainsFunc(members, func(o store.Member) bool { return o.Name == m.Name && o.Boot != m.Boot })
}
