package splitcmd

import "testing"

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
