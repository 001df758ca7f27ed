package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

var (
	memberA = store.MemberID{Name: "a/slashed", Boot: "1"}
	memberB = store.MemberID{Name: "b", Boot: "1"}
)

var evidenceTests = map[string]func(*testing.T, store.Store){
	"frames of all, the last of each": func(t *testing.T, s store.Store) {
		exchange(t, s, "assistant", 1, memberA, "old")
		exchange(t, s, "assistant", 1, memberB, "b")
		equal(t, "frames", exchange(t, s, "assistant", 1, memberA, "new"),
			map[store.MemberID]string{memberA: "new", memberB: "b"})
	},
	"frames are opaque": func(t *testing.T, s store.Store) {
		for _, frame := range []string{"", " leading", "\x00\xff\r\n{}", "12345 6"} {
			equal(t, "frames", exchange(t, s, "assistant", 1, memberA, frame), map[store.MemberID]string{memberA: frame})
		}
	},
	"epochs and splits are apart": func(t *testing.T, s store.Store) {
		exchange(t, s, "assistant", 1, memberA, "epoch 1")
		exchange(t, s, "other", 2, memberA, "other split")
		equal(t, "frames", exchange(t, s, "assistant", 2, memberB, "b"), map[store.MemberID]string{memberB: "b"})
	},
}

// exchange gives a frame and returns all as text.
func exchange(t *testing.T, s store.Store, split string, epoch uint64, from store.MemberID, frame string) map[store.MemberID]string {
	t.Helper()
	frames, err := s.Exchange(t.Context(), split, epoch, from, []byte(frame))
	if err != nil {
		t.Fatalf("Exchange: %v", err)
	}
	texts := make(map[store.MemberID]string, len(frames))
	for id, data := range frames {
		texts[id] = string(data)
	}
	return texts
}

var secretTests = map[string]func(*testing.T, store.Store){
	"the first proposal wins": func(t *testing.T, s store.Store) {
		for _, proposed := range []string{"first", "second", ""} {
			secret, err := s.Secret(t.Context(), proposed)
			if err != nil || secret != "first" {
				t.Errorf("Secret(%q): got %q, %v, want first", proposed, secret, err)
			}
		}
	},
	"none, and none proposed": func(t *testing.T, s store.Store) {
		if secret, err := s.Secret(t.Context(), ""); !errors.Is(err, store.ErrNoSecret) {
			t.Errorf("Secret: got %q, %v, want ErrNoSecret", secret, err)
		}
	},
	"a pulse tells whether there is one": func(t *testing.T, s store.Store) {
		equal(t, "before", pulse(t, s, beatOf("a", "1", nil)).HasSecret, false)
		if _, err := s.Secret(t.Context(), "first"); err != nil {
			t.Fatalf("Secret: %v", err)
		}
		equal(t, "after", pulse(t, s, beatOf("a", "1", nil)).HasSecret, true)
	},
	"eight at once agree": func(t *testing.T, s store.Store) {
		var got [8]string
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				secret, err := s.Secret(t.Context(), fmt.Sprint("proposal ", i))
				if err != nil {
					t.Errorf("Secret: %v", err)
				}
				got[i] = secret
			})
		}
		all.Wait()
		for _, secret := range got {
			equal(t, "secret", secret, got[0])
		}
	},
}
