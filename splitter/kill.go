package splitter

import "time"

// DefaultDrain is how long a drain waits for what is in flight if nobody says otherwise.
const DefaultDrain = 30 * time.Second

// KillOf returns the kill that keeps a variant from being served, be it a kill of the variant or of the whole split;
// of the whole split only, if variant is empty. It returns nil if there is none. Of several, it is the earliest of
// the strictest level, so that its level is the one that counts. It points into s and must not be modified.
func (s *State) KillOf(variant string) *Kill { return killOf(s.Kills, variant) }

func killOf(kills []Kill, variant string) *Kill {
	var found *Kill
	for i := range kills {
		k := &kills[i]
		if k.covers(variant) && (found == nil || k.outranks(found)) {
			found = k
		}
	}
	return found
}

func (k *Kill) covers(variant string) bool { return k.Variant == "" || k.Variant == variant }

func (k *Kill) outranks(other *Kill) bool {
	if k.Level != other.Level {
		return k.Level > other.Level
	}
	return k.At.Before(other.At)
}

// CutOf returns the kill that ends a request in flight on a variant: of those that end any by now, the hardest, which is
// one that ends all at once, or the one with the greatest rate. It returns nil if the request may go on. now is the
// store's clock. The kill points into kills.
func CutOf(kills []Kill, variant string, now time.Time) *Kill {
	var found *Kill
	for i := range kills {
		k := &kills[i]
		if k.covers(variant) && k.Cuts(now) && (found == nil || k.isHarder(found)) {
			found = k
		}
	}
	return found
}

// Cuts reports whether a kill ends requests in flight by now, the store's clock: one of level cut does, a drain from its
// deadline on.
func (k *Kill) Cuts(now time.Time) bool {
	from, ends := k.CutsFrom()
	return ends && !now.Before(from)
}

// CutsFrom returns from when on a kill ends requests in flight, by the store's clock; the zero time means at once. It
// reports false if it never does.
func (k *Kill) CutsFrom() (from time.Time, ends bool) {
	switch {
	case k.Level == KillCut:
		return time.Time{}, true
	case k.Level != KillDrain:
		return time.Time{}, false
	case k.Deadline.IsZero():
		return k.At.Add(DefaultDrain), true
	}
	return k.Deadline, true
}

// isHarder reports whether a kill ends requests faster than another.
func (k *Kill) isHarder(than *Kill) bool {
	return than.Rate != 0 && (k.Rate == 0 || k.Rate > than.Rate)
}
