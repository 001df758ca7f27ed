package splitcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

func startCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start <split>",
		Short: "Begins a rollout that goes on by itself, by a plan",
		Long: `Begins a rollout that goes on by itself, by a plan: that of the proxy's file, or
else the default one. --plan takes another, as JSON; the other flags change some
of the file's for this rollout alone: --steps without times of their own last as
long as the file's "bake" says, or else as its first step. The plan is frozen
when the rollout begins.`,
		Example: h.examples(`split start assistant --reason "v8"`,
			`split start assistant --steps "1% 10%:6h 100%" --bake 1h --watch 12h`,
			`split start assistant --plan plan.json`),
		Args: atMost(1),
	}
	var p planFlags
	p.add(cmd)
	force := cmd.Flags().Bool("force", false, "start in spite of a cooldown")
	cmd.RunE = h.carryOut(cmd, course{
		do: func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
			plan, err := p.plan(ctx, s, args[0])
			if err != nil {
				return control.Change{}, err
			}
			return s.client.Start(ctx, args[0], control.StartRequest{Plan: plan, Force: *force, Claim: by}, o...)
		},
		after: func(ctx context.Context, s *session, split string) { s.showPlan(ctx, split) },
	})
	return cmd
}

// planFlags say by which plan a rollout goes.
type planFlags struct {
	cmd         *cobra.Command
	file, steps string
	bake, watch time.Duration
	minRequests int
	minUsers    int
	onFail      string
}

func (p *planFlags) add(cmd *cobra.Command) {
	p.cmd = cmd
	f := cmd.Flags() // without defaults: what is not given is the file's
	f.StringVar(&p.file, "plan", "", "JSON `file` of a plan (-: the standard input); what it leaves out has its default")
	f.StringVar(&p.steps, "steps", "", `the canary's shares, each with its own bake time if need be: "1% 10%:6h 100%"`)
	f.DurationVar(&p.bake, "bake", 0, "how long each step lasts at least to which --steps gives no time of its own")
	f.DurationVar(&p.watch, "watch", 0, "how long a canary that has everything is watched before it becomes stable")
	f.IntVar(&p.minRequests, "min-requests", 0, "how many requests of the canary each step must have seen")
	f.IntVar(&p.minUsers, "min-users", 0, "how many users the canary must have had since the trial began")
	f.StringVar(&p.onFail, "on-fail", "", "what becomes of a canary that fails: failback or pause")
}

// own lists the flags that change the file's plan.
var own = []string{"steps", "bake", "watch", "min-requests", "min-users", "on-fail"}

// plan returns the plan to go by; nil leaves it to the proxy.
func (p *planFlags) plan(ctx context.Context, s *session, split string) (*control.PlanDraft, error) {
	changed := ""
	for _, name := range own {
		if p.cmd.Flags().Changed(name) {
			changed = name
		}
	}
	switch {
	case p.file != "" && changed != "":
		return nil, fmt.Errorf("--plan and --%s exclude each other", changed)
	case p.file != "":
		return readPlan(s, p.file)
	case changed == "":
		return nil, nil
	}
	status, err := s.client.WithTap(nil).Status(ctx, split)
	if err != nil {
		return nil, err
	}
	plan, err := p.of(status)
	if err != nil {
		return nil, err
	}
	return &control.PlanDraft{Plan: plan}, plan.Validate()
}

// readPlan reads a plan from a file.
func readPlan(s *session, file string) (*control.PlanDraft, error) {
	document, err := readAll(file, s.cmd.InOrStdin())
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	plan, err := control.ParsePlan(document)
	if err != nil {
		return nil, fmt.Errorf("the plan in %q: %w", file, plainly(err))
	}
	return &control.PlanDraft{Plan: plan}, nil
}

// plainly returns an error that is no answer of the API, though the API's own package has found it.
func plainly(err error) error { return errors.New(err.Error()) }

// of returns the plan of a split's file, with what the flags say.
func (p *planFlags) of(status control.Status) (control.Plan, error) {
	plan := status.FilePlan()
	given := p.cmd.Flags().Changed
	if given("steps") {
		bake := status.FileBake()
		if given("bake") {
			bake = health.Duration(p.bake)
		}
		steps, err := parseSteps(p.steps, bake)
		if err != nil {
			return plan, err
		}
		plan.Steps = steps
	} else if given("bake") {
		for i := range plan.Steps[:plan.Last()-1] {
			plan.Steps[i].Bake = health.Duration(p.bake)
		}
	}
	if given("watch") {
		plan.Watch = health.Duration(p.watch)
	}
	if given("min-requests") {
		plan.MinRequests = p.minRequests
	}
	if given("min-users") {
		plan.MinUsers = p.minUsers
	}
	if given("on-fail") {
		if p.onFail == "" || plan.OnFail.UnmarshalText([]byte(p.onFail)) != nil {
			return plan, fmt.Errorf("--on-fail %q: must be failback or pause", p.onFail)
		}
	}
	return plan, nil
}

// parseSteps reads the steps of a plan: "1% 10%:6h 100%". Those without a time of their own last for bake, and the last one
// for the plan's watch.
func parseSteps(text string, bake health.Duration) ([]control.PlanStep, error) {
	fields := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' })
	if len(fields) == 0 {
		return nil, fmt.Errorf(`--steps %q: shares are needed, as in "1%% 10%% 100%%"`, text)
	}
	steps := make([]control.PlanStep, len(fields))
	for i, field := range fields {
		share, own, timed := strings.Cut(field, ":")
		weight, err := splitter.ParseWeight(share)
		if err != nil {
			return nil, fmt.Errorf("--steps: %w", err)
		}
		steps[i].Weight = weight
		if i < len(fields)-1 {
			steps[i].Bake = bake
		}
		if !timed {
			continue
		}
		d, err := time.ParseDuration(own)
		if err != nil {
			return nil, fmt.Errorf("--steps: bake %q of step %s: must be a duration, as in 6h", own, share)
		}
		steps[i].Bake = health.Duration(d)
	}
	return steps, nil
}
