package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

type Target struct {
	Name  string
	Wants func(store.Event) bool
	Send  func(ctx context.Context, ev store.Event) error
	Test  func(ctx context.Context) error
}

func recordedID(s *splitter.State, kind, detail string) string {
	text := strconv.Quote(s.Split) + strconv.Quote(kind) + strconv.Quote(detail) + fmt.Sprint(s.Epoch, s.Progress.Step)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// recorded says that something is so which changes no State. detail tells it from others of its kind in this step.
func recorded(s *splitter.State, kind, detail, reason string, seed Seed) store.Event {
	w := s.Weights()
	return store.Event{ID: recordedID(s, kind, detail), Split: s.Split, Revision: s.Revision, Epoch: s.Epoch, From: w, To: w,
		Change: splitter.Change{Kind: kind, Actor: selfActor, Via: "judge", At: seed.Now, Reason: reason}}
}

func (c *Controller) alertTargets() []Target { return nil }
