package splitcmd

import "testing"

func TestOnce(t *testing.T) {
	tests := []struct{ in, want string }{
		{"store is unavailable, nothing was changed: the store is unavailable: redis:6379: connection refused: nothing was written",
			"store is unavailable, nothing was changed: redis:6379: connection refused"},
		{"unavailable: the store is unavailable: nothing was written: OOM command not allowed",
			"unavailable: OOM command not allowed"},
		{"store is unavailable: it did not confirm the change: the change was sent and not confirmed: the store is unavailable: i/o timeout",
			"store is unavailable: it did not confirm the change: i/o timeout"},
		{"the store is unavailable: i/o timeout", "the store is unavailable: i/o timeout"},
		{"refused: nothing was written", "refused: nothing was written"},
		{"red: red: ", "red: red: "},
	}
	for _, tt := range tests {
		if got := once(tt.in); got != tt.want {
			t.Errorf("once(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
