package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/store"
)

// rollCall is the fleet as it was last listed.
type rollCall struct {
	members []store.Member
	now     time.Time // by the store's clock
	at      time.Time // by ours
	twin    string    // boot of a living member with our name; empty if there is none
	unsure  bool      // a living member has our name, and may be a twin or an earlier run of ours
}

// rollOf returns the fleet as it was last listed, as the store lists it.
func rollOf(call *rollCall) store.Pulse {
	if call == nil {
		return store.Pulse{}
	}
	return store.Pulse{Members: call.members, Now: call.now}
}

// rollIsOld reports whether it is time to ask for the members again: sooner while they share the ending of requests, and
// to see whether one with our name goes on living.
func (c *Controller) rollIsOld() bool {
	last, roll := c.called.Load(), c.opts.pace.roll
	if last == nil {
		return true
	}
	if c.busy.Load() || last.unsure {
		roll = c.opts.pace.pulse
	}
	return time.Since(last.at) >= roll
}

// crew counts the members that run a split and are not known to be gone, as they were last listed. This one is always
// counted.
func (c *Controller) crew(split string) int {
	n, p := 1, rollOf(c.called.Load())
	for _, m := range p.Members {
		if m.MemberID != c.id && mayServe(p, m, split) {
			n++
		}
	}
	return n
}

// noteRoll keeps who was listed, and says so if another proxy has our name: who has applied what cannot be told then.
func (c *Controller) noteRoll(p store.Pulse) {
	before := c.called.Load()
	if before == nil {
		before = new(rollCall)
	}
	call := &rollCall{members: p.Members, now: p.Now, at: time.Now()}
	call.twin, call.unsure = c.twinIn(p, before)
	c.called.Store(call)
	if call.twin != "" && before.twin != call.twin {
		c.log.Error("another living proxy has this one's name; give each its own (instance NAME)",
			zap.String("instance", c.id.Name), zap.String("boot", c.id.Boot), zap.String("other_boot", call.twin))
	}
}

// twinIn returns the boot of a living member with our name that was known as a twin, or has been heard since the roll call
// before: of one that has not been it is unsure, as our own earlier run may have just ended without a goodbye.
func (c *Controller) twinIn(p store.Pulse, before *rollCall) (boot string, unsure bool) {
	for _, m := range p.Members {
		if m.Name != c.id.Name || m.Boot == c.id.Boot || !isAlive(p, m) {
			continue
		}
		goesOn := func(o store.Member) bool { return o.MemberID == m.MemberID && m.Seen.After(o.Seen) }
		if m.Boot == before.twin || slices.ContainsFunc(before.members, goesOn) {
			return m.Boot, false
		}
		unsure = true
	}
	return "", unsure
}

// twinsIn says of each name that several living members have that they are twins: each was heard after the other began.
func twinsIn(p store.Pulse, members []store.Member) []string {
	twins := map[string]int{}
	for _, m := range members {
		isTwin := func(o store.Member) bool {
			return o.Name == m.Name && o.Boot != m.Boot && isAlive(p, o) && !m.IsBefore(o) && !o.IsBefore(m)
		}
		if isAlive(p, m) && slices.ContainsFunc(members, isTwin) {
			twins[m.Name]++
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(twins)) {
		texts = append(texts, fmt.Sprintf("%d living proxies are called %q: give each its own name (instance NAME)", twins[name], name))
	}
	return texts
}

// twinNotes tells of a living proxy with our name.
func (c *Controller) twinNotes() []string {
	if call := c.called.Load(); call == nil || call.twin == "" {
		return nil
	}
	return []string{fmt.Sprintf("another living proxy is called %q too: who has applied a change cannot be told for sure; "+
		"give each its own name (instance NAME)", c.id.Name)}
}

// others names the members that were alive when the fleet was last listed, but for this one.
func (c *Controller) others() []string {
	var names []string
	p := rollOf(c.called.Load())
	for _, m := range p.Members {
		switch {
		case m.MemberID == c.id || !isAlive(p, m):
		case m.Name == c.id.Name:
			names = append(names, m.MemberID.String())
		default:
			names = append(names, m.Name)
		}
	}
	return names
}

// othersActive adds up what the other members that were alive when the fleet was last listed do for a split.
func (c *Controller) othersActive(split string) store.Activity {
	sum := store.Activity{InFlight: map[string]int{}, Conversations: map[string]int{}}
	p := rollOf(c.called.Load())
	for _, m := range p.Members {
		if m.MemberID == c.id || !isAlive(p, m) {
			continue
		}
		for variant, n := range m.Active[split].InFlight {
			sum.InFlight[variant] += n
		}
		for variant, n := range m.Active[split].Conversations {
			sum.Conversations[variant] += n
		}
	}
	return sum
}

// roll asks the store for the fleet's members.
func (c *Controller) roll(ctx context.Context) (store.Pulse, error) {
	p, err := c.beat(ctx, c.all(), true)
	if err != nil {
		return p, err
	}
	return p, refusal(p)
}

// isAlive reports whether a member was heard lately.
func isAlive(p store.Pulse, m store.Member) bool { return !m.IsSilent(p.Now) }

// memberText names a member for people.
func memberText(m store.Member, now time.Time) string {
	if m.IsSilent(now) {
		return fmt.Sprintf("%s (unseen for %s)", m.Name, now.Sub(m.Seen).Round(time.Second))
	}
	return m.Name
}

// Instances lists the fleet, with the store's clock to judge Seen by.
func (c *Controller) Instances(ctx context.Context) ([]store.Member, time.Time, error) {
	p, err := c.beat(ctx, c.all(), true)
	if err != nil {
		return nil, time.Time{}, unanswered(err)
	}
	return p.Members, p.Now, nil
}

// ForgetInstance takes silent members of a name off the list, and returns them. One that is alive is refused: it would
// be back within a second.
func (c *Controller) ForgetInstance(ctx context.Context, name string) ([]store.MemberID, error) {
	p, err := c.roll(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	var gone []store.MemberID
	var alive *store.Member
	for _, m := range p.Members {
		switch {
		case m.Name != name:
		case isAlive(p, m):
			alive = &m
		default:
			gone = append(gone, m.MemberID)
		}
	}
	switch {
	case len(gone) > 0:
	case alive != nil:
		return nil, refuse("%q was heard of %s ago; if it is gone, try again in %s", name,
			max(p.Now.Sub(alive.Seen).Round(100*time.Millisecond), 100*time.Millisecond), store.SilentAfter)
	default:
		return nil, fmt.Errorf("%w: %q; the fleet has %q", ErrUnknownInstance, name, namesOf(p.Members))
	}
	for _, id := range gone {
		if err := c.leave(ctx, id); err != nil {
			return nil, unavailable(err)
		}
	}
	return gone, nil
}

// leave takes a member off the list.
func (c *Controller) leave(ctx context.Context, id store.MemberID) error {
	return c.withStore(ctx, func(ctx context.Context, st store.Store) error { return st.Leave(ctx, id) })
}

// namesOf lists members' names, each once.
func namesOf(members []store.Member) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}
