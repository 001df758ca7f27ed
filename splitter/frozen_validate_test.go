package splitter_test

import (
	"errors"
	"fmt"
	"regexp"
)

// What the first release refused to read. Frozen, as frozen_test.go says.

const frozenBuckets = 100_000

var frozenName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (s *frozenState) validate() error {
	err := errors.Join(s.validateIdentity(), s.validateVariants(), s.validateKills(), s.validateRanges())
	if err != nil {
		return fmt.Errorf("state of split %q is invalid: %w", s.Split, err)
	}
	return nil
}

func (s *frozenState) validateIdentity() error {
	switch {
	case s.Schema < 1:
		return fmt.Errorf("schema %d: schemas count from 1", s.Schema)
	case !frozenName.MatchString(s.Split):
		return fmt.Errorf("split %q is no name", s.Split)
	case s.Revision == 0 || s.ID == "":
		return fmt.Errorf("version %d %q: revisions count from 1, and each has an id", s.Revision, s.ID)
	case s.Salt == "":
		return errors.New("salt is empty")
	}
	return nil
}

func (s *frozenState) validateVariants() error {
	switch {
	case !frozenName.MatchString(s.Stable):
		return fmt.Errorf("stable %q is no name", s.Stable)
	case s.Canary != "" && !frozenName.MatchString(s.Canary):
		return fmt.Errorf("canary %q is no name", s.Canary)
	case s.Canary == s.Stable:
		return fmt.Errorf("canary %q is stable already", s.Canary)
	}
	for variant := range s.Declared {
		if !frozenName.MatchString(variant) {
			return fmt.Errorf("declared version of %q, which is no name", variant)
		}
	}
	return nil
}

func (s *frozenState) validateKills() error {
	for i, k := range s.Kills {
		if k.ID == "" {
			return fmt.Errorf("kill %d has no id", i)
		}
		if k.Variant != "" && !frozenName.MatchString(k.Variant) {
			return fmt.Errorf("kill %q of %q, which is no name", k.ID, k.Variant)
		}
	}
	return nil
}

func (s *frozenState) validateRanges() error {
	next, previous := uint32(0), ""
	for i, r := range s.Ranges {
		if !frozenName.MatchString(r.Variant) || r.Variant == previous {
			return fmt.Errorf("variant %q of range %d is no name, or not coalesced", r.Variant, i)
		}
		if r.From != next || r.To <= r.From {
			return fmt.Errorf("range %d [%d, %d) does not begin at bucket %d, or is empty", i, r.From, r.To, next)
		}
		next, previous = r.To, r.Variant
	}
	if next != frozenBuckets {
		return fmt.Errorf("ranges end at bucket %d, want %d", next, frozenBuckets)
	}
	return nil
}
