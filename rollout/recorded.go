package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// recordedID returns the id of an event that changes no State. Whoever finds the same cause gives it the same one, so that
// it is told of once, however many find it.
func recordedID(s *splitter.State, kind, detail string) string {
	text := strconv.Quote(s.Split) + strconv.Quote(kind) + strconv.Quote(detail) + fmt.Sprint(s.Epoch, s.Progress.Step)
	if since := judgedSince(s); since > 0 {
		text += fmt.Sprint(" ", since) // judged anew, it may be so anew
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// recorded says that something is so which changes no State. detail tells it from others of its kind in this step.
func recorded(s *splitter.State, kind, detail, reason string, seed Seed) store.Event {
	w := s.Weights()
	return store.Event{ID: recordedID(s, kind, detail), Split: s.Split, Revision: s.Revision, Epoch: s.Epoch, From: w, To: w,
		Change: splitter.Change{Kind: kind, Actor: selfActor, Via: "judge", At: seed.Now, Reason: reason}}
}

// failsPaused says that a canary fails whose rollout somebody has paused.
func failsPaused(s *splitter.State, v health.Verdict, seed Seed) (store.Event, error) {
	reason := fmt.Sprintf("%s fails while the rollout is paused, and keeps its share of %s; %s", s.Canary, s.Weights()[s.Canary], v.Reason)
	ev := recorded(s, KindFailbackHeld, "paused", reason, seed)
	var err error
	ev.Evidence, err = Grounds{Verdict: v, Exposed: exposure(s)}.encode()
	return ev, err
}

// record writes an event that changes no State, unless this instance has done so. What cannot be written is tried again with
// the next round.
func (c *Controller) record(ctx context.Context, s *Split, ev store.Event) {
	d := &s.docket
	st := c.answeringStore()
	if _, done := d.recorded[ev.ID]; done || st == nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	_, err := st.Record(limited, ev)
	if ctx.Err() == nil {
		d.recording.note(s.log, "an event cannot be recorded", err)
	}
	if err == nil {
		d.recorded[ev.ID] = struct{}{}
	}
}
