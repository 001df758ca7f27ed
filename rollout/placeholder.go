package rollout

import (
	"context"

	"github.com/switchback-proxy/switchback/store"
)

type Target struct {
	Name  string
	Wants func(store.Event) bool
	Send  func(ctx context.Context, ev store.Event) error
	Test  func(ctx context.Context) error
}

var toldTargets []Target

func (c *Controller) Tell(t []Target) { toldTargets = t }

func (c *Controller) alertTargets() []Target { return toldTargets }
