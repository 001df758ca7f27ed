package demo

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	start := time.Now()
	p := pace{interval: 100 * time.Millisecond}
	for i, tt := range []struct {
		at, want time.Duration // since the start
	}{
		{0, 0},
		{0, 100 * time.Millisecond},
		{100 * time.Millisecond, 100 * time.Millisecond},
		{350 * time.Millisecond, 0},                         // late by 50 ms …
		{350 * time.Millisecond, 50 * time.Millisecond},     // … which is made up for
		{10 * time.Second, 0},                               // held up: three of many are made up for
		{10 * time.Second, 0},                               //
		{10 * time.Second, 0},                               //
		{10 * time.Second, 50 * time.Millisecond},           //
		{10_050 * time.Millisecond, 100 * time.Millisecond}, // and steadily on
	} {
		if got := p.next(start.Add(tt.at)); got != tt.want {
			t.Errorf("call %d at %s: got %s, want %s", i, tt.at, got, tt.want)
		}
	}
}
