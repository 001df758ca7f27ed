package main

import (
	"math"
	"testing"
)

func TestAtSize(t *testing.T) {
	line := func(c fleetCost) float64 { return c.cpu }
	tests := []struct {
		name  string
		costs []fleetCost
		want  float64
	}{
		{"on a line", []fleetCost{{members: 10, cpu: 3}, {members: 20, cpu: 5}, {members: 50, cpu: 11}}, 201},
		{"level", []fleetCost{{members: 10, cpu: 2}, {members: 20, cpu: 2}}, 2},
		{"least squares", []fleetCost{{members: 0, cpu: 0}, {members: 1, cpu: 1}, {members: 2, cpu: 1}}, 500 + 1.0/6},
	}
	for _, tt := range tests {
		if got := atSize(tt.costs, line, 1000); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: got %g at 1000, want %g", tt.name, got, tt.want)
		}
	}
}
