package control

import (
	"net/http"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// silentAfter is how long a member may say nothing before it is shown as silent: five missed heartbeats.
const silentAfter = 5 * time.Second

// Instances is the answer of GET -/instances.
type Instances struct {
	// Now is the store's clock.
	Now time.Time `json:"now"`
	// Instances are sorted by name and boot.
	Instances []Instance `json:"instances"`
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
	// Duplicate is true if another member has the same name: one of them is configured wrong, or has just restarted.
	Duplicate bool `json:"duplicate"`
	// Applied is what the instance decides by, per split.
	Applied map[string]splitter.Version `json:"applied"`
	// Behind names the splits where that is not what the answering instance decides by.
	Behind []string `json:"behind"`
}

// instances answers GET -/instances.
func (h *handler) instances(w http.ResponseWriter, r *http.Request, _ string) error {
	members, now, err := h.Fleet.Instances(r.Context())
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, instancesOf(members, now, h.versions()))
}

// versions returns what this instance decides by, per split.
func (h *handler) versions() map[string]splitter.Version {
	versions := map[string]splitter.Version{}
	for _, split := range h.Fleet.Splits() {
		if s, err := h.Fleet.Status(split); err == nil && s.State != nil {
			versions[split] = s.State.Version
		}
	}
	return versions
}

// instancesOf returns the members as the API shows them; current is what they should have applied.
func instancesOf(members []store.Member, now time.Time, current map[string]splitter.Version) Instances {
	names := map[string]int{}
	for _, m := range members {
		names[m.Name]++
	}
	answer := Instances{Now: now, Instances: make([]Instance, 0, len(members))}
	for _, m := range members {
		unseen := max(now.Sub(m.Seen), 0)
		answer.Instances = append(answer.Instances, Instance{
			MemberID:  m.MemberID,
			Release:   m.Release,
			Started:   m.Started,
			Seen:      m.Seen,
			Unseen:    health.Duration(unseen.Round(time.Millisecond)),
			Silent:    unseen > silentAfter,
			Duplicate: names[m.Name] > 1,
			Applied:   m.Applied,
			Behind:    behind(m.Applied, current),
		})
	}
	return answer
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
