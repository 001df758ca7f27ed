package main

import (
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"at":"2026-11-22T12:00:00.5Z","n":12345678901234567890}`, `{"at":"2026-11-15T12:00:00.5Z","n":12345678901234567890}`},
		{`[{"state":{"since":"2026-01-01T00:00:00+01:00"}},"not a time",null]`,
			`[{"state":{"since":"2025-12-25T00:00:00+01:00"}},"not a time",null]`},
	}
	for _, tt := range tests {
		got, err := age([]byte(tt.in), 7*24*time.Hour)
		if err != nil || string(got) != tt.want {
			t.Errorf("age(%s) = %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	if got, err := age([]byte("{"), time.Hour); err == nil {
		t.Errorf("age of half a document = %s, want an error", got)
	}
}
