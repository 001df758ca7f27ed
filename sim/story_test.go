package sim_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/sim/fleet"
	"github.com/switchback-proxy/switchback/store"
)

// TestStories plays the scripts in testdata/stories: each command is somebody's or fate's doing, and below it is what the
// fleet's event log said since. `go test ./sim -run Stories -rewrite` writes them anew.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", playStory)
}

// fullVar is the environment variable that has everything played in full, as `make sim-rollouts` does.
const fullVar = "SWITCHBACK_SIM_ROLLOUTS"

// TestDays plays those of whole days, which takes minutes.
func TestDays(t *testing.T) {
	if os.Getenv(fullVar) == "" {
		t.Skip("takes minutes: make sim-rollouts")
	}
	datadriven.Walk(t, "testdata/days", playStory)
}

// playStory plays one script. What is drawn at random is the same each time.
func playStory(t *testing.T, path string) {
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		s := &story{folder: t.TempDir()}
		defer func() {
			if s.fleet == nil {
				return
			}
			if err := s.fleet.Close(); err != nil {
				t.Errorf("ending the fleet: %v", err)
			}
		}()
		datadriven.RunTest(t, path, s.play)
	})
}

// story is a fleet, and how far its story has been told.
type story struct {
	folder string
	fleet  *fleet.Fleet
	told   int // entries of the log
}

// play does what a command of a script says, and returns what happened.
func (s *story) play(_ *testing.T, d *datadriven.TestData) string {
	if s.fleet == nil && d.Cmd != "fleet" {
		return "no fleet yet\n"
	}
	said, err := s.do(d)
	synctest.Wait()
	if err != nil {
		said += fmt.Sprintf("error: %v\n", err)
	}
	if said += s.news(); said == "" {
		said = "ok\n"
	}
	return said
}

func (s *story) do(d *datadriven.TestData) (string, error) {
	switch d.Cmd {
	case "fleet":
		return "", s.begin(d)
	case "traffic":
		var err error
		s.fleet.Traffic.Rate, err = strconv.ParseFloat(word(d, "rate", "0"), 64)
		return "", err
	case "agent":
		return "", s.agent(d)
	case "redis", "proxy":
		return "", s.befall(d)
	case "wait":
		return s.wait(d)
	case "why":
		return s.why(d)
	case "weights":
		return s.weights(), nil
	case "told":
		return s.toldOf(), nil
	case "webhook":
		s.fleet.OpenWebhooks(d.CmdArgs[0].Key == "opens")
		return "", nil
	case "dies-announcing":
		step, err := strconv.Atoi(word(d, "step", ""))
		s.fleet.DoomWinnerOf(step)
		return "", err
	case "together":
		return s.together(d)
	}
	return s.command(d.Cmd, d)
}

// begin makes the fleet and starts it, with the plan that is the command's input.
func (s *story) begin(d *datadriven.TestData) error {
	plan, err := readPlan(d.Input)
	if err != nil {
		return err
	}
	proxies, err := strconv.Atoi(word(d, "proxies", "3"))
	if err != nil {
		return err
	}
	s.fleet, err = fleet.New(fleet.Options{Folder: s.folder, Instances: proxies, Definition: assistant(plan), Seed: 1, Log: zap.NewNop()})
	if err != nil {
		return err
	}
	if s.fleet.Traffic.Rate, err = strconv.ParseFloat(word(d, "rate", "20"), 64); err != nil {
		return err
	}
	if err := s.fleet.Rise(); err != nil {
		return err
	}
	return s.fleet.Serve(2 * time.Second)
}

// assistant is a split of blue, which has everything, and green, with all defaults but the plan.
func assistant(plan rollout.Plan) rollout.Definition {
	limits, settings := health.DefaultLimits(), health.DefaultSettings()
	return rollout.Definition{
		Name: "assistant", Stable: "blue", Canary: "green", Plan: &plan,
		Variants: []rollout.Variant{{Name: "blue", Weight: 100 * percent}, {Name: "green"}},
		Policy:   rollout.Policy{Failback: &limits, Judge: &settings, Cooldown: health.Duration(15 * time.Minute)},
	}
}

// agent makes a variant behave from now on: "agent green errors=0.3 latency=2s"; without more it is well again.
func (s *story) agent(d *datadriven.TestData) (err error) {
	b := fleet.Well
	if text := word(d, "errors", ""); text != "" {
		b.Errors, err = strconv.ParseFloat(text, 64)
	}
	if text := word(d, "latency", ""); text != "" && err == nil {
		b.Latency, err = time.ParseDuration(text)
	}
	s.fleet.Agents[d.CmdArgs[0].Key] = b
	return err
}

