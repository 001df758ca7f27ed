package splitter

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
