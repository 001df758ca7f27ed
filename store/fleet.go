package store

import (
	"cmp"
	"errors"
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

// CompareMembers orders members by name, then by boot.
func CompareMembers(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Boot, b.Boot))
}
