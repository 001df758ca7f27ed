package main

import (
	"net/http"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestExpectation(t *testing.T) {
	state := &splitter.State{Salt: "salt", Stable: "blue", Canary: "green",
		Ranges: []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "green"}}}
	killed := state.Clone()
	killed.Kills = []splitter.Kill{{ID: "kill-1"}}
	served := func(variant string) answer {
		return answer{http.StatusOK, http.Header{"X-Variant": {variant}}}
	}
	refused := answer{http.StatusServiceUnavailable, http.Header{}}
	tests := []struct {
		name   string
		in     expectation
		answer answer
		want   bool // that the answer is right
	}{
		{"by the weights", byState(state), served("green"), true},
		{"against the weights", byState(state), served("blue"), false},
		{"refused for nothing", byState(state), refused, false},
		{"refused by the kill", byState(killed), refused, true},
		{"served in spite of the kill", byState(killed), served("green"), false},
		{"weights that change", expectation{serves: true}, served("blue"), true},
		{"of no variant", expectation{serves: true}, served(""), false},
		{"a kill on its way", expectation{serves: true, refuses: true}, refused, true},
		{"a failure while a kill is on its way", expectation{serves: true, refuses: true}, answer{http.StatusBadGateway, http.Header{}}, false},
	}
	for _, tt := range tests {
		if got := tt.in.complaint("user-1", tt.answer); (got == "") != tt.want {
			t.Errorf("%s: complaint(%v) = %q, want it right: %t", tt.name, tt.answer, got, tt.want)
		}
	}
}
