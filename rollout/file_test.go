package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// TestMembersTellOfTheirFiles has two members with one file and one with another, which it loads after a while.
func TestMembersTellOfTheirFiles(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		hashes := func() map[string]string {
			p, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "looking", Boot: "1"}, ListMembers: true})
			if err != nil {
				t.Fatal(err)
			}
			told := map[string]string{}
			for _, m := range p.Members {
				if m.Name != "looking" {
					file := m.Files["assistant"]
					told[m.Name] = file.Hash
					if diff := cmp.Diff([]string{"blue", "green"}, file.Variants); diff != "" {
						t.Errorf("%s: variants: want -, got +:\n%s", m.Name, diff)
					}
				}
			}
			return told
		}
		elapse(2 * time.Second)
		before := hashes()
		if h := before["proxy-1"]; len(h) != 16 || before["proxy-2"] != h || before["proxy-3"] != h {
			t.Errorf("one file: got %v, want three times the same 16 digits", before)
		}
		changed := assistant(99, 1)
		changed.Contact = "on call"
		attached, err := fleet[2].Attach(changed, "second")
		if err != nil {
			t.Fatal(err)
		}
		elapse(2 * time.Second)
		if diff := cmp.Diff(before, hashes()); diff != "" {
			t.Errorf("a file that is not in force yet: before -, after +:\n%s", diff)
		}
		fleet[2].mustStart(t)
		fleet[2].Detach(fleet[2].at)
		fleet[2].at = attached
		elapse(2 * time.Second)
		if after := hashes(); after["proxy-3"] == before["proxy-3"] || after["proxy-1"] != before["proxy-1"] {
			t.Errorf("another file: got %v before and %v after, want that of proxy-3 changed", before, after)
		}
	})
}
