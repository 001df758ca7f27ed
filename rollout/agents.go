package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Agents asks a split's variants. Whoever routes them implements it; see [Attachment.Agents].
type Agents interface {
	// Dead returns why a variant is dead for sure, tried now; nil if it is alive, or if that is not known.
	Dead(ctx context.Context, variant string) error
	// Check sends a variant the check requests that are configured for it, by its own route, and returns what became of each.
	Check(ctx context.Context, variant string) []Checked
	// Ask sends a check request that is placed as that of the user with a key, and returns the variant that served it.
	Ask(ctx context.Context, key string) (variant string, err error)
	// UserHash returns a user's key as a drill's users are listed in the State.
	UserHash(key string) string
	// Upstreams dials the addresses behind a variant now.
	Upstreams(ctx context.Context, variant string) []Upstream
}

// Checked is one check request to a variant, and what became of it.
type Checked struct {
	Name string
	Err  error // nil: it was answered as it should be
	Took time.Duration
}

// Upstream is one address behind a variant.
type Upstream struct {
	Address string
	Err     error // nil: it can be dialled
}

// agents returns who can ask the variants as the newest configuration in force routes them; nil if nobody can.
func (s *Split) agents() Agents {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.newestInForce(); a != nil {
		return a.Agents
	}
	return nil
}

// check asks a variant whether it works; ErrRefused names each check that failed.
func (s *Split) check(ctx context.Context, variant string) error {
	agents := s.agents()
	if agents == nil {
		return refuse("this instance cannot ask %q whether it works; skip the checks (--skip-checks) to switch all the same", variant)
	}
	var failed []string
	for _, c := range agents.Check(ctx, variant) {
		if c.Err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", c.Name, c.Err))
		}
	}
	if len(failed) > 0 {
		return refuse("%q does not work: %s", variant, strings.Join(failed, "; "))
	}
	return nil
}
