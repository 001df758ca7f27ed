package rollout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// MaxDrillUsers is how many test users a drill has at most.
	MaxDrillUsers = 20
	// drillFor is after how long a drill ends if whoever began it has not ended it.
	drillFor = 30 * time.Second
)

// DrillRequest asks for a drill: a rehearsal of a failback with test users, outside of trials.
type DrillRequest struct {
	// Users are the keys of 1 to [MaxDrillUsers] test users, as their requests carry them.
	Users []string
}

// DrillReport says how a drill went. A drill that did not pass is no error.
type DrillReport struct {
	// Steps are "start", "canary answers", "failback", "stable answers" and "restore", in this order. A sixth one, "record",
	// is there only if the result could not be written.
	Steps []DrillStep `json:"steps"`
	// Passed is true if all steps went as they should.
	Passed bool          `json:"passed"`
	Took   time.Duration `json:"took"`
	// Event is what was logged of the result; zero if that could not be.
	Event store.Event `json:"-"`
}

// DrillFailed reports whether an event says that a drill did not pass, or was left unfinished, so that nobody knows whether
// a failback would work.
func DrillFailed(ev store.Event) bool {
	var r DrillReport
	return (ev.Kind == KindDrilled || ev.Kind == KindDrill) && json.Unmarshal(ev.Evidence, &r) == nil && !r.Passed
}

// abandonDrill ends the drill of that id, which whoever began it has not ended in time. The event has a report, that of a
// drill that failed.
func abandonDrill(prev *splitter.State, id string, seed Seed) (Changed, bool, error) {
	const why = "whoever began it has not ended it in time"
	ch, ok, err := EndDrill(prev, id, why, By{Actor: selfActor, Via: "store"}, seed)
	if err != nil || !ok {
		return ch, ok, err
	}
	report := DrillReport{Steps: []DrillStep{{Name: "restore", Text: why}}}
	began := ""
	if prev.ID == id { // else others have changed the State since, and who began it is in the log alone
		began = prev.Changed.Actor
	}
	noteDrill(ch.State, report, began, seed)
	if ch.Event.Evidence, err = json.Marshal(report); err != nil {
		return Changed{}, false, fmt.Errorf("encode the drill's report: %w", err)
	}
	return ch, true, nil
}

// DrillStep is one step of a drill. Text says in a sentence what was found, and names no user but by number.
type DrillStep struct {
	Name string        `json:"name"`
	Text string        `json:"text"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took"`
}

// BeginDrill sends test users to the canary, which nobody else gets. users are hashed as the State has them. Nothing else
// of the State changes. It is refused with ErrRefused while there is something that a drill could disturb.
func BeginDrill(prev *splitter.State, def Definition, users []string, by By, seed Seed) (Changed, error) {
	if err := mayDrill(prev, def); err != nil {
		return Changed{}, err
	}
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	why := fmt.Sprintf("begins: %d test users are sent to %s", len(users), prev.Canary)
	if len(users) == 1 {
		why = fmt.Sprintf("begins: 1 test user is sent to %s", prev.Canary)
	}
	if by.Reason != "" {
		why += "; " + by.Reason
	}
	by.Reason = why
	n := next(prev, KindDrill, by, seed)
	n.Drill = &splitter.Drill{ID: seed.ID, Variant: prev.Canary, Users: users, Until: seed.Now.Add(drillFor)}
	return tellOnly(prev, n)
}

func mayDrill(s *splitter.State, def Definition) error {
	switch {
	case s.Canary == "":
		return refuse("%q has no canary that test users could be sent to", s.Split)
	case !def.has(s.Canary):
		return fmt.Errorf("%w: the canary of %q is %q, which this instance's file does not have", ErrUnknownVariant, s.Split, s.Canary)
	case slices.Contains(s.Retired, s.Canary):
		return retired(s, s.Canary)
	case s.Drill != nil:
		return refuse("a drill of %q is under way, until %s at the latest", s.Split, clockTime(s.Drill.Until))
	case s.Progress.Phase == splitter.PhaseTrial, s.Progress.Phase == splitter.PhaseUnknown:
		return refuse("a trial of %q is under way; drill between trials", s.Canary)
	case len(s.Kills) > 0:
		return refuse("a kill of %q is on; revive it first", s.Split)
	}
	return nil
}

// EndDrill ends the drill of that id: its users go where everybody in their buckets goes. why is told of it. It returns
// false, and no change, if that drill is over.
func EndDrill(prev *splitter.State, id, why string, by By, seed Seed) (Changed, bool, error) {
	if prev.Drill == nil || prev.Drill.ID != id {
		return Changed{}, false, nil
	}
	by.Reason = "ends: " + why
	n := next(prev, KindDrill, by, seed)
	n.Drill = nil
	c, err := tellOnly(prev, n)
	return c, err == nil, err
}

