package sim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/sim/fleet"
)

// lanesOf is how many hundreds of schedules there are, as rapid plays a hundred in each lane.
func lanesOf(t *testing.T) int {
	t.Helper()
	text, isSet := os.LookupEnv(lanesVar)
	if !isSet {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s %q: must be a number from 1", lanesVar, text)
	}
	return n
}

// hasty is a split whose cooldown is short, so that a schedule comes to more than one trial.
func hasty(plan rollout.Plan) rollout.Definition {
	def := assistant(plan)
	def.Policy.Cooldown = seconds(5)
	return def
}

// play is a schedule while it happens.
type play struct {
	fleet  *fleet.Fleet
	counts *tallied
	asked  sync.WaitGroup // those who have no answer yet
}

// perform lets a schedule happen, and then everything heal.
func (p *play) perform(s schedule) error {
	p.fleet.Traffic = fleet.Traffic{Rate: float64(s.rate), Users: 500}
	if err := p.fleet.Rise(); err != nil {
		return err
	}
	if err := p.fleet.Serve(4 * time.Second); err != nil {
		return err
	}
	for _, d := range s.deeds {
		if err := p.do(d); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
		if err := p.fleet.Serve(time.Duration(d.seconds) * time.Second); err != nil {
			return err
		}
	}
	p.asked.Wait()
	return p.heal()
}

// do lets one deed happen. Whoever gives an order does not wait for the answer.
func (p *play) do(d deed) error {
	i := p.fleet.Instances[d.who]
	p.counts.add("deed: "+d.what, 1)
	switch d.what {
	case "wait":
	case "crash":
		return i.Crash()
	case "stop":
		return i.Stop()
	case "rise":
		return i.Rise()
	case "fault":
		i.Befall(fleet.Faults[(d.step+d.seconds)%len(fleet.Faults)])
	case "heal":
		i.Befall(fleet.Healthy)
	case "outage", "heal-all":
		for _, i := range p.fleet.Instances {
			i.Befall(map[bool]fleet.Fault{true: fleet.Away, false: fleet.Healthy}[d.what == "outage"])
		}
	case "skew":
		i.Skew(time.Duration(d.step-2) * 900 * time.Millisecond)
	case "deny", "take":
		p.fleet.RefuseEvents(d.what == "deny")
	case "ill":
		p.fleet.Agents["green"] = fleet.Behaviour{Errors: 0.7, Latency: fleet.Well.Latency}
	case "slow":
		p.fleet.Agents["green"] = fleet.Behaviour{Latency: 8 * fleet.Well.Latency}
	case "well":
		delete(p.fleet.Agents, "green")
	case "open", "shut":
		p.fleet.OpenWebhooks(d.what == "open")
	case "doom":
		p.fleet.DoomWinnerOf(d.step)
	default:
		return p.orders(i, d)
	}
	return nil
}

// orders lets somebody give an order, if there is a process to give it to.
func (p *play) orders(i *fleet.Instance, d deed) error {
	o, err := orderOf(d.what, d.words, d.step)
	if err != nil || !i.IsUp() {
		return err
	}
	c := i.Controller
	p.asked.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, err := o(ctx, c, rollout.By{Actor: "somebody", Via: "socket", Reason: "as drawn"})
		p.counts.add(fmt.Sprintf("order: %s: %s", d.what, answerOf(err)), 1)
	})
	return nil
}

// answerOf says what somebody was told, in a word.
func answerOf(err error) string {
	for _, known := range []error{rollout.ErrUnconfirmed, rollout.ErrUnavailable, rollout.ErrRefused, rollout.ErrCooldown, rollout.ErrStale,
		rollout.ErrStep, rollout.ErrInvalid} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return "done"
}

// quiet is how long a healed fleet has to come to rest: until it agrees and everything is told.
const quiet = 2 * time.Minute

// heal mends everything, and waits until all agree and all is told.
func (p *play) heal() error {
	p.fleet.OpenWebhooks(true)
	p.fleet.RefuseEvents(false)
	p.fleet.DoomWinnerOf(0)
	delete(p.fleet.Agents, "green")
	for n, i := range p.fleet.Instances {
		i.Befall(fleet.Healthy)
		i.Skew(time.Duration(n+1) * 7 * time.Millisecond)
	}
	for passed := time.Duration(0); ; passed += time.Second {
		if err := p.fleet.Rise(); err != nil {
			return err
		}
		if err := p.fleet.Serve(time.Second); err != nil {
			return err
		}
		synctest.Wait()
		why := append(p.disagreements(), p.untold()...)
		if len(why) == 0 {
			return nil
		}
		if passed > quiet {
			return fmt.Errorf("after %v of health: %s", quiet, strings.Join(why, "; "))
		}
	}
}

// disagreements says who does not decide by what the store has.
func (p *play) disagreements() (list []string) {
	want := p.fleet.State()
	for _, i := range p.fleet.Instances {
		switch {
		case !i.IsUp(): // the winner of a change that was to die died just now
			list = append(list, i.Name+" is down")
		case i.View().State == nil || want == nil || i.View().State.Version != want.Version:
			list = append(list, i.Name+" decides by another State than the store's")
		}
	}
	return list
}

// untold lists the events of which the target was never told, but those before it was first asked for them.
func (p *play) untold() (list []string) {
	told := map[string]int{}
	for _, ev := range p.fleet.Told() {
		told[ev.ID]++
	}
	log := p.fleet.Log()
	first := slices.IndexFunc(log, func(ev event) bool { return told[ev.ID] > 0 })
	for _, ev := range log[max(first, 0):] {
		if told[ev.ID] == 0 {
			list = append(list, fmt.Sprintf("nobody was told of %s at revision %d", ev.Kind, ev.Revision))
		}
	}
	return list
}
