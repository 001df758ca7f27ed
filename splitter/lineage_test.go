package splitter_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// depth is how many versions a State is documented to remember.
const depth = 32

// v is a version whose id is its revision and a letter for the history that it is of: v("a", 3) is 3 "a3".
func v(history string, revision uint64) splitter.Version {
	return splitter.Version{Revision: revision, ID: history + strconv.FormatUint(revision, 10)}
}

// made returns the State that a change makes of prev, and of others that it brings in.
func made(version splitter.Version, prev *splitter.State, others ...*splitter.State) *splitter.State {
	s := prev.Clone()
	s.Version, s.Parent = version, prev.ID
	s.Lineage = splitter.Heritage(append([]*splitter.State{prev}, others...)...)
	return s
}

// root returns a first State.
func root(version splitter.Version) *splitter.State {
	s := trial()
	s.Version = version
	return s
}

// line returns the State at the end of a history that begins at from and has each revision after it.
func line(from *splitter.State, history string, to uint64) *splitter.State {
	for from.Revision < to {
		from = made(v(history, from.Revision+1), from)
	}
	return from
}

// byFirst returns the State that a release without lineages makes of prev: it carries what it does not know.
func byFirst(version splitter.Version, prev *splitter.State) *splitter.State {
	s := prev.Clone()
	s.Version, s.Parent = version, prev.ID
	return s
}

