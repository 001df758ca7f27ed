package control

import (
	"net/http"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Instances is the answer of GET -/instances.
type Instances struct {
	// Now is the store's clock.
	Now time.Time `json:"now"`
	// Instances are sorted by name and boot.
	Instances []Instance `json:"instances"`
	// Store says where the fleet's States are kept, and what the fleet is called there.
	Store store.Description `json:"store"`
}

// Instance is one member of the fleet.
type Instance struct {
	store.MemberID
	// Release is the proxy's version.
	Release string `json:"release,omitempty"`
	// Started is when this run began, by the instance's own clock; Seen is its last heartbeat, by the store's.
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`
	// Unseen is how long ago that was.
	Unseen health.Duration `json:"unseen"`
	// Silent is true after five missed heartbeats. A silent instance may still serve.
	Silent bool `json:"silent"`
	// Duplicate is true if another living member has the same name, and it is not replaced by that one: one of the two is
	// configured wrong, or has ended a moment ago without a goodbye.
	Duplicate bool `json:"duplicate"`
	// Replaced is true if it is silent and a living member of the same name began after its last heartbeat: the same
	// proxy, restarted without a goodbye. Nobody waits for it.
	Replaced bool `json:"replaced"`
	// Applied is what the instance decides by, per split.
	Applied map[string]splitter.Version `json:"applied"`
	// Behind names the splits where that is not what the answering instance decides by.
	Behind []string `json:"behind"`
}

// Forgotten is the answer of DELETE -/instances/{instance}.
type Forgotten struct {
	Instance string `json:"instance"`
	// Members are the runs of it that were taken off the list.
	Members []store.MemberID `json:"members"`
}

// forgetInstance answers DELETE -/instances/{instance}.
func (h *handler) forgetInstance(w http.ResponseWriter, r *http.Request, name string) error {
	ctx, cancel := toTheEnd(r)
	defer cancel()
	members, err := h.Fleet.ForgetInstance(ctx, name)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, Forgotten{Instance: name, Members: append([]store.MemberID{}, members...)})
}

// instances answers GET -/instances.
func (h *handler) instances(w http.ResponseWriter, r *http.Request, _ string) error {
	members, now, err := h.Fleet.Instances(r.Context())
	if err != nil {
		return err
	}
	answer := instancesOf(members, now, h.versions())
	answer.Store = h.Fleet.Store()
	return h.answer(w, r, http.StatusOK, answer)
}

// versions returns what this instance decides by, per split.
func (h *handler) versions() map[string]splitter.Version {
	versions := map[string]splitter.Version{}
	for _, split := range h.Fleet.Splits() {
		if s, err := h.Fleet.StatusHere(split); err == nil && s.State != nil {
			versions[split] = s.State.Version
		}
	}
	return versions
}

// instancesOf returns the members, and no store yet, as the API shows them; current is what they should have applied.
func instancesOf(members []store.Member, now time.Time, current map[string]splitter.Version) Instances {
	answer := Instances{Now: now, Instances: make([]Instance, 0, len(members))}
	for _, m := range members {
		answer.Instances = append(answer.Instances, Instance{
			MemberID:  m.MemberID,
			Release:   m.Release,
			Started:   m.Started,
			Seen:      m.Seen,
			Unseen:    unseenFor(m, now),
			Silent:    m.IsSilent(now),
			Duplicate: isTwin(m, members, now),
			Replaced:  m.IsReplaced(members, now),
			Applied:   m.Applied,
			Behind:    behind(m.Applied, current),
		})
	}
	return answer
}

// unseenFor is how long ago a member was last heard of.
func unseenFor(m store.Member, now time.Time) health.Duration {
	return health.Duration(max(now.Sub(m.Seen), 0).Round(time.Millisecond))
}

// isTwin reports whether another living member has a member's name and is not its next run. A silent one counts: it may
// still serve.
func isTwin(m store.Member, members []store.Member, now time.Time) bool {
	return !m.IsReplaced(members, now) && slices.ContainsFunc(members, func(o store.Member) bool {
		return o.Name == m.Name && o.Boot != m.Boot && !o.IsSilent(now)
	})
}

// behind returns the splits, sorted, of which applied is not the current version. A split that a member does not
// serve is none of its business.
func behind(applied, current map[string]splitter.Version) []string {
	splits := []string{}
	for split, v := range applied {
		if c, known := current[split]; known && c != v {
			splits = append(splits, split)
		}
	}
	slices.Sort(splits)
	return splits
}
