package caddymodule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
