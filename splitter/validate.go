package splitter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxName is the greatest length of a name in bytes.
const maxName = 63

// nameRule is the end of every message about a bad name.
const nameRule = "names are 1 to 63 of a-z, 0-9, _ and -, and begin with a letter or a digit"

// versionRule is the end of every message about a version that is none.
const versionRule = "revisions count from 1, and each has an id"

// ValidName reports whether s can name a fleet, a split or a variant: it matches [a-z0-9][a-z0-9_-]{0,62}.
func ValidName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		isAlphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !isAlphanumeric && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// Validate reports everything that is wrong with a State: what it lacks, names that are no names, a history that cannot
// have been, and ranges that do not give each bucket to exactly one variant. A tombstone has to be whole too.
func (s *State) Validate() error {
	err := errors.Join(
		s.validateIdentity(),
		s.validateHistory(),
		s.validateVariants(),
		s.validateKills(),
		validateRanges(s.Ranges),
		validateMoves(s.Moved),
		s.validatePlan(),
		s.Trickle.validate(),
		s.Probe.validate(),
	)
	if err != nil {
		return fmt.Errorf("state of split %q is invalid: %w", s.Split, err)
	}
	return nil
}

func (s *State) validateIdentity() error {
	var errs []error
	if s.Schema < 1 {
		errs = append(errs, fmt.Errorf("schema %d: schemas count from 1", s.Schema))
	}
	if !ValidName(s.Split) {
		errs = append(errs, fmt.Errorf("split %q: %s", s.Split, nameRule))
	}
	if !s.Version.isWhole() {
		errs = append(errs, fmt.Errorf("version %d %q: %s", s.Revision, s.ID, versionRule))
	}
	if s.Salt == "" {
		errs = append(errs, errors.New("salt is empty: the same keys would come first in every split"))
	}
	return errors.Join(errs...)
}

// validateHistory checks what the State says of its past. A lineage may be longer than this release would write it.
func (s *State) validateHistory() error {
	return errors.Join(s.validateLineage(), s.validatePlaced())
}

func (s *State) validateLineage() error {
	for i, v := range s.Lineage {
		switch {
		case !v.isWhole():
			return fmt.Errorf("version %d %q of lineage entry %d: %s", v.Revision, v.ID, i, versionRule)
		case v.Revision >= s.Revision:
			return fmt.Errorf("version %d %q of lineage entry %d: a State descends from lower revisions than its own, %d",
				v.Revision, v.ID, i, s.Revision)
		case i > 0 && v.Revision > s.Lineage[i-1].Revision:
			return fmt.Errorf("version %d %q of lineage entry %d: it follows revision %d, and a lineage falls",
				v.Revision, v.ID, i, s.Lineage[i-1].Revision)
		}
	}
	return nil
}

func (s *State) validatePlaced() error {
	for _, v := range s.Placed {
		switch {
		case !v.isWhole():
			return fmt.Errorf("placed by version %d %q: %s", v.Revision, v.ID, versionRule)
		case v != s.Version && v.Revision >= s.Revision:
			return fmt.Errorf("placed by version %d %q: it is neither this one, %d %q, nor before it",
				v.Revision, v.ID, s.Revision, s.ID)
		}
	}
	return nil
}

// isWhole reports whether v can name a State.
func (v Version) isWhole() bool { return v.Revision > 0 && v.ID != "" }

func (s *State) validateVariants() error {
	var errs []error
	if !ValidName(s.Stable) {
		errs = append(errs, fmt.Errorf("stable %q: %s", s.Stable, nameRule))
	}
	if s.Canary != "" && !ValidName(s.Canary) {
		errs = append(errs, fmt.Errorf("canary %q: %s", s.Canary, nameRule))
	}
	if s.Canary != "" && s.Canary == s.Stable {
		errs = append(errs, fmt.Errorf("canary %q: it is stable already, and cannot be both", s.Canary))
	}
	for _, variant := range slices.Sorted(maps.Keys(s.Declared)) {
		if !ValidName(variant) {
			errs = append(errs, fmt.Errorf("declared version of %q: %s", variant, nameRule))
		}
	}
	for _, variant := range slices.Sorted(maps.Keys(s.Superseded)) {
		if !ValidName(variant) {
			errs = append(errs, fmt.Errorf("superseded versions of %q: %s", variant, nameRule))
		}
	}
	if int(s.Progress.Phase) >= len(phaseTexts) {
		errs = append(errs, fmt.Errorf("%v: there is no such phase", s.Progress.Phase))
	}
	return errors.Join(errs...)
}

func (s *State) validateKills() error {
	var errs []error
	for i, k := range s.Kills {
		if k.ID == "" {
			errs = append(errs, fmt.Errorf("kill %d has no id: it could never be lifted", i))
		}
		if k.Variant != "" && !ValidName(k.Variant) {
			errs = append(errs, fmt.Errorf("kill %q of %q: %s", k.ID, k.Variant, nameRule))
		}
		if int(k.Level) >= len(levelTexts) {
			errs = append(errs, fmt.Errorf("kill %q: there is no %v", k.ID, k.Level))
		}
	}
	return errors.Join(errs...)
}

// validateRanges checks that ranges are sorted, coalesced, and cover all buckets without a gap.
func validateRanges(ranges []Range) error {
	next, previous := uint32(0), ""
	for i, r := range ranges {
		switch {
		case !ValidName(r.Variant):
			return fmt.Errorf("variant %q of range %d: %s", r.Variant, i, nameRule)
		case r.From != next:
			return fmt.Errorf("range %d begins at bucket %d, want %d: ranges leave no gap and do not overlap", i, r.From, next)
		case r.To <= r.From:
			return fmt.Errorf("range %d [%d, %d) is empty: a range holds one bucket at least", i, r.From, r.To)
		case r.Variant == previous:
			return fmt.Errorf("ranges %d and %d are both of %q: neighbours of one variant are one range", i-1, i, r.Variant)
		}
		next, previous = r.To, r.Variant
	}
	if next != Buckets {
		return fmt.Errorf("ranges end at bucket %d, want %d", next, Buckets)
	}
	return nil
}

// validateMoves checks that moves are of buckets that there are, and from variants that can be.
func validateMoves(moves []Move) error {
	for i, m := range moves {
		switch {
		case !ValidName(m.Variant):
			return fmt.Errorf("variant %q of move %d: %s", m.Variant, i, nameRule)
		case m.To <= m.From || m.To > Buckets:
			return fmt.Errorf("move %d of [%d, %d): buckets count from 0 to %d, and a move has one at least", i, m.From, m.To,
				Buckets-1)
		}
	}
	return nil
}
