package splitter_test

import (
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestUnshown(t *testing.T) {
	for in, want := range map[rune]bool{
		'a': false, ' ': false, 'é': false, '語': false, '🚀': false,
		'\u200c': false, // in Persian
		'\u200d': false, // in emoji of several
		'\n':     true, '\x1b': true, '\x7f': true, '\u0085': true,
		'\u2028': true, '\u2029': true, // lines end there, for some
		'\u202e': true, '\u2066': true, '\u200f': true, // directions
		'\u200b': true, '\ufeff': true, '\u00ad': true, // nothing is seen of these
	} {
		if got := splitter.Unshown(in); got != want {
			t.Errorf("Unshown(%U) = %t, want %t", in, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "if", 2},
		{"reason", "reason", 0},
		{"reasn", "reason", 1},
		{"raeson", "reason", 2},
		{"level", "lvl", 2},
		{"wait", "actor", 4},
		{"kitten", "sitting", 3},
		{"fallback", "failback", 1},
	}
	for _, tt := range tests {
		if got, back := splitter.EditDistance(tt.a, tt.b), splitter.EditDistance(tt.b, tt.a); got != tt.want || back != tt.want {
			t.Errorf("EditDistance(%q, %q) = %d, and %d the other way round, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}
