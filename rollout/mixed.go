package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// filesTold is how long members may take to tell of a file that they have loaded.
const filesTold = 2 * time.Second

// otherVersion says of a living member that its file declares another version of stable or the canary than the State; empty
// if it does not, or one of them declares none.
func otherVersion(p store.Pulse, m store.Member, state *splitter.State) string {
	if _, runs := m.Applied[state.Split]; !runs || !isAlive(p, m) {
		return ""
	}
	for _, variant := range []string{state.Canary, state.Stable} {
		file, declared := m.Files[state.Split].Declared[variant], state.Declared[variant]
		if variant != "" && file != "" && declared != "" && file != declared {
			return fmt.Sprintf("%s declares version %q of %s and not %q", m.Name, file, variant, declared)
		}
	}
	return ""
}

// mixed says that of each of a fleet, a sentence each.
func mixed(p store.Pulse, state *splitter.State) (list []string) {
	for _, m := range p.Members {
		if text := otherVersion(p, m, state); text != "" {
			list = append(list, text)
		}
	}
	return named(list)
}

// othersMixed is mixed of the other members, as they were last listed.
func (c *Controller) othersMixed(state *splitter.State) []string {
	p := rollOf(c.called.Load())
	p.Members = slices.DeleteFunc(slices.Clone(p.Members), func(m store.Member) bool { return m.MemberID == c.id })
	return mixed(p, state)
}

// mixedNow is mixed once the members have had time to tell of files that were loaded just now.
func (c *Controller) mixedNow(ctx context.Context, s *Split) ([]string, error) {
	deadline := time.Now().Add(filesTold)
	for {
		p, err := c.roll(ctx)
		if err != nil {
			return nil, unavailable(err)
		}
		state := s.storedState()
		if state == nil {
			return nil, nil // whoever asks goes on to find that out
		}
		list := mixed(p, state)
		if len(list) == 0 || !time.Now().Before(deadline) {
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-time.After(filesTold / 8):
		}
	}
}

// notMixed refuses what gives the canary more while another member would serve another version of it or of stable.
func (c *Controller) notMixed(ctx context.Context, s *Split, instead string) error {
	switch list, err := c.mixedNow(ctx, s); {
	case err != nil:
		return err
	case len(list) > 0:
		return refuse("%s: load one file everywhere, or use %s", strings.Join(list, "; "), instead)
	}
	return nil
}
