package splitcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// awaitEvery is how often `status --wait` looks.
const awaitEvery = time.Second

// outcome is what `status --wait` ends with unless the rollout was promoted.
type outcome struct {
	code int
	text string
	// cause is why nothing is known; nil if the text is about an answer.
	cause error
}

// Error says what became of the rollout.
func (o outcome) Error() string { return o.text }

// Unwrap returns the cause.
func (o outcome) Unwrap() error { return o.cause }

// errAwaited means that there is nothing more to wait for: the canary is stable.
var errAwaited = errors.New("promoted")

// outcomeOf returns what became of a rollout; nil while that is open.
func outcomeOf(status control.Status) error {
	p, why := status.Progress, once(status.Progress.Why)
	switch {
	case status.Revision == 0: // the proxy has just started
		return nil
	case status.Plan != nil && status.Plan.Paused != nil:
		return pausedOutcome(status.Split, *status.Plan)
	case status.Plan != nil:
		return nil
	case p.Phase == splitter.PhaseFailedBack:
		return outcome{exitFailedBack, status.Split + " is failed back" + because(why), nil}
	case p.Ended == splitter.EndPromoted:
		return errAwaited
	case p.Ended != "":
		return outcome{exitAborted, status.Split + " is " + endedBy(status), nil}
	}
	return fmt.Errorf("nothing to wait for: %s goes by no plan, and no rollout of it has ended", status.Split)
}

// pausedOutcome says who paused a rollout and, if its canary fails, who has it and what can be done.
func pausedOutcome(split string, p control.PlanStatus) error {
	o := outcome{exitPaused, fmt.Sprintf("%s is paused by %s%s", split, orDash(p.Paused.Actor), because(p.Paused.Reason)), nil}
	e := p.Exposed
	if e == nil || p.OnFail != control.OnFailPause {
		return o
	}
	return hintedError{o, fmt.Sprintf("%s still has %s of the users: `split abort %s` takes everybody back to %s;\n"+
		"`split resume %s` once it is repaired", e.Canary, e.Share, split, e.Stable, split)}
}

// endedBy says how people ended a rollout, who, and why. The State keeps that of an abort; of other ends the change tells it,
// while it is the latest.
func endedBy(status control.Status) string {
	p, ch := status.Progress, status.Changed
	how := strings.ReplaceAll(string(p.Ended), "_", " ")
	switch {
	case strings.HasPrefix(p.Why, how+" by "):
		return once(p.Why)
	case ch.At.Equal(p.Since):
		return fmt.Sprintf("%s by %s%s", how, orDash(ch.Actor), because(cmp.Or(once(ch.Reason), once(p.Why))))
	}
	return how + because(once(p.Why))
}

// because returns what a sentence about an end is followed by; nothing if nobody said why.
func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// await is a `status --wait`.
type await struct {
	*session
	split string
	// last is the latest status; seen says that there is one. lastErr is why the last look failed; nil if it has not.
	last    control.Status
	seen    bool
	lastErr error
	shown   string // what was printed last
}

// await shows a rollout until it is over, or stops, or the time is up. A proxy that is away meanwhile does not end it.
func (s *session) await(ctx context.Context, split string, timeout time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(awaitEvery)
	defer ticker.Stop()
	a := &await{session: s, split: split}
	for {
		err := a.lookAgain(waiting)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if waiting.Err() != nil {
			return a.timedOut(timeout)
		}
		if errors.Is(err, errAwaited) {
			a.printPromoted()
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-waiting.Done():
		}
	}
}

// lookAgain looks once and shows what it saw. It returns an error if there is nothing more to wait for.
func (a *await) lookAgain(waiting context.Context) error {
	ctx, cancel := context.WithTimeout(waiting, readTimeout)
	defer cancel()
	status, err := a.client.Status(ctx, a.split)
	a.lastErr = err
	if waiting.Err() != nil {
		return nil // that the time is up says nothing of the proxy
	}
	if err != nil {
		if !a.mayPass(err) {
			return err
		}
		a.showOnce(once(err.Error()) + "; trying again")
		return nil
	}
	a.last, a.seen = status, true
	a.show(status)
	return outcomeOf(status)
}

// mayPass reports whether a failed look may be due to a proxy that restarts. One that has just started may not know the
// split yet that it will run.
func (a *await) mayPass(err error) bool {
	p, ok := errors.AsType[*control.Problem](err)
	return exitCode(err) == exitUnreachable || a.seen && ok && p.Kind() == "unknown-split"
}

// show shows a status: all of it on a terminal, elsewhere a line for each change.
func (a *await) show(status control.Status) {
	switch {
	case a.json:
	case a.look.colours:
		a.clearScreen()
		a.printStatus(status)
	case status.Plan != nil:
		a.showOnce(status.Split + "  " + inOneLine(*status.Plan))
	}
}

// showOnce prints a line unless it was the last one.
func (a *await) showOnce(text string) {
	if a.json || text == a.shown {
		return
	}
	a.shown = text
	fmt.Fprintln(a.out, printable(text))
}

// inOneLine says where a rollout is, in words that change only when something happens.
func inOneLine(p control.PlanStatus) string {
	text := fmt.Sprintf("step %d of %d (%s)", p.Step, p.Last(), p.Weight)
	var waits []string
	for _, w := range p.Waits {
		waits = append(waits, string(w.For))
	}
	if len(waits) > 0 {
		text += ", waits for " + strings.Join(waits, ", ")
	}
	return text
}

func (a *await) printPromoted() {
	if !a.json {
		a.say("promoted", a.last.Stable+" is stable"+because(once(a.last.Progress.Why)), good)
	}
}

// timedOut says how far it has come.
func (a *await) timedOut(timeout time.Duration) error {
	if !a.seen {
		return outcome{exitTimeout, fmt.Sprintf("nothing was heard of %s in %s: %v", a.split, timeout, a.lastErr), a.lastErr}
	}
	text := "not known yet"
	if a.last.Plan != nil {
		text = "at " + inOneLine(*a.last.Plan)
	}
	return outcome{exitTimeout, fmt.Sprintf("after %s, %s is still %s", timeout, a.split, text), nil}
}
