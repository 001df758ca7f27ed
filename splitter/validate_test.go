package splitter_test

import (
	"regexp"
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

func TestValidate(t *testing.T) {
	if err := trial(kill("k", "", splitter.KillCut, 0)).Validate(); err != nil {
		t.Fatalf("a good State: got %v", err)
	}
	tests := []struct {
		name  string
		spoil func(*splitter.State)
		want  string
	}{
		{"schema", func(s *splitter.State) { s.Schema = 0 }, "schema 0"},
		{"split", func(s *splitter.State) { s.Split = "No" }, `split "No": names are`},
		{"revision", func(s *splitter.State) { s.Revision = 0 }, "revisions count from 1"},
		{"change id", func(s *splitter.State) { s.ID = "" }, "each has an id"},
		{"salt", func(s *splitter.State) { s.Salt = "" }, "salt is empty"},
		{"no stable", func(s *splitter.State) { s.Stable = "" }, `stable ""`},
		{"bad canary", func(s *splitter.State) { s.Canary = "green!" }, `canary "green!"`},
		{"canary is stable", func(s *splitter.State) { s.Canary = "blue" }, "it is stable already"},
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
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := trial(kill("k", "", splitter.KillCut, 0))
			tt.spoil(s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}
