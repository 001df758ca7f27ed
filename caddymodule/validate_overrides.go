package caddymodule

import "strings"

func (h *Handler) validateOverrides(g stage) error {
	placed := map[string]string{} // user → variant
	for i, o := range h.Overrides {
		path := item("overrides", i)
		if h.variant(o.Variant) == nil {
			return h.unknownVariant(path+".variant", "override", o.Variant)
		}
		if (len(o.Users) == 0) == (len(o.MatcherSetsRaw) == 0) {
			return wrong(path, "override of %q must have either users or match", o.Variant)
		}
		if len(o.Users) > 0 && !h.hasTrustedKey() {
			return wrong(path+".users", "override of %q lists users, but no key of split %q is trusted: clients could "+
				"place themselves; declare a key that they cannot set as trusted, or use match", o.Variant, h.Name)
		}
		if err := o.validateUsers(g, placed); err != nil {
			return within(path, err)
		}
	}
	return nil
}

// validateUsers checks the users and adds them to placed, where a user can be only once.
func (o *Override) validateUsers(g stage, placed map[string]string) error {
	for i, user := range o.Users {
		if g.unknown(user) {
			continue
		}
		if user == "" || len(user) > maxKey || strings.ContainsFunc(user, isControl) {
			return wrong(item("users", i), "user %.80q of the override of %q must have 1 to %d bytes on one line",
				user, o.Variant, maxKey)
		}
		if other, twice := placed[user]; twice {
			return wrong(item("users", i), "user %q is listed twice, for %q and %q", user, other, o.Variant)
		}
		placed[user] = o.Variant
	}
	return nil
}
