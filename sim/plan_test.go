package sim_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// readPlan reads a story's plan, a line for each thing that differs from the default plan, in the words of a
// configuration: "steps 10% 50%:2m 100%", "bake 3m", "min_requests 30", "gate approval 50%", "watch 5m", "on_fail pause".
func readPlan(text string) (rollout.Plan, error) {
	p := rollout.DefaultPlan()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			return p, fmt.Errorf("plan line %q: must be a word and its values", line)
		}
		if err := readOption(&p, words[0], words[1:]); err != nil {
			return p, fmt.Errorf("plan line %q: %w", line, err)
		}
	}
	return p, p.Validate()
}

func readOption(p *rollout.Plan, option string, values []string) (err error) {
	switch option {
	case "steps":
		p.Steps, err = readSteps(values)
	case "bake":
		var bake health.Duration
		err = bake.UnmarshalText([]byte(values[0]))
		for n := range len(p.Steps) - 1 {
			p.Steps[n].Bake = bake
		}
	case "min_requests":
		p.MinRequests, err = strconv.Atoi(values[0])
	case "min_users":
		p.MinUsers, err = strconv.Atoi(values[0])
	case "watch":
		err = p.Watch.UnmarshalText([]byte(values[0]))
	case "no_traffic":
		err = p.NoTraffic.UnmarshalText([]byte(values[0]))
	case "on_fail":
		p.OnFail = rollout.OnFailPause
	case "gate":
		var g rollout.Gate
		g, err = readGate(values)
		p.Gates = append(p.Gates, g)
	default:
		err = fmt.Errorf("no such option")
	}
	return err
}

// readSteps reads weights; each step is baked for a day until "bake" says how long.
func readSteps(values []string) (steps []rollout.Step, err error) {
	for n, value := range values {
		s := rollout.Step{Bake: health.Duration(24 * time.Hour)}
		if n == len(values)-1 {
			s.Bake = 0
		}
		if s.Weight, err = splitter.ParseWeight(value); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// readGate reads "approval" or "webhook", and before which step it stands, if not before each.
func readGate(values []string) (g rollout.Gate, err error) {
	if values[0] == "webhook" {
		g.Webhook, g.Timeout = "http://gate.test/", health.Duration(10*time.Second)
	}
	g.Approval = values[0] == "approval"
	if len(values) > 1 {
		g.Before, err = splitter.ParseWeight(values[1])
	}
	return g, err
}