// ConcludeDrill notes how the drill of that id went. If it could not be ended before, it ends.
func ConcludeDrill(prev *splitter.State, id string, r DrillReport, by By, seed Seed) (Changed, error) {
	by.Reason = r.summary()
	n := next(prev, KindDrilled, by, seed)
	if prev.Drill != nil && prev.Drill.ID == id {
		n.Drill = nil
	}
	noteDrill(n, r, by.Actor, seed)
	c, err := tellOnly(prev, n)
	if err != nil {
		return Changed{}, err
	}
	if c.Event.Evidence, err = json.Marshal(r); err != nil {
		return Changed{}, fmt.Errorf("encode the drill's report: %w", err)
	}
	return c, nil
}

// noteDrill notes in n how a drill went that somebody held. One that passes outweighs those that failed before.
func noteDrill(n *splitter.State, r DrillReport, actor string, seed Seed) {
	if r.Passed {
		n.Drilled, n.DrillFailed = splitter.Drilled{At: seed.Now, By: actor}, splitter.FailedDrill{}
		return
	}
	step := r.failedStep()
	n.DrillFailed = splitter.FailedDrill{At: seed.Now, By: actor, Step: step.Name, Why: shorten(step.Text)}
}

// summary is one sentence for people.
func (r DrillReport) summary() string {
	if s := r.failedStep(); s.Name != "" {
		return fmt.Sprintf("failed at %q: %s", s.Name, s.Text)
	}
	return fmt.Sprintf("passed in %s", r.Took.Round(time.Millisecond))
}

// failedStep returns the first step that has failed; the zero value if none has.
func (r DrillReport) failedStep() DrillStep {
	for _, s := range r.Steps {
		if !s.OK {
			return s
		}
	}
	return DrillStep{}
}

// failureText says whose a drill was that did not pass, when, and what failed. It goes on after "the latest drill".
func failureText(f splitter.FailedDrill, now time.Time) (text string) {
	if f.By != "" {
		text = ", by " + f.By + ","
	}
	text += " failed " + days(now.Sub(f.At)) + " ago"
	if f.Step != "" {
		text += fmt.Sprintf(" at %q (%s)", f.Step, orNone(f.Why))
	}
	return text
}

// lastPassText says when a drill passed last.
func lastPassText(last splitter.Drilled, now time.Time) string {
	if last.At.IsZero() {
		return "none has passed yet"
	}
	return "the last that passed was " + days(now.Sub(last.At)) + " ago"
}

// notRestored lists what a drill may change in a State: which change it is of, and what it says of drills.
var notRestored = []string{"revision", "id", "parent", "lineage", "placed", "changed", "drill", "drilled", "drill_failed"}

// unlike names what differs between a State before a drill and after it, as its document names it.
func unlike(before, after *splitter.State) ([]string, error) {
	b, err := membersOf(before)
	if err != nil {
		return nil, err
	}
	a, err := membersOf(after)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !bytes.Equal(b[name], a[name]) {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if _, both := b[name]; !both {
			names = append(names, name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(notRestored, name) }), nil
}

// membersOf returns the members of a State's document.
func membersOf(s *splitter.State) (members map[string]json.RawMessage, err error) {
	doc, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(doc, &members)
	}
	if err != nil {
		return nil, fmt.Errorf("compare the states before and after a drill: %w", err)
	}
	return members, nil
}

// restored says whether a State is as it was before a drill, and if not, what differs. last is the drill's own last change,
// of so many: others in between are told of in either case.
func restored(before, after *splitter.State, last splitter.Version, changes uint64) (string, error) {
	names, err := unlike(before, after)
	if err != nil {
		return "", err
	}
	meanwhile := ""
	if n := after.Revision - before.Revision - changes; n > 0 {
		meanwhile = fmt.Sprintf("; meanwhile others have changed the state, by %d revisions", n)
	}
	if after.Version != last {
		meanwhile += fmt.Sprintf(", last: %s%s", after.Changed.Kind, by(after.Changed.Actor))
	}
	switch {
	case len(names) > 0:
		return "", fmt.Errorf("not as before the drill: %s%s", strings.Join(names, ", "), meanwhile)
	case after.Drill != nil:
		return "", fmt.Errorf("test users are sent to %s still%s", after.Drill.Variant, meanwhile)
	}
	return "weights, progress, plan, policy and kills are as before the drill" + meanwhile, nil
}

// mergeDrills notes in n the latest drill of two States that passed, and the latest that did not if it is later still.
func mergeDrills(n, a, b *splitter.State) {
	n.Drilled, n.DrillFailed = b.Drilled, b.DrillFailed
	if a.Drilled.At.After(b.Drilled.At) {
		n.Drilled = a.Drilled
	}
	if a.DrillFailed.At.After(b.DrillFailed.At) {
		n.DrillFailed = a.DrillFailed
	}
	n.DrillFailed, _ = n.LatestDrillFailed()
}
