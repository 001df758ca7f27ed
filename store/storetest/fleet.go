package storetest

import (
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var fleetTests = map[string]func(*testing.T, store.Store){
	"versions of what was asked": func(t *testing.T, s store.Store) {
		one, other := begin(t, s, "one"), advance(t, s, begin(t, s, "other"), 1)
		begin(t, s, "not-asked")
		p := pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"one": {}, "other": {}, "none": {}}))
		equal(t, "versions", p.Versions, map[string]splitter.Version{"one": one.Version, "other": other.Version})
	},
	"nothing asked": func(t *testing.T, s store.Store) {
		equal(t, "versions", len(pulse(t, s, beatOf("a", "1", nil)).Versions), 0)
	},
	"members, sorted, with what they applied": testMembers,
	"members are listed only if asked for": func(t *testing.T, s store.Store) {
		beat := beatOf("a", "1", nil)
		beat.ListMembers = false
		if p := pulse(t, s, beat); p.Members != nil {
			t.Errorf("members: got %v, want nil", p.Members)
		}
	},
	"what a member applied changes": func(t *testing.T, s store.Store) {
		for _, applied := range []map[string]splitter.Version{
			{"one": {Revision: 1, ID: "a"}},
			{"one": {Revision: 1, ID: "with a space"}, "other": {Revision: 1<<64 - 1, ID: ""}},
			nil,
		} {
			equal(t, "applied", pulse(t, s, beatOf("a", "1", applied)).Members[0].Applied, applied)
		}
	},
	"what a member does": func(t *testing.T, s store.Store) {
		beat := beatOf("a", "1", nil)
		for _, active := range []map[string]store.Activity{
			nil, // as an earlier release beats
			{},
			{"assistant": {InFlight: map[string]int{"green": 7}, Conversations: map[string]int{"blue": 2}, Hold: 1, Finish: true,
				Overrides: []string{"green"}}, "idle": {}},
		} {
			beat.Active = active
			equal(t, "active", pulse(t, s, beat).Members[0].Active, active)
			equal(t, "told", pulse(t, s, beat).Members[0].Active != nil, active != nil)
		}
	},
	"what a member's file has": func(t *testing.T, s store.Store) {
		beat := beatOf("a", "1", nil)
		for _, files := range []map[string]store.File{
			nil, // as an earlier release beats
			{},
			{"assistant": {Hash: "0123456789abcdef", Variants: []string{"blue", "green"}, Declared: map[string]string{"green": "v1"}}, "other": {Hash: "fedcba9876543210"}},
		} {
			beat.Files = files
			equal(t, "files", pulse(t, s, beat).Members[0].Files, files)
			equal(t, "told", pulse(t, s, beat).Members[0].Files != nil, files != nil)
		}
	},
	"nothing is refused and nothing ordered": func(t *testing.T, s store.Store) {
		begin(t, s, "assistant")
		p := pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"assistant": {}}))
		equal(t, "refused", p.Refused, "")
		equal(t, "orders", len(p.Orders), 0)
		equal(t, "corrupt", len(p.Corrupt), 0)
	},
	"leaving": func(t *testing.T, s store.Store) {
		pulse(t, s, beatOf("a", "1", nil))
		pulse(t, s, beatOf("a", "2", nil)) // lives, so that it stays
		pulse(t, s, beatOf("b", "1", nil))
		for range 2 { // the second time there is nothing left to do
			if err := s.Leave(t.Context(), store.MemberID{Name: "a", Boot: "1"}); err != nil {
				t.Fatalf("Leave: %v", err)
			}
		}
		equal(t, "members", memberNames(pulse(t, s, beatOf("b", "1", nil))), []string{"a/2", "b/1"})
	},
}

func testMembers(t *testing.T, s store.Store) {
	pulse(t, s, beatOf("proxy/b", "2", nil))
	pulse(t, s, beatOf("proxy/b", "1", nil))
	pulse(t, s, beatOf("a", "9", nil))
	applied := map[string]splitter.Version{"assistant": {Revision: 7, ID: "seven"}}
	beat := beatOf("a", "9", applied)
	p := pulse(t, s, beat)
	equal(t, "members", memberNames(p), []string{"a/9", "proxy/b/1", "proxy/b/2"})
	beat.ListMembers = false // it is no part of what others see
	equal(t, "beat", p.Members[0].Beat, beat)
	for _, m := range p.Members {
		if age := p.Now.Sub(m.Seen); age < 0 || age > time.Minute {
			t.Errorf("member %s: seen %v before now, want a moment", m.MemberID, age)
		}
	}
	equal(t, "the caller's age", p.Now.Sub(p.Members[0].Seen), time.Duration(0))
}

// beatOf returns a beat of the fixtures' release that asks for the members.
func beatOf(name, boot string, applied map[string]splitter.Version) store.Beat {
	return store.Beat{MemberID: store.MemberID{Name: name, Boot: boot}, Release: "v1.2.3", Started: epochStart,
		Applied: applied, ListMembers: true}
}

// pulse beats, and fails the test if that fails.
func pulse(t *testing.T, s store.Store, beat store.Beat) store.Pulse {
	t.Helper()
	p, err := s.Pulse(t.Context(), beat)
	if err != nil {
		t.Fatalf("Pulse: %v", err)
	}
	if p.Now.IsZero() {
		t.Error("Pulse: got no time, want the store's clock")
	}
	return p
}

// memberNames returns the members' ids as text.
func memberNames(p store.Pulse) []string {
	names := make([]string, len(p.Members))
	for i, m := range p.Members {
		names[i] = m.MemberID.String()
	}
	return names
}
