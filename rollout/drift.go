package rollout

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// driftAfter is for how long a member that is heard of must have said that it decides by an older State than the store
// has to be named.
const driftAfter = 10 * time.Second

// drift is a member that decides by an older State.
type drift struct {
	member store.MemberID
	name   string // with its boot if another has the same
	at     splitter.Version
}

// drifts returns the members that decide by an older State than the present one, by what the last call of the roll said.
// It asks nobody. A member that is silent is not among them, as nobody knows what it decides by.
func (c *Controller) drifts(split string, state *splitter.State) []drift {
	call := c.called.Load()
	if call == nil || state == nil {
		return nil
	}
	return driftsIn(store.Pulse{Members: call.members, Now: call.now}, split, state)
}

// driftsIn returns which of the listed members decide by an older State than the present one, though that was written
// [driftAfter] before they were heard last. A member that is ahead of us has not drifted: then we have, and others see it.
func driftsIn(p store.Pulse, split string, state *splitter.State) (list []drift) {
	for _, m := range p.Members {
		at, runs := m.Applied[split]
		isOlder := at.Revision < state.Revision || at.Revision == state.Revision && at.ID != state.ID
		if !runs || !isOlder || !isAlive(p, m) || m.Seen.Sub(state.Changed.At) <= driftAfter {
			continue
		}
		d := drift{member: m.MemberID, name: m.Name, at: at}
		if hasNamesake(p.Members, m) {
			d.name = m.MemberID.String()
		}
		list = append(list, d)
	}
	return list
}

// text says it in a sentence.
func (d drift) text(state *splitter.State, now time.Time) string {
	since := now.Sub(state.Changed.At).Round(time.Second)
	if d.at.IsZero() {
		return fmt.Sprintf("%s decides without the state, which is at revision %d since %s", d.name, state.Revision, since)
	}
	if d.at.Revision == state.Revision {
		return fmt.Sprintf("%s decides by another revision %d (%s) than the store has (%s) since %s", d.name, d.at.Revision, d.at.ID,
			state.ID, since)
	}
	return fmt.Sprintf("%s decides by revision %d, the state is at %d since %s", d.name, d.at.Revision, state.Revision, since)
}

// driftTexts says for people who decides by an older State.
func (c *Controller) driftTexts(split string, state *splitter.State) (texts []string) {
	for _, d := range c.drifts(split, state) {
		texts = append(texts, d.text(state, c.now()))
	}
	return texts
}

// settleDrift records who decides by an older State: once for each run of a member and version of the State, whichever
// instances see it. While nobody does, or all is recorded, it costs no call.
func (c *Controller) settleDrift(ctx context.Context, s *Split) error {
	state := s.storedState()
	noted := map[string]struct{}{}
	for _, d := range c.drifts(s.name, state) {
		ev := recorded(state, KindDrift, d.member.Boot+" "+state.ID, d.text(state, c.now()), c.seed())
		if _, done := s.drifted[ev.ID]; !done {
			if err := c.recordDrift(ctx, ev); err != nil {
				return err
			}
		}
		noted[ev.ID] = struct{}{}
	}
	s.drifted = noted
	return nil
}

func (c *Controller) recordDrift(ctx context.Context, ev store.Event) error {
	st := c.openStore()
	if st == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	isFirst, err := st.Record(ctx, ev)
	if isFirst {
		c.log.Warn("a member decides by an old state", zap.String("split", ev.Split), zap.String("drift", ev.Reason))
	}
	return err
}
