package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// driftAfter is for how long a member that is heard of must have decided by one older State than the store has to be named.
const driftAfter = 10 * time.Second

// outdatedAfter is for how long a member must have had an outdated file to be told of: files are rolled out in between.
const outdatedAfter = 2 * time.Minute

// laggard is a member that decides by an older State than the store has.
type laggard struct {
	store.MemberID
	name string // with its boot if another has the same
	at   splitter.Version
	// since and last are when it was first and last listed so, by the store's clock.
	since, last time.Time
}

// hasDrifted reports whether it has lagged for so long that nobody can expect it to catch up.
func (l laggard) hasDrifted() bool { return l.last.Sub(l.since) >= driftAfter }

// laggards returns which of the listed members are heard of and decide by an older State than the present one; before are
// those that did when the fleet was last listed. One that has joined, came back or moved on meanwhile begins anew, as it may
// be catching up. A member that is ahead of us does not lag: we do, and others see it.
func laggards(before map[store.MemberID]laggard, p store.Pulse, split string, state *splitter.State) map[store.MemberID]laggard {
	list := map[store.MemberID]laggard{}
	for _, m := range p.Members {
		at, runs := m.Applied[split]
		isOlder := at.Revision < state.Revision || at.Revision == state.Revision && at.ID != state.ID
		was, lagged := before[m.MemberID]
		lagged = lagged && was.at == at
		if !runs || !isOlder || !isAlive(p, m) || !lagged && !m.Seen.After(state.Changed.At) {
			continue
		}
		l := laggard{MemberID: m.MemberID, name: m.Name, at: at, since: p.Now, last: p.Now}
		if hasNamesake(p.Members, m) {
			l.name = m.MemberID.String()
		}
		if lagged {
			l.since = was.since
		}
		list[m.MemberID] = l
	}
	return list
}

// text says it in a sentence.
func (l laggard) text(state *splitter.State) string {
	lag := l.last.Sub(l.since).Round(time.Second)
	switch {
	case l.at.IsZero():
		return fmt.Sprintf("%s decides without the state, which is at revision %d, for over %s", l.name, state.Revision, lag)
	case l.at.Revision == state.Revision:
		return fmt.Sprintf("%s decides by another revision %d (%s) than the store has (%s), for over %s", l.name, l.at.Revision, l.at.ID,
			state.ID, lag)
	}
	return fmt.Sprintf("%s decides by revision %d, the state is at %d, for over %s", l.name, l.at.Revision, state.Revision, lag)
}

// drifted returns the members that have decided by an older State for long, sorted by name. Caller must hold s.mu.
func (s *Split) drifted() []laggard {
	list := slices.DeleteFunc(slices.Collect(maps.Values(s.lagging)), func(l laggard) bool { return !l.hasDrifted() })
	slices.SortFunc(list, func(a, b laggard) int { return cmp.Compare(a.name, b.name) })
	return list
}

// driftTexts says for people who decides by an older State. Caller must hold s.mu.
func (s *Split) driftTexts() (texts []string) {
	for _, l := range s.drifted() {
		texts = append(texts, l.text(s.stored))
	}
	return texts
}

// settleDrift looks who decides by an older State, or has an outdated file, by what the fleet said when it was last listed,
// and records that: once for each run of a member and version of the State, or of a variant, whichever instances see it.
// While nobody does, or all is recorded, it costs no call.
func (c *Controller) settleDrift(ctx context.Context, s *Split) error {
	call := c.called.Load()
	if call == nil {
		return nil
	}
	s.mu.Lock()
	state := s.stored
	s.lagging = laggards(s.lagging, rollOf(call), s.name, state)
	list := s.drifted()
	s.mu.Unlock()
	var events []store.Event
	for _, l := range list {
		events = append(events, recorded(state, KindDrift, l.Boot+" "+state.ID, l.text(state), c.seed()))
	}
	events = append(events, s.outdatedMembers(rollOf(call), state, Seed{Now: c.now()})...)
	told := map[string]struct{}{}
	for _, ev := range events {
		if _, done := s.toldOfDrift[ev.ID]; !done {
			if err := c.recordDrift(ctx, ev); err != nil {
				return err
			}
		}
		told[ev.ID] = struct{}{}
	}
	s.toldOfDrift = told
	return nil
}

func (c *Controller) recordDrift(ctx context.Context, ev store.Event) error {
	return c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		isFirst, err := st.Record(ctx, ev)
		if isFirst {
			c.log.Warn("a member has drifted", zap.String("split", ev.Split), zap.String("drift", ev.Reason))
		}
		return err
	})
}

// outdatedMembers are events that tell which living members have had an outdated file for [outdatedAfter]. Only the pulse
// may call it.
func (s *Split) outdatedMembers(p store.Pulse, state *splitter.State, seed Seed) (events []store.Event) {
	since := map[string]time.Time{}
	for _, m := range p.Members {
		for _, variant := range slices.Sorted(maps.Keys(m.Files[s.name].Declared)) {
			file := m.Files[s.name].Declared[variant]
			if !isAlive(p, m) || file == state.Declared[variant] || !slices.Contains(state.Superseded[variant], file) {
				continue
			}
			key := m.Boot + " " + variant + " " + file
			began, known := s.outdated[key]
			if !known {
				began = p.Now
			}
			if since[key] = began; p.Now.Sub(began) >= outdatedAfter {
				text := fmt.Sprintf("%s has an outdated file: it declares version %q of %s, and the state %q", m.Name, file, variant,
					state.Declared[variant])
				events = append(events, recorded(state, KindDrift, key, text, seed))
			}
		}
	}
	s.outdated = since
	return events
}
