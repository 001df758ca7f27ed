package splitter_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestValidName(t *testing.T) {
	rule := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	check := func(t interface{ Errorf(string, ...any) }, name string) {
		if got, want := splitter.ValidName(name), rule.MatchString(name); got != want {
			t.Errorf("ValidName(%q): got %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{
		"", "a", "0", "blue-2_x", "-a", "_a", "Blue", "a.b", "a b", "ä", "a\n",
		strings.Repeat("a", 63), strings.Repeat("a", 64),
	} {
		check(t, name)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.StringMatching(`[a-cA-C0-2_.-]{0,4}`).Draw(t, "name")) })
}

// ninth returns a State of revision 9 with a kill and some history.
func ninth() *splitter.State {
	s := trial(kill("k", "", splitter.KillCut, 0))
	s.Version = splitter.Version{Revision: 9, ID: "c9"}
	s.Parent = "c8"
	s.Lineage = []splitter.Version{{Revision: 8, ID: "c8"}, {Revision: 7, ID: "c7"}, {Revision: 5, ID: "c5"}}
	s.Placed = []splitter.Version{{Revision: 7, ID: "c7"}}
	return s
}

// drill returns what lets a State have a drill of some users.
func drill(users ...string) func(*splitter.State) {
	return func(s *splitter.State) { s.Drill = &splitter.Drill{ID: "d", Variant: "green", Users: users} }
}

