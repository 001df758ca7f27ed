package rollout

import (
	"context"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// StartRollout begins a rollout by a plan; see [Start]. It is refused while members declare other versions, unless forced.
func (c *Controller) StartRollout(ctx context.Context, split string, r StartRequest, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	if !r.Force {
		if err := c.notMixed(ctx, s, "force"); err != nil {
			return Result{}, err
		}
	}
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return Start(prev, def, r, by, seed)
	})
}

// RetryRollout begins a rollout again after a failback or an abort; see [Retry]. It is refused as a start is.
func (c *Controller) RetryRollout(ctx context.Context, split string, r RetryRequest, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	if !r.Force {
		if err := c.notMixed(ctx, s, "force"); err != nil {
			return Result{}, err
		}
	}
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return Retry(prev, def, r, by, seed)
	})
}

// PauseRollout stops a rollout where it is; see [Pause].
func (c *Controller) PauseRollout(ctx context.Context, split string, by By) (Result, error) {
	return c.command(ctx, split, by, "it is paused already", func(prev *splitter.State, _ Definition, seed Seed) (Changed, bool, error) {
		return Pause(prev, by, seed)
	})
}

// ResumeRollout lets a paused rollout go on; see [Resume].
func (c *Controller) ResumeRollout(ctx context.Context, split string, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	return c.command(ctx, split, by, "it is not paused", func(prev *splitter.State, _ Definition, seed Seed) (Changed, bool, error) {
		return Resume(prev, s.findingsNow().Verdict, by, seed)
	})
}

// ApproveStep opens the gate before the next step; see [Approve].
func (c *Controller) ApproveStep(ctx context.Context, split string, r StepRequest, by By) (Result, error) {
	return c.command(ctx, split, by, "that step is approved already",
		func(prev *splitter.State, _ Definition, seed Seed) (Changed, bool, error) {
			return Approve(prev, r, by, seed)
		})
}

// PromoteNow gives the canary everything, or makes it stable; see [PromoteNow].
func (c *Controller) PromoteNow(ctx context.Context, split string, r PromoteRequest, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	roll, err := c.roll(ctx) // what a member's file has is what it told with its last heartbeat
	if err != nil {
		return Result{}, unavailable(err)
	}
	closed := c.closedTo(ctx, s, r)
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		f := s.findingsNow()
		f.Closed, f.Lacking, f.Mixed = closed, lacking(roll, split, prev.Canary), mixed(roll, prev)
		return PromoteNow(prev, def, r, f, by, seed)
	})
}

// AbortRollout gives the canary's share back to stable; see [Abort].
func (c *Controller) AbortRollout(ctx context.Context, split string, by By) (Result, error) {
	return c.give(ctx, split, by, func(prev *splitter.State, _ Definition, seed Seed) (Changed, error) {
		return Abort(prev, by, seed)
	})
}

// RollBack takes the latest promotion back; see [RollBack].
func (c *Controller) RollBack(ctx context.Context, split string, r RollbackRequest, by By) (Result, error) {
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return RollBack(prev, def, r, by, seed)
	})
}

// SwitchTo gives everybody to the canary at once; see [SwitchTo]. The canary is asked first whether it works, unless the
// request says otherwise: ErrRefused names the checks that failed.
func (c *Controller) SwitchTo(ctx context.Context, split string, r SwitchRequest, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	if !r.SkipChecks {
		if err := c.trySwitch(ctx, s, r, by); err != nil {
			return Result{}, err
		}
	}
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return SwitchTo(prev, def, r, by, seed)
	})
}

// trySwitch says why a switch is refused: by what this instance knows, so that no variant is asked in vain, or because the
// variant does not work.
func (c *Controller) trySwitch(ctx context.Context, s *Split, r SwitchRequest, by By) error {
	if err := s.stillAt(by.If); err != nil {
		return err
	}
	if prev := s.storedState(); prev != nil {
		if _, err := SwitchTo(prev, c.settled(ctx, s, prev), r, by, c.seed()); err != nil {
			return err
		}
	}
	if err := c.notMixed(ctx, s, "`--skip-checks`"); err != nil {
		return err
	}
	return s.check(ctx, r.To)
}

// SwitchBack takes a switch back; see [SwitchBack].
func (c *Controller) SwitchBack(ctx context.Context, split string, by By) (Result, error) {
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return SwitchBack(prev, def, by, seed)
	})
}

// Retire notes that a variant is gone, or back; see [Retire].
func (c *Controller) Retire(ctx context.Context, split string, r RetireRequest, by By) (Result, error) {
	note := r.Variant + " is retired already"
	if r.Undo {
		note = r.Variant + " is not retired"
	}
	return c.command(ctx, split, by, note, func(prev *splitter.State, def Definition, seed Seed) (Changed, bool, error) {
		return Retire(prev, def, r, by, seed)
	})
}

// give makes a change that gives users to somebody, and says what stable keeps of them, whether a rollout that began so
// can come to an end by itself, and which members do not have who was given them.
func (c *Controller) give(ctx context.Context, split string, by By, f func(*splitter.State, Definition, Seed) (Changed, error),
) (Result, error) {
	result, err := c.change(ctx, split, by, f)
	if err != nil {
		return result, err
	}
	notes := []string{trickleNote(result.State, c.now()), c.lackNote(ctx, result.State)}
	if result.State.Changed.Kind == KindStarted {
		notes = append(notes, replacedText(result.State))
	}
	if s := c.lookup(split); s != nil {
		notes = append(notes, hopelessNote(result.State, s.Definition().Policy))
	}
	result.Note = strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
	return result, nil
}
