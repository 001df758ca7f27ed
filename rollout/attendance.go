package rollout

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// attendedOf is over how many folded seconds a member must have told what it saw, all but one of them, for a step to be
	// taken.
	attendedOf = 10
	attended   = attendedOf - 1
	// silentSince is after how long a silent member counts only if it had traffic, as one that has gone for good does not.
	silentSince = time.Minute
	// leastShare is from which share of the requests on a member that has fallen silent holds a plan.
	leastShare = 0.01
	// shareDecay is what a second leaves of a member's requests in its share: half in a minute.
	shareDecay = 0.98851402
	// maxNamed is how many members are named at once.
	maxNamed = 8
)

// attendance is who told what it saw in the seconds that were folded lately.
type attendance struct {
	members map[store.MemberID]*attendee
	// stored are the shares that the one who folded before knew, by boot.
	stored map[string]float64
}

// attendee is one member.
type attendee struct {
	heard    uint16  // a bit for each folded second, the newest lowest
	requests float64 // decayed
	share    float64 // of all members' requests, when it was last heard
}

// note notes a folded second, with how many requests each member of whom there is a frame had in it.
func (a *attendance) note(requests map[store.MemberID]uint64) {
	if a.members == nil {
		a.members = map[store.MemberID]*attendee{}
	}
	for _, m := range a.members {
		m.heard <<= 1
	}
	total := 0.0
	for id, n := range requests {
		m := a.members[id]
		if m == nil {
			m = &attendee{requests: float64(n) / (1 - shareDecay), share: a.shareOf(id)} // as if it had always had as many
			a.members[id] = m
		}
		m.heard |= 1
		m.requests = m.requests*shareDecay + float64(n)
		total += m.requests
	}
	for id := range requests {
		if m := a.members[id]; total > 0 {
			m.share = m.requests / total
		}
	}
}

// keep forgets members that are not listed any more.
func (a *attendance) keep(listed []store.Member) {
	for id := range a.members {
		if !slices.ContainsFunc(listed, func(m store.Member) bool { return m.MemberID == id }) {
			delete(a.members, id)
		}
	}
	for boot := range a.stored {
		if !slices.ContainsFunc(listed, func(m store.Member) bool { return m.Boot == boot }) {
			delete(a.stored, boot)
		}
	}
}

// shareOf returns a member's share of the requests when it was last heard; zero if nobody knows.
func (a *attendance) shareOf(id store.MemberID) float64 {
	if m := a.members[id]; m != nil {
		return m.share
	}
	return a.stored[id.Boot]
}

// shares returns what whoever takes over needs to know of members that fall silent, by boot. Who is missing has too little
// to matter.
func (a *attendance) shares() map[string]float64 {
	list := map[string]float64{}
	for boot, share := range a.stored {
		if share >= leastShare {
			list[boot] = share
		}
	}
	for id, m := range a.members {
		if delete(list, id.Boot); m.share >= leastShare {
			list[id.Boot] = math.Floor(m.share*1000) / 1000
		}
	}
	return list
}

// lags says of the listed members that run a State's split why no step can be taken for now, a sentence each: whose file
// lacks a variant on trial or has another version of one, of whom frames are missing, and who decides by another State than version, if one is given.
func (a *attendance) lags(p store.Pulse, state *splitter.State, version *splitter.Version) (list []string) {
	texts := map[store.MemberID]string{}
	for _, m := range p.Members {
		if _, runs := m.Applied[state.Split]; runs && !m.IsReplaced(p.Members, p.Now) {
			texts[m.MemberID] = a.lag(p, m, state, version)
		}
	}
	for _, m := range p.Members {
		text := texts[m.MemberID]
		restarted := func(o store.Member) bool { return m.IsBefore(o) && texts[o.MemberID] != "" }
		if text != "" && !slices.ContainsFunc(p.Members, restarted) { // which is waited for by the same name
			list = append(list, text)
		}
	}
	return named(list)
}

// lag says what is missing of a member; empty if nothing is.
func (a *attendance) lag(p store.Pulse, m store.Member, state *splitter.State, version *splitter.Version) string {
	if lack := lackOf(m, state.Split, state.Canary, state.Stable); lack != "" && p.Now.Sub(m.Seen) <= silentSince {
		return lack
	}
	if other := otherVersion(p, m, state); other != "" {
		return other
	}
	if text := a.unheard(p, m); text != "" {
		return text
	}
	if applied := m.Applied[state.Split]; version != nil && applied != *version && isAlive(p, m) {
		return fmt.Sprintf("%s decides by revision %d and not yet by %d", m.Name, applied.Revision, version.Revision)
	}
	return ""
}

// unheard says of a member that is not heard, or has not told enough of what it saw; empty if it has.
func (a *attendance) unheard(p store.Pulse, m store.Member) string {
	if unseen := p.Now.Sub(m.Seen); unseen > silentSince {
		share := a.shareOf(m.MemberID)
		if share < leastShare {
			return ""
		}
		return fmt.Sprintf("%s is silent for %s and may still serve, it had %.2g%% of the requests; if it is gone for good, "+
			"`split forget --instance %s`", m.Name, unseen.Round(time.Second), 100*share, m.Name)
	}
	var heard uint16
	if is := a.members[m.MemberID]; is != nil {
		heard = is.heard & (1<<attendedOf - 1)
	}
	if n := bits.OnesCount16(heard); n < attended {
		return fmt.Sprintf("%s has told of %d of the last %d s that were judged", m.Name, n, attendedOf)
	}
	return ""
}
