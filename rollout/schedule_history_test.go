//go:build unix

package rollout_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// answer is what somebody who asked for a change was told.
type answer int

const (
	unanswered  answer = iota // the process ended before it answered
	done                      // it is in the store
	queued                    // a kill that holds there and waits for the store
	unconfirmed               // it was sent, and nobody knows
	unavailable               // the store is away, nothing was changed
	refused                   // allowed in principle, not now
	unexpected                // an error that nobody should see
)

// String names an answer as a schedule's log does.
func (a answer) String() string {
	return [...]string{"unanswered", "done", "queued", "unconfirmed", "unavailable", "refused", "unexpected"}[a]
}

// answerOf sorts what a control call returned.
func answerOf(r rollout.Result, err error) answer {
	switch {
	case err == nil && r.Queued:
		return queued
	case err == nil:
		return done
	case errors.Is(err, rollout.ErrUnconfirmed):
		return unconfirmed
	case errors.Is(err, rollout.ErrUnavailable):
		return unavailable
	case errors.Is(err, rollout.ErrRefused):
		return refused
	default:
		return unexpected
	}
}

// request is something that somebody asked for. Its reason is unique, so that it is known again in the history.
type request struct {
	kind       deedKind
	reason     string
	begun, end int // when, on the history's own clock; end is 0 while it has no answer
	answer     answer
	kills      []string // ids of what it killed or lifted
}

// knowledge is what one disk, or the process that runs on it, can be held to: what it was told or has itself told of.
type knowledge struct {
	kills    map[string]string           // by id: how it came to be known
	lifted   map[string]string           // the same of revivals that were answered
	versions map[splitter.Version]string // of States
	queued   map[string]struct{}         // ids of kills that were answered when they were on disk
}

func newKnowledge() *knowledge {
	return &knowledge{map[string]string{}, map[string]string{}, map[splitter.Version]string{}, map[string]struct{}{}}
}

// history is what was asked for and seen in one run of a schedule.
type history struct {
	started time.Time

	mu       sync.Mutex // protects the following fields
	clock    int        // one more with each thing that is noted
	lines    []string
	requests []*request
	states   map[splitter.Version]*splitter.State // every State that an instance applied
	faults   []string                             // what nobody should ever see
	reasons  map[string]string                    // of every kill that was seen, by id
	// lastOrder is the last that was written into the inbox and that no fault may have taken out; nil: none.
	lastOrder *request
}

func newHistory() *history {
	return &history{started: time.Now(), states: map[splitter.Version]*splitter.State{}, reasons: map[string]string{}}
}

// note writes a line of the log. Caller must hold h.mu.
func (h *history) note(who, format string, args ...any) {
	h.clock++
	at := time.Since(h.started).Seconds() * 1000
	h.lines = append(h.lines, fmt.Sprintf("%8.1f ms  %-8s %s", at, who, fmt.Sprintf(format, args...)))
}

// tells writes a line of the log.
func (h *history) tells(who, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(who, format, args...)
}

// accuse notes what nobody should ever see. Caller must hold h.mu.
func (h *history) accuse(who, format string, args ...any) {
	h.note(who, "!!! "+format, args...)
	h.faults = append(h.faults, who+": "+fmt.Sprintf(format, args...))
}

// begin notes that something is asked for.
func (h *history) begin(who string, s step) *request {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(who, "%v?", s)
	r := &request{kind: s.kind, reason: fmt.Sprintf("request-%d", len(h.requests)+1), begun: h.clock}
	h.requests = append(h.requests, r)
	return r
}

