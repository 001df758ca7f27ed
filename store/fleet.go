package store

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

const (
	// MemberKept is how long a member that says nothing stays on the list, by the store's clock.
	MemberKept = 24 * time.Hour
	// SilentAfter is how long a member must say nothing to count as silent: five missed heartbeats.
	SilentAfter = 5 * time.Second
	// MaxOrder is how much of a break-glass order is read, in bytes.
	MaxOrder = 1024
)

// ErrNoSecret means that the fleet has no secret yet and none was proposed.
var ErrNoSecret = errors.New("the fleet has no secret yet and an empty one was proposed")

// clocksDiffer is by how much the clocks of a member and the store may differ without a restart being taken for two that
// lived side by side: a run begins by the one and is last seen by the other.
const clocksDiffer = 2 * time.Second

// IsSilent reports whether a member has missed so many heartbeats, by the store's clock, that it counts as silent. It may
// still serve.
func (m Member) IsSilent(now time.Time) bool { return now.Sub(m.Seen) >= SilentAfter }

// IsReplaced reports whether a silent member has a living namesake that started when it had fallen silent: the same proxy,
// restarted without a goodbye. One that was heard beside its namesake is a twin, and may still serve.
func (m Member) IsReplaced(members []Member, now time.Time) bool {
	return m.IsSilent(now) && slices.ContainsFunc(members, func(o Member) bool { return !o.IsSilent(now) && m.IsBefore(o) })
}

// IsBefore reports whether a member was last heard before another of its name started, as far as clocks can tell.
func (m Member) IsBefore(o Member) bool {
	return o.Name == m.Name && o.Boot != m.Boot && m.Seen.Before(o.Started.Add(clocksDiffer))
}

// CompareMembers orders members by name, then by boot.
func CompareMembers(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Boot, b.Boot))
}
