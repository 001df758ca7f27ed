package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// confirmFirst and confirmLast bound the pause between two looks at who has applied a change.
	confirmFirst = 5 * time.Millisecond
	confirmLast  = 50 * time.Millisecond
	// silentFor is how long a member that fell silent is waited for: it may still serve.
	silentFor = 10 * time.Minute
	// restartedAfter is when a silent member counts as replaced by a newer run under the same name.
	restartedAfter = 5 * time.Second
)

// Instances lists the fleet, with the store's clock to judge Seen by.
func (c *Controller) Instances(ctx context.Context) ([]store.Member, time.Time, error) {
	p, err := c.beat(ctx, c.all())
	if err != nil {
		return nil, time.Time{}, unanswered(err)
	}
	return p.Members, p.Now, nil
}

// Confirm waits until every member that runs the split has applied v or a later State, or ctx ends; then it says who
// has not. Members silent for up to ten minutes count: they may still serve.
func (c *Controller) Confirm(ctx context.Context, split string, v splitter.Version) (Confirmation, error) {
	start := time.Now()
	conf := Confirmation{Version: v}
	if _, err := c.find(split); err != nil {
		return conf, err
	}
	var last error
	answered := false
	for pause := confirmFirst; ; pause = min(2*pause, confirmLast) {
		p, err := c.beat(ctx, c.all())
		if err == nil {
			answered = true
			conf.Applied, conf.Missing = whoApplied(p, split, v)
			if len(conf.Missing) == 0 {
				conf.Took = time.Since(start)
				return conf, nil
			}
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			conf.Took = time.Since(start)
			if !answered {
				return conf, unanswered(cmp.Or(last, err))
			}
			return conf, nil
		case <-time.After(pause):
		}
	}
}

// whoApplied sorts the members that run the split into those that have applied v and those that have not.
func whoApplied(p store.Pulse, split string, v splitter.Version) (applied, missing []string) {
	for _, m := range p.Members {
		has, runs := m.Applied[split]
		if !runs || p.Now.Sub(m.Seen) > silentFor || isReplaced(p, m) {
			continue
		}
		if has == v || has.Revision > v.Revision {
			applied = append(applied, m.Name)
		} else {
			missing = append(missing, m.Name)
		}
	}
	return applied, missing
}

// isReplaced reports whether a silent member has a living namesake that started after it: the same proxy, restarted
// without a goodbye.
func isReplaced(p store.Pulse, m store.Member) bool {
	if p.Now.Sub(m.Seen) < restartedAfter {
		return false
	}
	return slices.ContainsFunc(p.Members, func(o store.Member) bool {
		return o.Name == m.Name && o.Boot != m.Boot && o.Started.After(m.Started) && p.Now.Sub(o.Seen) < restartedAfter
	})
}
