package splitcmd

import "testing"

func TestEdits(t *testing.T) {
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
	}
	for _, tt := range tests {
		if got, back := edits(tt.a, tt.b), edits(tt.b, tt.a); got != tt.want || back != tt.want {
			t.Errorf("edits(%q, %q) = %d, and %d the other way round, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}

func TestTypedJSON(t *testing.T) {
	tests := []struct {
		in   []string
		want bool
	}{
		{nil, false},
		{[]string{"kill", "assistant", "--reasn", "--json"}, true},
		{[]string{"kill", "assistant", "--json=true", "--reasn"}, true},
		{[]string{"kill", "assistant", "--reasn", "--", "--json"}, false},
	}
	for _, tt := range tests {
		if got := (host{args: tt.in}).typedJSON(); got != tt.want {
			t.Errorf("typedJSON of %q = %v, want %v", tt.in, got, tt.want)
		}
	}
}
