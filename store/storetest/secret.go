package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

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
