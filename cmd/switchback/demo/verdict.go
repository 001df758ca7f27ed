package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// The variants' names and the split's, everywhere in the demo.
const (
	blue  = "blue"
	green = "green"
	split = "assistant"
)

// proxyActor is who the audit log says made a change, if no person did.
const proxyActor = "switchback"

// checkShare checks a weight of green against the users that are on it: as many as chance allows, nobody moved but
// from blue to green, and no answer failed.
func checkShare(t tally, weight splitter.Weight) (string, error) {
	if err := checkServed(t); err != nil {
		return "", err
	}
	if err := checkMoves(t, move{blue, green}); err != nil {
		return "", err
	}
	least, most := plausible(t.placed(), float64(weight)/float64(splitter.Full))
	on := t.on[green]
	if on < least || on > most {
		return "", fmt.Errorf("%d of %d users are on green: from %d to %d were to be expected", on, t.placed(), least, most)
	}
	if least == most {
		return fmt.Sprintf("%d of %d users are on green", on, t.placed()), nil
	}
	return fmt.Sprintf("%d of %d users are on green (%d to %d expected); nobody moved back", on, t.placed(), least, most), nil
}

// checkBack checks that everybody is on blue, and that nobody got there but from green.
func checkBack(t tally) (string, error) {
	if err := checkServed(t); err != nil {
		return "", err
	}
	if err := checkMoves(t, move{green, blue}); err != nil {
		return "", err
	}
	if t.on[green] > 0 {
		return "", fmt.Errorf("%d of %d users are still on green", t.on[green], t.placed())
	}
	return fmt.Sprintf("all %d users seen since then were served by blue, without an error", t.placed()), nil
}

// checkServed checks that there were answers and that all of them were whole.
func checkServed(t tally) error {
	switch {
	case t.answers == 0:
		return errors.New("nobody got an answer")
	case t.failures() > 0:
		return fmt.Errorf("%d of %d answers failed: %s", t.failures(), t.answers, strings.Join(t.complaints, "; "))
	case t.refused > 0:
		return fmt.Errorf("%d of %d answers were refused", t.refused, t.answers)
	}
	return nil
}

// checkMoves checks that users only moved as allowed, and nobody while the weights stood still.
func checkMoves(t tally, allowed move) error {
	for m, n := range t.moves {
		if m != allowed {
			return fmt.Errorf("%d users moved from %s to %s", n, m.from, m.to)
		}
	}
	if t.within > 0 {
		return fmt.Errorf("%d users moved although the weights stood still", t.within)
	}
	return nil
}

// checkRefused checks that nobody got anything but a refusal.
func checkRefused(t tally) (string, error) {
	if t.answers == 0 || t.refused < t.answers {
		return "", fmt.Errorf("%d of %d requests were refused: all must be (%d were served, %d failed: %s)", t.refused,
			t.answers, t.answers-t.refused-t.failures(), t.failures(), strings.Join(t.complaints, "; "))
	}
	return fmt.Sprintf("all %d requests since then got 503 and Retry-After", t.refused), nil
}

// failback is what became of green's failing, as the visitors saw it.
type failback struct {
	// AfterSeconds is the time from the first failed answer until every proxy had green's users back on blue.
	AfterSeconds float64 `json:"after_seconds"`
	// Users is how many visitors came while green failed, UsersHurt how many of them got a failed answer.
	Users     int `json:"users"`
	UsersHurt int `json:"users_hurt"`
	// Failures is how many answers failed.
	Failures int `json:"failures"`
	// Reason is the proxy's verdict in words.
	Reason string `json:"reason"`
}

// judgeFailback checks the audit log's event and sums up what the visitors saw until the failback.
func judgeFailback(t tally, events []store.Event, over time.Time) (failback, error) {
	i := slices.IndexFunc(events, func(e store.Event) bool { return e.Kind == rollout.KindFailback })
	if i < 0 {
		return failback{}, errors.New("green has no traffic any more, but the audit log has no failback")
	}
	e := events[i]
	if e.Actor != proxyActor {
		return failback{}, fmt.Errorf("the failback was made by %q: it must be %q, by itself", e.Actor, proxyActor)
	}
	if e.From[green] == 0 || e.To[green] != 0 {
		return failback{}, fmt.Errorf("the failback changed green from %s to %s: it must be to 0%%", e.From[green], e.To[green])
	}
	if !json.Valid(e.Evidence) {
		return failback{}, errors.New("the failback's event carries no evidence")
	}
	if t.failed[green] != t.failures() {
		return failback{}, fmt.Errorf("of %d failed answers only %d were green's: %s", t.failures(), t.failed[green],
			strings.Join(t.complaints, "; "))
	}
	return failback{
		AfterSeconds: over.Sub(t.firstFailure).Seconds(),
		Users:        t.seen,
		UsersHurt:    t.hurt,
		Failures:     t.failures(),
		Reason:       e.Reason,
	}, nil
}

// String says it in a sentence.
func (f failback) String() string {
	return fmt.Sprintf("failed back by itself %.1f s after the first bad answer; %d of %d users saw an error. Why: %s",
		f.AfterSeconds, f.UsersHurt, f.Users, f.Reason)
}

// checkEvents checks that the audit log, newest first, has these kinds of changes, oldest first; others may be
// between them.
func checkEvents(events []store.Event, want ...string) error {
	missing := want
	for _, e := range slices.Backward(events) {
		if len(missing) > 0 && e.Kind == missing[0] {
			missing = missing[1:]
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the audit log lacks %q, or has it in another order: all of %q must be there", missing[0], want)
	}
	return nil
}

// checkConfirmed checks that all proxies have applied a change, and says so in words.
func checkConfirmed(c control.Change, proxies int) (string, error) {
	switch {
	case c.Confirmation == nil:
		return "", fmt.Errorf("revision %d was not confirmed: %s", c.Revision, c.Note)
	case !c.Confirmation.Complete():
		return "", fmt.Errorf("revision %d is not applied by %q", c.Revision, c.Confirmation.Missing)
	case len(c.Confirmation.Applied) != proxies:
		return "", fmt.Errorf("revision %d is applied by %q: %d proxies must be among them", c.Revision,
			c.Confirmation.Applied, proxies)
	}
	return c.Confirmation.Summary, nil
}