// ends notes what the one who asked was told, unless the process that was asked has ended by then.
func (h *history) ends(l *life, r *request, res rollout.Result, err error) {
	a := answerOf(res, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.ended {
		h.note(l.name, "%s: ended before it answered (%s)", r.reason, a)
		return
	}
	v := splitter.Version{Revision: res.Event.Revision, ID: res.Event.ID}
	h.note(l.name, "%s: %s %s %v", r.reason, a, short(v), err)
	r.end, r.answer = h.clock, a
	if a == unexpected {
		h.faults = append(h.faults, fmt.Sprintf("%s: %s: %v", l.name, r.reason, err))
	}
	for _, k := range res.Event.Kills {
		h.reasons[k.ID] = k.Reason
		r.kills = append(r.kills, k.ID)
	}
	h.hold(l.knows, r, v)
}

// hold holds an instance to what it has answered. Caller must hold h.mu.
func (h *history) hold(knows *knowledge, r *request, v splitter.Version) {
	how := r.reason + " was answered " + r.answer.String()
	if r.answer != done && r.answer != queued {
		return
	}
	if r.answer == done && v.ID != "" && r.kind != killSomething {
		knows.versions[v] = how
	}
	for _, id := range r.kills {
		if r.kind == reviveSomething {
			knows.lifted[id] = how
			continue
		}
		knows.kills[id] = how
		if r.answer == queued {
			knows.queued[id] = struct{}{}
		}
	}
}

// applied notes a State that an instance decides by.
func (h *history) applied(l *life, s *splitter.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(l.name, "  applied %s", gistLine(s))
	h.states[s.Version] = s
	h.sees(s.Kills)
	if l.ended {
		return
	}
	l.knows.learn(s, fmt.Sprintf("%s applied it", l.name))
}

// sees notes kills. Caller must hold h.mu.
func (h *history) sees(kills []splitter.Kill) {
	for _, k := range kills {
		h.reasons[k.ID] = k.Reason
	}
}

// fate is what a State says of a kill.
type fate int

const (
	forgotten fate = iota
	on
	lifted
)

// fateOf returns what a State says of a kill. Two instances that find a break-glass order at different revisions may make
// a kill of it each: then one of them stands for both. Caller must hold h.mu.
func (h *history) fateOf(id string, s *splitter.State) fate {
	is := func(other string) bool {
		return other == id || h.reasons[other] == h.reasons[id] && h.reasons[id] != ""
	}
	switch {
	case slices.ContainsFunc(s.Kills, func(k splitter.Kill) bool { return is(k.ID) }):
		return on
	case slices.ContainsFunc(s.Revived, func(r splitter.Revival) bool { return is(r.ID) }):
		return lifted
	default:
		return forgotten
	}
}

// isOverwritten reports whether a kill was ordered by redis-cli and somebody wrote another order since, perhaps before the
// first was carried out. Caller must hold h.mu.
func (h *history) isOverwritten(id string) bool {
	i := slices.IndexFunc(h.requests, func(r *request) bool { return r.kind == orderKill && r.reason == h.reasons[id] })
	return i >= 0 && slices.ContainsFunc(h.requests[i+1:], func(r *request) bool {
		return r.kind == orderKill || r.kind == orderRevive
	})
}

// learn holds whoever knows a State to it.
func (k *knowledge) learn(s *splitter.State, how string) {
	if _, known := k.versions[s.Version]; !known {
		k.versions[s.Version] = how
	}
	for _, kill := range s.Kills {
		if _, known := k.kills[kill.ID]; !known {
			k.kills[kill.ID] = how
		}
	}
}

// log returns all that was noted.
func (h *history) log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}

// short is a version for people.
func short(v splitter.Version) string {
	return fmt.Sprintf("%d(%.4s)", v.Revision, v.ID)
}

// gistLine is a State for people.
func gistLine(s *splitter.State) string {
	var kills, revived, lineage, placed []string
	for _, k := range s.Kills {
		kills = append(kills, fmt.Sprintf("%.12s:%s", k.ID, k.Reason))
	}
	for _, r := range s.Revived {
		revived = append(revived, fmt.Sprintf("%.12s", r.ID))
	}
	for _, v := range s.Lineage {
		lineage = append(lineage, short(v))
	}
	for _, v := range s.Placed {
		placed = append(placed, short(v))
	}
	return fmt.Sprintf("%s %s %q green %s placed %v from %v kills %v revived %v", short(s.Version), s.Changed.Kind,
		s.Changed.Reason, s.Weights()["green"], placed, lineage, kills, revived)
}

// ids returns the ids of kills, sorted.
func ids(kills []splitter.Kill) []string {
	set := map[string]struct{}{}
	for _, k := range kills {
		set[k.ID] = struct{}{}
	}
	return slices.Sorted(maps.Keys(set))
}
