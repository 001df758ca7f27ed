package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
)

// book is an incident after which green must be at 6 % and one kill in force.
func book() *incident {
	return &incident{
		crew:  &crew{watch: newWatch(2), traffic: new(traffic)},
		right: map[splitter.Weight]bool{6 * percent: true},
		kills: map[string]time.Time{"kill-1": {}},
	}
}

func TestReport(t *testing.T) {
	now := time.Now()
	good := sight{Version: splitter.Version{Revision: 7, ID: "b"}, green: 6 * percent, kills: []splitter.Kill{{ID: "kill-1"}}, at: now}
	old := good
	old.Version, old.green = splitter.Version{Revision: 6, ID: "a"}, 5*percent
	spared := good
	spared.kills = nil
	tests := []struct {
		name  string
		seen  []sight // by the second proxy, in turn
		fails int
		want  map[string]float64 // of the figures, those that are not 0
	}{
		{"as it should be", []sight{old, good}, 0, map[string]float64{}},
		{"a step back", []sight{good, old, good}, 0, map[string]float64{"backwards_revisions": 1}},
		{"an old State in the end", []sight{old}, 0, map[string]float64{"resurrected_states": 1}},
		{"a lost kill", []sight{spared}, 0, map[string]float64{"lost_kills": 1}},
		{"failed requests", []sight{good}, 2, map[string]float64{"failed_requests": 2}},
	}
	for _, tt := range tests {
		i := book()
		i.kills["kill-1"] = now
		i.ended, i.whole = now, now
		i.watch.see(0, good)
		for _, s := range tt.seen {
			i.watch.see(1, s)
		}
		for range tt.fails {
			i.traffic.complain(1, "status 502")
		}
		got := i.report(time.Second)
		for name, figure := range got.Figures {
			if figure == 0 {
				delete(got.Figures, name)
			}
		}
		if diff := cmp.Diff(tt.want, got.Figures); diff != "" || got.OK != (len(tt.want) == 0) {
			t.Errorf("%s: ok %t, figures differ (-want +got):\n%s", tt.name, got.OK, diff)
		}
	}
}

func TestStale(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	tests := []struct {
		name                 string
		ended, latest, whole time.Time
		want                 time.Duration
	}{
		{"from the end", at(5), at(1), at(8), 3 * time.Second},
		{"from the last change", at(5), at(6), at(8), 2 * time.Second},
		{"never whole", at(5), at(6), time.Time{}, recoverLimit},
	}
	for _, tt := range tests {
		i := &incident{ended: tt.ended, latest: tt.latest, whole: tt.whole}
		if got := i.stale(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
