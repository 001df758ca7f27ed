package splitter

import (
	"cmp"
	"slices"
)

// maxLineage is how many versions a State remembers that it descends from.
const maxLineage = 32

// Descends reports whether the State is v or is known to have been made from it, in however many steps. True is certain;
// false may mean that v is further back than the lineage reaches.
func (s *State) Descends(v Version) bool {
	isParent := v.ID != "" && v.ID == s.Parent && v.Revision < s.Revision
	return s.Version == v || isParent || slices.Contains(s.Lineage, v)
}

// Overtook reports whether the State is known to come from a history that had another change at v's revision, and none
// in common with v since: it can be told only as far back as the lineage reaches.
func (s *State) Overtook(v Version) bool {
	isRival := func(o Version) bool { return o.Revision == v.Revision }
	return !s.Descends(v) && (isRival(s.Version) || slices.ContainsFunc(s.remembered(), isRival))
}

// Related reports whether two States are known to have an ancestor in common, or one to come from the other.
func Related(a, b *State) bool {
	return slices.ContainsFunc(Heritage(a), b.Descends)
}

// remembered returns the part of the lineage that is complete. Where two histories had a change each at one revision,
// the lineage may have been cut off between them: of the lowest revision in a full one, it does not show all.
func (s *State) remembered() []Version {
	if len(s.Lineage) < maxLineage {
		return s.Lineage
	}
	lowest := s.Lineage[len(s.Lineage)-1].Revision
	cut := slices.IndexFunc(s.Lineage, func(v Version) bool { return v.Revision == lowest })
	return s.Lineage[:cut]
}

// LastPlaced returns the versions that last changed anything but kills, or may have: [State.Placed], unless a release
// wrote the State that does not know the field and carried it along through a change of whatever kind. Then it is the
// State's own version, as it is where the field is missing.
func (s *State) LastPlaced() []Version {
	if len(s.Placed) == 0 || s.isUntraced() {
		return []Version{s.Version}
	}
	return s.Placed
}

// Knows reports whether the State was made in knowledge of all that another one says, but for kills.
func (s *State) Knows(other *State) bool {
	return !slices.ContainsFunc(other.LastPlaced(), func(v Version) bool { return !s.Descends(v) })
}

// Heritage returns the lineage of a State that is made from all of these: their own versions and what they descend from,
// by falling revision, as far as it is remembered.
func Heritage(parents ...*State) []Version {
	var all []Version
	for _, p := range parents {
		all = append(append(all, p.Version), p.Lineage...)
		if p.isUntraced() {
			// A release without lineages counts each change up by one.
			all = append(all, Version{Revision: p.Revision - 1, ID: p.Parent})
		}
	}
	all = Sorted(all)
	return slices.Clip(all[:min(len(all), maxLineage)])
}

// Sorted sorts versions by falling revision, then by id, each once; it uses the slice that it is given.
func Sorted(versions []Version) []Version {
	slices.SortFunc(versions, func(a, b Version) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(versions)
}

// isUntraced reports whether the State was written by a release that does not know lineages: it kept the lineage of
// the State that it changed as it was, so that this State itself, the parent, is missing at its top. The parent is still
// known by its id; of two such changes in a row, what the first was made from is not, and the lineage has a gap there.
func (s *State) isUntraced() bool {
	if s.Parent == "" || s.Revision < 2 {
		return false
	}
	isParent := func(v Version) bool { return v.ID == s.Parent }
	isNext := len(s.Lineage) > 0 && s.Lineage[0].Revision == s.Revision-1
	return !isNext && !slices.ContainsFunc(s.Lineage, isParent)
}
