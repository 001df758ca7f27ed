package splitter

import (
	"errors"
	"fmt"
)

// validatePlan checks what the State says of a rollout by a plan, of promotions and of a drill. It is no stricter than
// whoever reads these needs it: a newer release may know other endings and keep more promotions, and an older one may have
// carried a plan into a trial that goes by none.
func (s *State) validatePlan() error {
	var errs []error
	if p := s.Progress; p.Step < 0 || p.Approved < 0 {
		errs = append(errs, fmt.Errorf("step %d, approved %d: steps count from 1", p.Step, p.Approved))
	}
	for i, p := range s.Promotions {
		if !ValidName(p.Variant) || !ValidName(p.Before) {
			errs = append(errs, fmt.Errorf("promotion %d of %q in place of %q: %s", i, p.Variant, p.Before, nameRule))
		}
	}
	if s.Left != (Left{}) && !ValidName(s.Left.Variant) {
		errs = append(errs, fmt.Errorf("variant %q that was left: %s", s.Left.Variant, nameRule))
	}
	for i, variant := range s.Retired {
		if !ValidName(variant) {
			errs = append(errs, fmt.Errorf("retired variant %q: %s", variant, nameRule))
		}
		if i > 0 && variant <= s.Retired[i-1] {
			errs = append(errs, fmt.Errorf("retired variant %q after %q: they are sorted, and each is listed once", variant, s.Retired[i-1]))
		}
	}
	return errors.Join(append(errs, s.Drill.validate())...)
}

// validate checks a drill. Its users are never quoted: they are no keys, and yet stand for people.
func (d *Drill) validate() error {
	if d == nil {
		return nil
	}
	var errs []error
	if d.ID == "" {
		errs = append(errs, errors.New("drill has no id: nobody could tell it from another"))
	}
	if !ValidName(d.Variant) {
		errs = append(errs, fmt.Errorf("drill on %q: %s", d.Variant, nameRule))
	}
	for i, user := range d.Users {
		if user == "" || i > 0 && user <= d.Users[i-1] {
			errs = append(errs, fmt.Errorf("user %d of the drill: they are sorted, each is listed once, and none is empty", i))
		}
	}
	return errors.Join(errs...)
}
