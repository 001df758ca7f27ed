package caddymodule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEdits(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0}, {"kitten", "sitting", 3},
		{"fallback", "failback", 1},
	} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestParents(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"stable", []string{"stable", ""}},
		{"a[1].b[20]", []string{"a[1].b[20]", "a[1].b", "a[1]", "a", ""}},
	} {
		if diff := cmp.Diff(tt.want, parents(tt.in)); diff != "" {
			t.Errorf("%q: want -, got +:\n%s", tt.in, diff)
		}
	}
}
