package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// What is told with each frame fits, however much there is to say, and what others go on from is left out last.
func TestSummaryFits(t *testing.T) {
	s := summary{Schema: 1, Epoch: 7, OnTrial: true, Verdict: health.Verdict{Reason: strings.Repeat("so it is ", 20)},
		Plan: &account{Tally: Tally{Epoch: 7, Step: 2, Baked: 99, Requests: 12}, UpTo: 1234, Shares: map[string]float64{}}}
	for i := range 40 {
		s.Verdict.Streams = append(s.Verdict.Streams, health.StreamVerdict{Stream: "errors"})
		s.Missing = append(s.Missing, fmt.Sprintf("proxy-with-a-long-name-%d", i))
		s.Plan.Members = append(s.Plan.Members, strings.Repeat("proxy-1 lags ", 10))
		s.Plan.Closed = append(s.Plan.Closed, strings.Repeat("the webhook at gate.example answers 500 ", 10))
		s.Plan.Shares[newID()] = 0.025
	}
	doc := s.encode(zap.NewNop())
	if len(doc) == 0 || len(doc) > store.MaxSummary {
		t.Fatalf("got %d bytes, at most %d fit", len(doc), store.MaxSummary)
	}
	var got summary
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	if got.Plan == nil || got.Plan.Tally != s.Plan.Tally || got.Plan.UpTo != 1234 || len(got.Plan.Shares) != 40 {
		t.Errorf("got %+v, want the tally and the shares", got.Plan)
	}
	if len(got.Plan.Members) == 0 || len(got.Plan.Closed) == 0 {
		t.Errorf("got %+v, want that something is waited for", got.Plan)
	}
	if len(s.Plan.Members) != 40 || len(s.Verdict.Streams) != 40 {
		t.Error("what was encoded is not what it was")
	}
}

// An event that is recorded has one id wherever it is found, and another one for another cause.
func TestRecordedID(t *testing.T) {
	seen := map[string]string{}
	for _, split := range []string{"assistant", "other"} {
		for _, epoch := range []uint64{1, 11} {
			for _, step := range []int{1, 11} {
				for _, detail := range []string{"", "approval", "webhook"} {
					s := &splitter.State{Split: split}
					s.Epoch, s.Progress.Step = epoch, step
					id := recorded(s, KindWaiting, detail, "because", Seed{}).ID
					what := fmt.Sprint(split, epoch, step, detail)
					if was, ok := seen[id]; ok {
						t.Errorf("%s and %s have one id", was, what)
					}
					seen[id] = what
					s.Revision++
					if again := recorded(s, KindWaiting, detail, "another reason", Seed{ID: "x"}).ID; again != id {
						t.Errorf("%s: got %s and %s", what, id, again)
					}
				}
			}
		}
	}
}
