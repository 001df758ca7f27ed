package splitter_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// family is a fleet's changes as they came about, with each State's true ancestors.
type family struct {
	states    []*splitter.State
	ancestors []map[splitter.Version]bool
}

// drawFamily draws histories that begin, go on, jump, fork and are brought together.
func drawFamily(t *rapid.T) *family {
	f := new(family)
	f.add(root(v("s", 1)))
	for i := range rapid.IntRange(1, 120).Draw(t, "changes") {
		id := "c" + strconv.Itoa(i)
		switch prev := f.draw(t); rapid.SampledFrom([]string{"on", "on", "merge", "jump", "root"}).Draw(t, "change") {
		case "root":
			f.add(root(splitter.Version{Revision: rapid.Uint64Range(1, 20).Draw(t, "revision"), ID: id}))
		case "jump":
			by := rapid.Uint64Range(2, 9).Draw(t, "jump")
			f.add(made(splitter.Version{Revision: f.states[prev].Revision + by, ID: id}, f.states[prev]), prev)
		case "merge":
			other := f.draw(t)
			revision := max(f.states[prev].Revision, f.states[other].Revision) + 1
			f.add(made(splitter.Version{Revision: revision, ID: id}, f.states[prev], f.states[other]), prev, other)
		default:
			f.add(made(splitter.Version{Revision: f.states[prev].Revision + 1, ID: id}, f.states[prev]), prev)
		}
	}
	return f
}

// draw picks one of the States, more often a late one.
func (f *family) draw(t *rapid.T) int {
	newest := len(f.states) - 1
	if rapid.Bool().Draw(t, "is newest") {
		return newest
	}
	return rapid.IntRange(max(0, newest-40), newest).Draw(t, "parent")
}

func (f *family) add(s *splitter.State, parents ...int) {
	all := map[splitter.Version]bool{}
	for _, i := range parents {
		maps.Copy(all, f.ancestors[i])
		all[f.states[i].Version] = true
	}
	f.states, f.ancestors = append(f.states, s), append(f.ancestors, all)
}

func TestLineagesAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFamily(t)
		for i, s := range f.states {
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(newest(f.ancestors[i]), s.Lineage, whole); diff != "" {
				t.Fatalf("lineage of %v (-want +got):\n%s", s.Version, diff)
			}
			for _, other := range f.states {
				if err := checkRelation(s, other.Version, f.ancestors[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// newest returns the versions that a State with these ancestors remembers.
func newest(ancestors map[splitter.Version]bool) []splitter.Version {
	all := slices.SortedFunc(maps.Keys(ancestors), func(a, b splitter.Version) int {
		return cmp.Or(-cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(len(all), depth)]
}

// checkRelation holds what a State says of a version against its true ancestors.
func checkRelation(s *splitter.State, of splitter.Version, ancestors map[splitter.Version]bool) error {
	descends, overtook := s.Descends(of), s.Overtook(of)
	isAncestor := of == s.Version || ancestors[of]
	// Further up than it remembers are more than depth others, of its revision or later.
	newer := 0
	for a := range ancestors {
		if a != of && a.Revision >= of.Revision {
			newer++
		}
	}
	switch {
	case descends && !isAncestor:
		return fmt.Errorf("%v is said to descend from %v, and does not", s.Version, of)
	case !descends && isAncestor && newer < depth:
		return fmt.Errorf("%v is not said to descend from %v, with only %d since", s.Version, of, newer)
	case overtook && isAncestor:
		return fmt.Errorf("%v is said to have overtaken its ancestor %v", s.Version, of)
	case overtook && !hasRival(s, of, ancestors):
		return fmt.Errorf("%v is said to have overtaken %v, and has nothing of that revision", s.Version, of)
	case !overtook && !isAncestor && hasRival(s, of, ancestors) && newer < depth:
		return fmt.Errorf("%v is not said to have overtaken %v, with only %d since", s.Version, of, newer)
	}
	return nil
}

// hasRival reports whether the State or an ancestor of it is another change of that revision.
func hasRival(s *splitter.State, of splitter.Version, ancestors map[splitter.Version]bool) bool {
	if s.Revision == of.Revision {
		return s.Version != of
	}
	for a := range ancestors {
		if a.Revision == of.Revision && a != of {
			return true
		}
	}
	return false
}