func TestValidateAccepts(t *testing.T) {
	tests := []struct {
		name string
		in   func(*splitter.State)
	}{
		{"all set", func(*splitter.State) {}},
		{"tombstone", func(s *splitter.State) { s.Forgotten = s.Kills[0].At }},
		{"written by a release without lineages", func(s *splitter.State) { s.Lineage, s.Placed = nil, nil }},
		{"placed by itself", func(s *splitter.State) { s.Placed = []splitter.Version{s.Version} }},
		{"two histories", func(s *splitter.State) { s.Lineage[1].Revision = s.Lineage[0].Revision }},
		{"a plan that an older release carried along", func(s *splitter.State) { s.Plan = []byte(`{}`) }},
		{"an ending of a newer release", func(s *splitter.State) { s.Progress.Ended = "rested" }},
		{"more promotions than this release keeps", func(s *splitter.State) {
			s.Promotions = slices.Repeat([]splitter.Promotion{{Variant: "blue", Before: "grey"}}, 11)
		}},
		{"a drill", drill("1", "2")},
		{"longer than this release writes", func(s *splitter.State) {
			for range 100 {
				s.Lineage = append(s.Lineage, splitter.Version{Revision: 5, ID: strconv.Itoa(len(s.Lineage))})
			}
		}},
	}
	for _, tt := range tests {
		s := ninth()
		tt.in(s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: got error %v, want none", tt.name, err)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*splitter.State)
		want  string
	}{
		{"schema", func(s *splitter.State) { s.Schema = 0 }, "schema 0"},
		{"split", func(s *splitter.State) { s.Split = "No" }, `split "No": names are`},
		{"revision", func(s *splitter.State) { s.Revision = 0 }, "revisions count from 1"},
		{"change id", func(s *splitter.State) { s.ID = "" }, "each has an id"},
		{"descends from nothing", func(s *splitter.State) { s.Lineage[1] = splitter.Version{} },
			`version 0 "" of lineage entry 1: revisions count from 1`},
		{"descends from no revision", func(s *splitter.State) { s.Lineage[0].Revision = 0 }, `version 0 "c8" of lineage entry 0`},
		{"descends from no change", func(s *splitter.State) { s.Lineage[2].ID = "" }, `version 5 "" of lineage entry 2`},
		{"descends from itself", func(s *splitter.State) { s.Lineage[0] = s.Version },
			`version 9 "c9" of lineage entry 0: a State descends from lower revisions than its own, 9`},
		{"descends from a later one", func(s *splitter.State) { s.Lineage[0].Revision = 10 }, `version 10 "c8" of lineage entry 0`},
		{"lineage rises", func(s *splitter.State) { s.Lineage[2].Revision = 8 },
			`version 8 "c5" of lineage entry 2: it follows revision 7, and a lineage falls`},
		{"placed by no revision", func(s *splitter.State) { s.Placed[0].Revision = 0 }, `placed by version 0 "c7": revisions count`},
		{"placed by no change", func(s *splitter.State) { s.Placed[0].ID = "" }, `placed by version 7 "": revisions count from 1`},
		{"placed by a rival", func(s *splitter.State) { s.Placed[0].Revision = 9 },
			`placed by version 9 "c7": it is neither this one, 9 "c9", nor before it`},
		{"placed later", func(s *splitter.State) { s.Placed[0].Revision = 10 }, `placed by version 10 "c7"`},
		{"salt", func(s *splitter.State) { s.Salt = "" }, "salt is empty"},
		{"no stable", func(s *splitter.State) { s.Stable = "" }, `stable ""`},
		{"bad canary", func(s *splitter.State) { s.Canary = "green!" }, `canary "green!"`},
		{"canary is stable", func(s *splitter.State) { s.Canary = "blue" }, "it is stable already"},
		{"superseded", func(s *splitter.State) { s.Superseded = map[string][]string{"B": {"1"}} }, `superseded versions of "B"`},
		{"declared", func(s *splitter.State) { s.Declared = map[string]string{"B": "1"} }, `declared version of "B"`},
		{"phase", func(s *splitter.State) { s.Progress.Phase = 9 }, "Phase(9)"},
		{"kill without id", func(s *splitter.State) { s.Kills[0].ID = "" }, "kill 0 has no id"},
		{"kill of a bad name", func(s *splitter.State) { s.Kills[0].Variant = "*" }, `kill "k" of "*"`},
		{"kill level", func(s *splitter.State) { s.Kills[0].Level = 9 }, "KillLevel(9)"},
		{"no ranges", func(s *splitter.State) { s.Ranges = nil }, "ranges end at bucket 0, want 100000"},
		{"begins late", func(s *splitter.State) { s.Ranges[0].From = 1 }, "range 0 begins at bucket 1, want 0"},
		{"gap", func(s *splitter.State) { s.Ranges[1].From++ }, "range 1 begins at bucket 1001, want 1000"},
		{"overlap", func(s *splitter.State) { s.Ranges[1].From-- }, "range 1 begins at bucket 999, want 1000"},
		{"empty range", func(s *splitter.State) { s.Ranges[0].To = 0 }, "range 0 [0, 0) is empty"},
		{"too long", func(s *splitter.State) { s.Ranges[3].To++ }, "ranges end at bucket 100001, want 100000"},
		{"nobody's range", func(s *splitter.State) { s.Ranges[2].Variant = "" }, `variant "" of range 2`},
		{"not coalesced", func(s *splitter.State) { s.Ranges[2].Variant = "blue" }, `ranges 1 and 2 are both of "blue"`},
		{"move from nobody", func(s *splitter.State) { s.Moved = []splitter.Move{move(0, 1, "B", 0)} }, `variant "B" of move 0`},
		{"empty move", func(s *splitter.State) { s.Moved = []splitter.Move{move(1, 1, "b", 0)} }, "move 0 of [1, 1): buckets"},
		{"no trickle", func(s *splitter.State) { s.Trickle = &splitter.Trickle{Then: 1} }, "trickle of 0%, then 0.001%: both must be above 0%"},
		{"trickle of most", func(s *splitter.State) { s.Trickle = &splitter.Trickle{Keeps: 50_001, Then: 1} }, "trickle of 50.001%, then"},
		{"trickle dries up", func(s *splitter.State) { s.Trickle = &splitter.Trickle{Keeps: 1} }, "trickle of 0.001%, then 0%: both"},
		{"trickle rises", func(s *splitter.State) { s.Trickle = &splitter.Trickle{Keeps: 1, Then: 2} },
			"trickle of 0.001%, then 0.002%: the second must not be greater than the first"},
		{"step before the first", func(s *splitter.State) { s.Progress.Step = -1 }, "step -1, approved 0: steps count from 1"},
		{"approval of none", func(s *splitter.State) { s.Progress.Approved = -2 }, "step 0, approved -2: steps count from 1"},
		{"promotion of nobody", func(s *splitter.State) { s.Promotions = []splitter.Promotion{{Before: "blue"}} },
			`promotion 0 of "" in place of "blue": names are`},
		{"promotion in place of nobody", func(s *splitter.State) { s.Promotions = []splitter.Promotion{{Variant: "blue"}} },
			`promotion 0 of "blue" in place of "": names are`},
		{"nobody was left", func(s *splitter.State) { s.Left.Kind = "aborted" }, `variant "" that was left: names are`},
		{"retired without a name", func(s *splitter.State) { s.Retired = []string{"B"} }, `retired variant "B": names are`},
		{"retired in disorder", func(s *splitter.State) { s.Retired = []string{"red", "grey"} }, `retired variant "grey" after "red": they`},
		{"retired twice", func(s *splitter.State) { s.Retired = []string{"red", "red"} }, `retired variant "red" after "red": they`},
		{"drill without id", func(s *splitter.State) { s.Drill = &splitter.Drill{Variant: "green"} }, "drill has no id"},
		{"drill on nobody", func(s *splitter.State) { s.Drill = &splitter.Drill{ID: "d"} }, `drill on "": names are`},
		{"drill of nobody", drill(""), "user 0 of the drill: they are sorted"},
		{"drill in disorder", drill("2", "1"), "user 1 of the drill: they are sorted"},
		{"drill of one twice", drill("2", "2"), "user 1 of the drill: they are sorted"},
		{"nothing lent", func(s *splitter.State) { s.Probe = &splitter.Probe{Holds: 5} }, "probe of [], stable holds 0.005%: it lends a bucket"},
		{"nothing held", func(s *splitter.State) { s.Probe = &splitter.Probe{Lent: spans(0, 5)} }, "probe of [{0 5}], stable holds 0%"},
		{"empty span", func(s *splitter.State) { s.Probe = &splitter.Probe{Lent: spans(3, 3), Holds: 5} }, "span 0 [3, 3) of the probe"},
		{"span too far", func(s *splitter.State) { s.Probe = &splitter.Probe{Lent: spans(3, 100_001), Holds: 5} }, "span 0 [3, 100001)"},
		{"spans overlap", func(s *splitter.State) { s.Probe = &splitter.Probe{Lent: spans(3, 7, 6, 9), Holds: 5} },
			"span 1 [6, 9) of the probe: spans ascend, do not overlap"},
		{"move too far", func(s *splitter.State) { s.Moved = []splitter.Move{move(1, 100_001, "b", 0)} }, "move 0 of [1, 100001)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := ninth()
			tt.spoil(s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}