func TestHeritage(t *testing.T) {
	trunk := line(root(v("a", 1)), "a", 2)
	left, right := line(trunk, "b", 4), line(trunk, "c", 3)
	tests := []struct {
		name string
		in   []*splitter.State
		want []splitter.Version
	}{
		{"nothing", nil, nil},
		{"first", []*splitter.State{root(v("a", 1))}, []splitter.Version{v("a", 1)}},
		{"line", []*splitter.State{left}, []splitter.Version{v("b", 4), v("b", 3), v("a", 2), v("a", 1)}},
		{"jump", []*splitter.State{made(v("a", 9), trunk)}, []splitter.Version{v("a", 9), v("a", 2), v("a", 1)}},
		{"two histories", []*splitter.State{right, left},
			[]splitter.Version{v("b", 4), v("b", 3), v("c", 3), v("a", 2), v("a", 1)}},
		{"the other way round", []*splitter.State{left, right},
			[]splitter.Version{v("b", 4), v("b", 3), v("c", 3), v("a", 2), v("a", 1)}},
		{"one of them the other's past", []*splitter.State{left, trunk},
			[]splitter.Version{v("b", 4), v("b", 3), v("a", 2), v("a", 1)}},
		{"a release without lineages before", []*splitter.State{byFirst(v("o", 3), trunk)},
			[]splitter.Version{v("o", 3), v("a", 2), v("a", 1)}},
		{"only such a release before", []*splitter.State{byFirst(v("o", 2), root(v("a", 1)))},
			[]splitter.Version{v("o", 2), v("a", 1)}},
		{"such a release twice", []*splitter.State{byFirst(v("o", 4), byFirst(v("o", 3), trunk))},
			[]splitter.Version{v("o", 4), v("o", 3), v("a", 1)}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, splitter.Heritage(tt.in...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestHeritageIsCutOff(t *testing.T) {
	s := line(root(v("a", 1)), "a", 50)
	got := splitter.Heritage(s)
	if len(got) != depth || got[0] != v("a", 50) || got[depth-1] != v("a", 50-depth+1) {
		t.Errorf("got %d entries, %v, want %d from %v down", len(got), got, depth, v("a", 50))
	}
	// A newer release may remember more.
	for revision := s.Lineage[depth-1].Revision - 1; revision > 0; revision-- {
		s.Lineage = append(s.Lineage, v("a", revision))
	}
	if again := splitter.Heritage(s); !cmp.Equal(again, got) {
		t.Errorf("from a longer lineage: got %v, want %v", again, got)
	}
}

// The parents belong to others, who may be reading them.
func TestHeritageLeavesItsParentsAlone(t *testing.T) {
	parent := line(root(v("a", 1)), "a", 5)
	want := parent.Clone()
	for range 2 {
		got := splitter.Heritage(parent)
		clear(append(got, v("x", 1)))
	}
	if diff := cmp.Diff(want, parent, whole); diff != "" {
		t.Errorf("parent (-want +got):\n%s", diff)
	}
}

func TestDescendsAndOvertook(t *testing.T) {
	trunk := line(root(v("a", 1)), "a", 2)
	left, right := line(trunk, "b", 4), line(trunk, "c", 4)
	both := made(v("m", 5), left, right)
	first := byFirst(v("o", 3), trunk)
	aged := line(root(v("a", 1)), "a", 50)
	tests := []struct {
		name               string
		in                 *splitter.State
		of                 splitter.Version
		descends, overtook bool
	}{
		{"itself", left, v("b", 4), true, false},
		{"parent", left, v("b", 3), true, false},
		{"root", left, v("a", 1), true, false},
		{"rival of the same revision", left, v("c", 4), false, true},
		{"rival's past", left, v("c", 3), false, true},
		{"rival's root", left, v("z", 1), false, true},
		{"later", left, v("b", 5), false, false},
		{"no State", left, splitter.Version{}, false, false},
		{"one of two histories", both, v("b", 3), true, false},
		{"the other", both, v("c", 4), true, false},
		{"neither", both, v("d", 4), false, true},
		{"skipped by a jump", made(v("a", 9), trunk), v("z", 5), false, false},
		{"before a jump", made(v("a", 9), trunk), v("a", 2), true, false},
		{"too far back", aged, v("a", 3), false, false},
		{"rival too far back", aged, v("z", 3), false, false},
		{"as far back as can be", aged, v("a", 50-depth), true, false},
		{"parent by a release without lineages", first, v("a", 2), true, false},
		{"rival of that parent", first, v("z", 2), false, false},
		{"rival of the release without lineages", first, v("z", 3), false, true},
		{"a State of its parent's id, and of no parent's revision", first, splitter.Version{Revision: 7, ID: "a2"}, false, false},
		{"first State, whose parent's id is empty", root(v("a", 2)), splitter.Version{Revision: 1}, false, false},
	}
	for _, tt := range tests {
		if got := tt.in.Descends(tt.of); got != tt.descends {
			t.Errorf("%s: %v descends from %v: got %v, want %v", tt.name, tt.in.Version, tt.of, got, tt.descends)
		}
		if got := tt.in.Overtook(tt.of); got != tt.overtook {
			t.Errorf("%s: %v overtook %v: got %v, want %v", tt.name, tt.in.Version, tt.of, got, tt.overtook)
		}
	}
}

// Two histories that both wrote a revision, and a lineage that is cut off between the two: what is cut off is still an
// ancestor, and was not overtaken.
func TestCutOffBetweenTwoHistories(t *testing.T) {
	trunk := root(v("a", 1))
	both := made(v("m", 3), line(trunk, "b", 2), line(trunk, "c", 2))
	s := line(both, "m", 2+depth)
	if last := s.Lineage[depth-1]; len(s.Lineage) != depth || last != v("b", 2) {
		t.Fatalf("got a lineage of %d that ends with %v, want %d and %v", len(s.Lineage), last, depth, v("b", 2))
	}
	if s.Overtook(v("c", 2)) {
		t.Errorf("%v overtook its ancestor %v", s.Version, v("c", 2))
	}
	if !s.Overtook(v("z", 3)) {
		t.Errorf("%v did not overtake %v", s.Version, v("z", 3))
	}
}

func vs(versions ...splitter.Version) []splitter.Version { return versions }

func TestKnows(t *testing.T) {
	past := line(root(v("a", 1)), "a", 3)
	past.Placed = vs(v("a", 2))
	killed, placed := made(v("k", 4), past), made(v("p", 4), past)
	killed.Placed, placed.Placed = past.Placed, vs(placed.Version)
	rival := made(v("r", 4), past)
	rival.Placed = vs(rival.Version)
	both := made(v("b", 5), placed, rival)
	both.Placed = vs(placed.Version, rival.Version)
	tests := []struct {
		name     string
		s, other *splitter.State
		want     bool
	}{
		{"itself", past, past, true},
		{"what it comes from", placed, past, true},
		{"what has only killed since", placed, killed, true},
		{"what has placed since", killed, placed, false},
		{"a rival", placed, rival, false},
		{"one side of two brought together", both, rival, true},
		{"both sides, in another merge of them", made(v("c", 5), rival, placed), both, true},
		{"both sides, by one of them", rival, both, false},
	}
	for _, tt := range tests {
		if got := tt.s.Knows(tt.other); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestLastPlaced(t *testing.T) {
	placed := line(root(v("a", 1)), "a", 3)
	placed.Placed = vs(v("a", 2))
	merged := made(v("m", 60), line(root(v("b", 1)), "b", 5), line(root(v("a", 1)), "a", 59))
	merged.Placed = vs(v("b", 3), v("a", 58))
	tests := []struct {
		name string
		in   *splitter.State
		want []splitter.Version
	}{
		{"known", placed, vs(v("a", 2))},
		{"still known after a kill", made(v("a", 4), placed), vs(v("a", 2))},
		{"field missing", line(root(v("a", 1)), "a", 3), vs(v("a", 3))},
		{"field missing in a first State", root(v("a", 1)), vs(v("a", 1))},
		{"carried along", byFirst(v("o", 4), placed), vs(v("o", 4))},
		{"carried along twice", byFirst(v("o", 5), byFirst(v("o", 4), placed)), vs(v("o", 5))},
		{"the parent is an old one of two", merged, vs(v("b", 3), v("a", 58))},
	}
	for _, tt := range tests {
		if got := tt.in.LastPlaced(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// In a fleet of two releases, no change that may have placed anybody is passed over, and no descent is made up.
func TestTwoReleasesInTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := root(v("a", 1))
		s.Placed = vs(s.Version)
		past, placed, isSure := []splitter.Version{s.Version}, s.Version, true
		for range rapid.IntRange(1, 2*depth).Draw(t, "changes") {
			isFirst, isKill := rapid.Bool().Draw(t, "first release"), rapid.Bool().Draw(t, "kill")
			prev := s
			if s = byFirst(v("o", prev.Revision+1), prev); !isFirst {
				s = made(v("a", prev.Revision+1), prev)
				s.Placed = prev.LastPlaced()
			}
			switch {
			case !isKill:
				placed, isSure = s.Version, true
				if !isFirst {
					s.Placed = vs(s.Version)
				}
			case isFirst:
				isSure = false
			}
			if got := s.LastPlaced()[0]; got.Revision < placed.Revision || isSure && got != placed {
				t.Fatalf("%v was last placed by: got %v, want %v (sure: %v)", s.Version, got, placed, isSure)
			}
			if !s.Descends(prev.Version) {
				t.Fatalf("%v is not said to descend from its parent %v", s.Version, prev.Version)
			}
			past = append(past, s.Version)
			for _, of := range s.Lineage {
				if !slices.Contains(past, of) {
					t.Fatalf("%v is said to descend from %v, which never was", s.Version, of)
				}
			}
		}
	})
}
