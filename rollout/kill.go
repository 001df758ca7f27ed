package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// revivedKept is how long a lifted kill's id is remembered: a kill queued on some disk for longer is not replayed.
const revivedKept = 90 * 24 * time.Hour

const (
	// MaxDrain is the longest that a drain may wait. Whoever wants to wait for longer kills at level requests.
	MaxDrain = 24 * time.Hour
	// MaxRate is the greatest rate; beyond it a rate spreads nothing.
	MaxRate splitter.Rate = 1_000_000
)

// NewKill checks a wish to kill against the State and returns the kill. A kill of stable would leave its users to
// nobody: it is refused, or with All kills the whole split.
func NewKill(s *splitter.State, def Definition, r KillRequest, by By, seed Seed) (splitter.Kill, error) {
	k := splitter.Kill{ID: seed.ID, Variant: r.Variant, Level: r.Level, Reason: by.Reason,
		Actor: by.Actor, Via: by.Via, At: seed.Now, Rate: r.Rate}
	if r.Level == splitter.KillDrain {
		k.Deadline = seed.Now.Add(cmp.Or(r.Deadline, splitter.DefaultDrain))
	}
	if err := r.checkEnding(); err != nil {
		return k, err
	}
	stable := def.Stable
	if s != nil {
		stable = s.Stable
	}
	switch {
	case r.Variant == "":
	case r.Variant == stable && r.All:
		k.Variant = ""
	case r.Variant == stable:
		return k, refuse("%q is stable, killing it leaves nobody to serve; to kill the whole split, say so "+
			"(--all, or \"all\": true)", r.Variant)
	case s == nil && !def.has(r.Variant):
		return k, unknownVariant(def, def.Name, r.Variant)
	case s != nil:
		if err := knows(s, def, r.Variant); err != nil {
			return k, err
		}
	}
	return k, checkKill(k)
}

// checkEnding says what is wrong with how a kill is to end what is in flight.
func (r KillRequest) checkEnding() error {
	switch {
	case r.Deadline != 0 && r.Level != splitter.KillDrain:
		return fmt.Errorf("%w: deadline %s with level %s: only a drain waits for one (level drain)", ErrInvalid, r.Deadline, r.Level)
	case r.Deadline < 0 || r.Deadline > MaxDrain:
		return fmt.Errorf("%w: deadline %s: must be longer than 0s, and %s at most", ErrInvalid, r.Deadline, MaxDrain)
	case r.Rate != 0 && r.Level == splitter.KillRequests:
		return fmt.Errorf("%w: rate %s with level %s: it ends nothing that is in flight; levels drain and cut do", ErrInvalid, r.Rate,
			r.Level)
	case r.Rate > MaxRate:
		return fmt.Errorf("%w: rate %s: must be %s at most", ErrInvalid, r.Rate, MaxRate)
	}
	return nil
}

// checkKill says what is wrong with a kill that was asked for, announced or read from disk. One that no State can hold
// would wait for the store forever.
func checkKill(k splitter.Kill) error {
	if k.ID == "" {
		return fmt.Errorf("%w: a kill without an id could never be lifted", ErrInvalid)
	}
	if k.Variant != "" && !splitter.ValidName(k.Variant) {
		return fmt.Errorf("%w: kill %q is of %q, which is no variant's name", ErrInvalid, k.ID, k.Variant)
	}
	if _, err := k.Level.MarshalText(); err != nil {
		return fmt.Errorf("%w: kill %q: %w", ErrInvalid, k.ID, err)
	}
	return nil
}

// Kill writes a kill into the State. It returns false, and no change, if the State has it already or lists it as
// lifted. The change's id is the seed's, not the kill's: a kill may need several tries.
func Kill(prev *splitter.State, k splitter.Kill, seed Seed) (Changed, bool, error) {
	if hasKill(prev.Kills, k.ID) || isRevived(prev, k.ID) {
		return Changed{}, false, nil
	}
	n := next(prev, KindKill, By{Actor: k.Actor, Via: k.Via, Reason: k.Reason}, seed)
	n.Kills = append(n.Kills, k)
	c, err := tell(prev, n)
	c.Event.Kills = []splitter.Kill{k}
	return c, true, err
}

// Revive lifts kills: those named by id, those of one variant, or all. ErrRefused is returned if there is none.
func Revive(prev *splitter.State, r ReviveRequest, by By, seed Seed) (Changed, error) {
	n := next(prev, KindRevive, by, seed)
	var lifted []splitter.Kill
	n.Kills = slices.DeleteFunc(n.Kills, func(k splitter.Kill) bool {
		if !r.names(k) {
			return false
		}
		lifted = append(lifted, k)
		return true
	})
	if len(lifted) == 0 {
		return Changed{}, refuse("no kill of %q is on that this would lift; %s", prev.Split, killsOn(prev))
	}
	n.Revived = slices.DeleteFunc(n.Revived, func(v splitter.Revival) bool { return seed.Now.Sub(v.At) > revivedKept })
	for _, k := range lifted {
		n.Revived = append(n.Revived, splitter.Revival{ID: k.ID, At: seed.Now})
	}
	c, err := tell(prev, n)
	c.Event.Kills = lifted
	return c, err
}

// killsOn lists the kills that are on, for people.
func killsOn(s *splitter.State) string {
	if len(s.Kills) == 0 {
		return "none is on"
	}
	var texts []string
	for _, k := range s.Kills {
		texts = append(texts, killText(k))
	}
	return "on are " + strings.Join(texts, ", ")
}

// killText names a kill for people.
func killText(k splitter.Kill) string {
	return fmt.Sprintf("%s (of %s)", k.ID, cmp.Or(k.Variant, "the split"))
}

// names reports whether the request means k.
func (r ReviveRequest) names(k splitter.Kill) bool {
	if len(r.IDs) > 0 {
		return slices.Contains(r.IDs, k.ID)
	}
	return r.Variant == "" || r.Variant == k.Variant
}

func hasKill(kills []splitter.Kill, id string) bool {
	return slices.ContainsFunc(kills, func(k splitter.Kill) bool { return k.ID == id })
}

func isRevived(s *splitter.State, id string) bool {
	return slices.ContainsFunc(s.Revived, func(v splitter.Revival) bool { return v.ID == id })
}
