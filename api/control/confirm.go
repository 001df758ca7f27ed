package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// listLimit bounds how long an answer that is ready waits for the list of members, which only adds words to it.
const listLimit = 2 * time.Second

// Confirmation says which members have applied a version.
type Confirmation struct {
	splitter.Version
	Applied []string `json:"applied"`
	// Missing names members that have not; silent ones may still serve.
	Missing []string `json:"missing"`
	// Laggards tell of each missing member when it was last heard of, in the same order.
	Laggards []Laggard `json:"laggards,omitempty"`
	// Took is from the change until the last member had it, or until waiting ended.
	Took health.Duration `json:"took"`
	// Summary says it in words: "12 of 12 instances in 14 ms".
	Summary string `json:"summary"`
}

// Complete reports whether every member has applied the version.
func (c Confirmation) Complete() bool { return len(c.Missing) == 0 }

// Laggard is a member that has not applied a version in time.
type Laggard struct {
	// Name is the member's, with /boot where several have one name.
	Name string `json:"name"`
	// Unseen is how long ago it was last heard of; null if it has left the list meanwhile.
	Unseen *health.Duration `json:"unseen"`
	// Silent is true after five missed heartbeats. A silent member may still serve as before.
	Silent bool `json:"silent"`
	// Duplicate is true if another living member has the same name.
	Duplicate bool `json:"duplicate"`
}

// confirm adds to a change, which took some time itself, who has applied it. The change is made whatever becomes of
// this, so a failure is a note.
func (h *handler) confirm(ctx context.Context, answer *Change, wait, took time.Duration) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := h.Fleet.Confirm(waiting, answer.Split, answer.Version)
	if errors.Is(err, rollout.ErrUnknownSplit) {
		h.confirmElsewhere(ctx, answer)
		return
	}
	if err != nil {
		answer.addNote("the change is made, but who has applied it is not known: " + err.Error())
		return
	}
	c.Took += took
	answer.Confirmation = confirmationOf(c)
	if len(c.Missing) > 0 {
		h.addLaggards(ctx, answer)
	}
}

// confirmElsewhere confirms a change of a split that this instance does not run: there is nobody to wait for, unless
// others run it, whom only one of them can wait for.
func (h *handler) confirmElsewhere(ctx context.Context, answer *Change) {
	members, _, err := h.members(ctx)
	if err != nil {
		answer.addNote("the change is made, but who runs the split is not known: " + err.Error())
		return
	}
	var users []string
	for _, m := range members {
		if _, runs := m.Applied[answer.Split]; runs {
			users = append(users, m.Name)
		}
	}
	if len(users) > 0 {
		answer.addNote(fmt.Sprintf("this instance does not run the split and cannot wait for those that do: %s",
			strings.Join(users, ", ")))
		return
	}
	answer.Confirmation = confirmationOf(rollout.Confirmation{Version: answer.Version})
}

// addLaggards adds to a confirmation what is known of the missing members.
func (h *handler) addLaggards(ctx context.Context, answer *Change) {
	members, now, err := h.members(ctx)
	if err != nil {
		answer.addNote("how long the missing instances have been unseen is not known: " + err.Error())
		return
	}
	for _, name := range answer.Confirmation.Missing {
		answer.Confirmation.Laggards = append(answer.Confirmation.Laggards, laggardOf(name, answer.Split, members, now))
	}
}

// members asks for the fleet, though not for long.
func (h *handler) members(ctx context.Context) ([]store.Member, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	return h.Fleet.Instances(ctx)
}

// laggardOf tells of a missing member what the list says. Of several runs of the split under one name it is the one
// heard of last.
func laggardOf(name, split string, members []store.Member, now time.Time) Laggard {
	l := Laggard{Name: name}
	for _, m := range members {
		_, runs := m.Applied[split]
		if !runs || name != m.Name && name != m.MemberID.String() {
			continue
		}
		if unseen := unseenFor(m, now); l.Unseen == nil || unseen < *l.Unseen {
			l.Unseen, l.Silent, l.Duplicate = &unseen, m.IsSilent(now), isTwin(m, members, now)
		}
	}
	return l
}

// confirmationOf returns a confirmation as the API says it.
func confirmationOf(c rollout.Confirmation) *Confirmation {
	return &Confirmation{
		Version: c.Version,
		Applied: append([]string{}, slices.Sorted(slices.Values(c.Applied))...),
		Missing: append([]string{}, slices.Sorted(slices.Values(c.Missing))...),
		Took:    health.Duration(c.Took.Round(time.Microsecond)),
		Summary: summarize(c),
	}
}

// summarize says a confirmation in words.
func summarize(c rollout.Confirmation) string {
	switch all := len(c.Applied) + len(c.Missing); all {
	case 0:
		return "no instance runs it"
	case 1:
		return fmt.Sprintf("%d of 1 instance in %s", len(c.Applied), inWords(c.Took))
	default:
		return fmt.Sprintf("%d of %d instances in %s", len(c.Applied), all, inWords(c.Took))
	}
}

// inWords writes a duration as people say it: 14 ms, 2.3 s.
func inWords(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