// befall lets something befall all proxies' ways to Redis, or one proxy: "redis away", "proxy 2 crashes".
func (s *story) befall(d *datadriven.TestData) error {
	victims, what := s.fleet.Instances, d.CmdArgs[len(d.CmdArgs)-1].Key
	if d.Cmd == "proxy" && d.CmdArgs[0].Key != "all" {
		n, err := strconv.Atoi(d.CmdArgs[0].Key)
		if err != nil {
			return err
		}
		victims = victims[n-1 : n]
	}
	for _, i := range victims {
		if err := befalls(i, what); err != nil {
			return err
		}
	}
	return nil
}

func befalls(i *fleet.Instance, what string) error {
	switch what {
	case "crashes":
		return i.Crash()
	case "rises":
		return i.Rise()
	case "stops":
		return i.Stop()
	case "healthy":
		i.Befall(fleet.Healthy)
		return nil
	}
	for _, f := range fleet.Faults {
		if strings.ReplaceAll(f.String(), " ", "-") == what {
			i.Befall(f)
			return nil
		}
	}
	return fmt.Errorf("nothing is called %q", what)
}

// wait lets time pass: "wait 10m", or "wait until=promoted within=1h" until an event of that kind.
func (s *story) wait(d *datadriven.TestData) (string, error) {
	until := word(d, "until", "")
	length, err := time.ParseDuration(word(d, "within", d.CmdArgs[0].Key))
	if err != nil {
		return "", err
	}
	for from := len(s.fleet.Log()); length > 0; length -= time.Second {
		if err := s.fleet.Serve(time.Second); err != nil {
			return "", err
		}
		synctest.Wait()
		for _, ev := range s.fleet.Log()[from:] {
			if ev.Kind == until {
				return "", nil
			}
		}
	}
	if until != "" {
		return fmt.Sprintf("%s: not %s yet\n", moment(time.Now()), until), nil
	}
	return "", nil
}

// why asks the first proxy that is up, or the one that is named by at=.
func (s *story) why(d *datadriven.TestData) (string, error) {
	i, err := s.at(d)
	if err != nil {
		return "", err
	}
	lines, err := i.Why("assistant")
	return strings.Join(lines, "\n") + "\n", err
}

// weights tells what each proxy decides by.
func (s *story) weights() string {
	var b strings.Builder
	for _, i := range s.fleet.Instances {
		if !i.IsUp() {
			fmt.Fprintf(&b, "%s: down\n", i.Name)
			continue
		}
		state := i.View().State
		fmt.Fprintf(&b, "%s: green %s, stable %s, %s\n", i.Name, state.Weights()["green"], state.Stable, state.Progress.Phase)
	}
	return b.String()
}

// toldOf lists of what the target was told, by the time of the event. Whether that begins with the first State depends on
// whether the target or the State was there first.
func (s *story) toldOf() string {
	events := s.fleet.Told()
	slices.SortStableFunc(events, func(a, b store.Event) int { return a.At.Compare(b.At) })
	var b strings.Builder
	for _, ev := range events {
		if ev.Kind == rollout.KindCreated {
			continue
		}
		fmt.Fprintf(&b, "%s  %s\n", moment(ev.At), ev.Kind)
	}
	return b.String()
}

// at returns the proxy that a command is given to: at=2, or the first one that is up.
func (s *story) at(d *datadriven.TestData) (*fleet.Instance, error) {
	if text := word(d, "at", ""); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		return s.fleet.Instances[n-1], nil
	}
	up := s.fleet.Up()
	if len(up) == 0 {
		return nil, fmt.Errorf("no proxy is up")
	}
	return up[0], nil
}

// word returns the value of an argument, or what it is if it is not given.
func word(d *datadriven.TestData, key, otherwise string) string {
	for _, arg := range d.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return arg.Vals[0]
		}
	}
	return otherwise
}

// news tells what the log says since the last time.
func (s *story) news() string {
	var b strings.Builder
	log := s.fleet.Log()
	for _, ev := range log[min(s.told, len(log)):] {
		b.WriteString(line(ev))
	}
	s.told = len(log)
	return b.String()
}

// line tells an event: when, what, green's share before and after if it changed, by whom, and why.
func line(ev store.Event) string {
	text := moment(ev.At) + "  " + ev.Kind
	if from, to := ev.From["green"], ev.To["green"]; from != to {
		text += fmt.Sprintf(" green %s -> %s", from, to)
	}
	if ev.Via != "judge" && ev.Actor != "" {
		text += " by " + ev.Actor
	}
	if ev.Reason != "" {
		text += ": " + ev.Reason
	}
	return text + "\n"
}

// moment writes a time of a story. Bubbles begin on 1 January 2000.
func moment(t time.Time) string {
	return fmt.Sprintf("day %d %s", t.UTC().YearDay(), t.UTC().Format(time.TimeOnly))
}
