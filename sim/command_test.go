package sim_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/sim/fleet"
	"github.com/switchback-proxy/switchback/splitter"
)

// percent is one percent.
const percent = splitter.Full / 100

// order is what somebody asks of a proxy.
type order func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error)

// orderOf reads a command of a story: "start force", "promote full", "approve step=2", "kill green".
func orderOf(command string, words []string, step int) (order, error) {
	const split = "assistant"
	has := func(word string) bool { return slices.Contains(words, word) }
	variant, to := "green", "" // a rollback leads where it leads, unless it is said
	if has("blue") {
		variant, to = "blue", "blue"
	}
	if has("green") {
		to = "green"
	}
	orders := map[string]order{
		"start": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.StartRollout(ctx, split, rollout.StartRequest{Force: has("force")}, by)
		},
		"pause": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.PauseRollout(ctx, split, by)
		},
		"resume": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.ResumeRollout(ctx, split, by)
		},
		"approve": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.ApproveStep(ctx, split, rollout.StepRequest{Step: step}, by)
		},
		"promote": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.PromoteNow(ctx, split, rollout.PromoteRequest{Full: has("full"), Step: step}, by)
		},
		"abort": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.AbortRollout(ctx, split, by)
		},
		"rollback": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.RollBack(ctx, split, rollout.RollbackRequest{To: to}, by)
		},
		"retry": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.RetryRollout(ctx, split, rollout.RetryRequest{Force: has("force")}, by)
		},
		"switch": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.SwitchTo(ctx, split, rollout.SwitchRequest{To: variant, SkipChecks: true}, by)
		},
		"switch-back": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.SwitchBack(ctx, split, by)
		},
		"kill": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.Kill(ctx, split, rollout.KillRequest{Variant: variant}, by)
		},
		"revive": func(ctx context.Context, c *rollout.Controller, by rollout.By) (rollout.Result, error) {
			return c.Revive(ctx, split, rollout.ReviveRequest{}, by)
		},
	}
	if o := orders[command]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("no command is called %q", command)
}

// command lets somebody give a command, and returns what they are told.
func (s *story) command(command string, d *datadriven.TestData) (string, error) {
	i, err := s.at(d)
	if err != nil {
		return "", err
	}
	step, err := strconv.Atoi(word(d, "step", "0"))
	if err != nil {
		return "", err
	}
	var words []string
	for _, arg := range d.CmdArgs {
		words = append(words, arg.Key)
	}
	o, err := orderOf(command, words, step)
	if err != nil {
		return "", err
	}
	by := rollout.By{Actor: word(d, "by", "alice"), Via: "socket", Reason: word(d, "reason", "")}
	return give(i, o, by)
}

// give gives an order, and returns what is said besides the event.
func give(i *fleet.Instance, o order, by rollout.By) (string, error) {
	if !i.IsUp() {
		return "", fmt.Errorf("%s is down", i.Name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	result, err := o(ctx, i.Controller, by)
	if err != nil || result.Note == "" {
		return "", err
	}
	return result.Note + "\n", nil
}

// together lets several people give commands at the same moment, a line each, at the first, second and further proxies.
// Only how many of them were told what is certain, and so only that is returned.
func (s *story) together(d *datadriven.TestData) (string, error) {
	lines := strings.Split(strings.TrimSpace(d.Input), "\n")
	answers := make([]string, len(lines))
	var all sync.WaitGroup
	for n, text := range lines {
		words := strings.Fields(text)
		o, err := orderOf(words[0], words[1:], stepIn(words))
		if err != nil {
			return "", err
		}
		all.Go(func() {
			said, err := give(s.fleet.Instances[n%len(s.fleet.Instances)], o, rollout.By{Actor: "somebody", Via: "socket"})
			if err != nil {
				said = "error: " + err.Error() + "\n"
			}
			answers[n] = strings.TrimSpace(said)
		})
	}
	all.Wait()
	slices.Sort(answers)
	return "answers: " + strings.Join(answers, " | ") + "\n", nil
}

// stepIn returns what step=N says; 0 if nothing does.
func stepIn(words []string) int {
	for _, w := range words {
		if n, err := strconv.Atoi(strings.TrimPrefix(w, "step=")); err == nil && strings.HasPrefix(w, "step=") {
			return n
		}
	}
	return 0
}
